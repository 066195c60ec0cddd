//! What the dialog says before it asks: the basis, before → after, checks, steps, notes.

use leptos::prelude::*;
use quorate_domain::{moment::Timestamp, plan::Preview, preflight, preflight::Level};

use super::{
    before_after::before_after,
    checks::checks,
    notice::notice,
    progress::notes,
    sheet::{Sheet, Stage},
};
use crate::{
    api::Failure,
    live::use_live,
    words::{actions as words, figures},
};

/// How many characters of a membership's identity are shown.
const SHORT: usize = 8;

/// On what it was decided, with an age that goes on counting.
#[component]
pub fn Basis(sheet: Sheet) -> impl IntoView {
    let now = use_live().now;
    move || {
        // Once it is on record, nothing is decided any more.
        if sheet.change.with(Option::is_some) {
            return None;
        }
        sheet.stage.with(|stage| match stage {
            Stage::There(preview) => Some(basis(preview, sheet.came_at.get(), now.get())),
            Stage::Asking | Stage::Looking | Stage::Missing(_) => None,
        })
    }
}

fn basis(preview: &Preview, came_at: Timestamp, now: Timestamp) -> String {
    let age = preview.age_ms.saturating_add(now.since(came_at));
    let membership: String = preview.revision.0.chars().take(SHORT).collect();
    words::basis(&figures::duration(age), &membership)
}

/// What the stage has to show above the fields.
pub fn upper(sheet: Sheet, stage: &Stage) -> AnyView {
    match stage {
        Stage::Asking => view! { <p class="hint">{words::ADDRESS_FIRST}</p> }.into_any(),
        Stage::Looking => view! { <p class="looking">{words::LOOKING}</p> }.into_any(),
        Stage::Missing(failure) => view! {
            {notice(&failure.0, None)}
            <p>
                <button type="button" class="button" on:click=move |_| sheet.look()>
                    {words::TRY_AGAIN}
                </button>
            </p>
        }
        .into_any(),
        Stage::There(preview) => decided(preview),
    }
}

fn decided(preview: &Preview) -> AnyView {
    let steps: Vec<_> = preview
        .steps
        .iter()
        .map(|step| view! { <li><strong>{step.lead.clone()}</strong>" "{step.rest.clone()}</li> })
        .collect();
    // A refused change has nothing that will be done.
    let refused = preflight::worst(&preview.checks) == Level::Refuse;
    let steps = (!refused).then(|| {
        view! {
            <section class="steps">
                <h3>{words::STEPS}</h3>
                <ol>{steps}</ol>
            </section>
        }
    });
    view! {
        {before_after(&[(words::BEFORE, &preview.before), (words::AFTER, &preview.after)])}
        {checks(&preview.checks)}
        {steps}
        {(!preview.notes.is_empty()).then(|| notes(words::NOTES, &preview.notes))}
    }
    .into_any()
}

/// Says that what was decided on has moved, and offers to look again.
pub fn moved(sheet: Sheet, moved: Vec<String>, again: Callback<()>) -> AnyView {
    if moved.is_empty() {
        return ().into_any();
    }
    let items: Vec<_> = moved
        .into_iter()
        .map(|text| view! { <li>{text}</li> })
        .collect();
    let again = move |_| {
        sheet.look();
        again.run(());
    };
    view! {
        <div class="notice tone-warn">
            <p class="notice-title"><strong>{words::MOVED_TITLE}</strong>" "{words::NOT_DONE}</p>
            <ul aria-label=words::WHAT_MOVED>{items}</ul>
            <p><button type="button" class="button" on:click=again>{words::REVIEW_AGAIN}</button></p>
        </div>
    }
    .into_any()
}

/// Why the console did not take the change. What moved is said by [`moved`].
pub fn turned_down(failure: &Failure) -> AnyView {
    if !failure.0.moved.is_empty() {
        return ().into_any();
    }
    if failure.is_unanswered() {
        let link = crate::base::path("/changes");
        return view! {
            {notice(&failure.0, Some(words::MAYBE_DONE))}
            <p><a href=link>{words::LOOK_UNDER_CHANGES}</a></p>
        }
        .into_any();
    }
    notice(&failure.0, Some(words::NOT_DONE))
}
