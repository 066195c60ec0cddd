//! Where checkpoints of the audit log are copied to.

use std::path::PathBuf;

use toml::{Table, Value};
use url::{Host, Url};

use super::Section;

/// The places outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    pub files: Vec<PathBuf>,
    pub webhooks: Vec<Url>,
    /// File with the bearer token that every webhook is sent.
    pub token_file: Option<PathBuf>,
}

pub fn read(table: &Table, problems: &mut Vec<String>) -> Copies {
    let audit = Section::of(table, "audit");
    let texts = |key: &str| {
        let list = audit
            .0
            .and_then(|table| table.get(key))
            .and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
    };
    let webhooks: Vec<String> = texts("copy_webhooks").collect();
    Copies {
        files: texts("copy_files").map(PathBuf::from).collect(),
        webhooks: webhooks
            .iter()
            .filter_map(|text| webhook(text, problems))
            .collect(),
        token_file: audit.text("copy_token_file").map(PathBuf::from),
    }
}

/// Only over TLS, or on this machine: who can change a copy on its way makes it worthless.
fn webhook(text: &str, problems: &mut Vec<String>) -> Option<Url> {
    let is_here = |url: &Url| match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let url = Url::parse(text).ok().filter(|url| {
        (url.scheme() == "https" || (url.scheme() == "http" && is_here(url)))
            && url.username().is_empty()
            && url.password().is_none()
    });
    if url.is_none() {
        problems.push(
            "audit.copy_webhooks: expected addresses like \"https://keeper.example/quorate\", \
             without a password"
                .to_owned(),
        );
    }
    url
}
