#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use quorate_domain::{
    cluster::{Kind, Thresholds},
    health::Registration,
    job::ChangeId,
};
use quorate_drivers::simulated::Cluster;

use super::*;

fn watch(group: &str) -> Arc<Watched> {
    let registration = Registration {
        name: ClusterName::from("many"),
        kind: Kind::Agent,
        tags: Vec::new(),
        zones: BTreeMap::new(),
        thresholds: Thresholds::default(),
        read_only: false,
    };
    let wire = || Wire::new(Cluster::healthy(1, 0).driver());
    let known = crate::store::events::Remembered::default();
    let program = Watched::new(registration, wire(), Vec::new(), known);
    let watched = Arc::new(Watched::of_group(&program, group, wire()));
    watched.interest();
    watched
}

/// As the list holds it beside its loop.
fn full(groups: &Groups) -> Vec<Arc<Watched>> {
    let loops: Vec<_> = (0..MOST_WATCHED)
        .map(|n| watch(&format!("g{n:02}")))
        .collect();
    for it in &loops {
        let name = it.group.clone().unwrap();
        groups.all().insert(name, Arc::clone(it));
    }
    loops
}

fn ask(groups: &Groups, whom: For) -> Result<(), ControlError> {
    let asked = groups.watched("one-more", whom, |_, _| {}, || Some(watch("one-more")));
    asked.map(|_| ())
}

#[tokio::test]
async fn one_more_group_takes_the_place_of_the_one_nobody_has_asked_for_longest() {
    let groups = Groups::default();
    let loops = full(&groups);
    loops[0].set_running_change(Some(ChangeId("c-1".to_owned())));
    let in_hand = Arc::clone(&loops[1]);
    loops[2].interest();
    ask(&groups, For::People).unwrap();
    assert!(["g00", "g01", "g02"].iter().all(|group| groups.has(group)));
    assert!(!groups.has("g03") && groups.has("one-more"));
    assert!(loops[3].parted.is_cancelled(), "its loop ends");
    assert!(
        groups.part("g03", &loops[3], |_, _| panic!("twice")),
        "and finds nothing to take out"
    );
    assert_eq!(groups.all().len(), MOST_WATCHED);
    drop(in_hand);
}

#[tokio::test]
async fn where_all_are_followed_people_are_told_to_come_back_and_the_console_is_let_in() {
    let groups = Groups::default();
    let loops = full(&groups);
    for it in &loops {
        it.set_running_change(Some(ChangeId("c-1".to_owned())));
    }
    let refused = ask(&groups, For::People).unwrap_err();
    assert_eq!(refused.problem().status, 429);
    assert_eq!(refused.problem().code, "too-many-watched");
    ask(&groups, For::Console).unwrap();
    assert!(groups.has("one-more"));
}

#[test]
fn a_place_is_a_cluster_or_one_of_its_groups() {
    assert_eq!(place("many"), ("many", None));
    assert_eq!(place("many/a/b"), ("many", Some("a/b")));
}
