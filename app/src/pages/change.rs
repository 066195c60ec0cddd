//! The change page.

use leptos::prelude::*;

use crate::{components::page_head::PageHead, words};

#[component]
pub fn ChangePage() -> impl IntoView {
    view! { <PageHead title=words::CHANGE/> }
}
