//! Shapes of the audit log shared with the browser. Entries are written once and never change.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    approval::Given,
    cluster::{ClusterName, MemberId},
    job::ChangeId,
    moment::Timestamp,
    permission::Grant,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Written durably before anything is sent.
    Intent,
    /// What became of an intent.
    Outcome,
    /// Something was asked for and not allowed or not sensible; nothing was sent.
    Refusal,
    /// Sign-ins, sign-outs, accounts, tokens, sessions.
    Access,
    /// The console itself: started, stopped, configuration, an intent left open by a crash.
    Console,
}

impl EntryKind {
    pub const ALL: [Self; 5] = [
        Self::Intent,
        Self::Outcome,
        Self::Refusal,
        Self::Access,
        Self::Console,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Refusal => "refusal",
            Self::Access => "access",
            Self::Console => "console",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    Failed,
    Refused,
    Unknown,
}

impl Outcome {
    pub const ALL: [Self; 4] = [Self::Succeeded, Self::Failed, Self::Refused, Self::Unknown];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// How somebody was identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    Password,
    SignInLink,
    Token,
    /// A sign-on proxy's plain headers: an unsigned identity.
    TrustedHeader,
    /// A sign-on proxy's signed assertion.
    JwtHeader,
    /// Signed in at an OpenID provider by the console itself.
    Oidc,
    /// By the socket on the console's own machine that is for emergencies.
    BreakGlass,
    /// The command line on the console's own machine.
    CommandLine,
    /// The console itself.
    Console,
    /// Nobody was identified (a failed sign-in).
    Nobody,
}

impl Means {
    /// By what way a request of somebody so identified comes.
    #[must_use]
    pub const fn origin(self) -> Origin {
        match self {
            Self::Token => Origin::Token,
            Self::CommandLine => Origin::CommandLine,
            Self::Console => Origin::Console,
            Self::Nobody => Origin::Nobody,
            _ => Origin::Person,
        }
    }
}

/// How whoever vouched for somebody was known to be the one to do so; strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// By the issuer's signature.
    Signed,
    /// By a client certificate of a pinned name.
    Mtls,
    /// By the system's word on the process at the other end of a Unix socket.
    Socket,
    /// By address and a shared secret.
    Secret,
    /// By address alone.
    Address,
}

impl Assurance {
    /// As it stands in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Mtls => "mtls",
            Self::Socket => "socket",
            Self::Secret => "secret",
            Self::Address => "address",
        }
    }
}

/// What made an entry come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody who signed in, or whom a proxy named.
    Person,
    /// A program with an API token.
    Token,
    /// Somebody at the console's own machine.
    CommandLine,
    /// The console by itself.
    Console,
    /// A request without a believable identity.
    Nobody,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// `local` for accounts of this console.
    pub issuer: String,
    /// Stable id: the account's or the token's.
    pub subject: String,
    /// What people call them.
    pub name: String,
    pub means: Means,
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The other end of the connection: the last proxy, where there is one.
    pub peer: Option<String>,
    /// Where the request began, as the trusted proxies on its way say; absent where that is
    /// `peer` itself or nobody trusted says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    /// SHA-256 prefix of the session id, never the id.
    pub session: Option<String>,
    /// Behind a sign-on proxy and at the socket for emergencies: how that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
}

impl Source {
    /// The address that answers for the request: the client's where it is known, else the peer's;
    /// empty where there is none.
    #[must_use]
    pub fn address(&self) -> &str {
        let known = self.client.as_ref().or(self.peer.as_ref());
        known.map_or("", String::as_str)
    }
}

/// One entry. Its exact bytes are stored; `seq` is gapless from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub seq: u64,
    pub time: Timestamp,
    pub kind: EntryKind,
    /// As in REST: `promote`, …; also `sign_in`, `sign_out`, `account_created`, `token_created`, …
    pub action: String,
    pub actor: Actor,
    #[serde(default)]
    pub source: Source,
    #[serde(default)]
    pub cluster: Option<ClusterName>,
    /// Where the cluster is a program of many groups: which of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(default)]
    pub member: Option<MemberId>,
    #[serde(default)]
    pub change: Option<ChangeId>,
    /// For an outcome: the intent it answers.
    #[serde(default)]
    pub intent_seq: Option<u64>,
    #[serde(default)]
    pub outcome: Option<Outcome>,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub ticket: Option<String>,
    /// One sentence for the list.
    pub text: String,
    /// What was seen when deciding: revision, leader, term, membership, checks.
    #[serde(default)]
    pub seen: Value,
    /// What was sent to the backend, without secrets.
    #[serde(default)]
    pub sent: Value,
    /// What came back.
    #[serde(default)]
    pub received: Value,
    // Entries of earlier versions have none of these, and are written back as they were.
    /// What made it come about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What the actor was allowed when it was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// For an intent that needed them: who approved it, when and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Given>,
    /// Milliseconds since the console's start, by a clock that nobody can set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_ms: Option<u64>,
    // Since [`SCHEMA`] 2.
    /// Of which shape it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u16>,
    /// The version of the program that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
    /// The beginning of the digest of the rules that roles were given by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping_version: Option<String>,
    /// `info`, `notice` or `warning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What it is about: `change`, `sign_in`, `accounts`, `log`, `console`, `access`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    // Since [`SCHEMA`] 3.
    /// Its own and no other's, beyond this log, too: a UUID of version 7 (RFC 9562).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// For an outcome: milliseconds since its intent was on record, by a clock that nobody can
    /// set. Absent where another run of the console wrote the intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Whether a time server had lately been agreed with, where the machine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_synced: Option<bool>,
    /// What names a person, each part under a key of that person: `KEY.BOX`. Without its key the
    /// rest of the entry says nothing of who it was. Once opened, only the parts remain whose key
    /// was destroyed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<String>,
}

/// The shape that entries are written in now.
pub const SCHEMA: u16 = 3;

/// Stands for the name of somebody whose key was destroyed.
pub const ERASED: &str = "(erased)";

impl Entry {
    /// How much it asks to be looked at.
    #[must_use]
    pub fn severity_of(outcome: Option<Outcome>, action: &str) -> &'static str {
        match (outcome, action) {
            (Some(Outcome::Failed | Outcome::Refused | Outcome::Unknown), _) => "warning",
            (_, "clock_set" | "audit_copy_failed" | "audit_report_failed") => "warning",
            (_, "audit_key_renewed" | "audit_person_erased" | "audit_entries_removed") => "notice",
            _ => "info",
        }
    }

    /// What it is about.
    #[must_use]
    pub fn category_of(kind: EntryKind, action: &str) -> &'static str {
        let about = |beginnings: &[&str]| beginnings.iter().any(|it| action.starts_with(it));
        match kind {
            EntryKind::Intent | EntryKind::Outcome => "change",
            _ if about(&["audit_", "read_audit"]) => "log",
            _ if about(&["sign_", "session_", "identity_"]) => "sign_in",
            _ if about(&["account_", "password_", "link_", "token_"]) => "accounts",
            EntryKind::Console => "console",
            EntryKind::Refusal | EntryKind::Access => "access",
        }
    }
}

/// One row of the audit page: an intent (or a single event) with its latest outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub entry: Entry,
    pub outcome: Option<Entry>,
}

/// What to list. All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub cluster: Option<String>,
    pub actor: Option<String>,
    /// Entry kinds as in REST; empty means all.
    pub kinds: Vec<EntryKind>,
    pub outcome: Option<Outcome>,
    pub change: Option<String>,
}

/// How well the log is kept: signed up to where, copied up to where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The number of the newest entry.
    pub entries: u64,
    /// How many entries are gone from the log's beginning by the rules of retention. Only their
    /// hashes remain.
    #[serde(default)]
    pub removed: u64,
    /// The log's name, once something was signed.
    pub log: Option<String>,
    /// Entries the newest checkpoint is over.
    pub signed: u64,
    pub signed_at: Option<Timestamp>,
    /// Ids of the keys that signed it.
    pub keys: Vec<String>,
    /// Copies of checkpoints outside of the console.
    pub copies: Vec<CopyStanding>,
    /// Reports that the console makes by itself.
    #[serde(default)]
    pub reports: Vec<ReportStanding>,
    /// How they stand with those they are delivered to.
    #[serde(default)]
    pub deliveries: Vec<DeliveryStanding>,
    /// Why the log takes no entries, so that nothing is sent to any cluster.
    pub trouble: Option<String>,
}

/// How one report stands that is made by a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportStanding {
    pub name: String,
    /// When it is made next.
    pub next: Timestamp,
    /// The time the newest one was due at, if one was ever made.
    pub last: Option<Timestamp>,
    /// The newest one's file.
    pub file: Option<String>,
    /// Why one that is due could not be made; it is tried again.
    pub error: Option<String>,
}

/// How the delivery of reports to one place stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStanding {
    /// The place's name.
    pub to: String,
    /// Reports that wait for it.
    pub waiting: u64,
    /// Reports that cannot be delivered as they were made: their files were lost or changed.
    #[serde(default)]
    pub set_aside: u64,
    /// The file of the newest that arrived since the console's start, and when.
    pub last: Option<String>,
    pub at: Option<Timestamp>,
    /// Why the oldest one could not be delivered; it is tried again.
    pub error: Option<String>,
}

/// How far one copy outside reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyStanding {
    pub name: String,
    /// Entries its newest checkpoint is over.
    pub reaches: u64,
    /// When it last acknowledged one.
    pub at: Option<Timestamp>,
    /// Signed entries that it does not cover.
    pub behind: u64,
    /// It has been behind for too long.
    pub alarm: bool,
    pub error: Option<String>,
    /// Nobody there acknowledges: it was handed over, which is all that is known.
    #[serde(default)]
    pub handed_over: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_entry_of_an_earlier_version_is_written_back_as_it_was() {
        let stored = r#"{"seq":7,"time":"2026-11-21T14:00:00.000Z","kind":"intent","action":"promote","actor":{"issuer":"local","subject":"0193","name":"ada","means":"password"},"source":{"peer":"10.0.0.7","user_agent":null,"request_id":null,"session":null},"cluster":"demo","member":"node-4","change":"0193-a","intent_seq":null,"outcome":null,"reason":"capacity","ticket":null,"text":"Promote node-4","seen":{},"sent":{},"received":null}"#;
        let entry: Entry = serde_json::from_str(stored).unwrap();
        assert_eq!((entry.origin, entry.running_ms), (None, None));
        assert_eq!(serde_json::to_string(&entry).unwrap(), stored);
    }

    #[test]
    fn what_an_entry_says_of_its_origin_is_read_back() {
        let stored = r#"{"seq":7,"time":"2026-11-21T14:00:00.000Z","kind":"intent","action":"promote","actor":{"issuer":"local","subject":"0193","name":"ci","means":"token"},"text":"Promote node-4"}"#;
        let mut entry: Entry = serde_json::from_str(stored).unwrap();
        entry.origin = Some(entry.actor.means.origin());
        entry.grants = vec![Grant::everywhere(crate::permission::Duty::Operator)];
        entry.running_ms = Some(12);
        entry.schema = Some(SCHEMA);
        entry.category = Some(Entry::category_of(entry.kind, &entry.action).to_owned());
        entry.sealed = vec!["key.box".to_owned()];
        let written = serde_json::to_string(&entry).unwrap();
        assert!(written.contains(r#""origin":"token""#), "{written}");
        assert_eq!(serde_json::from_str::<Entry>(&written).unwrap(), entry);
    }
}
