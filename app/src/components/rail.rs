//! The rail: where one can go, how much is there, and who one is.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use quorate_domain::{
    permission::{Duty, Permission},
    view::needs_a_look,
};

use super::{keys_switch::KeysSwitch, ring::mark, theme_switch::ThemeSwitch};
use crate::{
    base::{BasePath, path},
    live::use_live,
    session::{Session, use_session},
    words,
};

#[component]
pub fn Rail() -> impl IntoView {
    let state = use_live().state;
    let fleet = memo(move || state.with(|state| state.fleet.len()));
    // As many as the page of problems lists; only some of them may be alarming.
    let problems = memo(move || {
        state.with(|state| {
            let found: usize = state.fleet.iter().map(|c| c.findings.len()).sum();
            found + state.console.len()
        })
    });
    let alarming = memo(move || {
        state.with(|state| {
            let mut fleet = state.fleet.iter();
            !state.console.is_empty() || fleet.any(needs_a_look)
        })
    });
    let calm = Signal::stored(false);
    let running = memo(move || {
        state.with(|state| usize::try_from(state.running_changes).unwrap_or_default())
    });
    let none = Signal::stored(0_usize);
    let session = use_session();
    let audit = session
        .as_ref()
        .is_some_and(|session| session.allows(Permission::ReadAudit));
    view! {
        <aside class="rail" aria-label=words::CONSOLE>
            <a class="rail-brand" href=path("/")>{mark()} <span>{words::PRODUCT}</span></a>
            <nav class="rail-nav" aria-label=words::MAIN_NAVIGATION>
                <ul>
                    <RailLink to="/" label=words::FLEET count=fleet alarming=calm/>
                    <RailLink to="/problems" label=words::PROBLEMS count=problems alarming/>
                    <RailLink to="/changes" label=words::CHANGES count=running alarming=calm/>
                    {audit.then(|| view! { <RailLink to="/audit" label=words::AUDIT count=none alarming=calm/> })}
                    <RailLink to="/access" label=words::ACCESS count=none alarming=calm/>
                </ul>
            </nav>
            {session.map(|session| view! { <WhoIAm session/> })}
        </aside>
    }
}

#[component]
fn RailLink(
    to: &'static str,
    label: &'static str,
    #[prop(into)] count: Signal<usize>,
    #[prop(into)] alarming: Signal<bool>,
) -> impl IntoView {
    let base = use_context::<BasePath>().unwrap_or_default();
    let href = base.path(to);
    let location = use_location().pathname;
    let here = memo(move || {
        let path = location.get();
        let path = base.strip(&path);
        match to {
            "/" => path == "/" || path.starts_with("/clusters/"),
            _ => {
                path == to
                    || path
                        .strip_prefix(to)
                        .is_some_and(|rest| rest.starts_with('/'))
            }
        }
    });
    let class = move || {
        if alarming.get() && count.get() > 0 {
            "rail-count rail-count-bad"
        } else {
            "rail-count"
        }
    };
    view! {
        <li>
            <a class="rail-link" href=href aria-current=move || here.get().then_some("page")>
                <span>{label}</span>
                <span class=move || class()>{anew(move || shown(count.get()))}</span>
            </a>
        </li>
    }
}

/// Nothing where there is nothing to count.
fn shown(count: usize) -> Option<String> {
    (count > 0).then(|| count.to_string())
}

#[component]
fn WhoIAm(session: Session) -> impl IntoView {
    let duties = session
        .duties()
        .into_iter()
        .map(Duty::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    view! {
        <div class="rail-foot">
            <ThemeSwitch/>
            <KeysSwitch/>
            <p class="rail-who"><strong>{session.name}</strong> " · " {duties}</p>
            <p class="rail-how">{words::means(session.means)}</p>
            <form method="post" action=path("/sign-out")>
                <button class="quiet" type="submit">{words::SIGN_OUT}</button>
            </form>
        </div>
    }
}
