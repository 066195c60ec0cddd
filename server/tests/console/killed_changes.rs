//! A console that is killed in the middle of changes, at any step between intent and outcome. What
//! happened is counted by the stand-ins for the clusters, never taken from the console's own word.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    routing::{get, post},
};
use quorate_control::Control;
use quorate_domain::audit::{Entry, EntryKind, Filter, Outcome};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify};

use crate::support::client;

const CLUSTERS: usize = 6;
const KILLS: u32 = 200;
/// Kills between two times at which everything that was left open is waited for.
const PART: u32 = 8;
/// A machine may be slow, and busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// By how many milliseconds the console's clock and ours may differ, on one machine.
const CLOCKS_DIFFER: i64 = 200;

/// Where in the life of one of its requests the console dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// So many milliseconds after the changes were asked for.
    After(u64),
    /// The request has arrived, and is never carried out.
    Arrived,
    /// It is carried out, and not answered.
    CarriedOut,
    /// It is answered, so many milliseconds ago.
    Answered(u64),
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn moment(&mut self) -> Moment {
        match self.below(8) {
            0 => Moment::Arrived,
            1 => Moment::CarriedOut,
            2 => Moment::Answered(self.below(150)),
            _ => Moment::After(self.below(1_000)),
        }
    }
}

/// A request that arrived: when, to whom leadership was to go, whether it went.
#[derive(Clone, Debug)]
struct Call {
    /// In milliseconds since 1970.
    at: i64,
    to: String,
    carried_out: bool,
}

/// What the stand-in for one cluster knows.
struct Truth {
    name: String,
    places: Vec<String>,
    state: Mutex<Cluster>,
    /// Where the console is to die, and the word that it is time.
    moment: Mutex<Option<Moment>>,
    die: Arc<Notify>,
}

struct Cluster {
    leader: String,
    term: u64,
    calls: Vec<Call>,
}

/// Three voters, each with a port of its own.
impl Truth {
    async fn stand(name: String, die: Arc<Notify>) -> Arc<Self> {
        let mut listeners = Vec::new();
        for _ in 0..3 {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let place = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let truth = Arc::new(Self {
            name,
            places: listeners.iter().map(place).collect(),
            state: Mutex::new(Cluster {
                leader: "n1".to_owned(),
                term: 3,
                calls: Vec::new(),
            }),
            moment: Mutex::default(),
            die,
        });
        for (number, listener) in listeners.into_iter().enumerate() {
            let group = "/quorate/agent/v1/groups/default";
            let router = Router::new()
                .route("/quorate/agent/v1/identity", get(identity))
                .route(group, get(view))
                .route(&format!("{group}/changes"), post(change))
                .with_state((Arc::clone(&truth), number + 1));
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        truth
    }

    fn calls(&self) -> Vec<Call> {
        self.state.lock().unwrap().calls.clone()
    }

    fn is_now(&self, wanted: impl Fn(Moment) -> bool) -> bool {
        self.moment.lock().unwrap().is_some_and(wanted)
    }
}

type Node = State<(Arc<Truth>, usize)>;

async fn identity(State((truth, number)): Node) -> Json<Value> {
    let can = |action: &str| json!({ "action": action, "supported": true });
    let capabilities = [can("transfer")];
    Json(json!({
        "protocol": 1,
        "implementation": "stand-in",
        "cluster_id": truth.name,
        "member": format!("n{number}"),
        "rights": ["read", "change"],
        "capabilities": capabilities,
    }))
}

async fn view(State((truth, number)): Node) -> Json<Value> {
    let cluster = truth.state.lock().unwrap();
    let name = format!("n{number}");
    let leads = name == cluster.leader;
    let names: Vec<String> = (1..=3).map(|id| format!("n{id}")).collect();
    let members: Vec<Value> = names
        .iter()
        .zip(&truth.places)
        .map(|(id, place)| {
            json!({ "id": id, "address": place, "agent_address": place, "role": "voter" })
        })
        .collect();
    let heard = json!({ "matched_index": 9, "last_contact_ms": 5 });
    let others = names.iter().filter(|id| leads && **id != name);
    let progress: BTreeMap<&String, &Value> = others.map(|id| (id, &heard)).collect();
    Json(json!({
        "member": name,
        "state": if leads { "leader" } else { "follower" },
        "term": cluster.term,
        "leader": cluster.leader,
        "claims_leadership": leads,
        "quorum_evidence_ms": leads.then_some(5),
        "election_timeout_ms": 1_000,
        "last_index": 9, "commit_index": 9, "applied_index": 9,
        "voter": true,
        "membership": { "revision": "r1", "members": members, "configs": [names] },
        "progress": progress,
    }))
}

async fn change(State((truth, _)): Node, body: Bytes) -> Json<Value> {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut call = Call {
        at: i64::try_from(now.as_millis()).unwrap(),
        to: body["member"].as_str().unwrap().to_owned(),
        carried_out: false,
    };
    let dies_first = truth.is_now(|moment| moment == Moment::Arrived);
    {
        let mut cluster = truth.state.lock().unwrap();
        if !dies_first {
            cluster.leader.clone_from(&call.to);
            cluster.term += 1;
            call.carried_out = true;
        }
        cluster.calls.push(call);
    }
    if dies_first || truth.is_now(|moment| moment == Moment::CarriedOut) {
        truth.die.notify_one();
        // Nobody is there any more to be answered.
        std::future::pending::<()>().await;
    }
    if truth.is_now(|moment| matches!(moment, Moment::Answered(_))) {
        truth.die.notify_one();
    }
    Json(json!({ "outcome": "done" }))
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // Unlike a stop: nothing is written any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Desk {
    directory: tempfile::TempDir,
    config: String,
    token: String,
    truths: Vec<Arc<Truth>>,
    die: Arc<Notify>,
    /// Ids of changes that the console has acknowledged.
    acknowledged: Vec<String>,
}

impl Desk {
    async fn set() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let die = Arc::new(Notify::new());
        let mut truths = Vec::new();
        for number in 1..=CLUSTERS {
            truths.push(Truth::stand(format!("c{number}"), Arc::clone(&die)).await);
        }
        let data = directory.path().join("data").display().to_string();
        let mut text = format!("[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {data:?}\n");
        for truth in &truths {
            let place = &truth.places[0];
            text.push_str(&format!(
                "[[clusters]]\nname = {:?}\nkind = \"agent\"\nseeds = [{place:?}]\n",
                truth.name
            ));
        }
        let config = directory.path().join("quorate.toml").display().to_string();
        std::fs::write(&config, text).unwrap();
        let made = quorate(&[
            "token", "create", "ops", "--role", "admin", "--config", &config,
        ]);
        Self {
            token: made.lines().last().unwrap().to_owned(),
            directory,
            config,
            truths,
            die,
            acknowledged: Vec::new(),
        }
    }

    fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    async fn serve(&self) -> (Served, String) {
        let address = self.data().join("address");
        let _absent = std::fs::remove_file(&address);
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(["serve", "--config", &self.config]);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::null());
        let served = Served(command.spawn().unwrap());
        let base = until("the console is ready", async || {
            let base = std::fs::read_to_string(&address).ok()?;
            let ready = client().get(format!("{base}readyz")).send().await.ok()?;
            (ready.status() == 200).then_some(base)
        })
        .await;
        (served, base)
    }

    /// Asks for a change of each cluster at once; those that still have one open refuse.
    async fn ask(&mut self, base: &str, most: Duration) {
        let asking = self.truths.iter().map(|truth| {
            let (token, base) = (self.token.clone(), base.to_owned());
            let name = truth.name.clone();
            tokio::spawn(async move { asked(&base, &token, &name).await })
        });
        let asking: Vec<_> = asking.collect();
        let end = tokio::time::Instant::now() + most;
        for mut task in asking {
            match tokio::time::timeout_at(end, &mut task).await {
                Ok(done) => self.acknowledged.extend(done.unwrap()),
                Err(_late) => task.abort(),
            }
        }
    }

    /// One cluster's request decides when; those of the others are wherever they are then.
    async fn killed_at(&mut self, moment: Moment, chosen: usize) {
        let (served, base) = self.serve().await;
        // Once it knows the clusters; one with a change left open refuses another.
        until("a cluster is seen", async || {
            preview(&base, &self.token, &self.truths[0].name).await
        })
        .await;
        *self.truths[chosen].moment.lock().unwrap() = Some(moment);
        let die = Arc::clone(&self.die);
        let (most, told) = match moment {
            Moment::After(after) => (Duration::from_millis(after), None),
            _ => (Duration::from_secs(2), Some(die)),
        };
        let killer = tokio::spawn(async move {
            let mut served = served;
            match told {
                // Where everybody refuses, nothing arrives.
                Some(told) => {
                    let _nothing = tokio::time::timeout(most, told.notified()).await;
                }
                None => tokio::time::sleep(most).await,
            }
            if let Moment::Answered(after) = moment {
                tokio::time::sleep(Duration::from_millis(after)).await;
            }
            served.0.kill().unwrap();
            drop(served);
        });
        self.ask(&base, Duration::from_secs(10)).await;
        killer.await.unwrap();
        *self.truths[chosen].moment.lock().unwrap() = None;
    }

    /// The console runs until nothing is open any more.
    async fn settled(&self) {
        let (_served, _base) = self.serve().await;
        until("every intent has its outcome", async || {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let entries = entries(&self.data()).await;
            open(&entries).is_empty().then_some(())
        })
        .await;
    }
}

/// The id of the change, if it was acknowledged.
async fn asked(base: &str, token: &str, cluster: &str) -> Option<String> {
    let (to, fingerprint) = preview(base, token, cluster).await?;
    let body = json!({ "action": "transfer", "member": to, "fingerprint": fingerprint,
                       "reason": "somebody pulls the plug" });
    let url = format!("{base}api/v1/clusters/{cluster}/changes");
    let request = client().post(url).bearer_auth(token).json(&body);
    let answer = request.send().await.ok()?;
    if answer.status() != 202 {
        return None;
    }
    let change: Value = answer.json().await.ok()?;
    Some(change["id"].as_str().unwrap().to_owned())
}

/// To whom leadership can go now: it goes to and fro.
async fn preview(base: &str, token: &str, cluster: &str) -> Option<(&'static str, String)> {
    for to in ["n2", "n1"] {
        let url = format!("{base}api/v1/clusters/{cluster}/preview");
        let body = json!({ "action": "transfer", "member": to });
        let request = client().post(url).bearer_auth(token).json(&body);
        let preview: Value = request.send().await.ok()?.json().await.ok()?;
        let leader = preview["before"]["leader"].as_str()?;
        if leader != to {
            return Some((to, preview["fingerprint"].as_str()?.to_owned()));
        }
    }
    None
}

fn quorate(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{output:?}");
    said
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All entries, without a number missing.
async fn entries(data: &Path) -> Vec<Entry> {
    let control = Control::offline(data.to_owned()).await.unwrap();
    let who = control.command_line_operator();
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = u64::try_from(entries.len()).unwrap();
        let page = control.audit(&who, &Filter::default(), after, 1_000).await;
        let page = page.unwrap();
        for (expected, entry) in (after + 1..).zip(&page.items) {
            assert_eq!(entry.seq, expected, "no number is missing");
        }
        entries.extend(page.items);
        if page.next.is_none() {
            return entries;
        }
    }
}

fn open(entries: &[Entry]) -> Vec<u64> {
    let answered = |seq: u64| entries.iter().any(|entry| entry.intent_seq == Some(seq));
    entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Intent && !answered(entry.seq))
        .map(|entry| entry.seq)
        .collect()
}

/// What came of all kills.
#[derive(Debug, Default)]
struct Tally {
    intents: usize,
    requests: usize,
    carried_out: usize,
    succeeded: usize,
    unknown: usize,
    failed: usize,
}

/// Holds the log against what the clusters know.
fn judged(desk: &Desk, entries: &[Entry]) -> Tally {
    let mut tally = Tally::default();
    for truth in &desk.truths {
        let calls = truth.calls();
        let intents: Vec<&Entry> = entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Intent)
            .filter(|entry| entry.cluster.as_ref().map(|name| name.as_str()) == Some(&truth.name))
            .collect();
        tally.intents += intents.len();
        tally.requests += calls.len();
        // A request belongs to the newest intent before it.
        let mut sent: BTreeMap<u64, &Call> = BTreeMap::new();
        for call in &calls {
            let before = |intent: &&&Entry| intent.time.unix_ms() <= call.at + CLOCKS_DIFFER;
            let intent = intents.iter().rfind(before);
            let intent =
                intent.unwrap_or_else(|| panic!("{}: {call:?} without a record", truth.name));
            let member = intent.member.as_ref().map(|id| id.as_str());
            assert_eq!(member, Some(call.to.as_str()), "{intent:?} {call:?}");
            let twice = sent.insert(intent.seq, call);
            assert!(twice.is_none(), "sent twice: {intent:?}");
        }
        for intent in &intents {
            let outcomes: Vec<&Entry> = entries
                .iter()
                .filter(|entry| entry.intent_seq == Some(intent.seq))
                .collect();
            let [outcome] = outcomes.as_slice() else {
                panic!("one outcome of {intent:?}: {outcomes:?}");
            };
            let done = sent.get(&intent.seq).is_some_and(|call| call.carried_out);
            tally.carried_out += usize::from(done);
            match outcome.outcome {
                Some(Outcome::Succeeded) => {
                    assert!(done, "{}: said done, and was not: {outcome:?}", truth.name);
                    tally.succeeded += 1;
                }
                other => {
                    assert!(
                        !done,
                        "{}: done, and said {other:?}: {outcome:?}",
                        truth.name
                    );
                    match other {
                        Some(Outcome::Unknown) => tally.unknown += 1,
                        _ => tally.failed += 1,
                    }
                }
            }
        }
    }
    for id in &desk.acknowledged {
        let recorded = entries.iter().any(|entry| {
            entry.kind == EntryKind::Intent && entry.change.as_ref().is_some_and(|it| it.0 == *id)
        });
        assert!(recorded, "{id} was acknowledged and is not on record");
    }
    tally
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_killed_between_intent_and_outcome_tells_what_became_of_it() {
    if std::env::var_os("QUORATE_TEST_SLOW").is_none() {
        eprintln!("a console killed in the middle of changes: only with QUORATE_TEST_SLOW=1");
        return;
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut desk = Desk::set().await;
    let mut tally = Tally::default();
    for kill in 1..=KILLS {
        // The first ones go through the steps one by one, whatever the dice say.
        let moment = match kill {
            // First what is looked for longest after the restart.
            1 => Moment::Arrived,
            2 => Moment::CarriedOut,
            3 => Moment::Answered(0),
            _ => dice.moment(),
        };
        let chosen = usize::try_from(dice.below(CLUSTERS.try_into().unwrap())).unwrap();
        desk.killed_at(moment, chosen).await;
        if kill % PART == 0 {
            desk.settled().await;
            let said = quorate(&["audit", "verify", &desk.data().display().to_string()]);
            assert!(said.contains("proved "), "{said}");
            tally = judged(&desk, &entries(&desk.data()).await);
        }
    }
    eprintln!(
        "{KILLS} kills: {tally:?}, {} acknowledged",
        desk.acknowledged.len()
    );
    assert!(tally.carried_out > 0 && tally.requests >= tally.carried_out);
}
