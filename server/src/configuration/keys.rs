//! Every key of the configuration: its type, its default, what it is for. The one table from
//! which files are checked and `--print-config` is written.

pub const LISTEN: &str = "127.0.0.1:7878";
pub const DATA_DIR: &str = "./quorate-data";

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Text,
    YesNo,
    /// A whole number, 0 or more.
    Number,
    Texts,
    /// A table of texts by free names.
    TextsByName,
    Table(&'static [Key]),
    /// `[[name]]`, any number of times.
    Tables(&'static [Key]),
    /// Known, and of a later version.
    Later,
}

impl Holds {
    /// What is expected, in words.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::YesNo => "true or false",
            Self::Number => "a whole number, 0 or more",
            Self::Texts => "a list of texts, like [\"a\", \"b\"]",
            Self::TextsByName => "a table of texts, like { \"node-1\" = \"eu1\" }",
            Self::Table(_) => "a table",
            Self::Tables(_) => "a list of tables",
            Self::Later => crate::NOT_IN_THIS_VERSION,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    pub holds: Holds,
    /// Its default as TOML; `None`: not set.
    pub default: Option<&'static str>,
    /// A value as TOML for the printed configuration, where there is no default.
    pub example: &'static str,
    pub about: &'static str,
}

const fn key(
    name: &'static str,
    holds: Holds,
    default: Option<&'static str>,
    example: &'static str,
    about: &'static str,
) -> Key {
    Key {
        name,
        holds,
        default,
        example,
        about,
    }
}

const fn later(name: &'static str) -> Key {
    key(name, Holds::Later, None, "", "")
}

pub const ROOT: &[Key] = &[
    key(
        "read_only",
        Holds::YesNo,
        Some("false"),
        "",
        "Takes every change away from everybody; looking stays possible.",
    ),
    key(
        "server",
        Holds::Table(SERVER),
        None,
        "",
        "Where the console listens and keeps its data.",
    ),
    key(
        "identity",
        Holds::Table(IDENTITY),
        None,
        "",
        "Who may come in.",
    ),
    key(
        "audit",
        Holds::Table(AUDIT),
        None,
        "",
        "Where signed checkpoints of the audit log are copied to.",
    ),
    key(
        "clusters",
        Holds::Tables(CLUSTER),
        None,
        "",
        "A cluster to watch; one block each.",
    ),
    later("database"),
    later("notify"),
    later("snapshots"),
    later("approvals"),
    later("tls"),
];

const SERVER: &[Key] = &[
    key(
        "listen",
        Holds::Text,
        Some("\"127.0.0.1:7878\""),
        "",
        "Address and port, or \"unix:/run/quorate.sock\".",
    ),
    key(
        "external_url",
        Holds::Text,
        None,
        "\"http://127.0.0.1:7878/\"",
        "The address in people's browsers; a path here is the base path. Default: the listener's.",
    ),
    key(
        "data_dir",
        Holds::Text,
        Some("\"./quorate-data\""),
        "",
        "Store, audit log and snapshots; created if it is not there.",
    ),
    later("database"),
    later("tls_cert_file"),
    later("tls_key_file"),
    later("tls"),
];

const AUDIT: &[Key] = &[
    key(
        "copy_files",
        Holds::Texts,
        Some("[]"),
        "",
        "Files to which checkpoints are appended: on another disk, or a share of another machine.",
    ),
    key(
        "copy_webhooks",
        Holds::Texts,
        Some("[]"),
        "",
        "Addresses to which each checkpoint is sent by POST: https, or this machine.",
    ),
    key(
        "copy_token_file",
        Holds::Text,
        None,
        "\"/run/secrets/quorate-copies\"",
        "File with the bearer token that the webhooks are sent.",
    ),
    later("copy_syslog"),
    later("copy_objects"),
    later("retention"),
];

const IDENTITY: &[Key] = &[
    key(
        "mode",
        Holds::Text,
        Some("\"local\""),
        "",
        "\"local\": accounts of this console, made by `quorate user add`.",
    ),
    later("user_header"),
    later("name_header"),
    later("email_header"),
    later("groups_header"),
    later("groups_separator"),
    later("trusted_proxies"),
    later("proxy_secret_header"),
    later("proxy_secret_file"),
    later("preset"),
    later("header"),
    later("issuer"),
    later("audience"),
    later("jwks_url"),
    later("jwks_file"),
    later("groups_claim"),
    later("client_id"),
    later("client_secret_file"),
    later("grants"),
];

pub const CLUSTER: &[Key] = &[
    key(
        "name",
        Holds::Text,
        None,
        "\"vault-eu\"",
        "What the console calls it.",
    ),
    key(
        "kind",
        Holds::Text,
        None,
        "\"openbao\"",
        "openbao, vault, etcd, openziti, agent or simulated.",
    ),
    key(
        "seeds",
        Holds::Texts,
        None,
        "[\"https://bao-eu1-a.example:8200\"]",
        "Where to begin; the other members are learned from the cluster.",
    ),
    key(
        "token_file",
        Holds::Text,
        None,
        "\"/run/secrets/bao\"",
        "File with the backend's token.",
    ),
    key(
        "username",
        Holds::Text,
        None,
        "\"quorate\"",
        "Name to sign in with, where the backend gives tokens for passwords; with password_file.",
    ),
    key(
        "password_file",
        Holds::Text,
        None,
        "\"/run/secrets/password\"",
        "File with its password.",
    ),
    key(
        "cert_file",
        Holds::Text,
        None,
        "\"/etc/quorate/client.pem\"",
        "Client certificate; together with key_file.",
    ),
    key(
        "key_file",
        Holds::Text,
        None,
        "\"/run/secrets/client.key\"",
        "Its private key.",
    ),
    key(
        "ca_file",
        Holds::Text,
        None,
        "\"/etc/quorate/bao-ca.pem\"",
        "Authorities to trust in addition to the system's.",
    ),
    key(
        "api_address_pattern",
        Holds::Text,
        None,
        "\"https://{host}:8200\"",
        "Where a member's API is, if the cluster does not tell.",
    ),
    key(
        "tags",
        Holds::Texts,
        Some("[]"),
        "",
        "Words to grant roles by.",
    ),
    key(
        "zones",
        Holds::TextsByName,
        Some("{}"),
        "",
        "Zone by member, where the backend says nothing: { \"bao-eu1-a\" = \"eu1\" }.",
    ),
    key(
        "join_allowed",
        Holds::Texts,
        Some("[]"),
        "",
        "Where a new member may be: \"https://10.20.0.0/16:8200\" or an exact address; empty: nowhere.",
    ),
    key(
        "read_only",
        Holds::YesNo,
        Some("false"),
        "",
        "Takes every change of this cluster away.",
    ),
    key(
        "thresholds",
        Holds::Table(THRESHOLDS),
        None,
        "",
        "Limits above which a figure becomes a finding.",
    ),
];

const THRESHOLDS: &[Key] = &[
    key(
        "lag_warn",
        Holds::Number,
        Some("1000"),
        "",
        "Entries behind the leader from which a member counts as catching up.",
    ),
    key(
        "lag_promote",
        Holds::Number,
        Some("100"),
        "",
        "Entries behind the leader up to which a learner may be promoted.",
    ),
    key(
        "silent_after_ms",
        Holds::Number,
        Some("5000"),
        "",
        "Silence after which it is a finding of its own, in milliseconds.",
    ),
];
