//! The mark: a quorum as a ring, one arc a voter, drawn by one function at every size.
//!
//! Healthy voters come first, clockwise from the top; a tick crosses the ring where the majority
//! is reached. Solid past the tick means quorum. Hatching is a dashed stroke, so nothing needs an
//! id that two rings on one page could share.

use std::f64::consts::TAU;

use leptos::prelude::*;
use quorate_domain::{
    cluster::{MemberId, Role},
    plan::{Picture, PictureMember},
    quorum::Quorum,
    view::{ClusterView, MemberState},
};

use super::decimal::decimal;
use crate::words::{figures::count, ring as words};

/// How large the ring is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingSize {
    /// 26 px: brand and rows; no figures in the middle.
    Small,
    /// 84 px: headers, before → after.
    Large,
}

/// How one voter's arc is drawn, in the order they stand on the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arc {
    InStep,
    Changed,
    Behind,
    /// Without a leader nobody knows how far behind it is.
    Answering,
    Silent,
    Unknown,
}

impl Arc {
    const ALL: [Self; 6] = [
        Self::InStep,
        Self::Changed,
        Self::Behind,
        Self::Answering,
        Self::Silent,
        Self::Unknown,
    ];

    const fn of(member: &PictureMember) -> Self {
        match member.state {
            MemberState::Unreachable | MemberState::Sealed => Self::Silent,
            MemberState::NotStarted | MemberState::Removed | MemberState::Unknown => Self::Unknown,
            _ if member.changed => Self::Changed,
            MemberState::CatchingUp | MemberState::Unconfirmed => Self::Behind,
            MemberState::InStep => Self::InStep,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::InStep => "arc arc-ok",
            Self::Changed => "arc arc-changed",
            Self::Behind => "arc arc-behind",
            Self::Answering => "arc arc-answering",
            Self::Silent => "arc arc-silent",
            Self::Unknown => "arc arc-unknown",
        }
    }

    const fn is_hatched(self) -> bool {
        matches!(self, Self::Silent | Self::Unknown)
    }
}

/// Lengths in the units of the viewBox, which are pixels at the natural size.
struct Geometry {
    side: f64,
    view_box: &'static str,
    /// Middle of the stroke and its width, of one ring or the outer of two.
    radius: f64,
    stroke: f64,
    /// The inner ring of a joint configuration.
    inner_radius: f64,
    joint_stroke: f64,
    /// Degrees left free between two arcs.
    gap: f64,
    /// How far the tick reaches beyond the stroke on both sides.
    overhang: f64,
    dot_radius: f64,
    hatch: &'static str,
}

const LARGE: Geometry = Geometry {
    side: 84.0,
    view_box: "0 0 84 84",
    radius: 27.5,
    stroke: 10.0,
    inner_radius: 19.0,
    joint_stroke: 6.5,
    gap: 5.0,
    overhang: 3.5,
    dot_radius: 2.6,
    hatch: "2.2 2",
};

const SMALL: Geometry = Geometry {
    side: 26.0,
    view_box: "0 0 26 26",
    radius: 8.4,
    stroke: 3.8,
    inner_radius: 4.6,
    joint_stroke: 2.4,
    gap: 12.0,
    overhang: 1.4,
    dot_radius: 1.1,
    hatch: "1.3 1.2",
};

/// [`ring`] as a component, large where nothing else is said.
#[component]
pub fn Ring(
    members: Vec<PictureMember>,
    quorum: Quorum,
    #[prop(default = RingSize::Large)] size: RingSize,
) -> impl IntoView {
    ring(&members, &quorum, size)
}

/// Draws a membership as its ring.
#[must_use]
pub fn ring(members: &[PictureMember], quorum: &Quorum, size: RingSize) -> AnyView {
    let geometry = match size {
        RingSize::Small => &SMALL,
        RingSize::Large => &LARGE,
    };
    let class = match size {
        RingSize::Small => "ring ring-small",
        RingSize::Large => "ring ring-large",
    };
    let learners = members.iter().filter(|member| !member.role.votes()).count();
    let middle = (size == RingSize::Large).then(|| middle(quorum));
    let side = decimal(geometry.side);
    view! {
        <svg class=class viewBox=geometry.view_box width=side.clone() height=side role="img" aria-label=label(members, quorum)>
            {circles(members, quorum, geometry)}
            {dots(learners, geometry)}
            {middle}
        </svg>
    }
    .into_any()
}

/// The ring of a picture: before, after, seen.
#[must_use]
pub fn picture_ring(picture: &Picture, size: RingSize) -> AnyView {
    ring(&picture.members, &picture.quorum, size)
}

/// What the ring of a cluster is drawn from.
#[must_use]
pub fn ring_members(view: &ClusterView) -> Vec<PictureMember> {
    let picture = view.members.iter().map(|member| PictureMember {
        id: member.id.clone(),
        name: member.name.clone(),
        role: member.role,
        state: member.state,
        zone: member.zone.clone(),
        changed: false,
    });
    picture.collect()
}

/// The brand: three voters in step, the tick at two.
#[must_use]
pub fn mark() -> AnyView {
    let voter = |id: &str| PictureMember {
        id: MemberId::from(id),
        name: String::new(),
        role: Role::Voter,
        state: MemberState::InStep,
        zone: None,
        changed: false,
    };
    let members = [voter("1"), voter("2"), voter("3")];
    view! {
        <svg class="ring ring-small" viewBox=SMALL.view_box width="26" height="26" aria-hidden="true">
            {circle(&members.iter().collect::<Vec<_>>(), 3, SMALL.radius, SMALL.stroke, &SMALL)}
        </svg>
    }
    .into_any()
}

fn circles(members: &[PictureMember], quorum: &Quorum, geometry: &Geometry) -> AnyView {
    let all: Vec<&PictureMember> = members.iter().filter(|m| m.role.votes()).collect();
    let of = |ids: &Vec<MemberId>| -> Vec<&PictureMember> {
        members
            .iter()
            .filter(|member| ids.contains(&member.id))
            .collect()
    };
    match quorum.configs.as_slice() {
        [outer, inner, ..] => {
            let stroke = geometry.joint_stroke;
            let outer = circle(&of(outer), 0, geometry.radius + 1.0, stroke, geometry);
            let inner = circle(&of(inner), 0, geometry.inner_radius, stroke, geometry);
            view! { {outer} {inner} }.into_any()
        }
        _ => circle(
            &all,
            quorum.answering,
            geometry.radius,
            geometry.stroke,
            geometry,
        ),
    }
}

/// How many of these voters are drawn how, in the order of the ring. Of those whose state is not
/// known, as many answer as `answering` voters leave over.
fn counts(voters: &[&PictureMember], answering: u32) -> [(Arc, usize); 6] {
    let of = |arc: Arc| voters.iter().filter(|m| Arc::of(m) == arc).count();
    let known = of(Arc::InStep) + of(Arc::Changed) + of(Arc::Behind);
    let unknown = of(Arc::Unknown);
    let answering = usize::try_from(answering).unwrap_or_default();
    let answering = answering.saturating_sub(known).min(unknown);
    Arc::ALL.map(|arc| match arc {
        Arc::Answering => (arc, answering),
        Arc::Unknown => (arc, unknown - answering),
        arc => (arc, of(arc)),
    })
}

/// One configuration: its arcs and the tick at its majority.
fn circle(
    voters: &[&PictureMember],
    answering: u32,
    radius: f64,
    stroke: f64,
    geometry: &Geometry,
) -> AnyView {
    let mut arcs = Vec::with_capacity(voters.len());
    for (arc, many) in counts(voters, answering) {
        arcs.resize(arcs.len() + many, arc);
    }
    let Ok(count) = u32::try_from(arcs.len()) else {
        return ().into_any();
    };
    let centre = geometry.side / 2.0;
    let width = decimal(stroke);
    if count == 0 {
        return view! {
            <circle class="arc arc-unknown" cx=decimal(centre) cy=decimal(centre) r=decimal(radius) fill="none" stroke-width=width stroke-dasharray=geometry.hatch/>
        }
        .into_any();
    }
    let turn = 1.0 / f64::from(count);
    let gap = if count == 1 {
        0.0
    } else {
        (geometry.gap / 360.0).min(turn * 0.3)
    };
    let mut start = 0.0;
    let mut drawn = Vec::with_capacity(arcs.len());
    for arc in arcs {
        let path = path(centre, radius, start + gap / 2.0, start + turn - gap / 2.0);
        let hatch = arc.is_hatched().then_some(geometry.hatch);
        drawn.push(view! {
            <path class=arc.class() d=path fill="none" stroke-width=width.clone() stroke-dasharray=hatch/>
        });
        start += turn;
    }
    let at = f64::from(quorate_domain::quorum::majority(count)) * turn;
    view! { {drawn} {tick(centre, radius, stroke / 2.0 + geometry.overhang, at)} }.into_any()
}

/// An arc between two angles in turns, clockwise from the top. A whole turn stops just short of
/// itself, because an arc that ends where it starts is no arc.
fn path(centre: f64, radius: f64, from: f64, to: f64) -> String {
    let to = to.min(from + 0.9995);
    let (x0, y0) = written(point(centre, radius, from));
    let (x1, y1) = written(point(centre, radius, to));
    let large = if to - from > 0.5 { 1 } else { 0 };
    let radius = decimal(radius);
    format!("M{x0} {y0}A{radius} {radius} 0 {large} 1 {x1} {y1}")
}

fn tick(centre: f64, radius: f64, reach: f64, at: f64) -> AnyView {
    let (x1, y1) = written(point(centre, radius - reach, at));
    let (x2, y2) = written(point(centre, radius + reach, at));
    let d = format!("M{x1} {y1}L{x2} {y2}");
    view! { <path class="ring-tick" d=d/> }.into_any()
}

/// Learners: hollow dots outside the ring, from the top clockwise; at most a dozen are drawn.
fn dots(learners: usize, geometry: &Geometry) -> Vec<AnyView> {
    let centre = geometry.side / 2.0;
    let orbit = centre - geometry.dot_radius - 0.6;
    let pitch = (geometry.dot_radius * 2.0 + 2.0) / (orbit * TAU);
    let mut dots = Vec::new();
    let mut at = 0.0;
    for _ in 0..learners.min(12) {
        let (x, y) = written(point(centre, orbit, at));
        let radius = decimal(geometry.dot_radius);
        dots.push(view! { <circle class="ring-dot" cx=x cy=y r=radius/> }.into_any());
        at += pitch;
    }
    dots
}

fn point(centre: f64, radius: f64, turns: f64) -> (f64, f64) {
    let angle = turns * TAU;
    (centre + radius * sin(angle), centre - radius * cos(angle))
}

fn written((x, y): (f64, f64)) -> (String, String) {
    (decimal(x), decimal(y))
}

/// The browser has these; bringing them would cost more than all the ring's drawing.
#[cfg(feature = "hydrate")]
use js_sys::Math::{cos, sin};

#[cfg(not(feature = "hydrate"))]
fn sin(angle: f64) -> f64 {
    angle.sin()
}

#[cfg(not(feature = "hydrate"))]
fn cos(angle: f64) -> f64 {
    angle.cos()
}

fn middle(quorum: &Quorum) -> AnyView {
    let joint = if quorum.configs.len() > 1 {
        "ring-text ring-text-joint"
    } else {
        "ring-text"
    };
    view! {
        <text class=joint x="42" y="42" text-anchor="middle" dominant-baseline="central">
            {figures(quorum)}
        </text>
    }
    .into_any()
}

/// "4/5"; "?" where no membership is known.
fn figures(quorum: &Quorum) -> String {
    match quorum.voters {
        0 => "?".to_owned(),
        voters => format!("{}/{voters}", quorum.answering),
    }
}

/// The ring in words.
fn label(members: &[PictureMember], quorum: &Quorum) -> String {
    if quorum.voters == 0 {
        return words::NOTHING_KNOWN.to_owned();
    }
    let mut parts = Vec::new();
    let joint = quorum.configs.len() > 1;
    let all: Vec<&PictureMember> = members.iter().filter(|m| m.role.votes()).collect();
    for (arc, voters) in counts(&all, if joint { 0 } else { quorum.answering }) {
        if voters > 0 {
            parts.push(format!("{voters} {}", word(arc)));
        }
    }
    let learners = members.iter().filter(|member| !member.role.votes()).count();
    if learners > 0 {
        parts.push(count(
            u64::try_from(learners).unwrap_or_default(),
            words::LEARNER,
            words::LEARNERS,
        ));
    }
    if joint {
        parts.push(words::JOINT.to_owned());
    }
    let head = words::answering(quorum.answering, quorum.voters, quorum.majority);
    format!("{head} {}", parts.join(", "))
}

const fn word(arc: Arc) -> &'static str {
    match arc {
        Arc::InStep => words::IN_STEP,
        Arc::Changed => words::CHANGED,
        Arc::Behind => words::BEHIND,
        Arc::Answering => words::ANSWERING,
        Arc::Silent => words::SILENT,
        Arc::Unknown => words::UNKNOWN,
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests;
