//! A member's state set by hand, and taken back: a plain form, so that it works with scripts off.

use leptos::prelude::*;
use quorate_domain::{cluster::MemberId, permission::Permission};

use super::seen::Seen;
use crate::{
    base::{path, segment},
    session::use_session,
    words::cluster as say,
};

/// Nothing for those who may not set it. `problem` is the code of why it was not saved.
#[component]
pub fn ByHand(seen: Seen, #[prop(into)] id: MemberId, problem: Option<String>) -> impl IntoView {
    let session = use_session();
    let of = id.clone();
    let state = memo(move || {
        let set = seen.member(&of, |view, member| {
            let may = session.as_ref().is_some_and(|session| {
                session.allows_on(Permission::OverrideState, &view.name, &view.tags)
            });
            may.then(|| {
                (
                    view.name.clone(),
                    view.group.clone(),
                    member.manual.is_some(),
                )
            })
        });
        set.flatten()
    });
    anew(move || {
        let id = id.to_string();
        state.get().map(|(cluster, group, set)| {
            let target = path(&format!("/clusters/{}/override", segment(cluster.as_str())));
            view! {
                <details class="by-hand" open=problem.is_some()>
                    <summary>{if set { say::BY_HAND_CHANGE } else { say::BY_HAND }}</summary>
                    {problem.as_deref().map(|code| view! {
                        <p class="field-problem" role="alert">{say::by_hand_problem(code)}</p>
                    })}
                    <p class="field-hint">{say::BY_HAND_MEANS}</p>
                    <form class="stacked-form" method="post" action=target>
                        <input type="hidden" name="member" value=id/>
                        {group.map(|group| view! { <input type="hidden" name="group" value=group/> })}
                        <label class="field">
                            <span class="field-label">{say::BY_HAND_REASON}</span>
                            <input class="input" name="reason" maxlength="500" required=!set/>
                        </label>
                        <label class="field">
                            <span class="field-label">{say::BY_HAND_FOR}</span>
                            <select class="input" name="hours">
                                {say::BY_HAND_HOURS.iter().map(|(hours, words)| view! {
                                    <option value=*hours>{*words}</option>
                                }).collect_view()}
                                {set.then(|| view! { <option value="0">{say::BY_HAND_BACK}</option> })}
                            </select>
                        </label>
                        <button class="button" type="submit">{say::BY_HAND_SAVE}</button>
                    </form>
                </details>
            }
        })
    })
}
