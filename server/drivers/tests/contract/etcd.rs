//! The contract on recorded answers of etcd 3.4, 3.5 and 3.6, and on real clusters of each.

use std::{sync::Arc, time::Duration};

use quorate_domain::{
    action::{Action, Verb},
    capability,
    cluster::{Kind, MemberId},
    lag,
    observation::{Answer, Note, Observation},
    view::LagSource,
};
use quorate_drivers::{Applied, Connection, Driver, Login, Secret, connect};

use super::{
    checks::{self, DEADLINE, Truth, apply, claims, report, role},
    etcd_cluster::{self, Cluster, Shape, Version},
    replay::{Lines, Replay, connection, recording},
};

const OLD: &str = "etcd-3.4.23";
const MIDDLE: &str = "etcd-3.5.21";
const NEW: &str = "etcd-3.6.14";
const ALL: [&str; 3] = [OLD, MIDDLE, NEW];
const STATUS: &str = "POST /v3/maintenance/status";
const LIST: &str = "POST /v3/cluster/member/list";
const VARIABLES: &str = "GET /debug/vars";
const RANGE: &str = "POST /v3/kv/range";
const PASSWORD: &str = "a password nobody may see";

fn open(seeds: Vec<String>) -> Connection {
    Connection {
        token: None,
        change_timeout: Duration::from_secs(20),
        ..connection(Kind::Etcd, seeds)
    }
}

fn signing_in(seeds: Vec<String>) -> Connection {
    Connection {
        login: Some(Login {
            username: "root".to_owned(),
            password: Secret::new(PASSWORD),
        }),
        ..open(seeds)
    }
}

/// A recording's name with the folder of its version.
fn at(folder: &str, name: &str) -> &'static str {
    format!("{folder}/{name}").leak()
}

fn id(folder: &str, name: &str) -> &'static str {
    let members = recording(at(folder, "members"));
    members[name]["id"].as_str().unwrap().to_owned().leak()
}

fn lines(folder: &str, name: &str) -> Lines {
    let mut lines = Lines::new();
    for (line, file) in [(STATUS, "status"), (LIST, "list"), (VARIABLES, "variables")] {
        lines.insert(line.to_owned(), at(folder, &format!("{file}-{name}")));
    }
    lines.insert(RANGE.to_owned(), at(folder, "range-open"));
    lines.insert(
        "POST /v3/maintenance/snapshot".to_owned(),
        at(folder, "snapshot"),
    );
    lines
}

async fn four_members(folder: &str) -> Replay {
    let members = recording(at(folder, "members"));
    let node = |name: &'static str| {
        let port = u16::try_from(members[name]["port"].as_u64().unwrap()).unwrap();
        (name, port, lines(folder, name))
    };
    Replay::start(["n1", "n2", "n3", "n4"].map(node).to_vec()).await
}

fn truth(folder: &str) -> Truth {
    let mut voters = ["n1", "n2", "n3"].map(|name| id(folder, name)).to_vec();
    voters.sort_unstable();
    Truth {
        voters,
        learners: vec![id(folder, "n4")],
        leader: id(folder, "n1").to_owned(),
    }
}

fn driver(replay: &Replay, seed: &str) -> Arc<dyn Driver> {
    connect(open(vec![replay.address(seed)])).unwrap()
}

async fn look(driver: &Arc<dyn Driver>) -> Observation {
    driver.observe(DEADLINE).await
}

#[tokio::test]
async fn recorded_answers_of_every_version_keep_the_contract_from_any_voter() {
    for folder in ALL {
        let replay = four_members(folder).await;
        for seed in ["n1", "n2", "n3"] {
            let driver = driver(&replay, seed);
            checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth(folder)).await;
            let seen = look(&driver).await;
            assert_eq!(seen.kind, Kind::Etcd);
            let version = folder.strip_prefix("etcd-");
            assert_eq!(seen.version.as_deref(), version);
            let n4 = MemberId::from(id(folder, "n4"));
            let member = seen.membership.as_ref().unwrap().member(&n4).unwrap();
            assert_eq!(member.api_address, Some(replay.address("n4")));
            assert_eq!(member.name, "n4");
            let says = report(&seen, n4.as_str()).says.as_ref().unwrap();
            assert!(says.term.is_some_and(|term| term.0 > 1));
            assert_eq!(says.revision, None, "learners do not tell the members");
            assert_eq!(seen.progress.len(), 4);
            let check = capability::of(&seen.capabilities, Verb::CheckIntegrity);
            assert_eq!(check, None, "etcd has no such call");
            let demote = capability::of(&seen.capabilities, Verb::Demote).unwrap();
            assert!(!demote.supported && demote.note.is_some());
            assert_eq!(seen.notes, []);
        }
    }
}

#[tokio::test]
async fn a_member_that_was_added_and_never_started_is_told_as_such() {
    for folder in ALL {
        let replay = four_members(folder).await;
        for name in ["n1", "n2", "n3"] {
            replay.change(name, LIST, at(folder, "list-not-started"));
        }
        let seen = look(&driver(&replay, "n2")).await;
        let n4 = id(folder, "n4");
        let told = report(&seen, n4);
        assert_eq!((&told.answer, &told.asked), (&Answer::NotStarted, &None));
        let member = seen
            .membership
            .as_ref()
            .unwrap()
            .member(&n4.into())
            .unwrap();
        assert_eq!(member.name, n4, "it has no name yet");
        assert!(!seen.progress.contains_key(&n4.into()));
    }
}

#[tokio::test]
async fn accident_05_a_frozen_member_that_looks_replicated_to_is_judged_by_its_silence() {
    for folder in ALL {
        let replay = four_members(folder).await;
        replay.change("n1", VARIABLES, at(folder, "variables-frozen"));
        let frozen = id(folder, "n3");
        let raft = &recording(at(folder, "variables-frozen"))["response"]["body"]["raft.status"];
        assert_eq!(raft["progress"][frozen]["state"], "StateReplicate");
        replay.mute("n3");
        let seen = look(&driver(&replay, "n1")).await;
        assert!(matches!(report(&seen, frozen).answer, Answer::Silent(_)));
        let matched = raft["progress"][frozen]["match"].as_u64();
        assert_eq!(seen.progress[&frozen.into()].last_index, matched);
        assert_eq!(seen.progress[&frozen.into()].healthy, None);
        let (_, source) = lag::lag(&seen, &frozen.into()).unwrap();
        assert_eq!(source, LagSource::Leader);
    }
}

#[tokio::test]
async fn alarms_and_the_loss_of_the_quorum_are_told() {
    for folder in ALL {
        let replay = four_members(folder).await;
        let driver = driver(&replay, "n1");
        replay.change("n1", STATUS, at(folder, "status-alarm"));
        let seen = look(&driver).await;
        let alarm = Note::Alarm {
            member: id(folder, "n2").into(),
            alarm: "NOSPACE".to_owned(),
        };
        assert_eq!(seen.notes, [alarm]);
        replay.change("n1", STATUS, at(folder, "status-no-quorum"));
        replay.change("n1", LIST, at(folder, "list-no-quorum"));
        for name in ["n2", "n3", "n4"] {
            replay.mute(name);
        }
        let seen = look(&driver).await;
        assert_eq!(claims(&seen), [""; 0]);
        let says = report(&seen, id(folder, "n1")).says.as_ref().unwrap();
        assert_eq!((&says.names_leader, says.term), (&None, None));
        assert!(!seen.membership_remembered);
    }
}

#[tokio::test]
async fn every_recorded_answer_to_a_change_has_its_meaning() {
    let refusals = [
        ("promote-unknown", "member-unknown"),
        ("promote-voter", "already-voter"),
        ("promote-not-started", "learner-behind"),
        ("remove-unknown", "member-unknown"),
        ("id-malformed", "refused-by-backend"),
        ("add-taken", "address-taken"),
        ("add-second-learner", "learner-limit"),
        ("add-malformed", "address-malformed"),
        ("transfer-unknown", "target-not-possible"),
        ("transfer-learner", "target-not-possible"),
        ("transfer-not-leader", "not-leader"),
        ("transfer-no-quorum", "not-leader"),
        ("list-n4", "asked-a-learner"),
        ("add-no-token", "sign-in-needed"),
        ("add-denied", "denied"),
        ("add-garbage", "token-refused"),
        ("unknown-path", "not-supported"),
    ];
    let unknown = ["transfer-frozen", "remove-no-quorum-bounded"];
    let accepted = ["promote", "transfer", "remove", "add-learner"];
    for folder in ALL {
        let replay = four_members(folder).await;
        let (driver, dir) = (driver(&replay, "n1"), tempfile::tempdir().unwrap());
        look(&driver).await;
        let told = async |name: &str| {
            replay.change("n1", "POST /v3/cluster/member/promote", at(folder, name));
            let member = id(folder, "n4").into();
            apply(&driver, Action::Promote { member }, dir.path()).await
        };
        for (name, code) in refusals {
            match told(name).await {
                Applied::Refused {
                    code: found, text, ..
                } => {
                    assert_eq!(found, code, "{folder} {name}");
                    assert!(text.ends_with('.'), "{text}");
                }
                other => panic!("{folder} {name}: {other:?}"),
            }
        }
        for name in unknown {
            let outcome = told(name).await;
            assert!(
                matches!(outcome, Applied::Unknown { .. }),
                "{name}: {outcome:?}"
            );
        }
        for name in accepted {
            let outcome = told(name).await;
            assert!(
                matches!(outcome, Applied::Accepted(_)),
                "{name}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_receipt_of_an_addition_names_the_newcomer() {
    for folder in ALL {
        let replay = four_members(folder).await;
        let (driver, dir) = (driver(&replay, "n3"), tempfile::tempdir().unwrap());
        look(&driver).await;
        replay.change(
            "n1",
            "POST /v3/cluster/member/add",
            at(folder, "add-learner"),
        );
        let add = Action::AddLearner {
            address: "http://10.0.0.4:2380".to_owned(),
            member: None,
        };
        let Applied::Accepted(receipt) = apply(&driver, add, dir.path()).await else {
            panic!("refused")
        };
        assert_eq!(receipt.member, Some(id(folder, "n4").into()));
        assert_eq!(receipt.exchange.sent["body"]["isLearner"], true);
    }
}

#[tokio::test]
async fn a_recorded_snapshot_is_whole_and_one_that_was_cut_is_thrown_away() {
    for folder in ALL {
        let replay = four_members(folder).await;
        let (driver, dir) = (driver(&replay, "n1"), tempfile::tempdir().unwrap());
        look(&driver).await;
        let Applied::Accepted(receipt) = apply(&driver, Action::Snapshot, dir.path()).await else {
            panic!("no snapshot")
        };
        let snapshot = receipt.snapshot.unwrap();
        assert_ne!(snapshot.member.as_deref(), Some(id(folder, "n1")));
        assert!(snapshot.index.is_some_and(|index| index > 5));
        let file = snapshot.file.unwrap();
        let found = quorate_drivers::snapshot::verify(&file).unwrap();
        assert_eq!(Some(found.sha256), snapshot.sha256);
        let mut names: Vec<String> = found.members.into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["n1", "n2", "n3", "n4"]);
        std::fs::remove_file(&file).unwrap();
        replay.cut("POST /v3/maintenance/snapshot", 20_000);
        let outcome = apply(&driver, Action::Snapshot, dir.path()).await;
        assert!(matches!(outcome, Applied::Refused { .. }), "{outcome:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn the_token_is_sent_as_it_is_and_the_password_once() {
    for folder in ALL {
        let replay = four_members(folder).await;
        for name in ["n1", "n2", "n3"] {
            replay.change(
                name,
                "POST /v3/auth/authenticate",
                at(folder, "authenticate"),
            );
            replay.change(name, "POST /v3/auth/user/get", at(folder, "user-root"));
        }
        let driver = connect(signing_in(vec![replay.address("n1")])).unwrap();
        let seen = look(&driver).await;
        assert_eq!(seen.notes, []);
        look(&driver).await;
        let heard = replay.heard();
        let logins = heard.iter().filter(|it| it.line.contains("authenticate"));
        assert_eq!(logins.count(), 1);
        assert!(
            heard
                .iter()
                .any(|it| it.token.as_deref() == Some("REDACTED"))
        );
        let dir = tempfile::tempdir().unwrap();
        replay.change("n1", "POST /v3/cluster/member/remove", at(folder, "remove"));
        let member = id(folder, "n4").into();
        let outcome = apply(&driver, Action::Remove { member }, dir.path()).await;
        let told = format!("{outcome:?}{seen:?}");
        assert!(
            !told.contains(PASSWORD) && !told.contains("REDACTED"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn what_stands_between_the_console_and_its_rights_is_told() {
    let replay = four_members(NEW).await;
    let everywhere = |line: &str, file: &'static str| {
        for name in ["n1", "n2", "n3", "n4"] {
            replay.change(name, line, at(NEW, file));
        }
    };
    let lacks = |seen: &Observation| {
        let found = seen.notes.iter().find_map(|note| match note {
            Note::MissingPermission { what } => Some(what.clone()),
            _ => None,
        });
        let promote = capability::of(&seen.capabilities, Verb::Promote).unwrap();
        assert_eq!(promote.supported, found.is_none(), "{seen:#?}");
        found.unwrap_or_default()
    };
    everywhere(STATUS, "status-no-token");
    everywhere(LIST, "list-no-token");
    everywhere(RANGE, "range-no-token");
    let seen = look(&driver(&replay, "n1")).await;
    assert!(lacks(&seen).contains("asks for a name"), "{seen:#?}");
    assert!(matches!(seen.nodes[0].answer, Answer::Denied(_)));
    everywhere("POST /v3/auth/authenticate", "authenticate-wrong");
    let wrong = connect(signing_in(vec![replay.address("n1")])).unwrap();
    assert!(lacks(&look(&wrong).await).contains("wrong name or password"));
    everywhere("POST /v3/auth/authenticate", "authenticate");
    everywhere("POST /v3/auth/user/get", "user-op");
    let poor = connect(signing_in(vec![replay.address("n1")])).unwrap();
    assert!(lacks(&look(&poor).await).contains("role root"));
}

#[tokio::test]
async fn two_clusters_behind_one_address_are_told_and_never_merged() {
    let (old, new) = (four_members(OLD).await, four_members(NEW).await);
    let seeds = vec![old.address("n1"), old.address("n2"), new.address("n1")];
    let driver = connect(open(seeds)).unwrap();
    let seen = look(&driver).await;
    let told = |seen: &Observation| {
        let mut notes = seen.notes.iter();
        notes.any(|note| matches!(note, Note::TwoClusters { .. }))
    };
    assert!(told(&seen), "{:?}", seen.notes);
    assert_eq!(role(&seen, id(NEW, "n1")), None);
    assert!(
        seen.nodes
            .iter()
            .all(|node| node.id.as_str() != id(NEW, "n1"))
    );
    assert_eq!(claims(&seen), [id(OLD, "n1")]);
    // From now on the other cluster answers at an address of this one.
    old.change("n3", STATUS, at(NEW, "status-n3"));
    old.change("n3", LIST, at(NEW, "list-n3"));
    let seen = look(&driver).await;
    let Answer::Misread(why) = &report(&seen, id(OLD, "n3")).answer else {
        panic!("{seen:#?}")
    };
    assert!(why.contains("another cluster"), "{why}");
}

/// Lists of members are sorted by their ids.
fn sorted(names: &[&str], cluster: &Cluster) -> Vec<&'static str> {
    let mut ids: Vec<&'static str> = names.iter().map(|name| &*cluster.id(name).leak()).collect();
    ids.sort_unstable();
    ids
}

async fn a_real_cluster_keeps_the_contract(version: Version) {
    let shape = Shape {
        version,
        learner: true,
        ..Shape::default()
    };
    let Some(mut cluster) = etcd_cluster::start(shape).await else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    // Two: one of them may be the voter that is removed in the end.
    let seeds = ["n2", "n3"].map(|name| cluster.node(name).client.clone());
    let driver: Arc<dyn Driver> = connect(open(seeds.to_vec())).unwrap();
    let leader = cluster.settled_leader().await;
    let truth = Truth {
        voters: sorted(&["n1", "n2", "n3"], &cluster),
        learners: sorted(&["n4"], &cluster),
        leader: cluster.id(&leader),
    };
    checks::a_healthy_cluster_is_told_as_it_is(&driver, &truth).await;
    checks::an_unknown_member_is_refused(&driver, dir.path()).await;
    let follower = cluster.follower().await;
    cluster.node(&follower).process.freeze();
    checks::a_failed_member_costs_its_own_answer_only(&driver, &cluster.id(&follower)).await;
    cluster.node(&follower).process.thaw();
    checks::seen_when(&driver, "all answer again", 60, |seen| {
        seen.nodes.iter().all(|node| node.answered()) && claims(seen).len() == 1
    })
    .await;
    // etcd takes one learner at a time.
    let member = cluster.id("n4").into();
    let removed = apply(&driver, Action::Remove { member }, dir.path()).await;
    assert!(matches!(removed, Applied::Accepted(_)), "{removed:?}");
    let newcomer = cluster.newcomer("n5").await;
    cluster.nodes.retain(|node| node.name != "n4");
    checks::supported_verbs_do_what_they_say(&driver, &newcomer, dir.path(), async |id| {
        assert_eq!(cluster.start_newcomer("n5").await, id.0);
    })
    .await;
    let lines = driver.diagnose().await;
    let open = lines.iter().find(|line| line.code == "authentication-off");
    assert!(open.is_some_and(|line| line.ok), "{lines:#?}");
}

#[tokio::test]
async fn a_real_etcd_3_4_keeps_the_contract() {
    a_real_cluster_keeps_the_contract(Version::Old).await;
}

#[tokio::test]
async fn a_real_etcd_3_5_keeps_the_contract() {
    if etcd_cluster::is_slow_round() {
        a_real_cluster_keeps_the_contract(Version::Middle).await;
    }
}

#[tokio::test]
async fn a_real_etcd_3_6_keeps_the_contract() {
    if etcd_cluster::is_slow_round() {
        a_real_cluster_keeps_the_contract(Version::New).await;
    }
}
