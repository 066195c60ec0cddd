//! An entry before it has number and time: who, what, on what and why, as use cases say it.

use quorate_domain::{
    approval::Given,
    audit::{Actor, Entry, EntryKind, Filter, Means, Outcome, SCHEMA, Source},
    cluster::{ClusterName, MemberId},
    job::ChangeId,
    moment::Timestamp,
    permission::Grant,
};
use serde_json::Value;

use crate::{
    Operator,
    escape::{self, TEXT_MOST},
};

#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) kind: EntryKind,
    pub(crate) action: String,
    pub(crate) actor: Actor,
    pub(crate) source: Source,
    pub(crate) cluster: Option<ClusterName>,
    pub(crate) group: Option<String>,
    pub(crate) member: Option<MemberId>,
    pub(crate) change: Option<ChangeId>,
    pub(crate) intent_seq: Option<u64>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: Option<String>,
    pub(crate) ticket: Option<String>,
    pub(crate) text: String,
    pub(crate) seen: Value,
    pub(crate) sent: Value,
    pub(crate) received: Value,
    /// What the actor may do.
    pub(crate) grants: Vec<Grant>,
    /// Whose account it is about, by name.
    pub(crate) about: Option<String>,
    /// Who approved it.
    pub(crate) approvals: Vec<Given>,
}

impl Draft {
    pub(crate) fn new(
        kind: EntryKind,
        action: &str,
        actor: Actor,
        source: Source,
        text: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            action: action.to_owned(),
            actor,
            source,
            cluster: None,
            group: None,
            member: None,
            change: None,
            intent_seq: None,
            outcome: None,
            reason: None,
            ticket: None,
            text: text.into(),
            seen: Value::Null,
            sent: Value::Null,
            received: Value::Null,
            grants: Vec::new(),
            about: None,
            approvals: Vec::new(),
        }
    }

    /// Something `who` did to accounts, tokens or sessions.
    pub(crate) fn access(who: &Operator, action: &str, text: impl Into<String>) -> Self {
        let mut draft = Self::new(
            EntryKind::Access,
            action,
            who.actor.clone(),
            who.source(),
            text,
        );
        draft.outcome = Some(Outcome::Succeeded);
        draft.grants.clone_from(&who.grants);
        draft
    }

    /// Whom, beside who did it, its text names.
    pub(crate) fn naming(mut self, name: &str) -> Self {
        self.about = Some(name.to_owned());
        self
    }

    /// Whose account it is about.
    pub(crate) fn of_account(mut self, name: &str) -> Self {
        self.sent = serde_json::json!({ "account": name });
        self.about = Some(name.to_owned());
        self
    }

    /// Whom a condition of reading or exporting names.
    pub(crate) fn of_filter(mut self, filter: &Filter) -> Self {
        self.about.clone_from(&filter.actor);
        self
    }

    /// Something `who` asked for and was not given.
    pub(crate) fn refusal(who: &Operator, action: &str, text: impl Into<String>) -> Self {
        let mut draft = Self::new(
            EntryKind::Refusal,
            action,
            who.actor.clone(),
            who.source(),
            text,
        );
        draft.outcome = Some(Outcome::Refused);
        draft.grants.clone_from(&who.grants);
        draft
    }

    /// The console's own doing.
    pub(crate) fn console(action: &str, text: impl Into<String>) -> Self {
        Self::new(
            EntryKind::Console,
            action,
            console(),
            Source::default(),
            text,
        )
    }

    /// Capped, without control characters: as it is stored.
    pub(super) fn escaped(mut self) -> Self {
        self.action = escape::text(&self.action, TEXT_MOST);
        self.actor = escape::actor(self.actor);
        self.source = escape::source(self.source);
        self.cluster = self
            .cluster
            .map(|name| escape::text(&name.0, TEXT_MOST).into());
        self.group = self.group.map(|name| escape::text(&name, TEXT_MOST));
        self.member = self.member.map(|id| escape::text(&id.0, TEXT_MOST).into());
        self.reason = self.reason.map(|text| escape::text(&text, TEXT_MOST));
        self.ticket = self.ticket.map(|text| escape::text(&text, TEXT_MOST));
        self.text = escape::text(&self.text, TEXT_MOST);
        self.about = self.about.map(|name| escape::text(&name, TEXT_MOST));
        self.seen = escape::value(self.seen);
        self.sent = escape::value(self.sent);
        self.received = escape::value(self.received);
        for given in &mut self.approvals {
            given.by = escape::actor(given.by.clone());
            given.reason = escape::text(&given.reason, TEXT_MOST);
        }
        for grant in &mut self.grants {
            for name in grant.clusters.iter_mut().chain(&mut grant.tags) {
                *name = escape::text(name, TEXT_MOST);
            }
        }
        self
    }

    /// The entry as it is stored, of an escaped draft, without what only the writer knows.
    pub(super) fn finish(self, seq: u64, time: Timestamp, running_ms: u64) -> Entry {
        Entry {
            origin: Some(self.actor.means.origin()),
            grants: self.grants,
            approvals: self.approvals,
            running_ms: Some(running_ms),
            schema: Some(SCHEMA),
            writer: Some(env!("CARGO_PKG_VERSION").to_owned()),
            mapping_version: None,
            severity: Some(Entry::severity_of(self.outcome, &self.action).to_owned()),
            category: Some(Entry::category_of(self.kind, &self.action).to_owned()),
            id: None,
            took_ms: None,
            clock_synced: None,
            sealed: Vec::new(),
            seq,
            time,
            kind: self.kind,
            action: self.action,
            actor: self.actor,
            source: self.source,
            cluster: self.cluster,
            group: self.group,
            member: self.member,
            change: self.change,
            intent_seq: self.intent_seq,
            outcome: self.outcome,
            reason: self.reason,
            ticket: self.ticket,
            text: self.text,
            seen: self.seen,
            sent: self.sent,
            received: self.received,
        }
    }
}

/// The console as an actor.
pub(crate) fn console() -> Actor {
    Actor {
        issuer: "console".to_owned(),
        subject: "console".to_owned(),
        name: "Quorate".to_owned(),
        means: Means::Console,
    }
}

/// Nobody in particular: a request without a believable identity.
pub(crate) fn nobody(name: &str) -> Actor {
    Actor {
        issuer: "none".to_owned(),
        subject: "unauthenticated".to_owned(),
        name: name.to_owned(),
        means: Means::Nobody,
    }
}
