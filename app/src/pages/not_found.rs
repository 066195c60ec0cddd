//! The page of an address that leads nowhere.

use leptos::prelude::*;

use crate::{
    base::path,
    components::{page_head::PageHead, states::EmptyState},
    words,
};

#[component]
pub fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(options) = use_context::<leptos_axum::ResponseOptions>() {
        options.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    view! {
        <PageHead title=words::NOT_FOUND/>
        <EmptyState title=words::NOT_FOUND_HINT>
            <a class="button" href=path("/")>{words::TO_FLEET}</a>
        </EmptyState>
    }
}
