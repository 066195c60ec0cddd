//! The problems page.

use leptos::prelude::*;

use crate::{components::page_head::PageHead, words};

#[component]
pub fn ProblemsPage() -> impl IntoView {
    view! { <PageHead title=words::PROBLEMS/> }
}
