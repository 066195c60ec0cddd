//! People whom a sign-on proxy names: they have no account here, only what is said of them with
//! each request.

use quorate_domain::{
    audit::{Actor, Means, Source},
    permission::Grant,
};

use crate::{Control, ControlError, Operator, audit::Draft};

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
        Means::TrustedHeader | Means::JwtHeader => {
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
            _ => "the proxy's signed assertion",
        };
        let draft = match before {
            None => Draft::access(who, "sign_in", format!("{name} came in by {by}.")),
            Some(before) => {
                let text = format!(
                    "The session of {} ended: {name} came with it, by {by}.",
                    shown(before)
                );
                Draft::access(who, "identity_changed", text)
            }
        };
        self.inner.audit.append(draft).await.map(|_| ())
    }
}
