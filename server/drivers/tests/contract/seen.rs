//! Observations as the console shows them.

use quorate_domain::{
    cluster::{ClusterName, Thresholds},
    health::{ClusterState, Registration},
    observation::Observation,
    view::{self, ClusterView},
};

/// What the console makes of one look.
pub fn view_of(seen: &Observation) -> ClusterView {
    let registration = Registration {
        name: ClusterName::from("real"),
        kind: seen.kind,
        tags: Vec::new(),
        zones: Default::default(),
        thresholds: Thresholds::default(),
        read_only: false,
    };
    let state = ClusterState {
        registration,
        observation: Some(seen.clone()),
        memory: Default::default(),
        overrides: Vec::new(),
        running_change: None,
    };
    view::render(&state, seen.taken_at)
}
