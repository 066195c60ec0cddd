//! The one annotated TOML file and the environment that overrides it: read, checked against the
//! table of known keys, and turned into what the console starts from. Reaches nothing.

mod approvals;
mod audit;
mod clusters;
mod environment;
mod identity;
mod keys;
mod print;
mod schema;
mod snapshots;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use quorate_control::{ApprovalPolicy, Retention, SnapshotsKept, step_up::Rules};
use quorate_drivers::Connection;
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};
use url::Url;

use crate::{
    events::RENEWED_EVERY,
    identity::Peers,
    listening::{emergency::Door, tls::TlsFiles},
};
pub use audit::{Certificates, Copies, Place, Reports, To, Wanted};
pub use clusters::Cluster;
pub use identity::{By, Client, Lives, Mode};
pub use print::printed;

/// What is wrong with a configuration, one line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigurationError {
    pub problems: Vec<String>,
}

impl ConfigurationError {
    fn one(problem: impl Into<String>) -> Self {
        Self {
            problems: vec![problem.into()],
        }
    }

    /// Whether all that is wrong is that a later version will know it.
    #[must_use]
    pub fn is_not_yet(&self) -> bool {
        self.problems
            .iter()
            .all(|problem| problem.ends_with(crate::NOT_IN_THIS_VERSION))
    }
}

/// Where the console listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The configuration, checked.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub read_only: bool,
    pub listen: Listen,
    /// TLS of the console's own.
    pub certificates: Option<TlsFiles>,
    /// The socket for emergencies.
    pub break_glass: Option<Door>,
    /// Scheme, host, port and base path as browsers see them. `None`: from the listener.
    pub external_url: Option<Url>,
    pub data_dir: PathBuf,
    /// Proxies whose word on where a request began is believed.
    pub trusted_proxies: Option<Peers>,
    /// How long a page stays live on one word of a sign-on proxy.
    pub streams_renewed: Duration,
    pub identity: Mode,
    pub sessions: Lives,
    /// What people prove to be there for; the address passkeys hold for is not known yet.
    pub step_up: Rules,
    pub copies: Copies,
    pub reports: Reports,
    /// How long the audit log is kept; `None`: for ever.
    pub retention: Option<Retention>,
    pub snapshots: SnapshotsKept,
    pub clusters: Vec<Cluster>,
    /// Which changes other people have to approve.
    pub approvals: ApprovalPolicy,
    /// The beginning of the digest of all keys that are set, for the record of starts.
    pub version: String,
}

impl Configuration {
    /// Reads the file and this process's environment.
    ///
    /// # Errors
    /// All that is wrong, each line naming the key and what is expected.
    pub fn read(file: &Path) -> Result<Self, ConfigurationError> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            ConfigurationError::one(format!("cannot read {}: {error}", file.display()))
        })?;
        Self::parse(
            &text,
            std::env::vars().filter(|(name, _)| environment::is_ours(name)),
        )
    }

    /// Reads `text` with `environment` over it.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn parse(
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigurationError> {
        let mut table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| ConfigurationError::one(not_toml(&error, text)))?;
        let mut problems = environment::apply(&mut table, environment);
        problems.extend(schema::check(&table));
        if !problems.is_empty() {
            return Err(ConfigurationError { problems });
        }
        Self::checked(&table)
    }

    fn checked(table: &Table) -> Result<Self, ConfigurationError> {
        let mut problems = Vec::new();
        let server = Section::of(table, "server");
        let listen = listen(server.text("listen").unwrap_or(keys::LISTEN), &mut problems);
        let external_url = server
            .text("external_url")
            .and_then(|text| external_url(text, &mut problems));
        let data_dir = PathBuf::from(server.text("data_dir").unwrap_or(keys::DATA_DIR));
        let trusted_proxies = proxies(server, &mut problems);
        let streams_renewed = streams_renewed(server, &mut problems);
        let identity = identity::read(table, &mut problems);
        let break_glass = identity::break_glass(table, &mut problems);
        let certificates = certificates(server, &mut problems);
        if let Some(listen) = &listen {
            doors(&identity, listen, certificates.as_ref(), &mut problems);
        }
        if matches!(identity, Mode::Oidc { .. }) {
            identity::check_address(external_url.as_ref(), listen.as_ref(), &mut problems);
        }
        let step_up = identity::step_up(table, &mut problems);
        let sessions = identity::sessions(table, &mut problems);
        let copies = audit::read(table, &mut problems);
        let (outside, own) = (external_url.as_ref(), listen.as_ref());
        audit::check_targets(&copies, outside, own, &mut problems);
        let reports = audit::reports(table, &copies, &mut problems);
        let retention = audit::retention::read(table, &mut problems);
        let snapshots = snapshots::read(table, &mut problems);
        let clusters = clusters::read(table, &mut problems);
        let approvals = approvals::read(table, &clusters, &identity, &mut problems);
        match listen {
            Some(listen) if problems.is_empty() => Ok(Self {
                read_only: table
                    .get("read_only")
                    .and_then(Value::as_bool)
                    .unwrap_or(false),
                listen,
                certificates,
                break_glass,
                external_url,
                data_dir,
                trusted_proxies,
                streams_renewed,
                identity,
                sessions,
                step_up,
                copies,
                reports,
                retention,
                snapshots,
                clusters,
                approvals,
                version: version(table),
            }),
            _ => Err(ConfigurationError { problems }),
        }
    }

    /// How to reach each cluster, with its secrets read.
    ///
    /// # Errors
    /// If a file of a secret or certificate cannot be read.
    pub fn connections(&self) -> Result<Vec<Connection>, ConfigurationError> {
        let mut problems = Vec::new();
        let connections = self
            .clusters
            .iter()
            .filter_map(|cluster| {
                cluster
                    .connection()
                    .map_err(|error| problems.push(error))
                    .ok()
            })
            .collect();
        if problems.is_empty() {
            Ok(connections)
        } else {
            Err(ConfigurationError { problems })
        }
    }
}

/// The same for the same keys and values, in whatever order and with whatever remarks they stand in
/// the file. Secrets stand in files of their own, so none goes into it.
fn version(table: &Table) -> String {
    // Tables are sorted by their keys.
    let digest = Sha256::digest(table.to_string().as_bytes());
    digest
        .iter()
        .take(8)
        .map(|it| format!("{it:02x}"))
        .collect()
}

/// One table of the file, whose types have been checked.
#[derive(Clone, Copy)]
struct Section<'a>(Option<&'a Table>);

impl<'a> Section<'a> {
    fn of(table: &'a Table, name: &str) -> Self {
        Self(table.get(name).and_then(Value::as_table))
    }

    fn texts(self, key: &str) -> Vec<String> {
        let list = self.0.and_then(|table| table.get(key)?.as_array());
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.0?.get(key)?.as_str()
    }
}

fn listen(text: &str, problems: &mut Vec<String>) -> Option<Listen> {
    if let Some(path) = text.strip_prefix("unix:") {
        if path.starts_with('/') {
            return Some(Listen::Unix(PathBuf::from(path)));
        }
    } else if let Ok(address) = text.parse() {
        return Some(Listen::Tcp(address));
    }
    problems.push(format!(
        "server.listen: expected an address and port like \"127.0.0.1:7878\", or \
         \"unix:/run/quorate.sock\"; found \"{text}\""
    ));
    None
}

fn certificates(server: Section<'_>, problems: &mut Vec<String>) -> Option<TlsFiles> {
    let tls = Section(Some(server.0?.get("tls")?.as_table()?));
    let mut needed = |key: &str| {
        let file = tls.text(key).filter(|text| !text.trim().is_empty());
        if file.is_none() {
            problems.push(format!("server.tls.{key}: missing"));
        }
        file.map(PathBuf::from)
    };
    let (cert_file, key_file) = (needed("cert_file"), needed("key_file"));
    Some(TlsFiles {
        cert_file: cert_file?,
        key_file: key_file?,
        client_ca_file: tls.text("client_ca_file").map(PathBuf::from),
    })
}

/// What the listener must bring for what the identity rests on.
fn doors(
    identity: &Mode,
    listen: &Listen,
    certificates: Option<&TlsFiles>,
    problems: &mut Vec<String>,
) {
    let by_socket = matches!(listen, Listen::Unix(_));
    if by_socket && certificates.is_some() {
        problems.push("server.tls: a Unix socket has none; leave it out".to_owned());
    }
    let Mode::Proxied { by, .. } = identity else {
        return;
    };
    let By::Headers {
        certificate_names,
        users,
        ..
    } = &**by
    else {
        return;
    };
    let asked_for = certificates.is_some_and(|tls| tls.client_ca_file.is_some());
    if !certificate_names.is_empty() && !asked_for {
        problems.push(
            "identity.proxy_certificate_names: needs server.tls with client_ca_file".to_owned(),
        );
    }
    if !users.is_empty() && !by_socket {
        problems.push(
            "identity.proxy_users: needs server.listen = \"unix:…\"; elsewhere nobody's user is known"
                .to_owned(),
        );
    }
}

/// Nobody where the list is empty.
fn proxies(server: Section<'_>, problems: &mut Vec<String>) -> Option<Peers> {
    let texts = server.texts("trusted_proxies");
    if texts.is_empty() {
        return None;
    }
    Peers::parse(&texts)
        .map_err(|problem| problems.push(format!("server.trusted_proxies: {problem}")))
        .ok()
}

fn streams_renewed(server: Section<'_>, problems: &mut Vec<String>) -> Duration {
    let given = server.0.and_then(|table| table.get("stream_renewal_ms"));
    let Some(given) = given.and_then(Value::as_integer) else {
        return RENEWED_EVERY;
    };
    match u64::try_from(given) {
        Ok(given @ 5_000..=600_000) => Duration::from_millis(given),
        _ => {
            problems.push("server.stream_renewal_ms: expected 5000 to 600000".to_owned());
            RENEWED_EVERY
        }
    }
}

fn external_url(text: &str, problems: &mut Vec<String>) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if url.is_none() {
        problems.push(format!(
            "server.external_url: expected an address like \"https://raft.example/quorate/\"; \
             found \"{text}\""
        ));
    }
    url
}

/// Where the text stops being TOML, without quoting it: a secret may stand there.
fn not_toml(error: &toml::de::Error, text: &str) -> String {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: this is not TOML: {}", error.message())
}
