//! The fleet page.

use leptos::prelude::*;
use quorate_domain::{health::Verdict, view::ClusterSummary};

use crate::{components::page_head::PageHead, words};

/// Whether a cluster counts as a problem: in the rail, in the fleet's sentence, in its filter.
#[must_use]
pub fn needs_a_look(cluster: &ClusterSummary) -> bool {
    cluster.verdict != Verdict::Ok
}

#[component]
pub fn FleetPage() -> impl IntoView {
    view! { <PageHead title=words::FLEET/> }
}
