#![allow(clippy::unwrap_used, clippy::panic)]

use quorate_domain::observation::Observation;

use super::*;

/// A driver that notes where it was told to begin.
#[derive(Default)]
struct Told(Mutex<Vec<Vec<String>>>);

#[async_trait]
impl Driver for Told {
    fn kind(&self) -> Kind {
        Kind::Agent
    }

    async fn observe(&self, _: Duration) -> Observation {
        std::future::pending().await
    }

    async fn apply(&self, _: &Step, _: &SnapshotPlace) -> Applied {
        std::future::pending().await
    }

    fn begin_at(&self, seeds: &[Url]) {
        let seeds = seeds.iter().map(address_of).collect();
        self.0.lock().unwrap().push(seeds);
    }

    async fn diagnose(&self) -> Vec<Diagnosis> {
        Vec::new()
    }
}

fn url(text: &str) -> Url {
    origin(text).unwrap()
}

fn answer(addresses: &[&str]) -> Result<Found, Cause> {
    let addresses = addresses.iter().map(|text| url(text)).collect();
    Ok(Found::new(addresses, Duration::ZERO))
}

#[test]
fn a_source_that_fails_keeps_its_last_answer_and_says_why() {
    let told = Arc::new(Told::default());
    let each = vec![
        Standing {
            addresses: vec![url("https://a:1")],
            ..Standing::default()
        },
        Standing::default(),
    ];
    let seed = Seed::parse("srv:_raft._tcp.example").unwrap();
    let Seed::Service(service) = seed else {
        panic!("{seed:?}")
    };
    let shared = Shared {
        driver: Arc::<Told>::clone(&told),
        entries: vec![
            Entry::Fixed(url("https://a:1")),
            Entry::Told(Source::Service(service, None)),
        ],
        standings: Mutex::new(Standings {
            given: merged(&each),
            each,
        }),
        asked: watch::Sender::new(0),
    };
    assert!(shared.notes().is_empty());
    shared.learn(1, Err(Cause::NoName));
    let kept = |shared: &Shared| match shared.notes().as_slice() {
        [Note::SourceFailed { kept, why, .. }] => (*kept, why.contains("NXDOMAIN")),
        other => panic!("{other:?}"),
    };
    assert_eq!(kept(&shared), (0, true));
    shared.learn(1, answer(&["https://b:1", "https://a:1"]));
    assert!(shared.notes().is_empty());
    shared.learn(1, Err(Cause::NoName));
    assert_eq!(kept(&shared), (2, true));
    shared.learn(1, answer(&["https://b:1", "https://a:1"]));
    shared.learn(1, answer(&["https://c:1"]));
    let expected: Vec<Vec<String>> = [
        ["https://a:1", "https://b:1"],
        ["https://a:1", "https://c:1"],
    ]
    .map(|seeds| seeds.map(str::to_owned).to_vec())
    .to_vec();
    assert_eq!(*told.0.lock().unwrap(), expected);
    assert_eq!(*shared.asked.borrow(), 1);
}

#[test]
fn seeds_are_addresses_names_and_services_and_nothing_else() {
    for good in [
        "https://bao.example:8200",
        "srv:_raft._tcp.example",
        "srv:_raft._tcp.example.?scheme=http",
        "srv:vault.service.consul?targets=consul",
        "consul:https://consul.example:8501/vault",
        "consul:http://127.0.0.1:8500/vault?tag=a&tag=b&dc=eu1&scheme=http",
    ] {
        assert!(Seed::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "bao.example",
        "srv:",
        "srv:_raft._tcp",
        "srv:_raft._tcp.exa mple",
        "srv:_raft._tcp.example?port=1",
        "srv:_raft._tcp.example?scheme=ftp",
        "srv:https://host",
        "consul:",
        "consul:host/vault",
        "consul:https://host:8501",
        "consul:https://host:8501/a/b",
        "consul:https://host:8501/vault?token=x",
        "consul:ftp://host/vault",
    ] {
        assert!(Seed::parse(bad).is_err(), "{bad}");
    }
    let error = Seed::parse("consul:https://ops:hunter2@host/vault").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn what_an_answer_holds_for_is_bounded() {
    let lasts = |seconds| {
        let addresses = vec![url("https://a:1")];
        Found::new(addresses, Duration::from_secs(seconds))
            .lasts
            .as_secs()
    };
    assert_eq!([0, 30, 86_400].map(lasts), [5, 30, 300]);
    let pauses = [1, 2, 3, 40].map(|failures| source::pause(failures).as_secs());
    assert_eq!(pauses, [5, 10, 20, 60]);
}

#[test]
fn a_source_that_waits_for_changes_is_asked_again_soon_and_one_that_does_not_is_not() {
    let found = |index| Found {
        index,
        ..Found::new(Vec::new(), Duration::from_secs(15))
    };
    let pause = |index, since, took: u64| {
        let found: Found = found(index);
        found.pause(since, Duration::from_millis(took)).as_secs()
    };
    assert_eq!(pause(Some(7), None, 2), 1, "the first answer");
    assert_eq!(pause(Some(8), Some(7), 2), 1, "it has changed");
    assert_eq!(pause(Some(7), Some(7), 30_000), 1, "nothing has, for long");
    assert_eq!(pause(Some(7), Some(7), 2), 15, "it did not wait");
    assert_eq!(pause(None, None, 2), 15, "it cannot wait");
}
