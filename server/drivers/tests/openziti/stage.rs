//! A stand-in cluster, a driver that looks at it, and what the console makes of both.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use quorate_domain::{
    action::Action,
    cluster::{ClusterName, Kind, MemberId, Role, Thresholds},
    health::{ClusterState, Memory, Registration, remember},
    observation::{NodeReport, Observation},
    plan::plan,
    preflight::{self, Check, Level, ReasonCode},
    view::{ClusterView, render},
};
use quorate_drivers::{Applied, Connection, Driver, SnapshotPlace, connect};

use crate::openziti_stand_in::{Shape, StandIn};

pub const DEADLINE: Duration = Duration::from_millis(1_500);

pub struct Stage {
    pub cluster: StandIn,
    pub driver: Arc<dyn Driver>,
}

impl Stage {
    pub async fn set(shape: Shape) -> Self {
        Self::with(shape, |_| {}).await
    }

    /// With a connection that `change` has seen.
    pub async fn with(shape: Shape, change: impl FnOnce(&mut Connection)) -> Self {
        let cluster = StandIn::start(shape).await;
        let mut connection = cluster.connection(&["n1"]);
        change(&mut connection);
        let driver = connect(connection).unwrap();
        let stage = Self { cluster, driver };
        stage.driver.observe(DEADLINE).await;
        stage
    }

    pub async fn look(&self) -> Observation {
        self.driver.observe(DEADLINE).await
    }

    /// Looks until `holds`.
    pub async fn seen(&self, what: &str, holds: impl Fn(&Observation) -> bool) -> Observation {
        let start = Instant::now();
        loop {
            let seen = self.look().await;
            if holds(&seen) {
                return seen;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "in vain: {what}: {seen:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the console shows of a fresh look.
    pub async fn view(&self) -> ClusterView {
        view_of(self.look().await)
    }

    /// What the console would do about `action` now.
    pub async fn checks(&self, action: &Action) -> Vec<Check> {
        preflight::check(&self.view().await, action)
    }

    /// Sends the step the console would make of it on a fresh look, whatever its rules say.
    pub async fn apply(&self, action: Action) -> Applied {
        let step = plan(&self.view().await, &action).step;
        let place = SnapshotPlace {
            file: Path::new("/nonexistent/snapshot").to_owned(),
        };
        self.driver.apply(&step, &place).await
    }
}

pub fn view_of(seen: Observation) -> ClusterView {
    let registration = Registration {
        name: ClusterName::from("ziti"),
        kind: Kind::Openziti,
        tags: Vec::new(),
        zones: BTreeMap::new(),
        thresholds: Thresholds::default(),
        read_only: false,
    };
    let at = seen.taken_at;
    let memory = remember(Memory::default(), &registration, &seen, &[], at);
    let state = ClusterState {
        registration,
        observation: Some(seen),
        memory,
        overrides: Vec::new(),
        running_change: None,
    };
    render(&state, at)
}

pub fn report<'a>(seen: &'a Observation, id: &str) -> &'a NodeReport {
    let mut nodes = seen.nodes.iter();
    nodes
        .find(|node| node.id.as_str() == id)
        .unwrap_or_else(|| panic!("{id} is not reported: {seen:#?}"))
}

pub fn role(seen: &Observation, id: &str) -> Option<Role> {
    let membership = seen.membership.as_ref()?;
    Some(membership.member(&MemberId::from(id))?.role)
}

pub fn refused_by(checks: &[Check], code: ReasonCode) -> bool {
    checks
        .iter()
        .any(|check| check.level == Level::Refuse && check.code == code)
}

pub fn allowed(checks: &[Check]) -> bool {
    preflight::worst(checks) < Level::Refuse
}

pub fn promote(id: &str) -> Action {
    Action::Promote { member: id.into() }
}

pub fn demote(id: &str) -> Action {
    Action::Demote { member: id.into() }
}

pub fn remove(id: &str) -> Action {
    Action::Remove { member: id.into() }
}

pub fn transfer(id: &str) -> Action {
    Action::Transfer {
        member: Some(id.into()),
    }
}

pub fn add(address: String) -> Action {
    Action::AddLearner {
        address,
        member: None,
    }
}
