//! `[identity]`: who may come in, and by what. Exactly one mode; keys of another signed-on mode
//! beside it are refused, since somebody would believe that they hold.

mod assertion;
mod grants;
mod headers;
mod oidc;
mod sessions;
mod step_up;

use std::path::PathBuf;

use axum::http::HeaderName;
use quorate_domain::permission::Grant;
use quorate_drivers::Secret;
use toml::{Table, Value};

use super::Section;
use crate::{
    identity::{
        Assertions, Expected, Identity, Names, Patience, Peers, Place, Proxied, Rule, Rules,
        Source, TrustedHeaders, Word, numbers, own,
    },
    listening::emergency::Door,
};

pub use oidc::{Client, check_address};
pub use sessions::{Lives, read as sessions};
pub use step_up::read as step_up;

const HEADER_KEYS: [&str; 10] = [
    "user_header",
    "name_header",
    "email_header",
    "groups_header",
    "groups_separator",
    "trusted_proxies",
    "proxy_secret_header",
    "proxy_secret_file",
    "proxy_certificate_names",
    "proxy_users",
];
const JWT_KEYS: [&str; 9] = [
    "preset",
    "header",
    "issuer",
    "audience",
    "signer",
    "jwks_url",
    "jwks_file",
    "groups_claim",
    "leeway_ms",
];
const SECRET_SHORTEST: usize = 16;

/// The mode as configured. Secrets and keys are still in their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Local,
    Proxied {
        by: Box<By>,
        rules: Rules,
        sign_out: Option<String>,
    },
    Oidc {
        client: Box<Client>,
        rules: Rules,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    Headers {
        names: Names,
        /// `None`: any address, where a certificate is demanded.
        peers: Option<Peers>,
        certificate_names: Vec<String>,
        users: Vec<String>,
        secret: Option<(String, PathBuf)>,
    },
    Assertion {
        expected: Expected,
        keys: Place,
    },
}

impl Mode {
    /// The mode with its secrets and keys read.
    ///
    /// # Errors
    /// The file that cannot be used, in words.
    pub fn identity(&self) -> Result<Identity, String> {
        match self {
            Self::Local => Ok(Identity::Local),
            Self::Proxied {
                by,
                rules,
                sign_out,
            } => Ok(Identity::Proxied(Box::new(Proxied {
                word: by.word()?,
                rules: rules.clone(),
                sign_out: sign_out.clone(),
            }))),
            Self::Oidc { client, rules } => Ok(Identity::Oidc(Box::new(client.oidc(rules)?))),
        }
    }

    /// Whom roles are given by groups and subjects, in words.
    #[must_use]
    pub fn granted(&self) -> Vec<(String, Grant)> {
        let rules = match self {
            Self::Local => return Vec::new(),
            Self::Proxied { rules, .. } | Self::Oidc { rules, .. } => rules,
        };
        let whom = |rule: &Rule| match rule {
            Rule::Group(group) => format!("the group {group}"),
            Rule::User(subject) => subject.clone(),
        };
        let given = rules.given.iter();
        given
            .map(|(rule, grant)| (whom(rule), grant.clone()))
            .collect()
    }
}

impl By {
    fn word(&self) -> Result<Word, String> {
        match self {
            Self::Headers {
                names,
                peers,
                certificate_names,
                users,
                secret,
            } => Ok(Word::Headers(TrustedHeaders {
                names: names.clone(),
                peers: peers.clone(),
                certificate_names: certificate_names.clone(),
                users: match &users[..] {
                    [] => own(),
                    named => {
                        numbers(named).map_err(|error| format!("identity.proxy_users: {error}"))?
                    }
                },
                secret: match secret {
                    Some((header, path)) => Some((header.clone(), secret_of(path)?)),
                    None => None,
                },
            })),
            Self::Assertion { expected, keys } => Ok(Word::Assertion(Assertions {
                expected: expected.clone(),
                keys: Source::new(keys.clone(), Patience::default())
                    .map_err(|error| format!("identity: {error}"))?,
            })),
        }
    }
}

fn secret_of(path: &std::path::Path) -> Result<Secret, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("identity.proxy_secret_file: cannot read {shown}: {error}"))?;
    let text = text.trim();
    if text.len() < SECRET_SHORTEST {
        return Err(format!(
            "identity.proxy_secret_file: {shown} holds fewer than {SECRET_SHORTEST} characters"
        ));
    }
    Ok(Secret::new(text))
}

pub fn read(table: &Table, problems: &mut Vec<String>) -> Mode {
    let section = Section::of(table, "identity");
    let mut reader = Reader { section, problems };
    let mode = section.text("mode").unwrap_or("local");
    if matches!(mode, "trusted-header" | "jwt-header") {
        reader.no_others(mode, &oidc::KEYS);
    }
    let (by, other) = match mode {
        "local" => return Mode::Local,
        "oidc" => return reader.oidc(),
        "trusted-header" => (reader.headers(), &JWT_KEYS[..]),
        "jwt-header" => (reader.assertion(), &HEADER_KEYS[..]),
        other => {
            reader.wrong(
                "mode",
                &format!(
                    "expected \"local\", \"trusted-header\", \"jwt-header\" or \"oidc\"; \
                     found \"{other}\""
                ),
            );
            return Mode::Local;
        }
    };
    reader.no_others(mode, other);
    let rules = reader.rules();
    let sign_out = reader.sign_out();
    match by {
        Some(by) => Mode::Proxied {
            by: Box::new(by),
            rules,
            sign_out,
        },
        None => Mode::Local,
    }
}

/// The socket for emergencies, in every mode.
pub fn break_glass(table: &Table, problems: &mut Vec<String>) -> Option<Door> {
    let section = Section::of(table, "identity").0?;
    let section = Section(Some(section.get("break_glass")?.as_table()?));
    let socket = section.text("socket").map(PathBuf::from);
    let socket = socket.filter(|path| path.is_absolute() && path.parent().is_some());
    if socket.is_none() {
        problems.push(
            "identity.break_glass.socket: expected a whole path like \
             \"/run/quorate/break-glass.sock\""
                .to_owned(),
        );
    }
    Some(Door {
        socket: socket?,
        users: section.texts("users"),
    })
}

struct Reader<'a, 'b> {
    section: Section<'a>,
    problems: &'b mut Vec<String>,
}

impl<'a> Reader<'a, '_> {
    fn wrong(&mut self, key: &str, what: &str) {
        self.problems.push(format!("identity.{key}: {what}"));
    }

    fn texts(&self, key: &str) -> Vec<String> {
        texts(self.section.0, key)
    }

    fn no_others(&mut self, mode: &str, keys: &[&str]) {
        for key in keys {
            if self.section.0.is_some_and(|table| table.contains_key(*key)) {
                self.wrong(key, &format!("does not belong to the mode \"{mode}\""));
            }
        }
    }

    fn oidc(&mut self) -> Mode {
        let signed: Vec<&str> = JWT_KEYS
            .into_iter()
            .chain(["sign_out_path"])
            .filter(|key| !oidc::SHARED.contains(key))
            .collect();
        self.no_others("oidc", &HEADER_KEYS);
        self.no_others("oidc", &signed);
        let client = self.client();
        let rules = self.rules();
        if rules.given.is_empty() {
            self.wrong(
                "grants",
                "missing; without them nobody who signs in may do anything",
            );
        }
        match client {
            Some(client) => Mode::Oidc {
                client: Box::new(client),
                rules,
            },
            None => Mode::Local,
        }
    }

    fn header(&mut self, key: &str) -> Option<String> {
        let text = self.section.text(key)?;
        match text.parse::<HeaderName>() {
            Ok(name) => Some(name.as_str().to_owned()),
            Err(_) => {
                self.wrong(key, "expected a header's name like \"Remote-User\"");
                None
            }
        }
    }

    fn needed(&mut self, key: &str, mode: &str) -> Option<&'a str> {
        let text = self
            .section
            .text(key)
            .filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.wrong(key, &format!("missing; {mode} needs it"));
        }
        text
    }

    /// Only a path: a form may lead nowhere else, and nobody is sent to another site.
    fn sign_out(&mut self) -> Option<String> {
        let path = self.section.text("sign_out_path")?;
        let plain = path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains('\\')
            && path.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain {
            self.wrong(
                "sign_out_path",
                "expected a path on the console's own host like \"/oauth2/sign_out\"",
            );
        }
        plain.then(|| path.to_owned())
    }
}

fn texts(table: Option<&Table>, key: &str) -> Vec<String> {
    let list = table
        .and_then(|table| table.get(key))
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
