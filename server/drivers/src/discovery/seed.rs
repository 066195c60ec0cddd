//! A seed as it is configured: an address, a name in DNS, a service in Consul's catalogue.
//!
//! ```text
//! https://bao-eu1-a.example:8200
//! srv:_raft._tcp.example            ?scheme=http  ?targets=other.example
//! consul:https://consul.example:8501/vault   ?tag=active  ?dc=eu1  ?scheme=http
//! ```

use std::fmt;

use url::Url;

use crate::http::{origin, without_credentials};

const SRV: &str = "srv:";
const CONSUL: &str = "consul:";

/// One entry of `seeds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seed {
    Address(Url),
    Service(Service),
    Catalogue(Catalogue),
}

/// A name with SRV records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    text: String,
    /// Without the dot at its end.
    pub(super) name: String,
    /// Members are looked for in this domain and nowhere else.
    pub(super) targets: String,
    pub(super) scheme: &'static str,
}

/// A service in Consul's catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    text: String,
    pub(super) base: Url,
    pub(super) service: String,
    /// An instance must have all of them.
    pub(super) tags: Vec<String>,
    pub(super) datacenter: Option<String>,
    pub(super) scheme: &'static str,
}

/// A seed that can never lead anywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed `{seed}`: {why}")]
pub struct SeedError {
    seed: String,
    pub why: String,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Seed {
    /// Whether `text` names somebody who tells addresses.
    #[must_use]
    pub fn is_source(text: &str) -> bool {
        let text = text.trim();
        text.starts_with(SRV) || text.starts_with(CONSUL)
    }

    /// # Errors
    /// For what is none of the three forms, without repeating a password in it.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let text = text.trim();
        let parsed = if let Some(rest) = text.strip_prefix(SRV) {
            service(text, rest).map(Self::Service)
        } else if let Some(rest) = text.strip_prefix(CONSUL) {
            catalogue(text, rest).map(Self::Catalogue)
        } else {
            origin(text)
                .map(Self::Address)
                .map_err(|_| "it is not an address like \"https://host:8200\"".to_owned())
        };
        parsed.map_err(|why| SeedError {
            seed: without_credentials(text),
            why,
        })
    }
}

fn service(text: &str, rest: &str) -> Result<Service, String> {
    let (name, query) = match rest.split_once('?') {
        Some((name, query)) => (name, Some(query)),
        None => (rest, None),
    };
    let name =
        dns_name(name).ok_or("expected a name like \"srv:_raft._tcp.example\" after \"srv:\"")?;
    let (mut scheme, mut targets) = ("https", None);
    for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match key.as_ref() {
            "scheme" => scheme = scheme_of(&value)?,
            "targets" => {
                let domain = dns_name(&value).ok_or("`targets` must name a domain")?;
                targets = Some(domain);
            }
            other => return Err(format!("knows `scheme` and `targets`, not `{other}`")),
        }
    }
    let own = name
        .split('.')
        .skip_while(|label| label.starts_with('_'))
        .collect::<Vec<_>>()
        .join(".");
    if own.is_empty() {
        return Err("the name needs a domain after the service".to_owned());
    }
    Ok(Service {
        text: text.to_owned(),
        targets: targets.unwrap_or(own),
        name,
        scheme,
    })
}

fn catalogue(text: &str, rest: &str) -> Result<Catalogue, String> {
    const FORM: &str =
        "expected an address and a service, like \"consul:https://consul.example:8501/vault\"";
    let mut base = Url::parse(rest).map_err(|_| FORM.to_owned())?;
    let plain = matches!(base.scheme(), "http" | "https")
        && base.has_host()
        && base.username().is_empty()
        && base.password().is_none()
        && base.fragment().is_none();
    if !plain {
        return Err(FORM.to_owned());
    }
    let service = base.path().trim_matches('/').to_owned();
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if service.is_empty() || service.len() > 128 || !service.chars().all(sound) {
        return Err(FORM.to_owned());
    }
    let (mut tags, mut datacenter, mut scheme) = (Vec::new(), None, "https");
    for (key, value) in base.query_pairs() {
        match key.as_ref() {
            "tag" => tags.push(value.into_owned()),
            "dc" => datacenter = Some(value.into_owned()),
            "scheme" => scheme = scheme_of(&value)?,
            other => return Err(format!("knows `tag`, `dc` and `scheme`, not `{other}`")),
        }
    }
    base.set_path("/");
    base.set_query(None);
    Ok(Catalogue {
        text: text.to_owned(),
        base,
        service,
        tags,
        datacenter,
        scheme,
    })
}

fn scheme_of(text: &str) -> Result<&'static str, String> {
    match text {
        "https" => Ok("https"),
        "http" => Ok("http"),
        _ => Err("`scheme` is https or http".to_owned()),
    }
}

/// A DNS name in lower case, without the dot at its end.
fn dns_name(text: &str) -> Option<String> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let sound = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len()) && label.chars().all(plain)
    };
    (name.len() <= 253 && name.split('.').all(sound)).then_some(name)
}
