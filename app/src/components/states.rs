//! What a page says when there is nothing to show: nothing there, not yet, or not possible.

use leptos::prelude::*;
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
