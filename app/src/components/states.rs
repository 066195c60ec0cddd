//! What a page says when there is nothing to show: nothing there, not yet, or not possible.

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use quorate_domain::problem::Problem;

use crate::words;

/// Nothing is there, and that is no error: what it means, and what to do.
#[component]
pub fn EmptyState(
    #[prop(into)] title: String,
    #[prop(into, optional)] hint: String,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="blank">
            <p class="blank-title">{title}</p>
            <p class="blank-hint">{hint}</p>
            {children.map(|children| children())}
        </div>
    }
}

/// What happened, what it means, what to do, and the number to ask about.
#[component]
pub fn ErrorState(problem: Problem) -> impl IntoView {
    let request = (!problem.request_id.is_empty()).then(|| {
        view! { <p class="blank-request">{words::REQUEST} " " <code>{problem.request_id}</code></p> }
    });
    view! {
        <div class="blank blank-error" role="alert">
            <p class="blank-title">{words::sentence(&problem.title)}</p>
            {problem.detail.map(|detail| view! { <p class="blank-detail">{detail}</p> })}
            <p class="blank-hint">{problem.hint}</p>
            {request}
        </div>
    }
}

/// Not yet. The words say what is waited for.
#[component]
pub fn LoadingState(#[prop(into, optional)] text: Option<String>) -> impl IntoView {
    let text = text.unwrap_or_else(|| words::LOADING.to_owned());
    view! {
        <div class="blank blank-loading" aria-busy="true">
            <p class="blank-hint">{text} "…"</p>
        </div>
    }
}

/// A part of the program that could not be loaded: the page is of an older version than the
/// console, or nobody answers. Everything else on the page stands.
#[component]
pub fn OutOfDate(
    /// The id of the title, for what is named by it.
    #[prop(optional)]
    heading: Option<&'static str>,
) -> impl IntoView {
    view! {
        <div class="blank blank-error" role="alert">
            <p class="blank-title" id=heading>{words::PART_MISSING}</p>
            <p class="blank-hint">{words::PART_MISSING_HINT}</p>
            <Reload/>
        </div>
    }
}

/// Loads the page anew, as it stands in the address.
#[component]
pub fn Reload() -> impl IntoView {
    let to = here();
    view! { <a class="button" href=move || to() rel="external">{words::RELOAD}</a> }
}

/// The address as it stands now, with its query.
pub fn here() -> impl Fn() -> String + Copy {
    let location = use_location();
    let (pathname, search) = (location.pathname, location.search);
    move || {
        let path = pathname.get();
        match search.get() {
            search if search.is_empty() => path,
            search => format!("{path}?{search}"),
        }
    }
}
