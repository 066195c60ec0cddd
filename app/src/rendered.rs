//! For tests: views as the server's HTML, and the shapes they show.

use leptos::prelude::*;
use quorate_domain::{
    action::Action,
    audit::{Actor, Means},
    cluster::{MemberId, Revision, Role},
    job::{Change, ChangeId, ChangeState, StepRecord, StepState},
    moment::Timestamp,
    plan::{Expectation, Picture, PictureMember, Plan, Preview, Step, StepText},
    preflight::{Axis, Check, Level, ReasonCode},
    quorum::{Quorum, majority},
    view::MemberState,
};

use crate::{
    base::BasePath,
    live::{Live, PageState},
};

/// The HTML of a view under the base path `/q`, one element a line, without hydration marks.
pub fn html(view: impl FnOnce() -> AnyView) -> String {
    let owner = Owner::new();
    owner.set();
    let text = owner.with(|| {
        provide_context(BasePath("/q".to_owned()));
        provide_context(Live::new(PageState::default(), None, at(0)));
        view().to_html()
    });
    text.replace("<!>", "")
        .replace("<!---->", "")
        .replace("<!--<() />-->", "")
        .replace("><", ">\n<")
}

/// A moment so many seconds after 2026-11-21 14:00:00 UTC.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::parse("2026-11-21T14:00:00Z")
        .unwrap_or_default()
        .plus_ms(seconds * 1_000)
}

pub fn person(name: &str) -> Actor {
    Actor {
        issuer: "local".to_owned(),
        subject: "a-1".to_owned(),
        name: name.to_owned(),
        means: Means::Password,
    }
}

/// `voters` in step and `learners`; the last voter is marked as changed.
pub fn picture(voters: u32, learners: u32) -> Picture {
    let member = |at: u32, role: Role| PictureMember {
        id: MemberId(format!("node-{at}")),
        name: format!("node-{at}"),
        role,
        state: MemberState::InStep,
        zone: None,
        changed: role == Role::Voter && at == voters,
    };
    let mut members: Vec<_> = (1..=voters).map(|at| member(at, Role::Voter)).collect();
    members.extend((voters + 1..=voters + learners).map(|at| member(at, Role::Learner)));
    let quorum = Quorum {
        voters,
        answering: voters,
        majority: majority(voters),
        tolerates: Some(i64::from(voters - majority(voters))),
        configs: Vec::new(),
    };
    Picture {
        quorum,
        members,
        leader: Some(MemberId::from("node-1")),
    }
}

pub fn check(level: Level, text: &str) -> Check {
    Check {
        code: ReasonCode::EvenVoters,
        level,
        axis: Axis::Availability,
        text: text.to_owned(),
    }
}

pub fn preview(checks: Vec<Check>) -> Preview {
    Preview {
        action: promote(),
        title: "Promote node-4 to voter in demo".to_owned(),
        before: picture(3, 1),
        after: picture(4, 0),
        checks,
        steps: vec![
            step_text("Ask demo", "to make node-4 a voter"),
            step_text(
                "Wait",
                "until it is a voter in the membership, at most 60 s",
            ),
        ],
        notes: vec!["The target is already in step.".to_owned()],
        command: "quorate ctl promote demo node-4 --reason '…'".to_owned(),
        revision: Revision::from("a91f03d4c2b1e0ff"),
        fingerprint: "q1.x".to_owned(),
        age_ms: 412,
        approvals: None,
    }
}

pub fn promote() -> Action {
    Action::Promote {
        member: MemberId::from("node-4"),
    }
}

fn step_text(lead: &str, rest: &str) -> StepText {
    StepText {
        lead: lead.to_owned(),
        rest: rest.to_owned(),
    }
}

/// A promotion in `state`, asked for at 14:00:00 and ended four seconds later.
pub fn change(state: ChangeState) -> Change {
    let ended_at = state.is_final().then(|| at(4));
    let step = match state {
        ChangeState::Queued
        | ChangeState::Cancelled
        | ChangeState::WaitingApproval
        | ChangeState::Denied
        | ChangeState::Expired => StepState::Pending,
        ChangeState::Running => StepState::Running,
        ChangeState::Succeeded => StepState::Done,
        ChangeState::Failed => StepState::Failed,
        ChangeState::Unknown => StepState::Unknown,
    };
    Change {
        id: ChangeId("0193-a".to_owned()),
        cluster: "demo".into(),
        group: None,
        action: promote(),
        title: "Promote node-4 to voter".to_owned(),
        state,
        waiting_for: (state == ChangeState::Running)
            .then(|| "node-4 is still a learner.".to_owned()),
        outcome: (state == ChangeState::Succeeded).then(|| "node-4 is a voter.".to_owned()),
        requested_by: person("admin"),
        reason: "Third region goes live".to_owned(),
        ticket: Some("CHG-2294".to_owned()),
        created_at: at(0),
        ended_at,
        steps: vec![StepRecord {
            lead: "Ask demo".to_owned(),
            rest: "to make node-4 a voter".to_owned(),
            state: step,
            started_at: Some(at(1)),
            ended_at,
        }],
        checks: vec![check(
            Level::Warn,
            "An even number of voters tolerates no more failures.",
        )],
        before: picture(3, 1),
        after: picture(4, 0),
        seen: state.is_final().then(|| picture(4, 0)),
        plan: Plan {
            step: Step {
                action: promote(),
                revision: Revision::from("a91f03d4c2b1e0ff"),
                leader: Some(MemberId::from("node-1")),
                address: None,
            },
            expectation: Expectation::Receipt,
            patience_ms: 60_000,
        },
        notes: Vec::new(),
        intent_seq: Some(41),
        outcome_seq: state.is_final().then_some(42),
        snapshot: None,
        approvals: None,
    }
}
