//! A real Consul in front of real openraft nodes (slow rounds), and the stand-in for it held
//! against what the real one was recorded to say (every round).

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    Lookups, answering,
    catalogue::{self, Consul, Mood},
    cluster::Cluster,
    codes,
    consul_agent::{
        self, Agent, VERSION,
        calls::{self, CALLS, UNKNOWN, Who, shape},
    },
    driver, failing, port, until, with_token,
};

fn recorded(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/recorded/consul-{VERSION}/{name}.json"));
    let whole: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    whole["response"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_for_consul_answers_as_the_real_one_was_recorded() {
    let consul = Consul::start("raft").await;
    consul.register("127.0.0.1", "", 8200, "api");
    consul.register("127.0.0.1", "10.0.0.2", 8201, "other");
    let address = consul.address.to_string();
    for call in &CALLS {
        consul.mood(if call.who == Who::Stranger {
            Mood::Hides
        } else {
            Mood::Answers
        });
        let token = match call.who {
            Who::Unknown => UNKNOWN,
            Who::Reader | Who::Stranger => catalogue::TOKEN,
        };
        let told = calls::ask(&address, call, token).await;
        assert_eq!(shape(&told), shape(&recorded(call.name)), "{}", call.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_consul_answers_as_it_was_recorded() {
    if !consul_agent::is_wanted() {
        return;
    }
    let Some(agent) = Agent::start().await else {
        return;
    };
    agent.register("raft", "raft-1", "", 8200, "api").await;
    agent
        .register("raft", "raft-2", "10.0.0.2", 8201, "other")
        .await;
    let (reader, stranger) = (agent.reader("raft").await, agent.stranger().await);
    for call in &CALLS {
        let token = match call.who {
            Who::Reader => &reader,
            Who::Stranger => &stranger,
            Who::Unknown => UNKNOWN,
        };
        let told = calls::ask(&agent.address, call, token).await;
        assert_eq!(shape(&told), shape(&recorded(call.name)), "{}", call.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_consul_leads_to_the_members_is_followed_and_is_done_without() {
    if !consul_agent::is_wanted() {
        return;
    }
    let Some(mut consul) = Agent::start().await else {
        return;
    };
    let mut cluster = Cluster::start(3, 0).await;
    let first = port(&cluster, 1);
    consul
        .register("raft", "raft-1", "127.0.0.1", first, "api")
        .await;
    consul.register("raft", "away", "", 1, "another").await;
    let reader = consul.reader("raft").await;
    let seed = format!("consul:http://{}/raft?tag=api&scheme=http", consul.address);
    let followed = driver(&[&seed], with_token(&reader));
    let all = ["node-1", "node-2", "node-3"];
    let seen = until(&followed, "all answer", |seen| answering(seen) == all).await;
    assert_eq!(failing(&seen), None);
    let lines = followed.diagnose().await;
    let place = format!("http://127.0.0.1:{first} ");
    assert!(lines[0].ok && lines[0].text.contains(&place), "{lines:?}");
    the_check_names_what_is_wrong_with_a_token(&consul).await;

    // An instance comes, another goes: the source follows, and what is configured stays the same.
    let second = port(&cluster, 2);
    consul
        .register("raft", "raft-2", "127.0.0.1", second, "api")
        .await;
    consul.deregister("raft-1").await;
    let lines = followed.diagnose().await;
    let place = format!("leads to http://127.0.0.1:{second} ");
    assert!(lines[0].ok && lines[0].text.contains(&place), "{lines:?}");
    cluster.stop(1).await;
    let rest = ["node-2", "node-3"];
    until(&followed, "the others are read", |seen| {
        answering(seen) == rest
    })
    .await;

    // The last one goes: an empty answer takes nothing away.
    consul.deregister("raft-2").await;
    assert_eq!(followed.diagnose().await[0].code, "consul-no-instance");
    let seen = until(&followed, "the others are read on", |seen| {
        answering(seen) == rest && failing(seen).is_some()
    })
    .await;
    assert_eq!(failing(&seen).unwrap().1, 1);

    // Consul itself goes, and comes back with what it knew.
    consul
        .register("raft", "raft-2", "127.0.0.1", second, "api")
        .await;
    assert_eq!(followed.diagnose().await[0].code, "source-answers");
    consul.kill();
    assert_eq!(followed.diagnose().await[0].code, "connection-refused");
    let seen = until(&followed, "the members are read without Consul", |seen| {
        answering(seen) == rest && failing(seen).is_some()
    })
    .await;
    assert_eq!(failing(&seen).unwrap().1, 1);
    consul.restart().await;
    until(&followed, "Consul is followed again", |seen| {
        answering(seen) == rest && failing(seen).is_none()
    })
    .await;
}

async fn the_check_names_what_is_wrong_with_a_token(consul: &Agent) {
    let stranger = consul.stranger().await;
    let seed = format!("consul:http://{}/raft?scheme=http", consul.address);
    for (lookups, code) in [
        (with_token(UNKNOWN), "consul-denied"),
        (with_token(&stranger), "consul-hides"),
        // To whom brings no token at all Consul does not say that it hides something.
        (Lookups::default(), "consul-no-instance"),
    ] {
        let lines = driver(&[&seed], lookups).diagnose().await;
        assert_eq!(codes(&lines), [code], "{lines:?}");
        let told = json!(lines).to_string();
        assert!(
            !told.contains(UNKNOWN) && !told.contains(&stranger),
            "{told}"
        );
    }
}
