//! A page's title by its path, the same in the server's `<title>` and after moving on.

use crate::words;

/// `path` is without the base.
#[must_use]
pub fn of_path(path: &str) -> String {
    let name = words::PRODUCT;
    match name_of_path(path) {
        Some(page) => format!("{page} · {name}"),
        None => name.to_owned(),
    }
}

/// The page's own name; `None` where there is no such page.
#[must_use]
pub fn name_of_path(path: &str) -> Option<String> {
    let mut parts = path.trim_matches('/').splitn(2, '/');
    let (first, rest) = (parts.next()?, parts.next());
    let title = match (first, rest) {
        ("", None) => words::FLEET.to_owned(),
        ("clusters", Some(rest)) => place(rest),
        ("problems", None) => words::PROBLEMS.to_owned(),
        ("changes", None) => words::CHANGES.to_owned(),
        ("changes", Some(_)) => words::CHANGE.to_owned(),
        ("audit", None) => words::AUDIT.to_owned(),
        ("audit", Some(seq)) => format!("{} {}", words::AUDIT_ENTRY, decode(seq)),
        ("access", None) => words::ACCESS.to_owned(),
        ("sign-in", None) => words::SIGN_IN.to_owned(),
        _ => return None,
    };
    Some(title)
}

/// What a path below `clusters/` is about: a cluster, also for the list of its groups, or
/// `cluster/group`.
#[must_use]
pub fn place(rest: &str) -> String {
    let rest = rest.strip_suffix("/groups").unwrap_or(rest);
    decode(&rest.replacen("/groups/", "/", 1))
}

/// Undoes [`crate::base::segment`]; what is no valid text stays as it is written.
#[must_use]
pub fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| segment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_a_title_of_its_own() {
        assert_eq!(of_path("/"), "Fleet · Quorate");
        assert_eq!(of_path("/clusters/a%20b"), "a b · Quorate");
        assert_eq!(of_path("/clusters/a/groups"), "a · Quorate");
        assert_eq!(of_path("/clusters/a/groups/g%2F7"), "a/g/7 · Quorate");
        assert_eq!(of_path("/audit/17"), "Audit entry 17 · Quorate");
        assert_eq!(of_path("/nowhere"), "Quorate");
    }

    #[test]
    fn a_broken_escape_stays_as_written() {
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%"), "%zz%");
        assert_eq!(decode("%ff"), "%ff");
    }
}
