//! The one annotated TOML file and the environment that overrides it: read, checked against the
//! table of known keys, and turned into what the console starts from. Reaches nothing.

mod audit;
mod clusters;
mod environment;
mod identity;
mod keys;
mod print;
mod schema;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use quorate_drivers::Connection;
use toml::{Table, Value};
use url::Url;

pub use audit::Copies;
pub use clusters::Cluster;
pub use identity::{By, Mode};
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
    /// Scheme, host, port and base path as browsers see them. `None`: from the listener.
    pub external_url: Option<Url>,
    pub data_dir: PathBuf,
    pub identity: Mode,
    pub copies: Copies,
    pub clusters: Vec<Cluster>,
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
        let identity = identity::read(table, &mut problems);
        let copies = audit::read(table, &mut problems);
        let clusters = clusters::read(table, &mut problems);
        match listen {
            Some(listen) if problems.is_empty() => Ok(Self {
                read_only: table
                    .get("read_only")
                    .and_then(Value::as_bool)
                    .unwrap_or(false),
                listen,
                external_url,
                data_dir,
                identity,
                copies,
                clusters,
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

/// One table of the file, whose types have been checked.
#[derive(Clone, Copy)]
struct Section<'a>(Option<&'a Table>);

impl<'a> Section<'a> {
    fn of(table: &'a Table, name: &str) -> Self {
        Self(table.get(name).and_then(Value::as_table))
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
