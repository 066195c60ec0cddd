//! What a look saw: judged, remembered, and told where it differs from the look before.

use std::sync::{Arc, PoisonError};

use quorate_domain::{
    cluster::Membership,
    event::Happening,
    health::{Override, Verdict, remember},
    moment::Timestamp,
    observation::Observation,
    view::{ClusterView, render},
};

use super::{Seen, Watched};
use crate::{Inner, groups, wording};

pub(super) fn fold(inner: &Arc<Inner>, watched: &Watched, mut seen: Observation, now: Timestamp) {
    let fleet = watched.wire.groups();
    let elsewhere = match &fleet {
        None => watched.whereabouts.learn(&seen, now),
        Some(fleet) => {
            let fleet = fleet.read().unwrap_or_else(PoisonError::into_inner);
            watched.whereabouts.learn_hosts(&fleet, now)
        }
    };
    let membership = match seen.membership.clone() {
        Some(membership) if !seen.membership_remembered => Some(membership),
        told => {
            if told.is_none() {
                seen.membership = watched.membership();
                seen.membership_remembered = seen.membership.is_some();
            }
            None
        }
    };
    if let Some(fleet) = &fleet {
        let mut fleet = fleet.write().unwrap_or_else(PoisonError::into_inner);
        fleet.warn_from(watched.registration.thresholds.lag_warn);
    }
    let view = {
        let mut state = watched
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        watched.keeping.drop_overrides(ended_overrides(
            &mut state.overrides,
            membership.as_ref(),
            now,
        ));
        let previous = std::mem::take(&mut state.memory);
        state.memory = remember(
            previous,
            &watched.registration,
            &seen,
            &state.overrides,
            now,
        );
        state.observation = Some(seen);
        render(&state, now)
    };
    let view = watched.dress(view, now);
    if watched.group.is_none() {
        gauges(&view);
    }
    tell(inner, watched, &view, membership, elsewhere, now);
    groups::tell(inner, watched, now);
}

/// Takes out what was set by hand and is over: its time, or its member. One who joins later under
/// an old id must not inherit it. A membership nobody told in this look proves nothing.
fn ended_overrides(
    overrides: &mut Vec<Override>,
    told: Option<&Membership>,
    now: Timestamp,
) -> Vec<Override> {
    let is_over = |set: &mut Override| {
        set.until <= now || told.is_some_and(|told| told.member(&set.member).is_none())
    };
    overrides.extract_if(.., is_over).collect()
}

/// What changed since the last look, as events; and what to remember over a restart. Of a group
/// this is told in its own line of time alone: a program has thousands.
fn tell(
    inner: &Arc<Inner>,
    watched: &Watched,
    view: &ClusterView,
    membership: Option<Membership>,
    elsewhere: bool,
    now: Timestamp,
) {
    let mut happened = Vec::new();
    let old = watched.membership();
    let moved = membership
        .as_ref()
        .is_some_and(|new| old.as_ref() != Some(new));
    if let (Some(old), Some(new)) = (&old, &membership)
        && let Some(text) = wording::membership_changed(old, new)
    {
        happened.push(Happening::MembershipChanged { text });
    }
    let seen = Seen::of(view);
    let before = watched
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(before) = &before {
        happened.extend(before.until(&seen));
    } else {
        happened.extend(Seen::default().until(&seen));
    }
    if before.as_ref() == Some(&seen) && !moved && !elsewhere {
        return;
    }
    *watched.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen.clone());
    if let Some(new) = &membership {
        *watched
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(new.clone());
    }
    inner.events.add(&watched.key(), now, happened);
    // Where a group's hosts are is known of its program.
    let places = watched.whereabouts.keep(now);
    let places = places.filter(|_| watched.group.is_none());
    watched.keeping.keep(watched.membership(), seen, places);
}

fn gauges(view: &ClusterView) {
    let verdict = match view.verdict {
        Verdict::Ok => 0.0,
        Verdict::AtRisk => 1.0,
        Verdict::NoQuorum => 2.0,
        Verdict::Unknown => 3.0,
    };
    metrics::gauge!("quorate_cluster_verdict", "cluster" => view.name.0.clone()).set(verdict);
    let bad = u32::try_from(view.findings.len()).unwrap_or(u32::MAX);
    metrics::gauge!("quorate_cluster_findings", "cluster" => view.name.0.clone())
        .set(f64::from(bad));
}
