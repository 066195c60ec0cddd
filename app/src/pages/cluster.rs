//! The cluster page.

use leptos::prelude::*;

use crate::{components::page_head::PageHead, words};

#[component]
pub fn ClusterPage() -> impl IntoView {
    view! { <PageHead title=words::FLEET/> }
}
