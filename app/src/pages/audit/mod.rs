//! The audit page.

pub mod query;

use leptos::prelude::*;

use crate::{components::page_head::PageHead, words};

#[component]
pub fn AuditPage() -> impl IntoView {
    view! { <PageHead title=words::AUDIT/> }
}
