//! Where a request began, behind proxies: the record holds it beside the proxy's own address, and
//! guessing is slowed by it. Cloudflare and others append to a list that the client has begun, so
//! only what stands right of it counts.

use quorate::{configuration::Configuration, identity::Peers};
use quorate_domain::audit::{Entry, Filter, Source};

use crate::support::{Form as _, Running};

async fn behind_a_proxy() -> Running {
    let proxies = Peers::parse(&["127.0.0.1".to_owned()]).unwrap();
    Running::with(move |settings| settings.trusted_proxies = Some(proxies)).await
}

/// What the sign-in form leads to.
async fn guess(console: &Running, name: &str, forwarded: &str) -> String {
    let form = [("name", name), ("password", "not the one of anybody")];
    let asked = console
        .post("/sign-in")
        .header("x-forwarded-for", forwarded);
    let answer = asked.form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn sign_ins(console: &Running) -> Vec<Entry> {
    let who = console.control.command_line_operator();
    let page = console
        .control
        .audit(&who, &Filter::default(), 0, 1_000)
        .await;
    let entries = page.unwrap().items.into_iter();
    entries.filter(|entry| entry.action == "sign_in").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_holds_the_proxys_address_and_the_clients() {
    let console = behind_a_proxy().await;
    guess(&console, "ada", "1.1.1.1, 203.0.113.9:4711").await;
    guess(&console, "ada", "not an address").await;
    let found: Vec<_> = sign_ins(&console).await;
    let addresses: Vec<_> = found
        .iter()
        .map(|entry| (entry.source.peer.as_deref(), entry.source.client.as_deref()))
        .collect();
    let (here, client) = (Some("127.0.0.1"), Some("203.0.113.9"));
    assert!(addresses.contains(&(here, client)), "{addresses:?}");
    assert!(addresses.contains(&(here, None)), "{addresses:?}");
    assert_eq!(addresses.len(), 2);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_nobody_trusted_says_is_not_believed() {
    let console = Running::start().await;
    guess(&console, "ada", "203.0.113.9").await;
    let found = sign_ins(&console).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].source.client, None);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_guesses_behind_a_proxy_does_not_slow_the_others() {
    let console = behind_a_proxy().await;
    let mut refused = false;
    // The wait doubles with each guess: even where one takes long, a later one comes too early.
    for forged in 1..15 {
        let list = format!("1.1.1.{forged}, 203.0.113.9");
        let to = guess(&console, "ada", &list).await;
        refused = to.contains("problem=throttled");
        if refused {
            break;
        }
    }
    assert!(refused, "guessing is never slowed");
    let to = guess(&console, "bob", "198.51.100.7").await;
    assert!(to.contains("problem=sign-in-failed"), "{to}");
    console.stop().await;
}

#[test]
fn proxies_are_named_one_by_one_and_never_everybody() {
    let of = |list: &str| {
        let text = format!("[server]\ntrusted_proxies = {list}\n");
        Configuration::parse(&text, []).map(|it| it.trusted_proxies)
    };
    assert_eq!(Configuration::parse("", []).unwrap().trusted_proxies, None);
    assert_eq!(of("[]").unwrap(), None);
    assert!(
        of("[\"10.1.0.0/16\", \"2001:db8::1\", \"unix\"]")
            .unwrap()
            .is_some()
    );
    for list in [
        "[\"0.0.0.0/0\"]",
        "[\"::/0\"]",
        "[\"*\"]",
        "[\"proxy.example\"]",
    ] {
        let error = of(list).unwrap_err();
        let says = error.problems[0].starts_with("server.trusted_proxies: ");
        assert!(says, "{list}: {error}");
    }
}

#[test]
fn an_entry_without_a_clients_address_is_written_as_before() {
    let old = r#"{"peer":"10.0.0.1","user_agent":null,"request_id":"r","session":null}"#;
    let source: Source = serde_json::from_str(old).unwrap();
    assert_eq!(serde_json::to_string(&source).unwrap(), old);
}
