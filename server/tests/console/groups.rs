//! A program of many groups over REST: at a glance, as a list, and one group by itself.

use std::{collections::BTreeMap, time::Duration};

use quorate_control::ClusterSetup;
use quorate_domain::{
    cluster::{ClusterName, Kind, Thresholds},
    health::Registration,
    moment::Timestamp,
    permission::Duty,
};
use quorate_drivers::{Connection, Lookups, Secret, connect};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Events, Running, until};

#[allow(dead_code)]
#[path = "../../drivers/tests/dragonboat/made_up.rs"]
mod made_up;

use made_up::MadeUp;

fn setup(seed: String) -> ClusterSetup {
    let connection = Connection {
        name: "many".to_owned(),
        kind: Kind::Agent,
        seeds: vec![seed],
        token: Some(Secret::new("a-token-for-tests")),
        login: None,
        ca_pem: None,
        client_pem: None,
        api_address_pattern: None,
        remembered: Vec::new(),
        status_timeout: Duration::from_secs(1),
        change_timeout: Duration::from_secs(10),
        lookups: Lookups::default(),
    };
    ClusterSetup {
        registration: Registration {
            name: ClusterName::from("many"),
            kind: Kind::Agent,
            tags: Vec::new(),
            zones: BTreeMap::new(),
            thresholds: Thresholds::default(),
            read_only: false,
        },
        driver: connect(connection).unwrap(),
        join_allowed: Vec::new(),
    }
}

struct Desk {
    console: Running,
    token: String,
}

impl Desk {
    async fn with(hosts: &MadeUp) -> Self {
        let seed = hosts.origin(0);
        let console = Running::with(|settings| settings.clusters.push(setup(seed))).await;
        let token = console.token(Duty::Viewer).await;
        Self { console, token }
    }

    async fn ask(&self, path: &str) -> (u16, Value) {
        let path = format!("/api/v1/clusters/{path}");
        let call = self.console.get(&path).bearer_auth(&self.token);
        let response = call.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn counts(&self, class: &str, number: u32) {
        until(&format!("{number} are {class}"), async || {
            self.get("many").await["classes"][class] == number
        })
        .await;
    }
}

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|row| row["group"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_many_groups_is_told_by_hosts_and_classes_and_each_group_by_itself() {
    let hosts = MadeUp::start(40).await;
    let desk = Desk::with(&hosts).await;
    desk.counts("ok", 40).await;
    let view = desk.get("many").await;
    for unknown in ["leader", "quorum", "members"] {
        assert_eq!(view[unknown], Value::Null, "{unknown}");
    }
    assert_eq!(view["groups"], 40);
    assert_eq!(view["verdict"], "ok");
    assert_eq!(
        view["sentence"],
        "40 groups on 3 hosts; each is led and has all its voters."
    );
    let told: Vec<&Value> = view["hosts"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0]["id"], "host-1");
    assert_eq!(told[0]["leads"], 14);
    assert_eq!(
        (&told[0]["votes"], &told[0]["learns"]),
        (&json!(40), &json!(0))
    );

    let page = desk.get("many/groups?limit=30").await;
    assert_eq!(names(&page).len(), 30);
    let rest = format!("many/groups?after={}", page["next"].as_str().unwrap());
    let rest = desk.get(&rest).await;
    assert_eq!((names(&rest).len(), &rest["next"]), (10, &Value::Null));
    assert_eq!(names(&desk.get("many/groups?q=-0003").await).len(), 10);

    for group in [4, 9] {
        hosts.lead(group, None);
    }
    desk.counts("no_leader", 2).await;
    let leaderless = desk.get("many/groups?class=no_leader").await;
    assert_eq!(names(&leaderless), ["group-00004", "group-00009"]);
    let fleet = desk
        .console
        .get("/api/v1/clusters")
        .bearer_auth(&desk.token);
    let fleet: Value = fleet.send().await.unwrap().json().await.unwrap();
    let lines = fleet["items"].as_array().unwrap();
    let many = lines.iter().find(|line| line["name"] == "many").unwrap();
    assert_eq!(
        many["sentence"],
        "40 groups on 3 hosts: 2 without a leader."
    );
    assert_eq!(
        (&many["leader"], &many["quorum"]),
        (&Value::Null, &Value::Null)
    );
    let sim = lines.iter().find(|line| line["name"] == "sim").unwrap();
    assert!(sim["leader"].is_object() && sim["quorum"].is_object());

    until("the group's own view is led", async || {
        let view = desk.get("many/groups/group-00007").await;
        view["leader"]["member"] == "host-2"
    })
    .await;
    let group = desk.get("many/groups/group-00007").await;
    assert_eq!(
        (&group["name"], &group["group"]),
        (&json!("many"), &json!("group-00007"))
    );
    assert_eq!(group["members"].as_array().unwrap().len(), 3);
    assert_eq!(group["quorum"]["voters"], 3);
    desk.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_group_is_not_found_and_no_class_is_malformed() {
    let hosts = MadeUp::start(3).await;
    let desk = Desk::with(&hosts).await;
    desk.counts("ok", 3).await;
    for (path, status, code) in [
        ("many/groups/group-00099", 404, "not-found"),
        ("sim/groups", 404, "not-found"),
        ("sim/groups/default", 404, "not-found"),
        ("nowhere/groups", 404, "not-found"),
        ("many/groups?class=lost", 400, "malformed"),
        ("many/groups?limit=0", 400, "malformed"),
    ] {
        let (found, problem) = desk.ask(path).await;
        assert_eq!(
            (found, &problem["code"]),
            (status, &json!(code)),
            "{path}: {problem}"
        );
    }
    desk.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_names_its_group_and_so_does_its_record() {
    let hosts = MadeUp::start(12).await;
    let desk = Desk::with(&hosts).await;
    desk.counts("ok", 12).await;
    let admin = desk.console.token(Duty::Admin).await;
    let call = |method, path: &str| {
        let url = format!("{}/api/v1/{path}", desk.console.address);
        desk.console.http.request(method, url).bearer_auth(&admin)
    };
    let ask = |group: Option<&str>, revision: &str| {
        let mut body = json!({
            "action": "transfer", "member": "host-3", "revision": revision, "reason": "a test",
        });
        if let Some(group) = group {
            body["group"] = json!(group);
        }
        call(Method::POST, "clusters/many/changes").json(&body)
    };
    for (group, revision, status) in [
        (None, "3", 400),
        (Some("group-00099"), "3", 404),
        (Some("group-00007"), "2", 409),
    ] {
        let refused = ask(group, revision).send().await.unwrap();
        assert_eq!(refused.status(), status, "{group:?}");
    }
    until("the group's own view is led", async || {
        let view = desk.get("many/groups/group-00007").await;
        view["leader"]["member"] == "host-2"
    })
    .await;
    let preview = json!({ "action": "transfer", "member": "host-3", "group": "group-00007" });
    let preview = call(Method::POST, "clusters/many/preview").json(&preview);
    let preview = preview.send().await.unwrap();
    assert_eq!(preview.status(), 200);

    let accepted = ask(Some("group-00007"), "3").send().await.unwrap();
    let status = accepted.status();
    let accepted: Value = accepted.json().await.unwrap();
    assert_eq!(status, 202, "{accepted}");
    let path = format!("changes/{}", accepted["id"].as_str().unwrap());
    let mut change = Value::Null;
    until("the change has ended", async || {
        let response = call(Method::GET, &path).send().await.unwrap();
        change = response.json().await.unwrap();
        !["queued", "running"].contains(&change["state"].as_str().unwrap())
    })
    .await;
    assert_eq!(change["state"], "succeeded", "{change}");
    assert_eq!(change["group"], "group-00007");
    let view = desk.get("many/groups/group-00007").await;
    assert_eq!(view["leader"]["member"], "host-3");
    // Its neighbour that had the same leader has it still.
    until("the list shows it", async || {
        let page = desk.get("many/groups?q=group-0000").await;
        let leader = |group: usize| page["items"][group]["leader"].clone();
        (leader(7), leader(4)) == (json!("host-3"), json!("host-2"))
    })
    .await;

    let audit = call(Method::GET, "audit?cluster=many")
        .send()
        .await
        .unwrap();
    let audit: Value = audit.json().await.unwrap();
    let entries = audit["items"].as_array().unwrap();
    for kind in ["intent", "outcome"] {
        let entry = entries.iter().find(|entry| entry["kind"] == kind).unwrap();
        assert_eq!(entry["group"], "group-00007", "{entry}");
        assert_eq!(entry["cluster"], "many");
    }
    desk.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_followed_live_and_its_line_of_time_goes_on_where_it_was() {
    let hosts = MadeUp::start(9).await;
    let desk = Desk::with(&hosts).await;
    desk.counts("ok", 9).await;
    for (query, status) in [("group=group-00099", 404), ("groups=group-00007", 400)] {
        let (found, _) = desk.ask(&format!("many/events?{query}")).await;
        assert_eq!(found, status, "{query}");
    }
    let path = "/api/v1/clusters/many/events?group=group-00007";
    let stream = desk.console.get(path).bearer_auth(&desk.token).send().await;
    let mut events = Events::of(stream.unwrap());
    let first = events.next().await.unwrap();
    assert_eq!(
        (first.name.as_str(), &first.data["group"]),
        ("snapshot", &json!("group-00007"))
    );
    led_by(&mut events, &first.data, "host-2").await;
    hosts.lead(7, Some(2));
    led_by(&mut events, &Value::Null, "host-3").await;

    let session = desk.console.session(Duty::Viewer).await;
    let page = async |path: &str| {
        let call = desk.console.get(path).header("cookie", &session);
        call.send().await.unwrap().text().await.unwrap()
    };
    until("its page tells of the election", async || {
        let page = page("/clusters/many/groups/group-00007").await;
        page.matches("class=\"history-line\"").count() >= 2
    })
    .await;
    let history = desk.get("many/history?group=group-00007").await;
    assert!(history["items"].is_array(), "{history}");
    let (unknown, _) = desk.ask("many/history?group=group-00099").await;
    assert_eq!(unknown, 404);
    let page = page("/clusters/many/groups/group-00007").await;
    for way_back in ["/clusters/many", "/clusters/many/groups"] {
        assert!(page.contains(&format!("href=\"{way_back}\"")), "{page}");
    }
    desk.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_group_that_nobody_looks_at_is_told_afterwards_and_not_twice() {
    let hosts = MadeUp::start(9).await;
    let desk = Desk::with(&hosts).await;
    desk.counts("ok", 9).await;
    let told = async |group: &str| {
        let history = desk.get(&format!("many/history?group={group}")).await;
        history["items"].as_array().unwrap().clone()
    };
    let agreed =
        |event: &Value, host: &str| event["event"] == "leader_agreed" && event["member"] == host;
    hosts.lead(4, Some(0));
    until("the election is told", async || {
        let told = told("group-00004").await;
        told.iter().any(|event| agreed(event, "host-1"))
    })
    .await;
    hosts.learn(4, 1);
    until("the new learner is told", async || {
        let text = "3 voters and 1 learner, where there were 3 voters.";
        let told = told("group-00004").await;
        told.iter().any(|event| event["text"] == text)
    })
    .await;
    assert!(told("group-00007").await.is_empty(), "nothing has happened");

    // From here on it is watched, and its watch goes on where its hosts' lines ended.
    let session = desk.console.session(Duty::Viewer).await;
    let path = "/clusters/many/groups/group-00004";
    let page = desk.console.get(path).header("cookie", &session);
    let page = page.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("host-1"), "{page}");
    until("the group's own view is led", async || {
        let view = desk.get("many/groups/group-00004").await;
        view["leader"]["member"] == "host-1"
    })
    .await;
    hosts.lead(4, Some(2));
    until("the next election is told", async || {
        desk.get("many/groups/group-00004").await;
        let told = told("group-00004").await;
        told.iter().any(|event| agreed(event, "host-3"))
    })
    .await;
    let told = told("group-00004").await;
    let leaders: Vec<&Value> = told
        .iter()
        .filter(|event| {
            ["leader_agreed", "leader_lost"].contains(&event["event"].as_str().unwrap())
        })
        .collect();
    let of = |event: &Value| (event["event"].clone(), event["member"].clone());
    assert!(agreed(leaders[0], "host-1"), "{told:#?}");
    let twice = leaders.windows(2).find(|two| of(two[0]) == of(two[1]));
    assert_eq!(twice, None, "{told:#?}");
    desk.console.stop().await;
}

/// Reads on until the group is led by this host.
async fn led_by(events: &mut Events, first: &Value, host: &str) {
    let leads = |data: &Value| data["leader"]["member"] == host;
    let reading = async {
        let mut led = leads(first);
        while !led {
            led = leads(&events.next().await.unwrap().data);
        }
    };
    let most = Duration::from_secs(60);
    let read = tokio::time::timeout(most, reading).await;
    read.unwrap_or_else(|_| panic!("never led by {host}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_groups_member_is_set_by_hand_in_that_group_alone() {
    let hosts = MadeUp::start(9).await;
    let desk = Desk::with(&hosts).await;
    desk.counts("ok", 9).await;
    let admin = desk.console.token(Duty::Admin).await;
    let post = async |path: &str, body: Value| {
        let url = format!("{}/api/v1/clusters/many/{path}", desk.console.address);
        let call = desk.console.http.post(url).bearer_auth(&admin).json(&body);
        let response = call.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.text().await.unwrap())
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_millis()).unwrap();
    let tomorrow = Timestamp::from_unix_ms(now)
        .plus_ms(24 * 3_600_000)
        .to_string();
    let wish = |group: Option<&str>, member: &str| {
        let mut body = json!({ "member": member, "until": tomorrow, "reason": "its disk" });
        if let Some(group) = group {
            body["group"] = json!(group);
        }
        body
    };
    until("the group is seen", async || {
        let view = desk.get("many/groups/group-00004").await;
        view["members"].as_array().is_some_and(|it| it.len() == 3)
    })
    .await;
    for (group, member, status) in [
        (None, "host-1", 400),
        (Some("group-00099"), "host-1", 404),
        (Some("group-00004"), "host-9", 404),
        (Some("group-00004"), "host-1", 200),
    ] {
        let (found, body) = post("overrides", wish(group, member)).await;
        assert_eq!(found, status, "{group:?} {member}: {body}");
    }
    let set = async |group: &str| {
        let view = desk.get(&format!("many/groups/{group}")).await;
        let members = view["members"].as_array().unwrap().clone();
        members
            .iter()
            .filter(|member| !member["override"].is_null())
            .map(|member| member["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(set("group-00004").await, ["host-1"]);
    assert!(set("group-00001").await.is_empty());
    let session = desk.console.session(Duty::Admin).await;
    let page = desk
        .console
        .get("/clusters/many/groups/group-00004?member=host-1");
    let page = page.header("cookie", &session).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(
        page.contains("name=\"group\" value=\"group-00004\""),
        "{page}"
    );

    let lift = json!({ "member": "host-1", "group": "group-00004" });
    let (status, body) = post("overrides/lift", lift).await;
    assert_eq!(status, 204, "{body}");
    assert!(set("group-00004").await.is_empty());
    let audit = format!("{}/api/v1/audit?cluster=many", desk.console.address);
    let audit = desk.console.http.get(audit).bearer_auth(&admin);
    let audit: Value = audit.send().await.unwrap().json().await.unwrap();
    for action in ["override_set", "override_lifted"] {
        let mut entries = audit["items"].as_array().unwrap().iter();
        let entry = entries.find(|entry| entry["action"] == action).unwrap();
        assert_eq!(entry["group"], "group-00004", "{entry}");
    }
    desk.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_program_of_many_groups_are_complete_without_scripts() {
    let hosts = MadeUp::start(130).await;
    let desk = Desk::with(&hosts).await;
    desk.counts("ok", 130).await;
    hosts.lead(5, None);
    desk.counts("no_leader", 1).await;
    let session = desk.console.session(Duty::Viewer).await;
    let page = async |path: &str| {
        let call = desk.console.get(path).header("cookie", &session);
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    };
    let cluster = page("/clusters/many").await;
    assert!(cluster.contains("130 groups on 3 hosts: 1 without a leader."));
    assert!(
        cluster.contains("href=\"/clusters/many/groups\""),
        "{cluster}"
    );

    let list = page("/clusters/many/groups").await;
    for part in [
        "host-1",
        "host-3",
        "href=\"/clusters/many/groups?class=no_leader\"",
        "href=\"/clusters/many/groups/group-00000\"",
        "href=\"/clusters/many/groups?after=group-00099\"",
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
    assert!(!list.contains("group-00100<"), "a page has 100 rows");
    let narrowed = page("/clusters/many/groups?class=no_leader&q=Group").await;
    assert!(narrowed.contains("group-00005<") && !narrowed.contains("group-00004<"));

    until("the group's page shows its members", async || {
        let group = page("/clusters/many/groups/group-00007").await;
        group.contains("many/group-00007") && group.contains("host-3")
    })
    .await;
    let missing = desk.console.get("/clusters/many/groups/group-99999");
    let missing = missing.header("cookie", &session).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    desk.console.stop().await;
}
