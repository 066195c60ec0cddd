//! The graph: the leader in the middle, voters above, learners below; or columns by zone.
//!
//! Cards are links in the page's own flow, so they are read and reached like any other; only the
//! links between them are drawn, underneath.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;
use quorate_domain::{
    cluster::{MemberId, Role},
    view::{ClusterView, LeaderStatus, MemberState},
};

use super::{
    inspector,
    members::in_order,
    placing::Placing,
    seen::{Seen, leads, name_of},
};
use crate::{
    components::{
        age::age_now,
        chip::Chip,
        decimal::decimal,
        spark::spark,
        tags::{RoleTag, Tone, slug},
    },
    words::cluster as say,
};

/// How the cluster is drawn; in the URL as `?view=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drawing {
    #[default]
    ByRole,
    ByZone,
    TableOnly,
}

impl Drawing {
    #[must_use]
    pub fn of(query: &ParamsMap) -> Self {
        match query.get("view").as_deref() {
            Some("zone") => Self::ByZone,
            Some("table") => Self::TableOnly,
            _ => Self::ByRole,
        }
    }

    /// The address of the same page drawn this way.
    const fn address(self) -> &'static str {
        match self {
            Self::ByRole => "?",
            Self::ByZone => "?view=zone",
            Self::TableOnly => "?view=table",
        }
    }
}

/// Who stands where; changes only with the membership, the leader or the zones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Standing {
    leader: Option<MemberId>,
    status: Option<LeaderStatus>,
    voters: Vec<(MemberId, Option<String>)>,
    learners: Vec<(MemberId, Option<String>)>,
}

impl Standing {
    fn of(view: &ClusterView) -> Self {
        let leader = match view.leader.status {
            LeaderStatus::Agreed => view.leader.member.clone(),
            _ => None,
        };
        // As the table has them: where a member stands does not depend on ids nobody reads.
        let ordered = in_order(view);
        let of = |votes: bool| {
            let members = ordered.iter().filter_map(|id| view.member(id));
            let members = members.filter(|m| m.role.votes() == votes);
            let others = members.filter(|member| Some(&member.id) != leader.as_ref());
            others
                .map(|member| (member.id.clone(), member.zone.clone()))
                .collect()
        };
        Self {
            voters: of(true),
            learners: of(false),
            status: Some(view.leader.status),
            leader,
        }
    }

    /// Everybody by zone, the leader first in its own; members without one come last.
    fn zones(&self, leader_zone: Option<String>) -> Vec<(Option<String>, Vec<MemberId>)> {
        let leader = self.leader.clone().map(|id| (id, leader_zone));
        let mut zones: Vec<(Option<String>, Vec<MemberId>)> = Vec::new();
        for (id, zone) in leader
            .into_iter()
            .chain(self.voters.clone())
            .chain(self.learners.clone())
        {
            let rank = |zone: &Option<String>| (zone.is_none(), zone.clone());
            match zones.iter_mut().find(|(known, _)| *known == zone) {
                Some((_, members)) => members.push(id),
                None => {
                    let place = zones.partition_point(|(known, _)| rank(known) < rank(&zone));
                    zones.insert(place, (zone, vec![id]));
                }
            }
        }
        zones
    }
}

#[component]
pub fn Topology(seen: Seen, drawing: Memo<Drawing>, chosen: Memo<Option<String>>) -> impl IntoView {
    let standing = memo(move || seen.read(Standing::of));
    let chip = move |of: Drawing, label: &str| {
        let chosen = Signal::derive(move || drawing.get() == of);
        view! { <Chip href=of.address().to_owned() label=label.to_owned() chosen/> }
    };
    let graph = move || match drawing.get() {
        Drawing::ByRole => by_role(seen, &standing.get(), chosen),
        Drawing::ByZone => by_zone(seen, &standing.get(), chosen),
        Drawing::TableOnly => ().into_any(),
    };
    let class = move || match drawing.get() {
        Drawing::TableOnly => "panel topo-panel topo-folded",
        _ => "panel topo-panel",
    };
    view! {
        <section class=move || class() aria-labelledby="topology-title">
            <div class="panel-head">
                <h2 class="panel-title" id="topology-title">{say::TOPOLOGY}</h2>
                <nav class="chips" aria-label=say::LAYOUT>
                    {chip(Drawing::ByRole, say::BY_ROLE)}
                    {chip(Drawing::ByZone, say::BY_ZONE)}
                    {chip(Drawing::TableOnly, say::TABLE_ONLY)}
                </nav>
            </div>
            {anew(graph)}
        </section>
    }
    .into_any()
}

fn by_role(seen: Seen, standing: &Standing, chosen: Memo<Option<String>>) -> AnyView {
    if standing.voters.is_empty() && standing.leader.is_none() && standing.learners.is_empty() {
        return view! { <p class="topo-none">{say::NO_MEMBERS}</p> }.into_any();
    }
    let placing = Placing::of(standing.voters.len(), standing.learners.len());
    let (to_voters, to_learners) = placing.links();
    let linked = standing.leader.is_some();
    let links = move |paths: Vec<String>, members: &[(MemberId, Option<String>)]| {
        let members = members.iter().map(|(id, _)| id.clone());
        members
            .zip(paths)
            .filter(|_| linked)
            .map(|(id, path)| link(seen, id, path))
            .collect_view()
    };
    let rows = |rows: &[Vec<usize>], of: &[(MemberId, Option<String>)]| {
        rows.iter()
            .map(|row| {
                let ids = row
                    .iter()
                    .filter_map(|index| of.get(*index))
                    .map(|(id, _)| id.clone());
                let cards = ids
                    .map(|id| view! { <li>{card(seen, id, chosen)}</li> })
                    .collect_view();
                view! { <ul class="topo-row">{cards}</ul> }
            })
            .collect_view()
    };
    let middle = match &standing.leader {
        Some(id) => card(seen, id.clone(), chosen),
        None => {
            let status = standing.status.unwrap_or(LeaderStatus::Unknown);
            view! { <p class="node node-nobody">{say::no_leader(status)}</p> }.into_any()
        }
    };
    let (width, height) = (decimal(placing.width()), decimal(placing.height()));
    view! {
        <div class="topo-scroll" tabindex="0" role="group" aria-labelledby="topology-title">
            <div class="topo">
                <svg class="topo-links" width=width height=height aria-hidden="true">
                    {links(to_voters, &standing.voters)}
                    {links(to_learners, &standing.learners)}
                </svg>
                <div class="topo-rows">
                    {rows(&placing.above, &standing.voters)}
                    <div class="topo-row">{middle}</div>
                    {rows(&placing.below, &standing.learners)}
                </div>
            </div>
        </div>
    }
    .into_any()
}

fn by_zone(seen: Seen, standing: &Standing, chosen: Memo<Option<String>>) -> AnyView {
    let leader = standing.leader.clone();
    let zone = leader.and_then(|id| untrack(|| seen.member(&id, |_, m| m.zone.clone())).flatten());
    let columns = standing.zones(zone).into_iter().map(|(zone, members)| {
        let cards = members
            .into_iter()
            .map(|id| view! { <li>{card(seen, id, chosen)}</li> });
        view! {
            <section class="topo-zone">
                <h3 class="topo-zone-name">{zone.unwrap_or_else(|| say::NO_ZONE.to_owned())}</h3>
                <ul>{cards.collect_view()}</ul>
            </section>
        }
    });
    view! {
        <div class="topo-scroll" tabindex="0" role="group" aria-labelledby="topology-title">
            <div class="topo-zones">{columns.collect_view()}</div>
        </div>
    }
    .into_any()
}

/// Solid while in step, dashed while behind, dotted without contact.
fn link(seen: Seen, id: MemberId, path: String) -> AnyView {
    let class = memo(move || {
        let state = seen
            .member(&id, |_, member| member.state)
            .unwrap_or(MemberState::Unknown);
        match state {
            MemberState::InStep => "topo-link",
            MemberState::CatchingUp | MemberState::Unconfirmed => "topo-link topo-link-behind",
            MemberState::Unreachable | MemberState::Sealed => "topo-link topo-link-silent",
            MemberState::NotStarted | MemberState::Removed | MemberState::Unknown => {
                "topo-link topo-link-unknown"
            }
        }
    });
    view! { <path class=move || class.get() d=path/> }.into_any()
}

/// What a card shows beside its age.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Face {
    name: String,
    role: Role,
    leads: bool,
    state: MemberState,
    zone: String,
    names: Option<String>,
    lag_history: Vec<u64>,
}

impl Face {
    fn of(seen: Seen, id: &MemberId) -> Option<Self> {
        seen.member(id, |view, member| Self {
            name: member.name.clone(),
            role: member.role,
            leads: leads(view, id),
            state: member.state,
            zone: member.zone.clone().unwrap_or_default(),
            names: match (view.leader.status, &member.names_leader) {
                (LeaderStatus::Disputed, Some(named)) => Some(name_of(view, named)),
                _ => None,
            },
            lag_history: member.lag_history.clone(),
        })
    }

    fn class(&self) -> String {
        let role = match (self.leads, self.role) {
            (true, _) => "node-leader",
            (false, Role::Voter) => "node-voter",
            (false, Role::Learner) => "node-learner",
            (false, Role::Witness) => "node-witness",
        };
        format!("node {role} {}", Tone::of_state(self.state).class())
    }
}

/// One member: state, name, role, zone, distance in words, its lag as a line. A link to itself
/// in the inspector.
fn card(seen: Seen, id: MemberId, chosen: Memo<Option<String>>) -> AnyView {
    let href = inspector::address(id.as_str());
    let here = {
        let id = id.clone();
        move || {
            chosen
                .with(|chosen| chosen.as_deref() == Some(id.as_str()))
                .then_some("true")
        }
    };
    let face = {
        let id = id.clone();
        memo(move || Face::of(seen, &id))
    };
    let aged = {
        let id = id.clone();
        Signal::derive(move || seen.member(&id, |_, member| member.age_ms).flatten())
    };
    let age = age_now(aged);
    let distance = memo(move || {
        let distance = |view: &ClusterView, member: &quorate_domain::view::MemberView| {
            say::distance(member, leads(view, &member.id), age.get())
        };
        seen.member(&id, distance).unwrap_or_default()
    });
    view! {
        <a
            class=move || face.with(|face| face.as_ref().map(Face::class).unwrap_or_default())
            href=href
            data-noscroll="true"
            aria-current=move || here()
        >
            {anew(move || face.get().map(|face| view! {
                <span class="node-head">
                    <span class=format!("dot dot-{}", slug(face.state)) aria-hidden="true"></span>
                    <span class="node-name">{face.name}</span>
                    <RoleTag role=face.role leads=face.leads/>
                </span>
                {face.names.is_none().then(|| spark(&face.lag_history, line(face.state), None))}
                <span class="node-zone">{face.names.map(say::names).unwrap_or(face.zone)}</span>
                <span class="unseen">{crate::words::state(face.state)}</span>
            }))}
            <span class="node-distance">{move || distance.get()}</span>
        </a>
    }
    .into_any()
}

const fn line(state: MemberState) -> Tone {
    match Tone::of_state(state) {
        Tone::Ok => Tone::Plain,
        tone => tone,
    }
}
