//! "More" in a row: the actions one came for less likely. Closes by Esc, by choosing, and by
//! pressing anywhere else.

use leptos::prelude::*;
use quorate_domain::{action::Verb, cluster::MemberId};

use super::{
    act::{action, asking, refusal},
    seen::Seen,
};
use crate::{session::use_session, words::cluster as say};

pub fn menu(seen: Seen, id: &MemberId, name: &str, leads: bool, verbs: Vec<Verb>) -> AnyView {
    let items = verbs
        .into_iter()
        .map(|verb| view! { <li>{item(seen, id.clone(), leads, verb)}</li> });
    view! {
        <details class="menu needs-script" name="member-menu">
            <summary id=format!("more-{id}") aria-label=say::more_for(name)>{say::MORE}</summary>
            <ul class="menu-list">{items.collect_view()}</ul>
        </details>
    }
    .into_any()
}

fn item(seen: Seen, id: MemberId, leads: bool, verb: Verb) -> AnyView {
    let session = use_session();
    let press = asking(seen, action(verb, Some(&id), leads));
    let refused = memo(move || {
        seen.member(&id, |view, member| {
            let verdict = member
                .actions
                .iter()
                .find(|verdict| verdict.action == verb)?;
            refusal(session.as_ref(), view, verdict)
        })
        .flatten()
    });
    view! {
        <button
            type="button"
            class="menu-item"
            aria-disabled=move || refused.with(Option::is_some).then_some("true")
            on:click=move |_| if refused.with_untracked(Option::is_none) {
                // The item goes with the menu; the dialog gives the focus back to what opens it.
                close(Focus::ToOpener);
                press();
            }
        >
            <span>{say::member_verb(verb, leads)}</span>
            {anew(move || refused.get().map(|refusal| view! { <span class="why">{refusal.full}</span> }))}
        </button>
    }
    .into_any()
}

/// Where the focus goes when a menu closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    ToOpener,
    #[cfg(feature = "hydrate")]
    Stays,
}

/// Listens as long as the calling component stands.
#[cfg(feature = "hydrate")]
pub fn close_from_outside() {
    use leptos::ev;
    use wasm_bindgen::JsCast;

    Effect::new(|_| {
        let pressed = window_event_listener(ev::pointerdown, |event| {
            let element = event
                .target()
                .and_then(|it| it.dyn_into::<web_sys::Element>().ok());
            let menu = element.and_then(|it| it.closest("details.menu").ok().flatten());
            if menu.is_none() {
                close(Focus::Stays);
            }
        });
        let escaped = window_event_listener(ev::keydown, |event| {
            if event.key() == "Escape" {
                close(Focus::ToOpener);
            }
        });
        on_cleanup(move || {
            pressed.remove();
            escaped.remove();
        });
    });
}

#[cfg(not(feature = "hydrate"))]
pub fn close_from_outside() {}

/// Closes the open menu, if there is one.
#[cfg(feature = "hydrate")]
fn close(focus: Focus) {
    use wasm_bindgen::JsCast;

    let open = document()
        .query_selector("details.menu[open]")
        .ok()
        .flatten();
    let Some(menu) = open else { return };
    let _ = menu.remove_attribute("open");
    let summary = menu.query_selector("summary").ok().flatten();
    let summary = summary.and_then(|it| it.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(summary) = summary.filter(|_| focus == Focus::ToOpener) {
        let _ = summary.focus();
    }
}

#[cfg(not(feature = "hydrate"))]
fn close(_focus: Focus) {}
