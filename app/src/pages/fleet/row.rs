//! One cluster as a row; a card on a narrow screen.

use leptos::prelude::*;
use quorate_domain::{
    health::Verdict,
    view::{ClusterSummary, LeaderStatus},
};

use crate::{
    base::cluster_path,
    components::{
        ring::{RingSize, ring},
        spark::spark,
        tags::{Tag, Tone},
    },
    live::use_live,
    words::{figures, fleet as say},
};

#[component]
pub fn Row(name: String) -> impl IntoView {
    let state = use_live().state;
    let href = cluster_path(&name);
    let wanted = name.clone();
    let cluster = memo(move || {
        state.with(|state| {
            let found = state
                .fleet
                .iter()
                .find(|cluster| cluster.name.as_str() == wanted);
            // The age changes with every message and no cell shows it.
            found.cloned().map(|cluster| ClusterSummary {
                age_ms: None,
                ..cluster
            })
        })
    });
    let of = move |cell: fn(&ClusterSummary) -> AnyView| {
        move || cluster.with(|cluster| cluster.as_ref().map(cell))
    };
    view! {
        <tr>
            <th scope="row" class="fleet-cluster">
                {of(|cluster| ring(&cluster.members, &cluster.quorum, RingSize::Small))}
                <a href=href>{name}</a>
            </th>
            <td class="fleet-kind">{of(|cluster| cluster.title.clone().into_any())}</td>
            <td class="fleet-leader">{of(|cluster| leader(cluster).into_any())}</td>
            <td class="fleet-tolerance">{of(tolerance)}</td>
            <td class="fleet-problem">{of(problem)}</td>
            <td class="num mono fleet-lag"><span class="fleet-label">{say::WORST_LAG} " "</span>{of(|cluster| lag(cluster).into_any())}</td>
            <td class="num fleet-spark">{of(|cluster| spark(&cluster.lag_history, line(cluster), Some(say::lag_label(cluster))))}</td>
        </tr>
    }
}

fn leader(cluster: &ClusterSummary) -> String {
    let named = cluster.leader.member.as_ref().map(|id| {
        let member = cluster.members.iter().find(|member| member.id == *id);
        member.map_or_else(|| id.to_string(), |member| member.name.clone())
    });
    match (cluster.leader.status, named) {
        (LeaderStatus::Agreed, Some(name)) => name,
        (LeaderStatus::Disputed, _) => say::DISPUTED.to_owned(),
        (LeaderStatus::None, _) => say::NO_LEADER.to_owned(),
        _ if cluster.verdict == Verdict::Ok && cluster.quorum.tolerates.is_none() => {
            say::LEADER_OF_EACH.to_owned()
        }
        _ => say::LEADER_UNKNOWN.to_owned(),
    }
}

fn tolerance(cluster: &ClusterSummary) -> AnyView {
    view! { <Tag tone=tone(cluster) text=say::tolerance(cluster)/> }.into_any()
}

/// How much is at stake, as a colour beside the words.
fn tone(cluster: &ClusterSummary) -> Tone {
    match (cluster.verdict, cluster.quorum.tolerates) {
        (Verdict::Unknown, _) => Tone::Plain,
        (Verdict::NoQuorum, _) | (Verdict::AtRisk, Some(..=0)) => Tone::Bad,
        (Verdict::AtRisk, _) => Tone::Warn,
        (Verdict::Ok, _) => Tone::Ok,
    }
}

fn line(cluster: &ClusterSummary) -> Tone {
    match tone(cluster) {
        Tone::Ok => Tone::Plain,
        tone => tone,
    }
}

fn problem(cluster: &ClusterSummary) -> AnyView {
    match cluster.findings.first() {
        Some(finding) => finding.text.clone().into_any(),
        None => view! { <span class="fleet-nothing">"—"</span> }.into_any(),
    }
}

fn lag(cluster: &ClusterSummary) -> String {
    cluster
        .worst_lag
        .map_or_else(|| "?".to_owned(), figures::number)
}
