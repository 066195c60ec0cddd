//! The changes page.

use leptos::prelude::*;

use crate::{components::page_head::PageHead, words};

#[component]
pub fn ChangesPage() -> impl IntoView {
    view! { <PageHead title=words::CHANGES/> }
}
