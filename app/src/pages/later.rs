//! Pages whose program the browser loads when one of them is first shown, in three parts: the
//! overviews, the records, access. What a cluster's page needs comes at once.

use leptos::{lazy, prelude::*};
use leptos_router::ChooseView;

use super::{
    access::AccessPage, audit::AuditPage, audit_entry::AuditEntryPage, change::ChangePage,
    changes::ChangesPage, fleet::FleetPage, problems::ProblemsPage,
};

/// Pages that show all clusters; a route's `view`, as [`Record`] and [`Access`] are.
#[derive(Clone, Copy)]
pub enum Overview {
    Fleet,
    Problems,
}

/// Pages of what was done.
#[derive(Clone, Copy)]
pub enum Record {
    Changes,
    Change,
    Audit,
    AuditEntry,
}

/// The page of accounts, tokens and sessions.
#[derive(Clone, Copy)]
pub struct Access;

/// Loads what the page at `path`, below the base path, needs: hydration waits for nothing.
#[cfg(feature = "hydrate")]
pub async fn load(path: &str) {
    match path.trim_matches('/').split('/').next().unwrap_or_default() {
        "" | "problems" => __preload_overview().await,
        "changes" | "audit" => __preload_record().await,
        "access" => __preload_access().await,
        _ => {}
    }
}

#[lazy]
fn overview(page: Overview) -> AnyView {
    match page {
        Overview::Fleet => view! { <FleetPage/> }.into_any(),
        Overview::Problems => view! { <ProblemsPage/> }.into_any(),
    }
}

#[lazy]
fn record(page: Record) -> AnyView {
    match page {
        Record::Changes => view! { <ChangesPage/> }.into_any(),
        Record::Change => view! { <ChangePage/> }.into_any(),
        Record::Audit => view! { <AuditPage/> }.into_any(),
        Record::AuditEntry => view! { <AuditEntryPage/> }.into_any(),
    }
}

#[lazy]
fn access() -> AnyView {
    view! { <AccessPage/> }.into_any()
}

impl ChooseView for Overview {
    async fn choose(self) -> AnyView {
        overview(self).await
    }

    async fn preload(&self) {}
}

impl ChooseView for Record {
    async fn choose(self) -> AnyView {
        record(self).await
    }

    async fn preload(&self) {}
}

impl ChooseView for Access {
    async fn choose(self) -> AnyView {
        access().await
    }

    async fn preload(&self) {}
}
