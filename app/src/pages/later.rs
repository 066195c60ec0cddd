//! Parts of the program that the browser loads when they are first needed: the overviews, the
//! records, access, the change dialog. What a cluster's page shows comes at once.

use leptos::prelude::*;

use super::{
    access::AccessPage, audit::AuditPage, audit_entry::AuditEntryPage, change::ChangePage,
    changes::ChangesPage, fleet::FleetPage, groups::GroupsPage, problems::ProblemsPage,
    sign_in::SignInPage,
};
use crate::{
    components::states::OutOfDate,
    part::{Missing, part},
};

/// Pages that show all clusters.
#[derive(Clone, Copy)]
pub enum Overview {
    Fleet,
    Groups,
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

part! {
    overview: pub fn overview / preload_overview (page: Overview) {
        match page {
            Overview::Fleet => view! { <FleetPage/> }.into_any(),
            Overview::Groups => view! { <GroupsPage/> }.into_any(),
            Overview::Problems => view! { <ProblemsPage/> }.into_any(),
        }
    }
}

part! {
    record: pub fn record / preload_record (page: Record) {
        match page {
            Record::Changes => view! { <ChangesPage/> }.into_any(),
            Record::Change => view! { <ChangePage/> }.into_any(),
            Record::Audit => view! { <AuditPage/> }.into_any(),
            Record::AuditEntry => view! { <AuditEntryPage/> }.into_any(),
        }
    }
}

part! {
    access: pub fn access / preload_access () {
        view! { <AccessPage/> }.into_any()
    }
}

part! {
    /// For those who are signed in; for others the page is a form and needs no scripts.
    access: pub fn sign_in / preload_sign_in () {
        view! { <SignInPage/> }.into_any()
    }
}

/// Loads what the page at `path`, below the base path, with this query needs: hydration waits for
/// nothing.
///
/// # Errors
/// If it cannot be loaded.
#[cfg(feature = "hydrate")]
pub async fn load(path: &str, query: &str) -> Result<(), Missing> {
    match path.trim_matches('/').split('/').next().unwrap_or_default() {
        "" | "problems" => preload_overview().await?,
        "changes" | "audit" => preload_record().await?,
        "access" => preload_access().await?,
        "clusters" if path.trim_end_matches('/').ends_with("/groups") => {
            preload_overview().await?;
        }
        "clusters" if query.contains("member=") => {
            super::cluster::inspector::preload_inspected().await?
        }
        "sign-in" => preload_sign_in().await?,
        _ => {}
    }
    Ok(())
}

/// What came, or that it did not.
#[must_use]
pub fn or_out_of_date(came: Result<AnyView, Missing>) -> AnyView {
    came.unwrap_or_else(|Missing| view! { <OutOfDate/> }.into_any())
}
