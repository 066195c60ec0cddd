//! The frame every page stands in: skip link, rail, top line, the page, the change dialog.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{change_dialog::ChangeDialog, rail::Rail, states::Reload, top_line::TopLine};
use crate::{
    base::BasePath,
    live::{told_of_emergency, use_live},
    session::use_session,
    title, words,
};

#[component]
pub fn Layout(children: Children) -> impl IntoView {
    follow_page();
    let framed = use_session().is_some();
    let frame = if framed { "frame" } else { "frame frame-bare" };
    view! {
        <div class=frame>
            <a class="skip" href="#content">{words::SKIP_TO_CONTENT}</a>
            {framed.then(|| view! { <Rail/> })}
            <div class="stage">
                {framed.then(|| view! { <TopLine/> <Upgraded/> <Emergency/> })}
                <main class="content" id="content" tabindex="-1">{children()}</main>
            </div>
            {framed.then(|| view! { <ChangeDialog/> })}
        </div>
    }
}

/// Says that the console is of another build than this page, once its stream tells so.
#[component]
fn Upgraded() -> impl IntoView {
    let state = use_live().state;
    let own = state.with_untracked(|state| state.build.clone());
    let upgraded = memo(move || state.with(|state| state.build != own));
    anew(move || {
        upgraded.get().then(|| {
            view! {
                <p class="notice notice-upgraded tone-warn" role="status">
                    {words::UPGRADED} " " <Reload/>
                </p>
            }
        })
    })
}

/// Says that somebody is in by the socket for emergencies.
#[component]
fn Emergency() -> impl IntoView {
    let text = told_of_emergency(true);
    anew(move || {
        text.get().map(
            |text| view! { <p class="notice notice-upgraded tone-bad" role="alert">{text}</p> },
        )
    })
}

/// Keeps the title and the live document at the page that is shown.
fn follow_page() {
    let base = use_context::<BasePath>().unwrap_or_default();
    let path = use_location().pathname;
    Effect::new(move |_| {
        let path = path.get();
        document().set_title(&title::of_path(base.strip(&path)));
    });
    #[cfg(feature = "hydrate")]
    crate::stream::follow();
}
