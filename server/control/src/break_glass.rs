//! The way in for emergencies: a one-time link made on the console's own machine, for a reason
//! that is on record, good at one local socket only. Whoever comes by it is an administrator
//! everywhere, for an hour, and everybody else is told.

use std::time::{Duration, Instant};

use quorate_domain::{
    audit::{Actor, EntryKind, Means, Outcome, Source},
    moment::Timestamp,
    permission::Duty,
};
use quorate_drivers::Secret;
use serde::{Deserialize, Serialize};

use crate::{
    Control, ControlError, Operator,
    audit::{Draft, nobody},
    secrets,
};

/// What sessions begun so are kept under, and the subject of the identity.
pub const BREAK_GLASS: &str = "break-glass";
/// A session begun so ends after this long, in seconds.
pub const BREAK_GLASS_LIFE: u64 = 60 * 60;
/// A link is used at once or not at all.
const LINK_LIFE_MS: u64 = 15 * 60_000;
/// How long afterwards the page tells of it.
const TOLD_FOR_MS: u64 = 7 * 24 * 60 * 60_000;
/// Pages ask twice a second; the store is asked less often.
const REMEMBERED: Duration = Duration::from_secs(1);
const REASON_MOST: usize = 500;

/// Under this key a session keeps its [`Entered`].
pub const ENTERED: &str = "entered";

/// Somebody who came in so; kept with the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// Who made the link, as the machine calls them.
    pub by: String,
    /// The session ends then, in seconds since 1970.
    pub until: u64,
}

/// The last time somebody came in so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emergency {
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
    /// Whether a session begun so is still there.
    pub open: bool,
}

/// What was told last, and when.
pub(crate) type Told = std::sync::Mutex<Option<(Instant, Option<Emergency>)>>;

impl Control {
    /// A one-time link's secret, for whoever is at the console's own machine.
    ///
    /// # Errors
    /// `NotAllowed` for everybody else, `Invalid` without a reason, `AuditUnavailable`.
    pub async fn break_glass_link(
        &self,
        who: &Operator,
        reason: &str,
    ) -> Result<Secret, ControlError> {
        if who.actor.means != Means::CommandLine {
            return Err(ControlError::NotAllowed {
                needs: "the console's own machine".to_owned(),
            });
        }
        let reason: String = reason.trim().chars().take(REASON_MOST).collect();
        if reason.is_empty() {
            return Err(ControlError::invalid(
                "there is no reason",
                "Say why: --reason \"the provider is away, node 3 must go\".",
            ));
        }
        let secret = secrets::fresh("")?;
        let hash = secrets::digest(secret.reveal());
        let expires_at = self.now().plus_ms(LINK_LIFE_MS);
        let by = who.actor.name.clone();
        let text = format!("Break-glass: {by} made a one-time link for the local socket.");
        let mut draft = Draft::access(who, "break_glass_link", text);
        draft.reason = Some(reason.clone());
        let control = self.clone();
        self.recorded(draft, async move {
            let store = &control.inner.store;
            store.break_glass_add(&hash, &reason, &by, expires_at).await
        })
        .await?;
        Ok(secret)
    }

    /// Uses up a link, at the local socket.
    ///
    /// # Errors
    /// `SignInFailed` (used up, expired, never made), `AuditUnavailable`.
    pub async fn break_glass_sign_in(
        &self,
        secret: &Secret,
        source: &Source,
    ) -> Result<Entered, ControlError> {
        let (hash, now) = (secrets::digest(secret.reveal()), self.now());
        let Some((by, reason)) = self.inner.store.break_glass_use(&hash, now).await? else {
            self.break_glass_failed(source).await;
            return Err(ControlError::SignInFailed);
        };
        let text = format!(
            "Break-glass: {by} came in by the console's own socket, as an administrator of everything."
        );
        let mut draft = Draft::new(
            EntryKind::Access,
            "break_glass_sign_in",
            actor(&by),
            source.clone(),
            text,
        );
        draft.outcome = Some(Outcome::Succeeded);
        draft.reason = Some(reason);
        self.inner.audit.append(draft).await?;
        tracing::warn!(by, "break-glass: somebody came in by the local socket");
        metrics::counter!("quorate_break_glass_total").increment(1);
        let now = u64::try_from(now.unix_ms() / 1_000).unwrap_or(0);
        Ok(Entered {
            by,
            until: now.saturating_add(BREAK_GLASS_LIFE),
        })
    }

    /// Whom a session begun so stands for; `None` once it is over.
    #[must_use]
    pub fn break_glass_operator(
        &self,
        entered: &Entered,
        session: &str,
        source: Source,
    ) -> Option<Operator> {
        let now = u64::try_from(self.now().unix_ms() / 1_000).unwrap_or(u64::MAX);
        (now < entered.until).then(|| Operator {
            actor: actor(&entered.by),
            grants: crate::everywhere(&[Duty::Admin]),
            source,
            session: Some(session.to_owned()),
        })
    }

    /// The newest emergency that is to be told of; `None` where there is none, or where the
    /// store cannot say.
    pub async fn emergency(&self) -> Option<Emergency> {
        if let Some(told) = self.told() {
            return told;
        }
        let found = self.newest_emergency().await;
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "whether break-glass was used could not be read");
            None
        });
        let mut told = self
            .inner
            .emergency
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *told = Some((Instant::now(), found.clone()));
        found
    }

    fn told(&self) -> Option<Option<Emergency>> {
        let told = self
            .inner
            .emergency
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        told.as_ref()
            .filter(|(at, _)| at.elapsed() < REMEMBERED)
            .map(|(_, found)| found.clone())
    }

    async fn newest_emergency(&self) -> Result<Option<Emergency>, ControlError> {
        let since = self.now().minus_ms(TOLD_FOR_MS);
        let Some((by, reason, at)) = self.inner.store.break_glass_newest(since).await? else {
            return Ok(None);
        };
        let open = self.sessions_open(BREAK_GLASS).await?;
        Ok(Some(Emergency {
            by,
            reason,
            at,
            open,
        }))
    }

    async fn break_glass_failed(&self, source: &Source) {
        metrics::counter!("quorate_sign_in_failures_total").increment(1);
        if !self
            .inner
            .flood
            .admits("break_glass_sign_in", source.address())
        {
            metrics::counter!("quorate_audit_suppressed_total").increment(1);
            return;
        }
        let mut draft = Draft::new(
            EntryKind::Access,
            "break_glass_sign_in",
            nobody("nobody signed in"),
            source.clone(),
            "Break-glass failed: the link was used up, expired or never made.",
        );
        draft.outcome = Some(Outcome::Failed);
        self.refused(draft).await;
    }
}

fn actor(by: &str) -> Actor {
    Actor {
        issuer: "local".to_owned(),
        subject: BREAK_GLASS.to_owned(),
        name: format!("break-glass: {by}"),
        means: Means::BreakGlass,
    }
}
