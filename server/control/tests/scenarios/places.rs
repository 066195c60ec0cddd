//! Where members were, kept over a restart, for the time when no seed answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use quorate_control::{Control, ControlError};
use quorate_domain::{
    cluster::Kind,
    health::FindingCode,
    observation::Observation,
    plan::Step,
    view::{ClusterView, LeaderStatus},
};
use quorate_drivers::{Applied, Diagnosis, Driver, SnapshotPlace, simulated::Cluster};
use url::Url;

use super::stage::{CLUSTER, person, settings_with, until};

/// A driver whose seeds are dead: it sees the cluster once it was told where members were.
struct Behind {
    driver: Arc<dyn Driver>,
    seeds: Vec<String>,
    seeds_answer: bool,
    /// What is asked for and not heeded: nobody is there any more.
    deaf: bool,
    recalled: Mutex<Option<Vec<String>>>,
}

impl Behind {
    fn new(cluster: &Cluster, seed: &str, seeds_answer: bool) -> Arc<Self> {
        Arc::new(Self {
            driver: cluster.driver(),
            seeds: vec![seed.to_owned()],
            seeds_answer,
            deaf: false,
            recalled: Mutex::new(None),
        })
    }

    fn deaf(cluster: &Cluster, seed: &str) -> Arc<Self> {
        let driver = Self::new(cluster, seed, false);
        Arc::new(Self {
            deaf: true,
            ..Arc::into_inner(driver).unwrap()
        })
    }

    fn recalled(&self) -> Option<Vec<String>> {
        self.recalled.lock().unwrap().clone()
    }
}

#[async_trait]
impl Driver for Behind {
    fn kind(&self) -> Kind {
        self.driver.kind()
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        let mut seen = self.driver.observe(deadline).await;
        if !self.seeds_answer && (self.deaf || self.recalled().is_none()) {
            seen.membership = None;
            seen.nodes.clear();
        }
        seen
    }

    async fn apply(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        self.driver.apply(step, place).await
    }

    fn seeds(&self) -> Vec<String> {
        self.seeds.clone()
    }

    fn recall(&self, places: &[Url]) {
        let places = places.iter().map(ToString::to_string).collect();
        *self.recalled.lock().unwrap() = Some(places);
    }

    async fn diagnose(&self) -> Vec<Diagnosis> {
        Vec::new()
    }
}

async fn start(directory: &std::path::Path, driver: &Arc<Behind>) -> Control {
    until("the former console let go of its files", || async {
        let driver: Arc<dyn Driver> = Arc::<Behind>::clone(driver);
        match Control::start(settings_with(directory, driver)).await {
            Ok(control) => Some(control),
            Err(ControlError::AlreadyRunning { .. }) => None,
            Err(other) => panic!("{other}"),
        }
    })
    .await
}

async fn sees(control: &Control, wanted: impl Fn(&ClusterView) -> bool) -> ClusterView {
    let ada = person("ada", quorate_domain::permission::Duty::Admin);
    until("the view shows it", || async {
        let view = control.view(&ada, CLUSTER).await.unwrap();
        wanted(&view).then_some(view)
    })
    .await
}

/// What a console that saw the cluster from `seed` has left behind.
async fn seen_from(seed: &str) -> (Cluster, tempfile::TempDir) {
    let cluster = Cluster::healthy(3, 1);
    cluster.status_timeout(Duration::from_millis(300));
    let directory = tempfile::tempdir().unwrap();
    let control = start(directory.path(), &Behind::new(&cluster, seed, true)).await;
    sees(&control, |view| view.leader.status == LeaderStatus::Agreed).await;
    control.stop().await;
    (cluster, directory)
}

fn remembered(view: &ClusterView) -> Option<&str> {
    let mut findings = view.findings.iter();
    let found = findings.find(|finding| finding.code == FindingCode::MembershipRemembered);
    found.map(|finding| finding.text.as_str())
}

#[tokio::test]
async fn a_console_that_starts_while_no_seed_answers_asks_where_members_were() {
    let (cluster, directory) = seen_from("http://seed:1").await;
    let driver = Behind::new(&cluster, "http://seed:1", false);
    let control = start(directory.path(), &driver).await;
    let view = sees(&control, |view| view.leader.status == LeaderStatus::Agreed).await;
    assert_eq!(remembered(&view), None);
    let places = driver.recalled().unwrap();
    assert_eq!(places.len(), 4, "{places:?}");
    control.stop().await;
}

#[tokio::test]
async fn what_is_remembered_says_from_when_it_is() {
    let (cluster, directory) = seen_from("http://seed:1").await;
    let driver = Behind::deaf(&cluster, "http://seed:1");
    let control = start(directory.path(), &driver).await;
    let view = sees(&control, |view| remembered(view).is_some()).await;
    assert_eq!(view.members.len(), 4);
    let text = remembered(&view).unwrap();
    assert!(text.contains("last known from 20"), "{text}");
    control.stop().await;
}

#[tokio::test]
async fn under_other_seeds_nobody_is_asked_where_the_former_members_were() {
    let (cluster, directory) = seen_from("http://seed:1").await;
    let driver = Behind::deaf(&cluster, "http://another:1");
    let control = start(directory.path(), &driver).await;
    sees(&control, |view| remembered(view).is_some()).await;
    // The second look has begun after the first, in which nobody told anything.
    let first = sees(&control, |view| view.observed_at.is_some())
        .await
        .observed_at;
    sees(&control, |view| view.observed_at > first).await;
    assert_eq!(driver.recalled(), None);
    control.stop().await;
}
