//! The audit_entry page.

use leptos::prelude::*;

use crate::{components::page_head::PageHead, words};

#[component]
pub fn AuditEntryPage() -> impl IntoView {
    view! { <PageHead title=words::AUDIT_ENTRY/> }
}
