//! The pages, and which of them come with the first load.

use leptos::prelude::*;
use leptos_router::ChooseView;

pub mod access;
pub mod audit;
pub mod audit_entry;
pub mod change;
pub mod changes;
pub mod cluster;
pub mod fleet;
pub mod groups;
pub mod later;
pub mod not_found;
pub mod problems;
pub mod sign_in;
#[cfg(feature = "ssr")]
pub mod step_up;

use later::{Overview, Record, or_out_of_date};

/// What a route shows.
#[derive(Clone, Copy)]
pub enum Page {
    Fleet,
    Cluster,
    Groups,
    Problems,
    Changes,
    Change,
    Audit,
    AuditEntry,
    Access,
    SignIn,
}

impl ChooseView for Page {
    async fn choose(self) -> AnyView {
        let came = match self {
            Self::Cluster => return view! { <cluster::ClusterPage/> }.into_any(),
            Self::Fleet => later::overview(Overview::Fleet).await,
            Self::Groups => later::overview(Overview::Groups).await,
            Self::Problems => later::overview(Overview::Problems).await,
            Self::Changes => later::record(Record::Changes).await,
            Self::Change => later::record(Record::Change).await,
            Self::Audit => later::record(Record::Audit).await,
            Self::AuditEntry => later::record(Record::AuditEntry).await,
            Self::Access => later::access().await,
            Self::SignIn => later::sign_in().await,
        };
        or_out_of_date(came)
    }

    async fn preload(&self) {}
}
