//! A member's state set by hand: somebody knows why it is silent or behind, and says so for a
//! time. The alarm is hidden, never the finding, and rules judge as if nothing had been said.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use quorate_domain::{
    audit::{EntryKind, Outcome},
    cluster::MemberId,
    health::Override,
    permission::{Permission, allows},
};

use crate::{
    Control, ControlError, Operator, audit::Draft, groups::place, store::Store, watch::Watched,
};

const SHORTEST: Duration = Duration::from_secs(60);
/// Longer than any maintenance: what lasts longer is a change of the membership.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Characters of a reason.
const REASON_MOST: usize = 500;

impl Control {
    /// Sets a member's state by hand for `life`; one that was set before is replaced. In a program
    /// of many groups it is one of a group's member, and the cluster is named `cluster/group`.
    ///
    /// # Errors
    /// `NotFound` (cluster, group or member), `NotAllowed`, `Invalid` (reason or life, or no group
    /// is named where there are many), `AuditUnavailable`, `Store`.
    pub async fn override_set(
        &self,
        who: &Operator,
        cluster: &str,
        member: &str,
        reason: &str,
        life: Duration,
    ) -> Result<Override, ControlError> {
        let action = "override_set";
        let watched = self.may_override(who, cluster, action).await?;
        let member = MemberId::from(member);
        let reason = reason.trim();
        check_reason(reason)?;
        check_life(life)?;
        let view = match watched.group {
            None => watched.view(self.now()),
            // Nobody may have looked at it before.
            Some(_) => self.fresh(&watched).await,
        };
        let known = view.members.iter().find(|known| known.id == member);
        let known = known.ok_or_else(|| ControlError::not_found("member", member.as_str()))?;
        let manual = Override {
            member: member.clone(),
            reason: reason.to_owned(),
            by: who.actor.name.clone(),
            until: self
                .now()
                .plus_ms(u64::try_from(life.as_millis()).unwrap_or(u64::MAX)),
        };
        let text = format!(
            "The state of {} on {cluster} was set by hand until {}.",
            known.name,
            manual.until.in_words()
        );
        let mut draft = draft(who, action, text, &watched, &member);
        draft.reason = Some(manual.reason.clone());
        // Who set it before is in the entry of that, and sealed there.
        let mut seen = known.clone();
        if let Some(before) = &mut seen.manual {
            before.by.clear();
        }
        draft.seen = serde_json::to_value(seen).unwrap_or_default();
        let (control, stored) = (self.clone(), manual.clone());
        self.recorded(draft, async move {
            let store = &control.inner.store;
            store.override_put(&watched.key(), &stored).await?;
            control.overrides_changed(&watched).await
        })
        .await?;
        Ok(manual)
    }

    /// Takes it back before its time.
    ///
    /// # Errors
    /// As for setting one; `NotFound` also if nothing is set.
    pub async fn override_lift(
        &self,
        who: &Operator,
        cluster: &str,
        member: &str,
    ) -> Result<(), ControlError> {
        let action = "override_lifted";
        let watched = self.may_override(who, cluster, action).await?;
        let member = MemberId::from(member);
        // By what is stored: its member may be gone, or not be told now.
        let stored = self.inner.store.overrides(&watched.key()).await?;
        let now = self.now();
        let mut set = stored.iter().filter(|set| set.until > now);
        if !set.any(|set| set.member == member) {
            return Err(ControlError::not_found("override of", member.as_str()));
        }
        let text = format!("The state of {member} on {cluster} is as observed again.");
        let draft = draft(who, action, text, &watched, &member);
        let control = self.clone();
        self.recorded(draft, async move {
            let store = &control.inner.store;
            store.override_remove(&watched.key(), &member).await?;
            control.overrides_changed(&watched).await
        })
        .await
    }

    async fn may_override(
        &self,
        who: &Operator,
        cluster: &str,
        action: &str,
    ) -> Result<Arc<Watched>, ControlError> {
        let (cluster, group) = place(cluster);
        let watched = self.visible(who, cluster)?;
        let permission = Permission::OverrideState;
        if allows(&who.grants, permission, Some(watched.place())) {
            return self.changeable(who, cluster, group).await;
        }
        Err(self
            .not_allowed(who, permission, action, Some(watched.name()))
            .await)
    }

    async fn overrides_changed(&self, watched: &Watched) -> Result<(), ControlError> {
        watched.load_overrides(&self.inner.store).await?;
        watched.tick();
        self.inner.tick();
        Ok(())
    }
}

impl Watched {
    /// Brings what is judged in line with what is stored.
    pub(crate) async fn load_overrides(&self, store: &Store) -> Result<(), ControlError> {
        let overrides = store.overrides(&self.key()).await?;
        self.state
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .overrides = overrides;
        Ok(())
    }
}

fn draft(
    who: &Operator,
    action: &str,
    text: String,
    watched: &Watched,
    member: &MemberId,
) -> Draft {
    let mut draft = Draft::new(
        EntryKind::Console,
        action,
        who.actor.clone(),
        who.source(),
        text,
    );
    draft.outcome = Some(Outcome::Succeeded);
    draft.cluster = Some(watched.name().clone());
    draft.group.clone_from(&watched.group);
    draft.member = Some(member.clone());
    draft.grants.clone_from(&who.grants);
    draft
}

fn check_reason(reason: &str) -> Result<(), ControlError> {
    let length = reason.chars().count();
    if (1..=REASON_MOST).contains(&length) && !reason.chars().any(char::is_control) {
        return Ok(());
    }
    Err(ControlError::invalid(
        "a state is set by hand only with a reason of at most 500 characters in one line",
        "Say in one line why the member is as it is.",
    ))
}

fn check_life(life: Duration) -> Result<(), ControlError> {
    if (SHORTEST..=LONGEST).contains(&life) {
        return Ok(());
    }
    Err(ControlError::invalid(
        "a state is set by hand for at least a minute and at most seven days",
        "Choose a time between the two; set it again when it ends.",
    ))
}
