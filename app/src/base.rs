//! The path the console is served under, and the one place that makes paths from it.

use leptos::prelude::use_context;

/// Empty at the root of a host, else like `/quorate`: a leading slash, none at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(pub String);

impl BasePath {
    /// `to` starts with a slash: `/clusters/vault-eu`.
    #[must_use]
    pub fn path(&self, to: &str) -> String {
        format!("{}{to}", self.0.trim_end_matches('/'))
    }

    /// `path` without the base, so that `/quorate/audit` and `/audit` both read `/audit`.
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> &'a str {
        let rest = path
            .strip_prefix(self.0.trim_end_matches('/'))
            .unwrap_or(path);
        match rest {
            "" => "/",
            inside if inside.starts_with('/') => inside,
            _ => path,
        }
    }
}

/// A path of this console for a link; to be called while rendering, not in an event handler.
///
/// Links the router must leave to the server (downloads, sign-in links) carry `rel="external"`
/// or `download` beside it.
#[must_use]
pub fn path(to: &str) -> String {
    use_context::<BasePath>().unwrap_or_default().path(to)
}

/// The page of a cluster, or of one group of a program of many: `cluster/group`.
#[must_use]
pub fn cluster_path(name: &str) -> String {
    match name.split_once('/') {
        None => path(&format!("/clusters/{}", segment(name))),
        Some((name, group)) => path(&format!(
            "/clusters/{}/groups/{}",
            segment(name),
            segment(group)
        )),
    }
}

/// The page of a change.
#[must_use]
pub fn change_path(id: &str) -> String {
    path(&format!("/changes/{}", segment(id)))
}

/// `text` as one segment of a path or one value of a query: everything but unreserved
/// characters is percent-encoded.
#[must_use]
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_put_in_front_and_taken_off_again() {
        let base = BasePath("/quorate".to_owned());
        assert_eq!(base.path("/audit"), "/quorate/audit");
        assert_eq!(base.strip("/quorate/audit"), "/audit");
        assert_eq!(base.strip("/quorate"), "/");
        assert_eq!(base.strip("/quorates"), "/quorates");
        assert_eq!(BasePath::default().strip("/audit"), "/audit");
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("a/../b c?d"), "a%2F..%2Fb%20c%3Fd");
    }
}
