//! What the operator fills in: what it is about where that is open, and why.

use leptos::{ev, prelude::*};
use quorate_domain::{
    action::{Action, Verb},
    capability,
    cluster::MemberId,
    preflight::{self, Level},
    view::ClusterView,
};

use super::sheet::{Sheet, Stage};
use crate::words::actions as words;

/// The address of a newcomer, or the target of a transfer; nothing for the other verbs.
#[component]
pub fn AimFields(sheet: Sheet) -> impl IntoView {
    match sheet.verb {
        Verb::AddLearner => address(sheet),
        Verb::Transfer => target(sheet),
        _ => ().into_any(),
    }
}

fn address(sheet: Sheet) -> AnyView {
    let look = move |event: ev::SubmitEvent| {
        event.prevent_default();
        sheet.look();
    };
    let kind = sheet.view.with_value(|view| view.kind);
    let form = words::address_form(kind);
    let (id_label, id_hint) = words::expected_id(kind);
    let changed = move |event: ev::Event, is_id: bool| {
        let text = event_target_value(&event);
        sheet.aim.update(|aim| {
            if is_id {
                aim.id = text
            } else {
                aim.address = text
            }
        });
        if sheet.stage.with_untracked(|stage| *stage != Stage::Asking) {
            sheet.forget();
        }
    };
    view! {
        <form class="aim" on:submit=look hidden=move || sheet.change.with(Option::is_some)>
            <div class="field field-wide">
                <label class="field-label" for="dialog-address">{words::ADDRESS}</label>
                <input
                    class="input"
                    id="dialog-address"
                    type="text"
                    autocomplete="off"
                    spellcheck="false"
                    placeholder=form
                    aria-describedby="dialog-address-hint"
                    required=true
                    on:input=move |event| changed(event, false)
                />
                <p class="field-hint" id="dialog-address-hint">{words::address_hint(kind)}</p>
            </div>
            <div class="field">
                <label class="field-label" for="dialog-id">{id_label}</label>
                <input
                    class="input"
                    id="dialog-id"
                    type="text"
                    autocomplete="off"
                    spellcheck="false"
                    aria-describedby="dialog-id-hint"
                    on:input=move |event| changed(event, true)
                />
                <p class="field-hint" id="dialog-id-hint">{id_hint}</p>
            </div>
            <button type="submit" class="button">{words::SHOW_WHAT_HAPPENS}</button>
        </form>
    }
    .into_any()
}

fn target(sheet: Sheet) -> AnyView {
    let view = sheet.view.get_value();
    if !may_choose(&view) {
        return view! {
            <p class="aim-fact">{words::TARGET}": "<strong>{words::TARGET_BY_BACKEND}</strong></p>
        }
        .into_any();
    }
    let chosen = sheet.aim.with_untracked(|aim| aim.member.clone());
    let options: Vec<_> = targets(&view)
        .into_iter()
        .map(|(id, name)| {
            let selected = chosen.as_ref() == Some(&id);
            view! { <option value=id.0 selected=selected>{name}</option> }
        })
        .collect();
    let choose = move |event: ev::Event| {
        let id = MemberId(event_target_value(&event));
        sheet.aim.update(|aim| aim.member = Some(id));
        sheet.look();
    };
    view! {
        <div class="aim" hidden=move || sheet.change.with(Option::is_some)>
            <div class="field">
                <label class="field-label" for="dialog-target">{words::TARGET}</label>
                <select class="input" id="dialog-target" on:change=choose>{options}</select>
            </div>
        </div>
    }
    .into_any()
}

/// Whether the backend lets the target of a transfer be chosen.
#[must_use]
pub fn may_choose(view: &ClusterView) -> bool {
    capability::of(&view.capabilities, Verb::Transfer).is_none_or(|it| it.target)
}

/// Who else could lead: every voter but the leader.
fn targets(view: &ClusterView) -> Vec<(MemberId, String)> {
    view.members
        .iter()
        .filter(|member| member.role.votes() && Some(&member.id) != view.leader.member.as_ref())
        .map(|member| (member.id.clone(), member.name.clone()))
        .collect()
}

/// What the dialog opens with: for a transfer, the target asked for if it does not lead already,
/// else the least lagging voter the rules allow, else any.
#[must_use]
pub fn opening(view: &ClusterView, asked: Action) -> Action {
    let Action::Transfer { member } = asked else {
        return asked;
    };
    if !may_choose(view) {
        return Action::Transfer { member: None };
    }
    let targets = targets(view);
    if member.is_some() && targets.iter().any(|(id, _)| Some(id) == member.as_ref()) {
        return Action::Transfer { member };
    }
    let lag = |id: &MemberId| {
        view.members
            .iter()
            .find(|member| member.id == *id)
            .and_then(|member| member.lag)
    };
    let refused = |id: &MemberId| {
        let action = Action::Transfer {
            member: Some(id.clone()),
        };
        preflight::worst(&preflight::check(view, &action)) == Level::Refuse
    };
    let best = targets
        .into_iter()
        .map(|(id, _)| id)
        .min_by_key(|id| (refused(id), lag(id).unwrap_or(u64::MAX)));
    Action::Transfer { member: best }
}

/// Reason, ticket and, for a removal, the member's name.
#[component]
pub fn Fields(sheet: Sheet) -> impl IntoView {
    let used = move || sheet.reason.with(|reason| reason.trim().chars().count());
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        sheet.confirm();
    };
    view! {
        <form
            id="dialog-form"
            class="fields"
            on:submit=submit
            hidden=move || sheet.change.with(Option::is_some)
        >
            {name(sheet)}
            <div class="field field-wide">
                <label class="field-label" for="dialog-reason">{words::REASON}</label>
                <input
                    class="input"
                    id="dialog-reason"
                    type="text"
                    autocomplete="off"
                    aria-describedby="dialog-reason-count"
                    prop:value=sheet.reason
                    on:input=move |event| sheet.reason.set(event_target_value(&event))
                />
                <p class="field-hint" id="dialog-reason-count">
                    {move || words::counted(used(), words::REASON_LIMIT)}
                </p>
            </div>
            <div class="field">
                <label class="field-label" for="dialog-ticket">{words::TICKET}</label>
                <input
                    class="input"
                    id="dialog-ticket"
                    type="text"
                    autocomplete="off"
                    prop:value=sheet.ticket
                    on:input=move |event| sheet.ticket.set(event_target_value(&event))
                />
            </div>
        </form>
    }
}

fn name(sheet: Sheet) -> AnyView {
    let Some(name) = sheet.name.get_value() else {
        return ().into_any();
    };
    view! {
        <div class="field field-whole">
            <label class="field-label" for="dialog-name">{words::type_the_name(&name)}</label>
            <input
                class="input"
                id="dialog-name"
                type="text"
                autocomplete="off"
                spellcheck="false"
                prop:value=sheet.typed
                on:input=move |event| sheet.typed.set(event_target_value(&event))
            />
        </div>
    }
    .into_any()
}
