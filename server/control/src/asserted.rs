//! People whom a sign-on proxy or an OpenID provider names: they have no account here, only what
//! is said of them with each request or was said at sign-in.

use quorate_domain::{
    audit::{Actor, EntryKind, Means, Outcome, Source},
    permission::Grant,
};

use crate::{
    Control, ControlError, Operator, SessionRecord,
    audit::{Draft, nobody},
};

/// Under this key a session keeps what the provider said at sign-in; its `sid` is the name of the
/// session at the provider.
pub const SIGNED_ON: &str = "signed_on";

/// Somebody has left their provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    pub issuer: String,
    /// `None`: whoever has the session of this `sid`.
    pub subject: Option<String>,
    /// The session at the provider that ended; `None`: all of this person's.
    pub sid: Option<String>,
}

impl Departure {
    /// Whether it ends this session. One that does not know its name at the provider ends with its
    /// person.
    pub(crate) fn ends(&self, session: &SessionRecord) -> bool {
        let account = session.account.as_deref().unwrap_or_default();
        let Some((subject, issuer)) = account.split_once('\n') else {
            return false;
        };
        let Some(said) = session.data.get(SIGNED_ON) else {
            return false;
        };
        let own = said.get("sid").and_then(serde_json::Value::as_str);
        self.is_of(issuer, subject, own)
    }

    /// Whether it speaks of this person, and of their session at the provider (`own`) where both
    /// name one.
    #[must_use]
    pub fn is_of(&self, issuer: &str, subject: &str, own: Option<&str>) -> bool {
        let same_person = self.subject.as_deref().map(|gone| gone == subject);
        let same_session = match (self.sid.as_deref(), own) {
            (None, _) => true,
            (Some(_), None) => same_person == Some(true),
            (Some(gone), Some(own)) => gone == own,
        };
        issuer == self.issuer && same_person.unwrap_or(true) && same_session
    }

    fn actor(&self) -> Actor {
        let subject = self.subject.clone().unwrap_or_default();
        Actor {
            issuer: self.issuer.clone(),
            name: match &self.subject {
                Some(subject) => subject.clone(),
                None => "whoever left".to_owned(),
            },
            subject,
            means: Means::Oidc,
        }
    }
}

impl Operator {
    /// What sessions and tokens of this person are kept under. Neither the name of a local
    /// account's id nor another issuer's subject can be the same: names hold no line ends.
    #[must_use]
    pub fn key(&self) -> String {
        key(&self.actor)
    }
}

/// As [`Operator::key`].
#[must_use]
pub fn key(actor: &Actor) -> String {
    match actor.means {
        Means::TrustedHeader | Means::JwtHeader | Means::Oidc => {
            format!("{}\n{}", actor.subject, actor.issuer)
        }
        _ => actor.subject.clone(),
    }
}

/// A key as people read it.
pub(crate) fn shown(key: &str) -> String {
    match key.split_once('\n') {
        Some((subject, issuer)) => format!("{subject} ({issuer})"),
        None => key.to_owned(),
    }
}

impl Control {
    /// Somebody whom the proxy named in this very request.
    #[must_use]
    pub fn asserted(
        &self,
        actor: Actor,
        grants: Vec<Grant>,
        source: Source,
        session: Option<String>,
    ) -> Operator {
        Operator {
            actor,
            grants,
            source,
            session,
        }
    }

    /// Records that a session of this person begins; `before` is whose it was until now.
    ///
    /// # Errors
    /// `AuditUnavailable`: then no session is to begin.
    pub async fn asserted_session(
        &self,
        who: &Operator,
        before: Option<&str>,
    ) -> Result<(), ControlError> {
        let name = &who.actor.name;
        let by = match who.actor.means {
            Means::TrustedHeader => "the proxy's headers (unsigned identity)",
            Means::Oidc => "OpenID Connect",
            _ => "the proxy's signed assertion",
        };
        let draft = match before {
            None => Draft::access(who, "sign_in", format!("{name} came in by {by}.")),
            Some(before) => {
                let before = shown(before);
                let text = format!("The session of {before} ended: {name} came with it, by {by}.");
                Draft::access(who, "identity_changed", text).naming(&before)
            }
        };
        self.inner.audit.append(draft).await.map(|_| ())
    }

    /// Records that nobody was signed in (`sign_in`) or out (`sign_out`) by what came from a
    /// provider, or in its name. Floods are cut.
    pub async fn sign_on_refused(&self, action: &str, why: &str, source: &Source) {
        metrics::counter!("quorate_sign_in_failures_total").increment(1);
        if !self.inner.flood.admits(action, source.address()) {
            metrics::counter!("quorate_audit_suppressed_total").increment(1);
            return;
        }
        let what = if action == "sign_in" {
            "Sign-in by OpenID Connect"
        } else {
            "Sign-out told by the OpenID provider"
        };
        let mut draft = Draft::new(
            EntryKind::Access,
            action,
            nobody("nobody signed in"),
            source.clone(),
            format!("{what} failed: {why}."),
        );
        draft.outcome = Some(Outcome::Failed);
        self.refused(draft).await;
    }

    /// Ends the sessions of somebody who left their provider; how many there were.
    ///
    /// # Errors
    /// `Store`; `AuditUnavailable` when they have ended and that could not be recorded.
    pub async fn departed(
        &self,
        departure: &Departure,
        source: &Source,
    ) -> Result<usize, ControlError> {
        let settled = self.inner.moved.settled().await;
        let sessions = self.inner.store.sessions(None).await?;
        let mut ended = 0_usize;
        for session in sessions {
            if departure.ends(&session.record)
                && self.inner.store.session_delete(&session.hash).await?
            {
                ended += 1;
            }
        }
        drop(settled);
        // Streams look at once.
        self.inner.tick();
        let actor = departure.actor();
        let name = &actor.name;
        let text =
            format!("The OpenID provider says that {name} signed out; {ended} sessions ended.");
        let mut draft = Draft::new(
            EntryKind::Access,
            "sign_out",
            actor.clone(),
            source.clone(),
            text,
        );
        draft.outcome = Some(Outcome::Succeeded);
        self.inner.audit.append(draft).await?;
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn session(account: &str, sid: Option<&str>) -> SessionRecord {
        let said = serde_json::json!({ "sid": sid });
        SessionRecord {
            account: Some(account.to_owned()),
            data: BTreeMap::from([(SIGNED_ON.to_owned(), said)]),
            expires_at: quorate_domain::moment::Timestamp::default(),
            peer: None,
            user_agent: None,
        }
    }

    #[test]
    fn a_departure_ends_that_persons_sessions_and_nobody_elses() {
        let gone = |subject: Option<&str>, sid: Option<&str>| Departure {
            issuer: "https://id".to_owned(),
            subject: subject.map(str::to_owned),
            sid: sid.map(str::to_owned),
        };
        let annas = session("anna\nhttps://id", Some("s1"));
        for (departure, ends) in [
            (gone(Some("anna"), None), true),
            (gone(Some("anna"), Some("s1")), true),
            (gone(None, Some("s1")), true),
            (gone(Some("anna"), Some("s2")), false),
            (gone(Some("bob"), None), false),
            (gone(Some("bob"), Some("s1")), false),
            (gone(None, Some("s2")), false),
        ] {
            assert_eq!(departure.ends(&annas), ends, "{departure:?}");
        }
        let nameless = session("anna\nhttps://id", None);
        assert!(gone(Some("anna"), Some("s1")).ends(&nameless));
        assert!(!gone(None, Some("s1")).ends(&nameless));
        for account in ["anna\nhttps://other", "anna"] {
            assert!(!gone(Some("anna"), None).ends(&session(account, Some("s1"))));
        }
        let mut local = annas;
        local.data.clear();
        assert!(!gone(Some("anna"), None).ends(&local));
    }
}
