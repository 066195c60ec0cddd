//! Turns openraft's metrics into the protocol's words, with ages counted here.

use std::{collections::BTreeMap, time::Duration};

use openraft::{
    Instant, LogId, RaftMetrics, RaftTypeConfig, ServerState,
    alias::{LogIdOf, SerdeInstantOf, StoredMembershipOf},
    async_runtime::watch::WatchReceiver,
    storage::RaftStateMachine,
};

use crate::{
    GROUP, Host, Rights,
    node::Core,
    wire::{
        Capability, GroupSummary, GroupView, Identity, LeaderHint, Mark, Member, Membership,
        PROTOCOL, Progress, Role, State, Verb,
    },
};

/// The openraft line this agent is built against.
const LIBRARY_VERSION: &str = "0.10.0-alpha.37";

pub(crate) fn identity<C, SM, H>(core: &Core<C, SM, H>, rights: Rights) -> Identity
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    Identity {
        protocol: PROTOCOL,
        implementation: "openraft".to_owned(),
        library_version: LIBRARY_VERSION.to_owned(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        program: core.host.program(),
        cluster_id: core.host.cluster_id(),
        member: core.host.member_of(core.raft.node_id()),
        instance: core.host.instance(),
        rights: rights.names(),
        capabilities: capabilities(),
    }
}

fn capabilities() -> Vec<Capability> {
    let can = |action, note: Option<&str>| Capability {
        action,
        supported: true,
        target: true,
        note: note.map(str::to_owned),
    };
    vec![
        can(
            Verb::AddLearner,
            Some("The newcomer carries an id never used before."),
        ),
        can(Verb::Promote, None),
        can(Verb::Demote, None),
        can(
            Verb::Remove,
            Some("The removed process stays up as a quiet learner until it is stopped."),
        ),
        can(
            Verb::Transfer,
            Some("Writes pause for some milliseconds while leadership moves."),
        ),
        can(
            Verb::Snapshot,
            Some("The node keeps the snapshot itself; there is no content to download."),
        ),
    ]
}

/// This node's own view of the group, its health asked by a call.
pub(crate) async fn view<C, SM, H>(core: &Core<C, SM, H>) -> GroupView
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    // Metrics of a core that panicked freeze at its last good moment, so they prove nothing.
    let health = health(core).await;
    let metrics = metrics(core);
    let fault = health.as_ref().err().cloned().or_else(|| stopped(&metrics));
    let membership = membership(core, &metrics);
    let me = core.host.member_of(core.raft.node_id());
    let config = core.raft.config();
    let state = state(&metrics, &fault, &health, &membership);
    let quorum_evidence_ms = quorum_evidence(&metrics, &membership, &me);
    GroupView {
        group: GROUP.to_owned(),
        instance: core.host.instance(),
        state,
        term: metrics.current_term,
        leader: metrics
            .current_leader
            .as_ref()
            .map(|id| core.host.member_of(id)),
        claims_leadership: state == State::Leader && quorum_evidence_ms.is_some(),
        quorum_evidence_ms,
        election_timeout_ms: config.election_timeout_max,
        heartbeat_interval_ms: config.heartbeat_interval,
        last_index: metrics.last_log_index,
        commit_index: index::<C>(metrics.local_committed.as_ref()),
        applied_index: index::<C>(metrics.last_applied.as_ref()),
        snapshot: metrics.snapshot.as_ref().map(|id| mark(core, id)),
        voter: membership
            .members
            .iter()
            .any(|m| m.id == me && m.role == Role::Voter),
        progress: progress(core, &metrics, &me),
        burned: core
            .host
            .burned()
            .iter()
            .map(|id| core.host.member_of(id))
            .collect(),
        membership,
        member: me,
        fault,
    }
}

/// How old the newest word of a majority is. Who has just been elected has none yet and claims
/// nothing. A sole voter is its own majority: nobody acknowledges anything to it, so openraft's
/// time stands still while nothing is written.
fn quorum_evidence<C: RaftTypeConfig>(
    metrics: &RaftMetrics<C>,
    membership: &Membership,
    me: &str,
) -> Option<u64> {
    let acked = metrics.last_quorum_acked.as_ref().map(age_ms::<C>)?;
    let alone = |config: &Vec<String>| config.len() == 1 && config[0] == me;
    let alone = !membership.configs.is_empty() && membership.configs.iter().all(alone);
    Some(if alone { 0 } else { acked })
}

pub(crate) fn metrics<C, SM, H>(core: &Core<C, SM, H>) -> RaftMetrics<C>
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    core.raft.metrics().borrow_watched().clone()
}

/// Whether the core answers: `Ok(initialised)`, or why it does not.
async fn health<C, SM, H>(core: &Core<C, SM, H>) -> Result<bool, String>
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    let limit = core.options.health_timeout;
    match tokio::time::timeout(limit, core.raft.is_initialized()).await {
        Ok(Ok(initialized)) => Ok(initialized),
        Ok(Err(fatal)) => Err(format!("the core ended: {fatal}")),
        Err(_) => Err(format!(
            "the core did not answer within {} ms",
            limit.as_millis()
        )),
    }
}

fn stopped<C: RaftTypeConfig>(metrics: &RaftMetrics<C>) -> Option<String> {
    metrics
        .running_state
        .as_ref()
        .err()
        .map(|fatal| format!("the core ended: {fatal}"))
}

fn state<C: RaftTypeConfig>(
    metrics: &RaftMetrics<C>,
    fault: &Option<String>,
    health: &Result<bool, String>,
    membership: &Membership,
) -> State {
    if fault.is_some() {
        return State::Stopped;
    }
    match metrics.state {
        ServerState::Leader => State::Leader,
        ServerState::Follower => State::Follower,
        ServerState::Candidate => State::Candidate,
        ServerState::Learner if membership.members.is_empty() && health == &Ok(false) => {
            State::Outside
        }
        ServerState::Learner => State::Learner,
        ServerState::Shutdown => State::Stopped,
    }
}

fn membership<C, SM, H>(core: &Core<C, SM, H>, metrics: &RaftMetrics<C>) -> Membership
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    let stored = &metrics.membership_config;
    let voters: Vec<C::NodeId> = stored.voter_ids().collect();
    let member = |(id, node): (&C::NodeId, &C::Node)| Member {
        id: core.host.member_of(id),
        name: core.host.member_of(id),
        address: core.host.raft_address(node),
        agent_address: core.host.agent_address(node),
        role: if voters.contains(id) {
            Role::Voter
        } else {
            Role::Learner
        },
    };
    Membership {
        revision: revision::<C>(stored),
        committed: stored == &metrics.committed_membership_config,
        members: stored.nodes().map(member).collect(),
        configs: stored
            .get_joint_config()
            .iter()
            .map(|set| set.iter().map(|id| core.host.member_of(id)).collect())
            .collect(),
    }
}

/// The log id of the membership entry: exactly what openraft compares.
pub(crate) fn revision<C: RaftTypeConfig>(stored: &StoredMembershipOf<C>) -> String {
    log_id_text::<C>(stored.log_id().as_ref())
}

pub(crate) fn log_id_text<C: RaftTypeConfig>(id: Option<&LogIdOf<C>>) -> String {
    id.map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn progress<C, SM, H>(
    core: &Core<C, SM, H>,
    metrics: &RaftMetrics<C>,
    me: &str,
) -> BTreeMap<String, Progress>
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    let Some(replication) = &metrics.replication else {
        return BTreeMap::new();
    };
    let contact = |id: &C::NodeId| {
        let at = metrics.heartbeat.as_ref()?.get(id)?.as_ref()?;
        Some(age_ms::<C>(at))
    };
    let known = replication.iter().map(|(id, matched)| {
        let known = Progress {
            matched_index: index::<C>(matched.as_ref()),
            last_contact_ms: contact(id),
        };
        (core.host.member_of(id), known)
    });
    known.filter(|(member, _)| member != me).collect()
}

fn age_ms<C: RaftTypeConfig>(at: &SerdeInstantOf<C>) -> u64 {
    millis(at.elapsed())
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn index<C: RaftTypeConfig>(id: Option<&LogIdOf<C>>) -> Option<u64> {
    id.map(LogId::index)
}

pub(crate) fn mark<C, SM, H>(core: &Core<C, SM, H>, id: &LogIdOf<C>) -> Mark
where
    C: RaftTypeConfig<Term = u64>,
    SM: RaftStateMachine<C>,
    H: Host<C>,
{
    Mark {
        term: core.host.term_of(id.committed_leader_id()),
        index: id.index(),
    }
}

/// Where the leader of `view` answers.
pub(crate) fn leader_hint(view: &GroupView) -> Option<LeaderHint> {
    let member = view.leader.clone()?;
    let known = view.membership.members.iter().find(|m| m.id == member);
    let agent_address = known.and_then(|m| m.agent_address.clone());
    Some(LeaderHint {
        member,
        agent_address,
    })
}

/// The group's line in the bulk state.
pub(crate) fn summary(view: &GroupView) -> GroupSummary {
    let count = |role| {
        let of_role = view
            .membership
            .members
            .iter()
            .filter(|m| m.role == role)
            .count();
        u32::try_from(of_role).unwrap_or(u32::MAX)
    };
    GroupSummary {
        group: view.group.clone(),
        member: view.member.clone(),
        state: view.state,
        term: view.term,
        leader: view.leader.clone(),
        claims_leadership: view.claims_leadership,
        membership_revision: view.membership.revision.clone(),
        voters: count(Role::Voter),
        learners: count(Role::Learner),
        last_index: view.last_index,
        commit_index: view.commit_index,
        fault: view.fault.clone(),
    }
}
