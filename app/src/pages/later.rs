//! Parts of the program that the browser loads when they are first needed: the overviews, the
//! records, access, the change dialog. What a cluster's page shows comes at once.
//!
//! A part may fail to come: the console was upgraded under the open page and knows the part of its
//! new version only, or nobody answers. Then the page says so; nothing else on it is lost.

use leptos::{prelude::*, wasm_split::SplitLoaderError};

use super::{
    access::AccessPage, audit::AuditPage, audit_entry::AuditEntryPage, change::ChangePage,
    changes::ChangesPage, fleet::FleetPage, groups::GroupsPage, problems::ProblemsPage,
    sign_in::SignInPage,
};
use crate::components::states::OutOfDate;

/// A part that could not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing;

impl From<SplitLoaderError> for Missing {
    fn from(_: SplitLoaderError) -> Self {
        Self
    }
}

/// A function of the part that is named first: a part becomes a file of its own, loaded when one of
/// its functions is first called. On the server it is there already. Each part more also makes files
/// of what it shares with the others, so there are few.
macro_rules! part {
    ($(#[$doc:meta])* $part:ident: $visible:vis fn $name:ident / $preload:ident ($($given:ident: $type:ty),*) $body:block) => {
        $(#[$doc])*
        #[cfg(feature = "hydrate")]
        #[leptos::wasm_split::wasm_split(
            $part,
            wasm_split_path = ::leptos::wasm_split,
            preload($preload),
            fallible
        )]
        $visible fn $name($($given: $type),*) -> Result<AnyView, $crate::pages::later::Missing> {
            Ok($body)
        }

        $(#[$doc])*
        #[cfg(not(feature = "hydrate"))]
        #[allow(clippy::unused_async)]
        $visible async fn $name($($given: $type),*) -> Result<AnyView, $crate::pages::later::Missing> {
            Ok($body)
        }
    };
}

pub(crate) use part;

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
