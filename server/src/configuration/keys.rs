//! Every key of the configuration: its type, its default, what it is for. The one table from
//! which files are checked and `--print-config` is written; here its root, beside it a file a section.

mod approvals;
mod audit;
mod clusters;
mod identity;
mod server;
mod snapshots;

pub use approvals::{EXECUTE_WITHIN_MS, EXPIRES_AFTER_MS};
use clusters::CLUSTER;
pub use identity::GROUPS_SEPARATOR;
pub use server::{DATA_DIR, LISTEN};

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
        Holds::Table(server::SERVER),
        None,
        "",
        "Where the console listens and keeps its data.",
    ),
    key(
        "identity",
        Holds::Table(identity::IDENTITY),
        None,
        "",
        "Who may come in.",
    ),
    key(
        "audit",
        Holds::Table(audit::AUDIT),
        None,
        "",
        "Where signed checkpoints of the audit log are copied to, and reports by schedule.",
    ),
    key(
        "snapshots",
        Holds::Table(snapshots::SNAPSHOTS),
        None,
        "",
        "How many snapshots stay in the data directory.",
    ),
    key(
        "clusters",
        Holds::Tables(CLUSTER),
        None,
        "",
        "A cluster to watch; one block each.",
    ),
    key(
        "approvals",
        Holds::Tables(approvals::APPROVAL),
        None,
        "",
        "Changes that other people have to approve; of several blocks the strictest part of each.",
    ),
    later("database"),
    later("notify"),
    later("tls"),
];
