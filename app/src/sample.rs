//! A cluster to test views with: five voters, two learners; one voter behind, one silent.

#![allow(clippy::unwrap_used, reason = "only tests use it")]

use quorate_domain::{
    action::Verb,
    audit::Means,
    cluster::{ClusterName, Kind, MemberId, Revision, Role, Term, Thresholds},
    health::{Finding, FindingCode, Severity, Verdict},
    moment::Timestamp,
    permission::{Duty, Grant},
    plan::PictureMember,
    preflight::{Level, ReasonCode},
    quorum::Quorum,
    readiness::{Readiness, Reads},
    view::{
        ActionVerdict, ClusterSummary, ClusterView, LagSource, Leader, LeaderStatus, MemberState,
        MemberView,
    },
};

use crate::session::Session;

pub fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T14:02:52Z").unwrap()
}

fn allowed(action: Verb) -> ActionVerdict {
    ActionVerdict {
        action,
        verdict: Level::Allow,
        reasons: Vec::new(),
        text: None,
    }
}

fn refused(action: Verb, code: ReasonCode, text: &str) -> ActionVerdict {
    let text = Some(text.to_owned());
    ActionVerdict {
        action,
        verdict: Level::Refuse,
        reasons: vec![code],
        text,
    }
}

pub fn member(id: &str, role: Role, state: MemberState, lag: u64) -> MemberView {
    let answering = state != MemberState::Unreachable;
    let first = if role.votes() {
        Verb::Demote
    } else {
        Verb::Promote
    };
    let promote = if lag > 100 && !role.votes() {
        refused(
            first,
            ReasonCode::TooFarBehind,
            "52,114 entries behind; at most 100 are allowed.",
        )
    } else {
        allowed(first)
    };
    MemberView {
        id: MemberId::from(id),
        name: id.to_owned(),
        address: format!("{id}.example:8201"),
        api_address: Some(format!("https://{id}.example:8200")),
        zone: Some(id.trim_start_matches("bao-").to_owned()),
        role,
        wanted_role: None,
        state,
        state_text: (!answering).then(|| "connection refused".to_owned()),
        manual: None,
        term: Some(Term(41)),
        last_index: Some(1_284_903),
        applied_index: Some(1_284_903 - lag),
        lag: answering.then_some(lag),
        lag_source: Some(LagSource::Own),
        last_contact_ms: Some(90),
        age_ms: Some(if answering { 412 } else { 41_000 }),
        answering,
        readiness: Readiness::Ready,
        reads: Reads::Linearizable,
        names_leader: answering.then(|| MemberId::from("bao-eu1-a")),
        claims_leadership: id == "bao-eu1-a",
        instance: Some("5b1c9a40".to_owned()),
        findings: Vec::new(),
        actions: vec![
            promote,
            refused(
                Verb::Transfer,
                ReasonCode::TargetCannotBeChosen,
                "OpenBao chooses the next leader itself.",
            ),
            allowed(Verb::Remove),
        ],
        lag_history: (0..90)
            .map(|i| lag / 2 + (i * 37 % 11) * (lag / 20 + 1))
            .collect(),
        restarted_ms: None,
    }
}

pub fn view() -> ClusterView {
    use MemberState::{CatchingUp, InStep, Unreachable};
    let mut leader = member("bao-eu1-a", Role::Voter, InStep, 0);
    leader.actions = vec![
        allowed(Verb::Transfer),
        refused(
            Verb::Demote,
            ReasonCode::IsLeader,
            "It leads; transfer leadership first.",
        ),
        refused(
            Verb::Remove,
            ReasonCode::IsLeader,
            "It leads; transfer leadership first.",
        ),
    ];
    let members = vec![
        leader,
        member("bao-eu1-b", Role::Voter, InStep, 0),
        member("bao-eu1-c", Role::Voter, InStep, 2),
        member("bao-eu2-a", Role::Voter, CatchingUp, 1_870),
        member("bao-eu2-b", Role::Voter, Unreachable, 3_463),
        member("bao-us1-a", Role::Learner, InStep, 14),
        member("bao-us1-b", Role::Learner, CatchingUp, 52_114),
    ];
    let id = MemberId::from;
    let voters = [
        "bao-eu1-a",
        "bao-eu1-b",
        "bao-eu1-c",
        "bao-eu2-a",
        "bao-eu2-b",
    ]
    .map(id)
    .to_vec();
    ClusterView {
        name: ClusterName::from("vault-eu"),
        kind: Kind::Openbao,
        title: "OpenBao 2.7.2".to_owned(),
        version: Some("2.7.2".to_owned()),
        tags: vec!["prod".to_owned()],
        revision: Some(Revision::from("a91f03c2b4d5e6f7")),
        observed_at: Some(now().minus_ms(412)),
        age_ms: Some(412),
        sentence: "4 of 5 voters answer; one more may fail.".to_owned(),
        leader_sentence: "bao-eu1-a leads since 3 d 4 h; the 4 voters that answer name it.".to_owned(),
        verdict: Verdict::AtRisk,
        leader: Leader {
            status: LeaderStatus::Agreed,
            member: Some(id("bao-eu1-a")),
            term: Some(Term(41)),
            votes: [(id("bao-eu1-a"), voters[..4].to_vec())].into(),
            since: None,
        },
        quorum: Quorum { voters: 5, answering: 4, majority: 3, tolerates: Some(1), configs: vec![voters] },
        members,
        findings: vec![
            Finding {
                code: FindingCode::MemberUnreachable,
                member: Some(id("bao-eu2-b")),
                since: now().minus_ms(41_000),
                severity: Severity::Warn,
                text: "bao-eu2-b has not answered for 41 s.".to_owned(),
                hint: Some("If it stays away, replace it: add a learner, let it catch up, promote it, then remove bao-eu2-b.".to_owned()),
            },
            Finding {
                code: FindingCode::MemberLagging,
                member: Some(id("bao-eu2-a")),
                since: now().minus_ms(61_000),
                severity: Severity::Warn,
                text: "bao-eu2-a is 1,870 entries behind.".to_owned(),
                hint: Some("See whether its disk or its network is slow.".to_owned()),
            },
        ],
        capabilities: Vec::new(),
        actions: vec![allowed(Verb::Snapshot), allowed(Verb::AddLearner)],
        worst_lag: Some(1_870),
        running_change: None,
        group: None,
        groups: None,
        thresholds: Thresholds::default(),
        read_only: false,
        tolerance_history: vec![
            (now().minus_ms(90_000_000), 2),
            (now().minus_ms(36_000_000), 1),
            (now().minus_ms(28_000_000), 2),
            (now().minus_ms(14_000_000), 1),
        ],
    }
}

pub fn summary(name: &str, view: &ClusterView) -> ClusterSummary {
    let picture = |member: &MemberView| PictureMember {
        id: member.id.clone(),
        name: member.name.clone(),
        role: member.role,
        state: member.state,
        zone: member.zone.clone(),
        changed: false,
    };
    ClusterSummary {
        name: ClusterName::from(name),
        kind: view.kind,
        title: view.title.clone(),
        version: view.version.clone(),
        tags: view.tags.clone(),
        zones: Vec::new(),
        sentence: view.sentence.clone(),
        verdict: view.verdict,
        leader: view.leader.clone(),
        quorum: view.quorum.clone(),
        worst_lag: view.worst_lag,
        findings: view.findings.clone(),
        age_ms: view.age_ms,
        members: view.members.iter().map(picture).collect(),
        lag_history: view
            .members
            .get(3)
            .map(|m| m.lag_history.clone())
            .unwrap_or_default(),
    }
}

/// A cluster in order: three voters, nothing found.
pub fn sound(name: &str) -> ClusterSummary {
    let mut view = view();
    view.members.truncate(3);
    view.findings.clear();
    view.verdict = Verdict::Ok;
    view.worst_lag = Some(0);
    let voters = view
        .members
        .iter()
        .map(|member| member.id.clone())
        .collect();
    view.quorum = Quorum {
        voters: 3,
        answering: 3,
        majority: 2,
        tolerates: Some(1),
        configs: vec![voters],
    };
    let mut summary = summary(name, &view);
    summary.lag_history = (0..90).map(|i| i * 7 % 5).collect();
    summary
}

pub fn session(duty: Duty) -> Session {
    Session {
        subject: "1".to_owned(),
        name: "operator-7".to_owned(),
        means: Means::Password,
        grants: vec![Grant::everywhere(duty)],
        read_only: false,
    }
}
