//! Roles and states as small tags. They differ by outline and word; colour only adds.

use leptos::prelude::*;
use quorate_domain::{cluster::Role, job::ChangeState, view::MemberState};

use crate::words;

/// Which of the three grounds something stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Ok,
    Warn,
    Bad,
}

impl Tone {
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "tone-plain",
            Self::Ok => "tone-ok",
            Self::Warn => "tone-warn",
            Self::Bad => "tone-bad",
        }
    }

    #[must_use]
    pub const fn of_state(state: MemberState) -> Self {
        match state {
            MemberState::InStep => Self::Ok,
            MemberState::CatchingUp | MemberState::Unconfirmed => Self::Warn,
            MemberState::Unreachable | MemberState::Sealed => Self::Bad,
            MemberState::NotStarted | MemberState::Removed | MemberState::Unknown => Self::Plain,
        }
    }

    #[must_use]
    pub const fn of_change(state: ChangeState) -> Self {
        match state {
            ChangeState::Queued
            | ChangeState::Cancelled
            | ChangeState::WaitingApproval
            | ChangeState::Expired => Self::Plain,
            ChangeState::Running | ChangeState::Unknown => Self::Warn,
            ChangeState::Succeeded => Self::Ok,
            ChangeState::Failed | ChangeState::Denied => Self::Bad,
        }
    }
}

/// A word on a ground.
#[component]
pub fn Tag(tone: Tone, #[prop(into)] text: String) -> impl IntoView {
    view! { <span class=format!("tag {}", tone.class())>{text}</span> }
}

/// Leader filled, voter outlined, learner dashed, witness dotted.
#[component]
pub fn RoleTag(role: Role, leads: bool) -> impl IntoView {
    let (class, word) = match (leads, role) {
        (true, _) => ("tag role role-leader", words::LEADER),
        (false, Role::Voter) => ("tag role role-voter", words::role(role)),
        (false, Role::Learner) => ("tag role role-learner", words::role(role)),
        (false, Role::Witness) => ("tag role role-witness", words::role(role)),
    };
    view! { <span class=class>{word}</span> }
}

/// A member's state; an overridden one says so beside it.
#[component]
pub fn StateTag(state: MemberState, #[prop(optional)] overridden: bool) -> impl IntoView {
    let class = format!(
        "tag {} state-{}",
        Tone::of_state(state).class(),
        slug(state)
    );
    view! {
        <span class=class>{words::state(state)}</span>
        {overridden.then(|| view! { " " <span class="tag role role-voter">{words::OVERRIDDEN}</span> })}
    }
}

/// The state as part of a class name.
#[must_use]
pub const fn slug(state: MemberState) -> &'static str {
    match state {
        MemberState::InStep => "in-step",
        MemberState::CatchingUp => "catching-up",
        MemberState::Unreachable => "unreachable",
        MemberState::NotStarted => "not-started",
        MemberState::Sealed => "sealed",
        MemberState::Unconfirmed => "unconfirmed",
        MemberState::Removed => "removed",
        MemberState::Unknown => "unknown",
    }
}

/// How a change stands.
#[component]
pub fn ChangeTag(state: ChangeState) -> impl IntoView {
    view! { <Tag tone=Tone::of_change(state) text=words::change_state(state)/> }
}
