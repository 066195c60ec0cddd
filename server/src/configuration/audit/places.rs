//! One place outside: what it gets, and how it is reached. Reads no secrets; where they lie only.

use std::{path::PathBuf, time::Duration};

use quorate_outside::{Lock, LockMode, Transport};
use toml::Value;
use url::Url;

use super::{Section, address};

/// What a place gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Checkpoints,
    Entries,
    Reports,
}

/// A block of `[[audit.copies]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub what: Wanted,
    pub alarm_after: Duration,
    pub to: To,
    pub certificates: Certificates,
}

/// Files of certificates and keys, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    pub ca_file: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    File(PathBuf),
    Webhook {
        url: Url,
        token_file: Option<PathBuf>,
        secret_file: Option<PathBuf>,
    },
    Syslog {
        transport: Transport,
        host: String,
        port: u16,
    },
    Objects {
        endpoint: Url,
        bucket: String,
        prefix: String,
        region: String,
        access_key: String,
        secret_key_file: PathBuf,
        only_new: bool,
        lock: Option<Lock>,
    },
}

impl To {
    /// What is called over HTTP.
    #[must_use]
    pub const fn url(&self) -> Option<&Url> {
        match self {
            Self::Webhook { url, .. } | Self::Objects { endpoint: url, .. } => Some(url),
            Self::File(_) | Self::Syslog { .. } => None,
        }
    }

    /// Where it is, in words without secrets: neither path nor query of an address.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::File(path) => format!("file {}", path.display()),
            Self::Webhook { url, .. } => {
                format!("webhook {}", url.origin().ascii_serialization())
            }
            Self::Syslog { host, port, .. } => format!("syslog {host}:{port}"),
            Self::Objects {
                endpoint, bucket, ..
            } => {
                let endpoint = endpoint.origin().ascii_serialization();
                format!("bucket {bucket} at {endpoint}")
            }
        }
    }
}

/// Every block; what is wrong with one in words.
pub fn read(audit: Section<'_>, problems: &mut Vec<String>) -> Vec<Place> {
    let list = audit.0.and_then(|table| table.get("copies")?.as_array());
    let tables = list.into_iter().flatten().filter_map(Value::as_table);
    let mut places: Vec<Place> = Vec::new();
    for table in tables {
        match place(Section(Some(table))) {
            Ok(place) if places.iter().any(|it| it.name == place.name) => {
                problems.push(format!("audit.copies: \"{}\" is there twice", place.name));
            }
            Ok(place) => places.push(place),
            Err(problem) => problems.push(format!("audit.copies: {problem}")),
        }
    }
    places
}

fn place(block: Section<'_>) -> Result<Place, String> {
    let name = block.text("name").unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > 60 || !name.chars().all(is_plain) {
        return Err("name: expected letters, digits, - and _, like \"siem\"".to_owned());
    }
    let block = Block { block, name };
    let what = match block.block.text("what").unwrap_or("checkpoints") {
        "checkpoints" => Wanted::Checkpoints,
        "entries" => Wanted::Entries,
        "reports" => Wanted::Reports,
        _ => return Err(block.wrong("what", "checkpoints, entries or reports")),
    };
    let to = match block.block.text("to").unwrap_or_default() {
        "file" => To::File(PathBuf::from(block.text("path", "a file's path")?)),
        "webhook" => block.webhook()?,
        "syslog" => block.syslog()?,
        "objects" => block.objects()?,
        _ => return Err(block.wrong("to", "file, webhook, syslog or objects")),
    };
    if what == Wanted::Reports && matches!(to, To::File(_) | To::Syslog { .. }) {
        let expected = "webhook or objects for reports; a folder is the report's own";
        return Err(block.wrong("to", expected));
    }
    let certificates = Certificates {
        ca_file: block.path("ca_file"),
        cert_file: block.path("cert_file"),
        key_file: block.path("key_file"),
    };
    if certificates.cert_file.is_some() != certificates.key_file.is_some() {
        return Err(block.wrong("cert_file", "cert_file and key_file together"));
    }
    Ok(Place {
        name: name.to_owned(),
        what,
        alarm_after: Duration::from_millis(block.number("alarm_after_ms")?.unwrap_or(60_000)),
        to,
        certificates,
    })
}

/// One block, and how it is called in complaints.
struct Block<'a> {
    block: Section<'a>,
    name: &'a str,
}

impl<'a> Block<'a> {
    fn wrong(&self, key: &str, expected: &str) -> String {
        format!("{}: {key}: expected {expected}", self.name)
    }

    fn text(&self, key: &str, expected: &str) -> Result<&'a str, String> {
        let text = self.block.text(key).filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong(key, expected))
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.block.text(key).map(PathBuf::from)
    }

    fn number(&self, key: &str) -> Result<Option<u64>, String> {
        let value = self.block.0.and_then(|table| table.get(key)?.as_integer());
        let Some(value) = value else {
            return Ok(None);
        };
        let number = u64::try_from(value).ok().filter(|number| *number > 0);
        number
            .map(Some)
            .ok_or_else(|| self.wrong(key, "a whole number above 0"))
    }

    fn webhook(&self) -> Result<To, String> {
        let expected = "an address like \"https://keeper.example/quorate\", without a password";
        let url = address(self.text("url", expected)?);
        Ok(To::Webhook {
            url: url.ok_or_else(|| self.wrong("url", expected))?,
            token_file: self.path("token_file"),
            secret_file: self.path("secret_file"),
        })
    }

    fn syslog(&self) -> Result<To, String> {
        let expected = "\"tls://logs.example:6514\", or \"tcp://127.0.0.1:601\" on this machine";
        let wrong = || self.wrong("address", expected);
        let url = Url::parse(self.text("address", expected)?).map_err(|_| wrong())?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let (transport, port) = match url.scheme() {
            "tls" => (Transport::Tls, url.port().unwrap_or(6514)),
            "tcp" if is_loopback(host) => (Transport::Tcp, url.port().unwrap_or(601)),
            _ => return Err(wrong()),
        };
        let plain = url.username().is_empty() && matches!(url.path(), "" | "/");
        match host.filter(|_| plain && url.query().is_none()) {
            Some(host) => Ok(To::Syslog {
                transport,
                host: host.to_owned(),
                port,
            }),
            None => Err(wrong()),
        }
    }

    fn objects(&self) -> Result<To, String> {
        let expected = "an address like \"https://s3.example\", without a path";
        let endpoint = address(self.text("endpoint", expected)?);
        let endpoint = endpoint.filter(|url| url.path() == "/" && url.query().is_none());
        let bucket = self.text("bucket", "the bucket's name")?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let prefix = self.block.text("prefix").unwrap_or_default();
        if !prefix.chars().all(is_plain) || (!prefix.is_empty() && !prefix.ends_with('/')) {
            let expected = "letters, digits, -, _, . and /, ending in /";
            return Err(self.wrong("prefix", expected));
        }
        let secret = self.text("secret_key_file", "the file with the access key's secret")?;
        let only_new = self
            .block
            .0
            .and_then(|table| table.get("if_none_match")?.as_bool());
        Ok(To::Objects {
            endpoint: endpoint.ok_or_else(|| self.wrong("endpoint", expected))?,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            region: self.block.text("region").unwrap_or("us-east-1").to_owned(),
            access_key: self
                .text("access_key", "the id of an access key")?
                .to_owned(),
            secret_key_file: PathBuf::from(secret),
            only_new: only_new.unwrap_or(true),
            lock: self.lock()?,
        })
    }

    fn lock(&self) -> Result<Option<Lock>, String> {
        let mode = match self.block.text("lock_mode") {
            None => return Ok(None),
            Some("governance") => LockMode::Governance,
            Some("compliance") => LockMode::Compliance,
            Some(_) => return Err(self.wrong("lock_mode", "governance or compliance")),
        };
        let days = self.number("lock_days")?;
        let days = days.and_then(|days| u32::try_from(days).ok());
        let days = days.filter(|days| *days <= 36_500);
        let days = days.ok_or_else(|| self.wrong("lock_days", "1 to 36500 days"))?;
        Ok(Some(Lock { mode, days }))
    }
}

/// Of schemes that the standard knows nothing of, hosts are plain texts.
fn is_loopback(host: Option<&str>) -> bool {
    let plain = host.map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    plain.is_some_and(|host| {
        host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}
