//! Hands leadership over, and says who got it.
//!
//! openraft's own call always answers at once and with success, also where it does nothing or
//! stops all writes for seconds; so it is made only when the target can take over, and then the
//! node watches what became of it.

use openraft::{RaftTypeConfig, storage::RaftStateMachine};
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::{
    Host, Refusal,
    change::GLANCE,
    node::Core,
    wire::{GroupView, Outcome, Receipt, Verb},
};

impl<C, SM, H> Core<C, SM, H>
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    pub(crate) async fn transfer(&self, target: &str, expected: &str) -> Result<Receipt, Refusal> {
        let before = self
            .wait_until_allowed(Verb::Transfer, target, expected)
            .await?;
        let Some(id) = self.host.id_of(target) else {
            return Err(Refusal::rule(
                "member-unknown",
                format!("{target} is no member."),
            ));
        };
        match timeout(
            self.options.health_timeout,
            self.raft.trigger().transfer_leader(id),
        )
        .await
        {
            Ok(Ok(())) => self.see_who_leads(&before, target).await,
            Ok(Err(fatal)) => Err(Refusal::stopped(&fatal.to_string())),
            Err(_) => Err(Refusal::unknown(
                "The core did not take the request in time.",
            )),
        }
    }

    async fn see_who_leads(&self, before: &GroupView, target: &str) -> Result<Receipt, Refusal> {
        let wait = Duration::from_millis(before.election_timeout_ms.saturating_mul(2));
        let end = Instant::now() + wait;
        loop {
            let now = self.look().await;
            if let Some(leader) = elsewhere(before, &now) {
                let outcome = if leader == target {
                    Outcome::Done
                } else {
                    Outcome::Other
                };
                return Ok(receipt(now, target, outcome));
            }
            if Instant::now() >= end {
                return Err(not_seen(before, &now, target));
            }
            sleep(GLANCE).await;
        }
    }
}

/// The leader that follows the one in `before`, once somebody is known to lead a newer term.
fn elsewhere(before: &GroupView, now: &GroupView) -> Option<String> {
    if now.term <= before.term {
        return None;
    }
    now.leader.clone()
}

fn receipt(now: GroupView, target: &str, outcome: Outcome) -> Receipt {
    Receipt {
        action: Verb::Transfer,
        member: Some(target.to_owned()),
        outcome,
        revision: now.membership.revision,
        leader: now.leader,
        term: now.term,
        snapshot: None,
    }
}

fn not_seen(before: &GroupView, now: &GroupView, target: &str) -> Refusal {
    if now.claims_leadership && now.term == before.term {
        let text = format!("{target} did not take over; {} still leads.", now.member);
        return Refusal::rule("transfer-not-taken", text);
    }
    Refusal::unknown("Leadership was let go of and no new leader was seen in time.")
}
