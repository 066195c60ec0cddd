//! Carries out one change: checks, one call to the core under a timeout, an honest outcome.

use std::collections::{BTreeMap, BTreeSet};

use openraft::{
    ChangeMembers, Precondition, RaftTypeConfig,
    alias::LogIdOf,
    errors::{ChangeMembershipError, ClientWriteError, ForwardReason, RaftError},
    raft::ClientWriteResponse,
    storage::RaftStateMachine,
};
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::{
    Host, Newcomer, Refusal,
    gate::{self, Limits},
    node::Core,
    view,
    wire::{ChangeRequest, GroupView, LeaderHint, Outcome, Receipt, Role, Verb},
};

/// How often something awaited is looked at again.
pub(crate) const GLANCE: Duration = Duration::from_millis(25);

/// How long a newcomer may take to say who it is.
const CONTACT_TIMEOUT: Duration = Duration::from_secs(3);

type WriteError<C> = RaftError<C, ClientWriteError<C>>;

impl<C, SM, H> Core<C, SM, H>
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    pub(crate) async fn carry_out(&self, request: ChangeRequest) -> Result<Receipt, Refusal> {
        if request.action == Verb::Snapshot {
            return self.take_snapshot().await;
        }
        let Ok(_place) = self.place.try_lock() else {
            return Err(Refusal::in_progress("Another change runs on this group."));
        };
        let Some(expected) = request.expected_revision.as_deref() else {
            return Err(Refusal::malformed(
                "`expected_revision` is needed for this action.",
            ));
        };
        gate::leading(&self.look().await, Some(expected))?;
        match request.action {
            Verb::AddLearner => self.add_learner(&request, expected).await,
            Verb::Transfer => self.transfer(named(&request)?, expected).await,
            verb => self.change_role(verb, named(&request)?, expected).await,
        }
    }

    pub(crate) async fn look(&self) -> GroupView {
        view::view(self).await
    }

    fn limits(&self, asked: Instant) -> Limits {
        Limits {
            promote_lag: self.options.promote_lag,
            transfer_lag: self.options.transfer_lag,
            asked_ms: view::millis(asked.elapsed()),
        }
    }

    /// Looks until `verb` on `member` is allowed, for as long as time alone may cure a refusal.
    pub(crate) async fn wait_until_allowed(
        &self,
        verb: Verb,
        member: &str,
        expected: &str,
    ) -> Result<GroupView, Refusal> {
        let asked = Instant::now();
        loop {
            // Counted before the look, so that what it sees is certainly newer.
            let limits = self.limits(asked);
            let view = self.look().await;
            gate::leading(&view, Some(expected))?;
            match gate::allows(&view, verb, member, limits) {
                Ok(()) => return Ok(view),
                Err(refusal) if refusal.may_pass() && asked.elapsed() < self.options.patience => {
                    sleep(GLANCE).await;
                }
                Err(refusal) => return Err(refusal),
            }
        }
    }

    async fn change_role(
        &self,
        verb: Verb,
        member: &str,
        expected: &str,
    ) -> Result<Receipt, Refusal> {
        let view = self.wait_until_allowed(verb, member, expected).await?;
        let id = self.id(member)?;
        let ids = BTreeSet::from([id]);
        let votes = view
            .membership
            .members
            .iter()
            .any(|m| m.id == member && m.role == Role::Voter);
        let (members, retain) = match verb {
            Verb::Promote => (ChangeMembers::AddVoterIds(ids), true),
            Verb::Demote => (ChangeMembers::RemoveVoters(ids), true),
            _ if votes => (ChangeMembers::RemoveVoters(ids), false),
            _ => (ChangeMembers::RemoveNodes(ids), true),
        };
        self.write(verb, member, members, retain, expected).await
    }

    async fn add_learner(
        &self,
        request: &ChangeRequest,
        expected: &str,
    ) -> Result<Receipt, Refusal> {
        let Some(address) = request.address.as_deref() else {
            return Err(Refusal::malformed(
                "`address` is needed: where the newcomer answers.",
            ));
        };
        let newcomer = self.meet(address).await?;
        let member = self.host.member_of(&newcomer.id);
        self.check_newcomer(&newcomer, &member, request.member.as_deref())?;
        self.wait_until_allowed(Verb::AddLearner, &member, expected)
            .await?;
        let nodes = BTreeMap::from([(newcomer.id, newcomer.node)]);
        self.write(
            Verb::AddLearner,
            &member,
            ChangeMembers::AddNodes(nodes),
            true,
            expected,
        )
        .await
    }

    async fn meet(&self, address: &str) -> Result<Newcomer<C>, Refusal> {
        let asked = timeout(CONTACT_TIMEOUT, self.host.contact(address.to_owned())).await;
        let said = asked.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        said.map_err(|why| {
            Refusal::rule(
                "newcomer-silent",
                format!("No newcomer could be asked at {address}: {why}."),
            )
        })
    }

    fn check_newcomer(
        &self,
        newcomer: &Newcomer<C>,
        member: &str,
        wanted: Option<&str>,
    ) -> Result<(), Refusal> {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != member) {
            let text = format!("{member} answers there, not {wanted}.");
            return Err(Refusal::rule("newcomer-other-id", text));
        }
        let ours = self.host.cluster_id();
        if newcomer.cluster_id.is_some() && newcomer.cluster_id != ours {
            let text = format!("{member} belongs to another cluster.");
            return Err(Refusal::rule("newcomer-other-cluster", text));
        }
        if !newcomer.empty {
            let text = format!("{member} holds a log already; a newcomer must be empty.");
            return Err(Refusal::rule("newcomer-not-empty", text));
        }
        Ok(())
    }

    /// The one call that changes a membership, compared with what was seen and then set.
    async fn write(
        &self,
        verb: Verb,
        member: &str,
        members: ChangeMembers<C::NodeId, C::Node>,
        retain: bool,
        expected: &str,
    ) -> Result<Receipt, Refusal> {
        let last = self.membership_log_id(expected)?;
        let same = Precondition::LastMembershipLogId {
            last_membership_log_id: last,
        };
        let call = self.raft.change_membership_if(members, retain, [same]);
        let limit = self.options.change_timeout;
        match timeout(limit, call).await {
            Ok(Ok(response)) => Ok(self.receipt(verb, member, &response)),
            Ok(Err(error)) => Err(self.refused(error)),
            Err(_) => Err(Refusal::unknown(format!(
                "The core did not say within {} ms whether the change was committed.",
                limit.as_millis()
            ))),
        }
    }

    /// The log id behind a revision, from the metrics: exactly what the core will compare.
    fn membership_log_id(&self, expected: &str) -> Result<Option<LogIdOf<C>>, Refusal> {
        let stored = view::metrics(self).membership_config;
        let now = view::revision::<C>(&stored);
        if now == expected {
            Ok(stored.log_id().clone())
        } else {
            Err(Refusal::moved(&now))
        }
    }

    fn receipt(&self, verb: Verb, member: &str, response: &ClientWriteResponse<C>) -> Receipt {
        let metrics = view::metrics(self);
        Receipt {
            action: verb,
            member: Some(member.to_owned()),
            outcome: Outcome::Done,
            revision: view::log_id_text::<C>(Some(&response.log_id)),
            leader: metrics.current_leader.map(|id| self.host.member_of(&id)),
            term: metrics.current_term,
            snapshot: None,
        }
    }

    fn refused(&self, error: WriteError<C>) -> Refusal {
        match error {
            RaftError::Fatal(fatal) => {
                Refusal::unknown(format!("The core ended while the change ran: {fatal}."))
            }
            RaftError::APIError(error) => self.refused_by_core(error),
        }
    }

    fn refused_by_core(&self, error: ClientWriteError<C>) -> Refusal {
        match error {
            ClientWriteError::ForwardToLeader(forward) => match forward.reason {
                ForwardReason::LeaseExpired => Refusal::no_quorum(),
                ForwardReason::LeadershipTransfer => {
                    Refusal::in_progress("Leadership is being handed over.")
                }
                ForwardReason::NotLeader => Refusal::not_leader(forward.leader_id.map(|id| {
                    let agent_address = forward
                        .leader_node
                        .as_ref()
                        .and_then(|node| self.host.agent_address(node));
                    LeaderHint {
                        member: self.host.member_of(&id),
                        agent_address,
                    }
                })),
            },
            ClientWriteError::LogEntryDiscarded(_) => {
                Refusal::unknown("Leadership moved while the change was being written.")
            }
            ClientWriteError::PreconditionFailed(_) => {
                Refusal::moved(&view::revision::<C>(&view::metrics(self).membership_config))
            }
            ClientWriteError::ChangeMembershipError(error) => refused_membership::<C>(&error),
        }
    }

    fn id(&self, member: &str) -> Result<C::NodeId, Refusal> {
        self.host.id_of(member).ok_or_else(|| {
            Refusal::rule(
                "member-unknown",
                format!("{member} is no member of this group."),
            )
        })
    }

    /// Asks for a snapshot and sees it made: the request itself proves nothing.
    async fn take_snapshot(&self) -> Result<Receipt, Refusal> {
        let Ok(_camera) = self.camera.try_lock() else {
            return Err(Refusal::in_progress("Another snapshot is being taken."));
        };
        let before = self.look().await;
        if let Some(fault) = &before.fault {
            return Err(Refusal::stopped(fault));
        }
        if before.applied_index.is_none() {
            return Err(Refusal::rule(
                "nothing-applied",
                "There is nothing to take a snapshot of yet.",
            ));
        }
        if before.snapshot.map(|mark| mark.index) != before.applied_index {
            self.trigger_snapshot().await?;
        }
        self.await_snapshot(before.applied_index.unwrap_or(0)).await
    }

    async fn trigger_snapshot(&self) -> Result<(), Refusal> {
        match timeout(self.options.health_timeout, self.raft.trigger().snapshot()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(fatal)) => Err(Refusal::stopped(&fatal.to_string())),
            Err(_) => Err(Refusal::unknown(
                "The core did not take the request in time.",
            )),
        }
    }

    async fn await_snapshot(&self, covered: u64) -> Result<Receipt, Refusal> {
        let end = Instant::now() + self.options.change_timeout;
        loop {
            let view = self.look().await;
            if let Some(mark) = view.snapshot.filter(|mark| mark.index >= covered) {
                return Ok(Receipt {
                    action: Verb::Snapshot,
                    member: Some(view.member),
                    outcome: Outcome::Done,
                    revision: view.membership.revision,
                    leader: view.leader,
                    term: view.term,
                    snapshot: Some(mark),
                });
            }
            if let Some(fault) = &view.fault {
                return Err(Refusal::stopped(fault));
            }
            if Instant::now() >= end {
                return Err(Refusal::unknown(
                    "The snapshot was asked for and not seen in time.",
                ));
            }
            sleep(GLANCE).await;
        }
    }
}

fn named(request: &ChangeRequest) -> Result<&str, Refusal> {
    request
        .member
        .as_deref()
        .ok_or_else(|| Refusal::malformed("`member` is needed for this action."))
}

fn refused_membership<C: RaftTypeConfig>(
    error: &ChangeMembershipError<openraft::alias::CommittedLeaderIdOf<C>, C::NodeId>,
) -> Refusal {
    let code = match error {
        ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_) => {
            return Refusal::in_progress(error.to_string());
        }
        ChangeMembershipError::EmptyMembership(_) => "last-voter",
        ChangeMembershipError::LearnerNotFound(_) => "member-unknown",
        ChangeMembershipError::UnsupportedMembershipTransition(_)
        | ChangeMembershipError::NodeMetadataChanged(_) => "refused-by-core",
    };
    Refusal::rule(code, error.to_string())
}
