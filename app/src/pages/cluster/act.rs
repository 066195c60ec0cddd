//! Buttons that ask for a change. One that cannot be used stays, can be reached, and says why.

use leptos::prelude::*;
use quorate_domain::{
    action::{Action, Verb},
    cluster::MemberId,
    permission::{self, Permission, carried_by},
    preflight::Level,
    view::{ActionVerdict, ClusterView},
};

use super::seen::Seen;
use crate::{
    components::DialogTarget,
    session::{Session, use_session},
    words::cluster as say,
};

/// Why a button cannot be used: for the button, and in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub brief: String,
    pub full: String,
}

/// Whether the person and the rules allow it. The server asks both again.
#[must_use]
pub fn refusal(
    session: Option<&Session>,
    view: &ClusterView,
    verdict: &ActionVerdict,
) -> Option<Refusal> {
    let permission = Permission::Act(verdict.action);
    let grants = session
        .map(|session| session.grants.as_slice())
        .unwrap_or_default();
    if let Some(full) = permission::missing(grants, permission, Some((&view.name, &view.tags))) {
        let duty = carried_by(permission)
            .first()
            .map(|duty| duty.as_str())
            .unwrap_or_default();
        return Some(Refusal {
            brief: say::needs(duty),
            full,
        });
    }
    if verdict.verdict != Level::Refuse {
        return None;
    }
    let brief = verdict
        .reasons
        .first()
        .map_or("", |code| say::reason(*code))
        .to_owned();
    let full = verdict.text.clone().unwrap_or_else(|| brief.clone());
    Some(Refusal { brief, full })
}

/// The action of a verb, on this member or on the cluster as a whole.
#[must_use]
pub fn action(verb: Verb, member: Option<&MemberId>, leads: bool) -> Action {
    let target = || member.cloned().unwrap_or_else(|| MemberId::from(""));
    match verb {
        Verb::AddLearner => Action::AddLearner {
            address: String::new(),
            member: None,
        },
        Verb::Promote => Action::Promote { member: target() },
        Verb::Demote => Action::Demote { member: target() },
        Verb::Remove => Action::Remove { member: target() },
        Verb::Transfer if leads => Action::Transfer { member: None },
        Verb::Transfer => Action::Transfer {
            member: member.cloned(),
        },
        Verb::Snapshot => Action::Snapshot,
        Verb::Defragment => Action::Defragment { member: target() },
        Verb::CheckIntegrity => Action::CheckIntegrity,
    }
}

/// Opens the dialog on the cluster as it is seen at the moment of pressing.
pub fn asking(seen: Seen, action: Action) -> impl Fn() + Clone {
    let target = use_context::<DialogTarget>();
    move || {
        if let (Some(target), Some(view)) = (target, seen.frozen()) {
            target.set(Some((view, action.clone())));
        }
    }
}

/// How a button looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// In the head of the page; a refusal stands under it.
    Plain,
    Primary,
    /// In a row; a refusal stands on it.
    Small,
}

impl Look {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "button",
            Self::Primary => "button button-primary",
            Self::Small => "button button-small",
        }
    }
}

/// A button for `verb`; gone where the cluster does not know it.
#[component]
pub fn ActButton(
    seen: Seen,
    verb: Verb,
    #[prop(optional)] member: Option<MemberId>,
    #[prop(optional)] leads: bool,
    look: Look,
    /// A button beside it, under which a reason that both have stands already.
    #[prop(optional)]
    beside: Option<Verb>,
    /// Unique on the page.
    #[prop(into)]
    id: String,
) -> impl IntoView {
    let session = use_session();
    let press = asking(seen, action(verb, member.as_ref(), leads));
    let label = say::member_verb(verb, leads || member.is_none());
    let of = member.clone();
    let refused = memo(move || {
        seen.look(|view| {
            let refusal_of =
                |verb| refusal(session.as_ref(), view, verdict(view, verb, of.as_ref())?);
            let refused = refusal_of(verb)?;
            let said = beside.and_then(refusal_of).as_ref() == Some(&refused);
            Some((refused, said))
        })
        .flatten()
    });
    let why = format!("{id}-why");
    let described = why.clone();
    let text = move || match refused.get() {
        Some((refusal, _)) if look == Look::Small => say::disabled(label, &refusal.brief),
        _ => label.to_owned(),
    };
    // In a row the full sentence is for those who hear the page; the button shows its short form.
    let why_class = move |said: bool| {
        if said || look == Look::Small {
            "unseen"
        } else {
            "why act-why"
        }
    };
    let class = move || match refused.with(Option::is_some) {
        true => {
            if look == Look::Small {
                "button button-small"
            } else {
                "button"
            }
        }
        false => look.class(),
    };
    view! {
        <div class="act needs-script">
            <button
                type="button"
                id=id
                class=move || class()
                aria-disabled=move || refused.with(Option::is_some).then_some("true")
                aria-describedby=move || refused.with(Option::is_some).then(|| described.clone())
                on:click=move |_| if refused.with_untracked(Option::is_none) { press() }
            >
                {move || text()}
            </button>
            {anew(move || refused.get().map(|(refusal, said)| view! { <p class=why_class(said) id=why.clone()>{refusal.full}</p> }))}
        </div>
    }
    .into_any()
}

/// What the rules say of `verb` on this member, or on the cluster.
#[must_use]
pub fn verdict<'a>(
    view: &'a ClusterView,
    verb: Verb,
    member: Option<&MemberId>,
) -> Option<&'a ActionVerdict> {
    let actions = match member {
        None => &view.actions,
        Some(id) => &view.members.iter().find(|member| member.id == *id)?.actions,
    };
    actions.iter().find(|verdict| verdict.action == verb)
}
