//! Names of headers that say who somebody is, in every spelling.
//!
//! Gateways in between turn `-` into `_` or back, and names know no case; so two spellings are
//! one name here, and a spelling that is not the configured one is refused.

use axum::http::{HeaderMap, HeaderName, header};

use super::{Doubt, Presented, Shown};

/// Headers by which proxies tell who somebody is.
const IDENTITY: [&str; 13] = [
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "remote-user",
    "remote-groups",
    "remote-name",
    "remote-email",
    "cf-access-jwt-assertion",
    "cf-access-authenticated-user-email",
    "x-goog-iap-jwt-assertion",
    "teleport-jwt-assertion",
];
const FAMILIES: [&str; 9] = [
    "x-auth-request-",
    "x-authentik-",
    "x-pomerium-",
    "x-amzn-oidc-",
    "tailscale-user-",
    "tailscale-app-",
    "oidc-",
    "x-webauth-",
    "x-goog-authenticated-user-",
];

/// Whether a header claims an identity in some mode or other.
#[must_use]
pub fn foreign(name: &str) -> bool {
    let folded = fold(name);
    IDENTITY.contains(&folded.as_str()) || FAMILIES.iter().any(|family| folded.starts_with(family))
}

fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Takes `names`, in every spelling, out of a request, and drops all else that claims an identity.
pub fn take(headers: &mut HeaderMap, names: &[&str], by: Shown) -> Presented {
    let names: Vec<String> = names.iter().map(|name| fold(name)).collect();
    let mut presented = HeaderMap::new();
    let mut gone: Vec<HeaderName> = Vec::new();
    for name in headers.keys() {
        let ours = names.contains(&fold(name.as_str()));
        if ours {
            for value in headers.get_all(name) {
                presented.append(name.clone(), value.clone());
            }
        }
        // The one header that REST needs as well: it knows its own tokens by their prefix.
        if (ours && *name != header::AUTHORIZATION) || foreign(name.as_str()) {
            gone.push(name.clone());
        }
    }
    for name in gone {
        headers.remove(name);
    }
    Presented {
        headers: presented,
        by,
    }
}

impl Presented {
    /// The one value of a header; `None` if it is absent or empty.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Doubt> {
        let exact = name.to_ascii_lowercase();
        let folded = fold(name);
        let mut found = None;
        for (spelled, value) in &self.headers {
            if fold(spelled.as_str()) != folded {
                continue;
            }
            if found.is_some() || spelled.as_str() != exact {
                return Err(Doubt::Ambiguous);
            }
            found = Some(value);
        }
        let Some(value) = found else { return Ok(None) };
        let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Doubt::Malformed)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Whether any of these headers is there, whatever it says.
    pub(super) fn any(&self, names: &[&str]) -> bool {
        let names: Vec<String> = names.iter().map(|name| fold(name)).collect();
        self.headers
            .keys()
            .any(|name| names.contains(&fold(name.as_str())))
    }
}
