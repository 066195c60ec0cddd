//! `[[clusters]]`: what is registered, and how each cluster is reached.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use quorate_domain::{
    cluster::{ClusterName, Kind, Thresholds},
    health::Registration,
};
use quorate_drivers::{Connection, Login, Lookups, Secret, discovery::Seed};
use toml::{Table, Value};

const STATUS_TIMEOUT: Duration = Duration::from_secs(1);
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);
const NAME_LIMIT: usize = 63;

/// One cluster as configured. Secrets are still in their files.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub registration: Registration,
    pub join_allowed: Vec<String>,
    seeds: Vec<String>,
    token_file: Option<String>,
    consul_token_file: Option<String>,
    /// The DNS server of `server.resolver`.
    resolver: Option<SocketAddr>,
    username: Option<String>,
    password_file: Option<String>,
    cert_file: Option<String>,
    key_file: Option<String>,
    ca_file: Option<String>,
    api_address_pattern: Option<String>,
}

impl Cluster {
    #[must_use]
    pub fn name(&self) -> &str {
        self.registration.name.as_str()
    }

    /// How to reach it.
    ///
    /// # Errors
    /// The file that cannot be read, in words.
    pub fn connection(&self) -> Result<Connection, String> {
        Ok(Connection {
            name: self.name().to_owned(),
            kind: self.registration.kind,
            seeds: self.seeds.clone(),
            token: self
                .token_file
                .as_deref()
                .map(|path| self.secret("token_file", path))
                .transpose()?,
            login: self.login()?,
            ca_pem: match self.ca_file.as_deref() {
                Some(path) => Some(self.authorities(path)?),
                None => None,
            },
            client_pem: self.client_pem()?,
            api_address_pattern: self.api_address_pattern.clone(),
            remembered: Vec::new(),
            lookups: Lookups {
                resolver: self.resolver,
                consul_token: self
                    .consul_token_file
                    .as_deref()
                    .map(|path| self.secret("consul_token_file", path))
                    .transpose()?,
            },
            status_timeout: STATUS_TIMEOUT,
            change_timeout: CHANGE_TIMEOUT,
        })
    }

    fn login(&self) -> Result<Option<Login>, String> {
        let (Some(username), Some(path)) = (&self.username, &self.password_file) else {
            return Ok(None);
        };
        Ok(Some(Login {
            username: username.clone(),
            password: self.secret("password_file", path)?,
        }))
    }

    fn client_pem(&self) -> Result<Option<Secret>, String> {
        let (Some(cert), Some(key)) = (&self.cert_file, &self.key_file) else {
            return Ok(None);
        };
        let chain = self.secret("cert_file", cert)?;
        let key = self.secret("key_file", key)?;
        Ok(Some(Secret::new(format!(
            "{}\n{}\n",
            chain.reveal(),
            key.reveal()
        ))))
    }

    /// A file without a certificate would leave the machine's own authorities trusted instead.
    fn authorities(&self, path: &str) -> Result<Vec<u8>, String> {
        let pem = self.file("ca_file", path)?;
        if String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Ok(pem);
        }
        Err(format!(
            "cluster {}: ca_file {path} holds no certificate in PEM form",
            self.name()
        ))
    }

    fn secret(&self, key: &str, path: &str) -> Result<Secret, String> {
        let text = String::from_utf8(self.file(key, path)?)
            .map_err(|_| format!("cluster {}: {key} {path} is not a text", self.name()))?;
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("cluster {}: {key} {path} is empty", self.name()));
        }
        Ok(Secret::new(text))
    }

    fn file(&self, key: &str, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path)
            .map_err(|error| format!("cluster {}: cannot read {key} {path}: {error}", self.name()))
    }
}

/// All clusters of the file.
pub fn read(table: &Table, problems: &mut Vec<String>) -> Vec<Cluster> {
    let resolver = resolver(table, problems);
    let blocks = table
        .get("clusters")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut clusters: Vec<Cluster> = Vec::new();
    for (index, block) in blocks.iter().filter_map(Value::as_table).enumerate() {
        let path = format!("clusters[{index}]");
        if let Some(mut cluster) = one(block, &path, problems) {
            cluster.resolver = resolver;
            if clusters.iter().any(|other| other.name() == cluster.name()) {
                problems.push(format!(
                    "{path}.name: \"{}\" is there twice",
                    cluster.name()
                ));
            }
            clusters.push(cluster);
        }
    }
    clusters
}

/// The one DNS server to ask, where one is named.
fn resolver(table: &Table, problems: &mut Vec<String>) -> Option<SocketAddr> {
    let given = text(table.get("server")?.as_table()?, "resolver")?;
    let with_port = given.parse().ok();
    let server = with_port.or_else(|| given.parse().ok().map(|ip| SocketAddr::new(ip, 53)));
    if server.is_none() {
        problems.push(format!(
            "server.resolver: expected a number with or without port, like \"10.0.0.53\" or \
             \"127.0.0.1:8600\"; found \"{given}\""
        ));
    }
    server
}

fn one(block: &Table, path: &str, problems: &mut Vec<String>) -> Option<Cluster> {
    let before = problems.len();
    let name = name(block, path, problems);
    let kind = kind(block, path, problems);
    let seeds = texts(block, "seeds");
    check_seeds(&seeds, kind, path, problems);
    check_places(block, path, problems);
    let both = [
        block.contains_key("cert_file"),
        block.contains_key("key_file"),
    ];
    if both[0] != both[1] {
        problems.push(format!("{path}: cert_file and key_file belong together"));
    }
    if block.contains_key("username") != block.contains_key("password_file") {
        problems.push(format!(
            "{path}: username and password_file belong together"
        ));
    }
    let (Some(name), Some(kind)) = (name, kind) else {
        return None;
    };
    (problems.len() == before).then(|| Cluster {
        registration: Registration {
            name: ClusterName(name),
            kind,
            tags: texts(block, "tags"),
            zones: zones(block),
            thresholds: thresholds(block),
            read_only: block
                .get("read_only")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        },
        join_allowed: texts(block, "join_allowed"),
        seeds,
        token_file: text(block, "token_file"),
        consul_token_file: text(block, "consul_token_file"),
        resolver: None,
        username: text(block, "username"),
        password_file: text(block, "password_file"),
        cert_file: text(block, "cert_file"),
        key_file: text(block, "key_file"),
        ca_file: text(block, "ca_file"),
        api_address_pattern: text(block, "api_address_pattern"),
    })
}

fn name(block: &Table, path: &str, problems: &mut Vec<String>) -> Option<String> {
    let Some(name) = text(block, "name") else {
        problems.push(format!("{path}.name: missing; every cluster needs a name"));
        return None;
    };
    let good = !name.is_empty()
        && name.len() <= NAME_LIMIT
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && name.chars().any(|c| c.is_ascii_alphanumeric());
    if !good {
        problems.push(format!(
            "{path}.name: expected letters, digits, '-', '_' and '.', at most {NAME_LIMIT}; \
             found \"{name}\""
        ));
        return None;
    }
    Some(name)
}

fn kind(block: &Table, path: &str, problems: &mut Vec<String>) -> Option<Kind> {
    match text(block, "kind").as_deref() {
        Some("openbao") => Some(Kind::Openbao),
        Some("vault") => Some(Kind::Vault),
        Some("etcd") => Some(Kind::Etcd),
        Some("openziti") => Some(Kind::Openziti),
        Some("agent") => Some(Kind::Agent),
        Some("simulated") => Some(Kind::Simulated),
        Some("raftadmin") => Some(Kind::Raftadmin),
        found => {
            let library = found.is_some_and(|kind| kind.contains("raft") || kind == "dragonboat");
            let found = found.map_or("nothing".to_owned(), |kind| format!("\"{kind}\""));
            let agents = "; programs that embed one of the agents are of the kind agent";
            problems.push(format!(
                "{path}.kind: expected openbao, vault, etcd, openziti, agent, raftadmin or simulated; \
                 found {found}{}",
                if library { agents } else { "" }
            ));
            None
        }
    }
}

fn check_seeds(seeds: &[String], kind: Option<Kind>, path: &str, problems: &mut Vec<String>) {
    if seeds.is_empty() && kind != Some(Kind::Simulated) {
        problems.push(format!(
            "{path}.seeds: missing; name at least one address to begin with"
        ));
    }
    for seed in seeds.iter().filter(|seed| Seed::is_source(seed)) {
        if kind == Some(Kind::Simulated) {
            problems.push(format!(
                "{path}.seeds: a simulated cluster is found by nobody"
            ));
        } else if let Err(error) = Seed::parse(seed) {
            problems.push(format!("{path}.seeds: {error}"));
        }
    }
}

/// Rules that would never hold, and a pattern that would give every member the same address.
fn check_places(block: &Table, path: &str, problems: &mut Vec<String>) {
    for rule in texts(block, "join_allowed") {
        if !quorate_control::is_join_rule(&rule) {
            problems.push(format!(
                "{path}.join_allowed: expected a network with port like \
                 \"https://10.20.0.0/16:8200\", or one exact address; found \"{rule}\""
            ));
        }
    }
    if let Some(pattern) = text(block, "api_address_pattern")
        && !pattern.contains("{host}")
    {
        problems.push(format!(
            "{path}.api_address_pattern: expected {{host}} in it, like \
             \"https://{{host}}:8200\"; found \"{pattern}\""
        ));
    }
}

fn thresholds(block: &Table) -> Thresholds {
    let given = block.get("thresholds").and_then(Value::as_table);
    let number = |key: &str, default: u64| {
        given
            .and_then(|table| table.get(key))
            .and_then(Value::as_integer)
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or(default)
    };
    let default = Thresholds::default();
    Thresholds {
        lag_warn: number("lag_warn", default.lag_warn),
        lag_promote: number("lag_promote", default.lag_promote),
        silent_after_ms: number("silent_after_ms", default.silent_after_ms),
    }
}

fn zones(block: &Table) -> BTreeMap<String, String> {
    let given = block.get("zones").and_then(Value::as_table);
    given
        .into_iter()
        .flatten()
        .filter_map(|(member, zone)| Some((member.clone(), zone.as_str()?.to_owned())))
        .collect()
}

fn text(block: &Table, key: &str) -> Option<String> {
    block.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn texts(block: &Table, key: &str) -> Vec<String> {
    let list = block.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
