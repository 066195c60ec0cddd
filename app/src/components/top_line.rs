//! The top line: where I am, and whether what I see is live.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{
    base::BasePath,
    components::states::here,
    live::{Connection, use_live},
    title,
    words::{self, figures},
};

#[component]
pub fn TopLine() -> impl IntoView {
    view! {
        <header class="top">
            <Crumbs/>
            <LiveState/>
        </header>
    }
}

#[component]
fn Crumbs() -> impl IntoView {
    let base = use_context::<BasePath>().unwrap_or_default();
    let location = use_location().pathname;
    let crumbs = move || {
        let path = location.get();
        let (parent, here) = crumbs(base.strip(&path));
        let parent = parent.map(|(to, label)| {
            view! { <a href=base.path(to)>{label}</a> <span class="top-slash" aria-hidden="true">"/"</span> }
        });
        view! { {parent} <span class="top-here">{here}</span> }
    };
    view! { <nav class="top-crumbs" aria-label=words::WHERE_I_AM>{anew(crumbs)}</nav> }
}

/// The page above, if there is one, and this one.
fn crumbs(path: &str) -> (Option<(&'static str, &'static str)>, String) {
    let here = title::name_of_path(path).unwrap_or_else(|| words::NOT_FOUND.to_owned());
    let parent = match path
        .trim_matches('/')
        .split_once('/')
        .map(|(first, _)| first)
    {
        Some("clusters") => Some(("/", words::FLEET)),
        Some("changes") => Some(("/changes", words::CHANGES)),
        Some("audit") => Some(("/audit", words::AUDIT)),
        _ => None,
    };
    (parent, here)
}

/// Live and how old, or what is in the way. Not announced: it changes five times a second.
#[component]
fn LiveState() -> impl IntoView {
    let live = use_live();
    let here = here();
    let class = move || match live.connection.get() {
        Connection::Live => "live live-ok",
        Connection::Still | Connection::Opening => "live live-still",
        Connection::Reconnecting => "live live-warn",
        Connection::SignedOut | Connection::Unreachable => "live live-bad",
    };
    let age = memo(move || {
        let looked = live
            .state
            .with(|state| state.cluster.as_ref().and_then(|view| view.age_ms));
        figures::ago(looked.unwrap_or(0).saturating_add(live.elapsed_ms.get()))
    });
    let text = move || match live.connection.get() {
        Connection::Still => words::as_of(&live.now.get_untracked().clock()),
        Connection::Opening => words::CONNECTING.to_owned(),
        Connection::Live => words::live(&age.get()),
        Connection::Reconnecting => words::last_seen(words::RECONNECTING, &age.get()),
        Connection::SignedOut => words::SIGNED_OUT.to_owned(),
        Connection::Unreachable => words::last_seen(words::CONSOLE_UNREACHABLE, &age.get()),
    };
    let way_back = move || match live.connection.get() {
        Connection::Still => Some((here(), words::RELOAD)),
        // The console or its proxy asks for the sign-in and leads back to here.
        Connection::SignedOut => Some((here(), words::SIGN_IN_AGAIN)),
        _ => None,
    };
    view! {
        <p class=move || class()>
            <span class="live-dot" aria-hidden="true"></span>
            <span class="live-text">{move || text()}</span>
            {anew(move || way_back().map(|(to, label)| view! { " " <a href=to rel="external">{label}</a> }))}
        </p>
    }
}
