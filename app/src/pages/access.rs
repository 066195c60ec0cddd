//! The access page.

use leptos::prelude::*;

use crate::{components::page_head::PageHead, words};

#[component]
pub fn AccessPage() -> impl IntoView {
    view! { <PageHead title=words::ACCESS/> }
}
