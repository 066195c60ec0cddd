//! Renders what is known of a cluster as it stands at a given moment. Pure: call it again when
//! time has passed, so that an old look never passes for a fresh one.

use crate::{
    action::{Action, Verb},
    capability, findings,
    health::{ClusterState, Finding, FindingCode, Memory, Registration, Verdict},
    leader::CLAIM_HOLDS_MS,
    moment::Timestamp,
    observation::{Answer, Observation},
    plan::PictureMember,
    preflight,
    quorum::Quorum,
    readiness::{self, Evidence},
    standing::{MemberStanding, Standing},
    text,
    view::{ActionVerdict, ClusterSummary, ClusterView, Leader, LeaderStatus, MemberView},
};

/// Renders what is known as it stands at `now`. Pure; call it again when time has passed.
#[must_use]
pub fn render(state: &ClusterState, now: Timestamp) -> ClusterView {
    let mut view = blank(state);
    if let Some(observation) = &state.observation {
        let standing = Standing::new(
            &state.registration,
            observation,
            &state.memory,
            &state.overrides,
            now,
        );
        fill(&mut view, &standing);
    }
    decide(&mut view);
    view
}

/// The fleet row of a view.
#[must_use]
pub fn summary(view: &ClusterView) -> ClusterSummary {
    let mut zones: Vec<String> = view.members.iter().filter_map(|m| m.zone.clone()).collect();
    zones.sort();
    zones.dedup();
    ClusterSummary {
        name: view.name.clone(),
        kind: view.kind,
        title: view.title.clone(),
        version: view.version.clone(),
        tags: view.tags.clone(),
        zones,
        sentence: view.sentence.clone(),
        verdict: view.verdict,
        leader: view.leader.clone(),
        quorum: view.quorum.clone(),
        worst_lag: view.worst_lag,
        findings: view.findings.clone(),
        age_ms: view.age_ms,
        members: view
            .members
            .iter()
            .map(|member| PictureMember::of(member, false))
            .collect(),
        lag_history: worst_history(view),
    }
}

/// The largest lag of any member at each sample, aligned at the newest.
fn worst_history(view: &ClusterView) -> Vec<u64> {
    let length = view
        .members
        .iter()
        .map(|member| member.lag_history.len())
        .max()
        .unwrap_or(0);
    let mut worst = vec![0; length];
    for member in &view.members {
        for (place, lag) in worst.iter_mut().rev().zip(member.lag_history.iter().rev()) {
            *place = (*place).max(*lag);
        }
    }
    worst
}

/// What is known before the first look: what the configuration says.
fn blank(state: &ClusterState) -> ClusterView {
    let Registration {
        name,
        kind,
        tags,
        thresholds,
        read_only,
        ..
    } = &state.registration;
    ClusterView {
        name: name.clone(),
        kind: *kind,
        title: kind.title().to_owned(),
        version: None,
        tags: tags.clone(),
        revision: None,
        observed_at: None,
        age_ms: None,
        sentence: text::not_looked_yet(),
        leader_sentence: String::new(),
        verdict: Verdict::Unknown,
        leader: Leader {
            status: LeaderStatus::Unknown,
            member: None,
            term: None,
            votes: std::collections::BTreeMap::new(),
            since: None,
        },
        quorum: Quorum::default(),
        members: Vec::new(),
        findings: Vec::new(),
        capabilities: Vec::new(),
        actions: Vec::new(),
        worst_lag: None,
        running_change: state.running_change.clone(),
        thresholds: *thresholds,
        read_only: *read_only,
        tolerance_history: state.memory.tolerance_history.clone(),
        group: None,
        groups: None,
    }
}

fn fill(view: &mut ClusterView, standing: &Standing<'_>) {
    let observation = standing.observation;
    let found = findings::findings(standing);
    view.kind = observation.kind;
    view.title = title(observation);
    view.version.clone_from(&observation.version);
    view.revision = observation
        .membership
        .as_ref()
        .map(|membership| membership.revision.clone());
    view.observed_at = Some(observation.taken_at);
    view.age_ms = Some(standing.age_ms());
    view.sentence = if standing.is_stale() {
        text::look_is_old(standing.age_ms())
    } else {
        text::cluster_sentence(&standing.quorum)
    };
    view.leader_sentence = leader_sentence(standing);
    view.verdict = findings::verdict(standing, &found);
    view.leader = standing.leader.clone();
    view.quorum = standing.quorum.clone();
    view.members = standing
        .members
        .iter()
        .map(|one| member(standing, one, &found))
        .collect();
    view.worst_lag = view
        .members
        .iter()
        .filter(|member| !view.is_led_by(&member.id))
        .filter_map(|member| member.lag)
        .max();
    view.findings = found;
    view.capabilities.clone_from(&observation.capabilities);
}

/// "OpenBao 2.7.2", "openraft 0.10.0-alpha.37"
fn title(observation: &Observation) -> String {
    let backend = text::backend(observation);
    match &observation.version {
        Some(version) => format!("{backend} {version}"),
        None => backend,
    }
}

fn leader_sentence(standing: &Standing<'_>) -> String {
    let leader = &standing.leader;
    let last = leader.member.as_ref().or(standing.memory.leader.as_ref());
    text::leader_sentence(&text::Leading {
        leader,
        name: last.map(|id| standing.name(id)),
        for_ms: leader.since.map(|since| standing.now.since(since)),
        naming: leader
            .member
            .as_ref()
            .and_then(|id| leader.votes.get(id))
            .map_or(0, Vec::len),
        answering: standing.quorum.answering,
        names: &findings::names(standing),
        age_ms: standing.age_ms(),
        is_old: standing.age_ms() > CLAIM_HOLDS_MS,
    })
}

fn member(standing: &Standing<'_>, one: &MemberStanding<'_>, found: &[Finding]) -> MemberView {
    let member = one.member;
    let says = one.says();
    let memory = standing.memory;
    let agreed = standing.leader.member.as_ref() == Some(&member.id);
    let readiness = readiness::readiness(Evidence {
        answer: one
            .report
            .map(|report| &report.answer)
            .filter(|_| !standing.is_stale()),
        alive: one.fault().is_none(),
        leads: agreed,
        names_a_leader: says.is_some_and(|says| says.names_leader.is_some()),
        lag: one.lag.map(|(lag, _)| lag),
        lagging: one.lagging,
    });
    MemberView {
        id: member.id.clone(),
        name: member.name.clone(),
        address: member.address.clone(),
        api_address: member.api_address.clone(),
        zone: standing.zone(member).map(str::to_owned),
        role: member.role,
        wanted_role: member.wanted_role.filter(|wanted| *wanted != member.role),
        state: one.state,
        state_text: state_text(standing, one),
        manual: one.manual.cloned(),
        term: says.and_then(|says| says.term),
        last_index: says
            .and_then(|says| says.last_index)
            .or_else(|| memory.last_index.get(&member.id).copied()),
        applied_index: says
            .and_then(|says| says.applied_index)
            .or_else(|| memory.last_applied.get(&member.id).copied()),
        lag: one.lag.map(|(lag, _)| lag),
        lag_source: one.lag.map(|(_, source)| source),
        last_contact_ms: standing
            .observation
            .progress
            .get(&member.id)
            .and_then(|progress| progress.last_contact_ms),
        age_ms: one.age_ms,
        answering: one.answering,
        readiness,
        reads: readiness::reads(readiness, agreed),
        names_leader: says.and_then(|says| says.names_leader.clone()),
        claims_leadership: says.is_some_and(|says| says.claims_leadership),
        instance: says.and_then(|says| says.instance.clone()),
        findings: texts_about(member, found),
        actions: Vec::new(),
        lag_history: lag_history(memory, member),
        restarted_ms: memory
            .restarted_at
            .get(&member.id)
            .map(|at| standing.now.since(*at)),
    }
}

fn texts_about(member: &crate::cluster::Member, found: &[Finding]) -> Vec<String> {
    found
        .iter()
        .filter(|finding| finding.member.as_ref() == Some(&member.id))
        // It is told as `manual` already, with all that belongs to it.
        .filter(|finding| finding.code != FindingCode::OverrideActive)
        .map(|finding| finding.text.clone())
        .collect()
}

fn lag_history(memory: &Memory, member: &crate::cluster::Member) -> Vec<u64> {
    memory
        .lag_history
        .get(&member.id)
        .map(|samples| samples.iter().map(|(_, lag)| *lag).collect())
        .unwrap_or_default()
}

/// What a member said, or why it said nothing; `None` when it is in step.
fn state_text(standing: &Standing<'_>, one: &MemberStanding<'_>) -> Option<String> {
    use crate::view::MemberState;
    if standing.is_stale() {
        return Some(text::look_is_old(standing.age_ms()));
    }
    if let Some(fault) = one.fault() {
        return Some(fault.to_owned());
    }
    match (one.state, one.report.map(|report| &report.answer)) {
        (MemberState::InStep, _) => None,
        (MemberState::CatchingUp, _) => one.lag.map(|(lag, _)| text::behind(lag)),
        (_, Some(Answer::Silent(why))) => Some(text::silent(one.age_ms.and(one.silent_ms), why)),
        (_, Some(Answer::Misread(why) | Answer::Denied(why))) => Some(why.clone()),
        (_, Some(Answer::Answered)) => Some(text::lag_not_known()),
        (_, Some(Answer::NotAsked)) => Some(text::nobody_knows_where()),
        (_, None) => Some(text::not_asked_yet()),
        (_, Some(Answer::Sealed | Answer::NotStarted)) => None,
    }
}

/// Fills in what may be done with each member and with the cluster as a whole.
fn decide(view: &mut ClusterView) {
    let rows: Vec<Vec<ActionVerdict>> = view
        .members
        .iter()
        .map(|member| row_actions(view, member))
        .collect();
    view.actions = vec![
        verdict_of(
            view,
            &Action::AddLearner {
                address: String::new(),
                member: None,
            },
        ),
        verdict_of(view, &Action::Snapshot),
        transfer_away(view),
    ];
    if capability::of(&view.capabilities, Verb::CheckIntegrity).is_some() {
        let check = verdict_of(view, &Action::CheckIntegrity);
        view.actions.push(check);
    }
    for (member, actions) in view.members.iter_mut().zip(rows) {
        member.actions = actions;
    }
}

/// The verbs that make sense for a row; a refused one stays, with its reason.
fn row_actions(view: &ClusterView, member: &MemberView) -> Vec<ActionVerdict> {
    let id = || member.id.clone();
    let promote = || verdict_of(view, &Action::Promote { member: id() });
    let demote = || verdict_of(view, &Action::Demote { member: id() });
    let remove = || verdict_of(view, &Action::Remove { member: id() });
    let mut row = Vec::new();
    if view.is_led_by(&member.id) {
        row.push(transfer_away(view));
    } else if member.votes() && may_choose(view) {
        row.push(verdict_of(view, &Action::Transfer { member: Some(id()) }));
    }
    // A wish not yet carried out can be taken back by its opposite.
    if !member.votes() || member.wanted_role.is_some() {
        row.push(promote());
    }
    if member.votes() || member.wanted_role.is_some() {
        row.push(demote());
    }
    row.push(remove());
    if capability::of(&view.capabilities, Verb::Defragment).is_some() {
        row.push(verdict_of(view, &Action::Defragment { member: id() }));
    }
    row
}

fn may_choose(view: &ClusterView) -> bool {
    capability::of(&view.capabilities, Verb::Transfer).is_some_and(|transfer| transfer.target)
}

/// Whether leadership can be moved at all: where a target must be named, by the best there is.
fn transfer_away(view: &ClusterView) -> ActionVerdict {
    let unnamed = verdict_of(view, &Action::Transfer { member: None });
    if !may_choose(view) {
        return unnamed;
    }
    view.members
        .iter()
        .filter(|member| member.votes() && !view.is_led_by(&member.id))
        .map(|member| {
            verdict_of(
                view,
                &Action::Transfer {
                    member: Some(member.id.clone()),
                },
            )
        })
        .min_by_key(|verdict| verdict.verdict)
        .unwrap_or(unnamed)
}

fn verdict_of(view: &ClusterView, action: &Action) -> ActionVerdict {
    let checks = preflight::check(view, action);
    let against = || {
        checks
            .iter()
            .filter(|check| check.level > preflight::Level::Allow)
    };
    ActionVerdict {
        action: action.verb(),
        verdict: preflight::worst(&checks),
        reasons: against().map(|check| check.code).collect(),
        text: against().next().map(|check| check.text.clone()),
    }
}

#[cfg(test)]
mod tests;
