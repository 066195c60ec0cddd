//! All findings of all clusters, worst first: what is wrong, since when, what to do.

use leptos::prelude::*;
use quorate_domain::{
    health::{Finding, Severity},
    view::ClusterSummary,
};

use crate::{
    base::{cluster_path, path},
    components::{
        layout::told,
        page_head::PageHead,
        states::{EmptyState, ErrorState},
        tags::{Tag, Tone},
    },
    live::use_live,
    words::{self as all, actions as words},
};

#[component]
pub fn ProblemsPage() -> impl IntoView {
    let live = use_live();
    let over = told(false);
    let fleet = memo(move || live.state.with(|state| problems(&state.fleet)));
    let watched = memo(move || live.state.with(|state| state.fleet.len()));
    let sentence = move || fleet.with(|list| sentence(list, watched.get()));
    let rest = move || match (fleet.with(Vec::is_empty), watched.get()) {
        (true, 1..) => words::all_watched(watched.get()),
        _ => String::new(),
    };
    view! {
        <PageHead
            title=all::PROBLEMS
            sentence=Signal::derive(sentence)
            rest=Signal::derive(rest)
        />
        {anew(move || over.get().map(|text| view! { <p class="notice tone-warn">{text}</p> }))}
        {move || match live.problem.get() {
            Some(problem) => view! { <ErrorState problem/> }.into_any(),
            None => list(&fleet.get(), watched.get()),
        }}
    }
}

/// A finding with the cluster it is about.
type Problem = (String, Finding);

/// Worst first; equally bad ones longest first.
fn problems(fleet: &[ClusterSummary]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = fleet
        .iter()
        .flat_map(|cluster| {
            cluster
                .findings
                .iter()
                .map(|finding| (cluster.name.0.clone(), finding.clone()))
        })
        .collect();
    problems.sort_by(|(_, a), (_, b)| b.severity.cmp(&a.severity).then(a.since.cmp(&b.since)));
    problems
}

fn sentence(problems: &[Problem], watched: usize) -> String {
    if watched == 0 {
        return words::NO_CLUSTERS.to_owned();
    }
    if problems.is_empty() {
        return words::NOTHING_WRONG.to_owned();
    }
    let mut clusters: Vec<&String> = problems.iter().map(|(cluster, _)| cluster).collect();
    clusters.sort();
    clusters.dedup();
    words::problems_sentence(problems.len(), clusters.len())
}

fn list(problems: &[Problem], watched: usize) -> AnyView {
    if problems.is_empty() {
        let title = if watched == 0 {
            words::NO_CLUSTERS
        } else {
            words::NOTHING_WRONG
        };
        return view! {
            <EmptyState title=title hint=words::PROBLEMS_EMPTY>
                <a class="button" href=path("/")>{all::TO_FLEET}</a>
            </EmptyState>
        }
        .into_any();
    }
    let items: Vec<_> = problems.iter().map(item).collect();
    view! { <ul class="problems" aria-label=all::PROBLEMS>{items}</ul> }.into_any()
}

fn item((cluster, finding): &Problem) -> AnyView {
    let (tone, word) = severity(finding.severity);
    view! {
        <li class=format!("problem {}", tone.class())>
            <div class="problem-what">
                <p class="problem-text">
                    <Tag tone=tone text=word/>
                    " "
                    <strong>{finding.text.clone()}</strong>
                </p>
                {finding.hint.clone().map(|hint| view! { <p>{hint}</p> })}
                <p class="problem-facts">
                    <a href=cluster_path(cluster)>{cluster.clone()}</a>
                    {finding.member.as_ref().map(|member| format!(" · {member}"))}
                    " · "
                    {words::since(finding.since)}
                </p>
            </div>
            <a
                class="button"
                href=cluster_path(cluster)
                aria-label=words::open_cluster(cluster)
            >
                {words::OPEN_CLUSTER}
            </a>
        </li>
    }
    .into_any()
}

const fn severity(severity: Severity) -> (Tone, &'static str) {
    match severity {
        Severity::Bad => (Tone::Bad, words::SEVERITY_BAD),
        Severity::Warn => (Tone::Warn, words::SEVERITY_WARN),
        Severity::Info => (Tone::Plain, words::SEVERITY_INFO),
    }
}
