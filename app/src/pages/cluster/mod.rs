//! One cluster: is anything lost, what may still fail, what should I do.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use quorate_domain::view::ClusterView;

use crate::{
    base::cluster_path,
    components::{
        page_head::PageHead,
        ring::{RingSize, ring},
        states::{ErrorState, LoadingState},
    },
    live::use_live,
    pages::{groups, later::or_out_of_date},
    words::groups as words,
};

pub mod act;
mod banner;
mod by_hand;
mod findings;
mod head;
mod history;
pub mod inspector;
mod members;
mod menu;
pub mod placing;
mod seen;
mod tolerance;
mod topology;
mod votes;

#[cfg(all(test, feature = "ssr"))]
mod tests;

use seen::Seen;
use topology::Drawing;

#[component]
pub fn ClusterPage() -> impl IntoView {
    let params = use_params_map();
    let name = memo(move || {
        params.with(|params| {
            let name = params.get("name").unwrap_or_default();
            match params.get("group") {
                Some(group) => format!("{name}/{group}"),
                None => name,
            }
        })
    });
    let seen = Seen::of(name);
    let live = use_live();
    // Compared before it is shown: the page stands while its document is patched.
    let shown = memo(move || (seen.is_there(), live.problem.get()));
    anew(move || match shown.get() {
        (true, _) => view! { <Overview seen/> }.into_any(),
        (false, Some(problem)) => view! { <PageHead title=name/> <ErrorState problem/> }.into_any(),
        (false, None) => view! { <Coming name/> }.into_any(),
    })
}

/// Between two pages: what the fleet says of it, until its own document arrives.
#[component]
fn Coming(name: Memo<String>) -> impl IntoView {
    let summary = use_live().state.with_untracked(|state| {
        let name = name.get_untracked();
        state
            .fleet
            .iter()
            .find(|cluster| cluster.name.as_str() == name)
            .cloned()
    });
    let sentence = summary
        .as_ref()
        .map(|summary| summary.sentence.clone())
        .unwrap_or_default();
    view! {
        <div class="cluster-head">
            {summary.map(|summary| ring(&summary.members, &summary.quorum, RingSize::Large))}
            <PageHead title=name sentence/>
        </div>
        <LoadingState/>
    }
}

/// A program of many groups: its hosts, how many groups are of which state, and the way to their list.
#[component]
fn Groups(seen: Seen) -> impl IntoView {
    let place = memo(move || seen.read(ClusterView::place));
    let groups = memo(move || groups::still(seen.read(|view| view.groups.clone())));
    let query = move || groups::query::Query {
        cluster: place.get(),
        ..groups::query::Query::default()
    };
    view! {
        {anew(move || groups.with(|known| known.as_ref().map(|known| groups::glance(&query(), known))))}
        <p>
            <a class="button" href=move || format!("{}/groups", cluster_path(&place.get()))>
                {words::OPEN}
            </a>
        </p>
    }
    .into_any()
}

#[component]
fn Overview(seen: Seen) -> impl IntoView {
    let query = use_query_map();
    let chosen = memo(move || query.with(|query| query.get("member")));
    let drawing = memo(move || query.with(Drawing::of));
    let many = memo(move || seen.read(|view| view.groups.is_some()));
    let inspected = memo(move || chosen.get().filter(|id| seen.has_member(id)));
    view! {
        <head::Head seen/>
        <banner::Running seen/>
        <banner::Banner seen/>
        <votes::Votes seen/>
        <div class="cluster">
            <div class="cluster-main">
                {anew(move || if many.get() {
                    view! { <Groups seen/> }.into_any()
                } else {
                    view! {
                        <topology::Topology seen drawing chosen/>
                        <members::Members seen chosen/>
                    }
                    .into_any()
                })}
            </div>
            <div class="cluster-side">
                {anew(move || inspected.get().map(|id| {
                    let problem = query.with_untracked(|query| query.get("problem"));
                    Suspend::new(async move {
                        or_out_of_date(inspector::inspected(seen, id.into(), problem).await)
                    })
                }))}
                <findings::Findings seen/>
                <history::History/>
                // What a program of many may lose is said of each group.
                {anew(move || (!many.get()).then(|| view! { <tolerance::Tolerance seen/> }))}
            </div>
        </div>
    }
    .into_any()
}
