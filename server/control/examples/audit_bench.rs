//! Measures the audit log and prints: durable entries a second, the wait for one entry, verifying
//! and exporting a large log. `cargo xtask bench audit` runs it as released.
//!
//! Beside it stands what SQLite does with one synchronised insert after another on this disk: the
//! figure that a log without writing together could not pass.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use quorate_audit::{
    bundle::{Bundle, Ending},
    checkpoint::Checkpoint,
    note::SigningKey,
    personal::People,
    table,
    tree::{Frontier, leaf},
    verify::{self, Known},
};
use quorate_control::{Control, Format, Settings};
use quorate_domain::audit::{Entry, Filter, Source};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

const WRITERS: u32 = 64;
const WRITE_FOR: Duration = Duration::from_secs(5);
const PACE: Duration = Duration::from_millis(10);
const PACED: u32 = 600;
const ENTRIES: u64 = 1_000_000;

fn say(name: &str, value: f64, unit: &str, note: &str) {
    println!("{name:<58} {value:>12.1} {unit:<5} {note}");
}

/// Every wait the log has told of, in milliseconds, by name and part.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

struct One {
    told: Told,
    name: String,
}

impl Told {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Vec<f64>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn forget(&self) {
        self.with(BTreeMap::clear);
    }

    fn say(&self) {
        let told = self.with(std::mem::take);
        for (name, mut waits) in told {
            waits.sort_by(f64::total_cmp);
            let most = waits.last().copied().unwrap_or_default();
            let note = format!(
                "99 of 100 {:.1} ms, at most {most:.1} ms, {} times",
                of_hundred(&waits, 99),
                waits.len()
            );
            say(
                &format!("  {name}, median"),
                of_hundred(&waits, 50),
                "ms",
                &note,
            );
        }
    }
}

impl metrics::HistogramFn for One {
    fn record(&self, seconds: f64) {
        let name = self.name.clone();
        self.told
            .with(|told| told.entry(name).or_default().push(seconds * 1e3));
    }
}

impl metrics::Recorder for Told {
    fn describe_counter(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }
    fn describe_gauge(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }
    fn describe_histogram(
        &self,
        _: metrics::KeyName,
        _: Option<metrics::Unit>,
        _: metrics::SharedString,
    ) {
    }
    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        metrics::Counter::noop()
    }
    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::noop()
    }
    fn register_histogram(
        &self,
        key: &metrics::Key,
        _: &metrics::Metadata<'_>,
    ) -> metrics::Histogram {
        let parts: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        let name = format!("{} {}", key.name(), parts.join(" "));
        metrics::Histogram::from_arc(Arc::new(One {
            told: self.clone(),
            name: name.trim().to_owned(),
        }))
    }
}

fn of_hundred(sorted: &[f64], count: usize) -> f64 {
    let at = sorted.len() * count / 100;
    sorted.get(at).copied().unwrap_or_default()
}

#[tokio::main]
async fn main() {
    let told = Told::default();
    metrics::set_global_recorder(told.clone()).unwrap();
    let folder = std::env::args().nth(1);
    let parent = folder
        .as_deref()
        .map_or_else(std::env::temp_dir, Into::into);
    let directory = tempfile::tempdir_in(parent).unwrap();
    plain(directory.path()).await;
    let settings = Settings {
        data_dir: directory.path().join("data"),
        read_only: false,
        clusters: Vec::new(),
        version: "0.0.0-bench".to_owned(),
        session_idle: Duration::from_secs(60),
        session_absolute: Duration::from_secs(60),
        approvals: quorate_control::ApprovalPolicy::default(),
        configuration: None,
    };
    let control = Control::start(settings).await.unwrap();
    paced(&control, &told).await;
    together(&control).await;
    told.say();
    filled(&control).await;
    paced(&control, &told).await;
    export(&control).await;
    large(directory.path());
}

/// What one writer costs, as entries are: about 700 bytes.
fn peer(number: u32) -> Source {
    Source {
        peer: Some(format!("10.{}.{}.7", number / 250, number % 250)),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) bench".to_owned()),
        request_id: Some(format!("01930f2a-7c1e-7d3a-9f00-{number:012}")),
        session: Some("5f2c9d0e1b7a4c33".to_owned()),
        ..Source::default()
    }
}

fn text() -> String {
    format!(
        "Promote node-4 to voter, for the third region. {}",
        "Reviewed by two. ".repeat(12)
    )
}

/// SQLite alone: one row, one synchronised commit.
async fn plain(directory: &Path) {
    let options = SqliteConnectOptions::new()
        .filename(directory.join("plain.db"))
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full);
    let mut connection = options.connect().await.unwrap();
    let table = "CREATE TABLE entries (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT";
    sqlx::query(table).execute(&mut connection).await.unwrap();
    let bytes = vec![b'x'; 700];
    let (began, mut rows) = (Instant::now(), 0_u32);
    while began.elapsed() < WRITE_FOR {
        sqlx::query("INSERT INTO entries (bytes) VALUES (?)")
            .bind(&bytes)
            .execute(&mut connection)
            .await
            .unwrap();
        rows += 1;
    }
    let rate = f64::from(rows) / began.elapsed().as_secs_f64();
    say(
        "plain SQLite insert, full sync, one after another",
        rate,
        "/s",
        "",
    );
    let mut waits = Vec::new();
    let mut ticks = tokio::time::interval(PACE);
    for _ in 0..PACED {
        ticks.tick().await;
        let began = Instant::now();
        sqlx::query("INSERT INTO entries (bytes) VALUES (?)")
            .bind(&bytes)
            .execute(&mut connection)
            .await
            .unwrap();
        waits.push(began.elapsed().as_secs_f64() * 1e3);
    }
    waits.sort_by(f64::total_cmp);
    let note = format!("median {:.1} ms", of_hundred(&waits, 50));
    let name = "plain SQLite insert at 100/s, 99 of 100";
    say(name, of_hundred(&waits, 99), "ms", &note);
    connection.close().await.unwrap();
}

async fn together(control: &Control) {
    let began = Instant::now();
    let writers = (0..WRITERS).map(|number| {
        let control = control.clone();
        tokio::spawn(async move {
            let mut written = 0_u32;
            while began.elapsed() < WRITE_FOR {
                control.rehearse_entry(&text(), peer(number)).await.unwrap();
                written += 1;
            }
            written
        })
    });
    let mut written = 0;
    for writer in writers.collect::<Vec<_>>() {
        written += writer.await.unwrap();
    }
    let rate = f64::from(written) / began.elapsed().as_secs_f64();
    say(
        "durable entries, 64 writers, tree and checkpoints",
        rate,
        "/s",
        "aim 20000",
    );
}

async fn paced(control: &Control, told: &Told) {
    told.forget();
    let mut waits = Vec::new();
    let mut ticks = tokio::time::interval(PACE);
    for number in 0..PACED {
        ticks.tick().await;
        let began = Instant::now();
        control.rehearse_entry(&text(), peer(number)).await.unwrap();
        waits.push(began.elapsed().as_secs_f64() * 1e3);
    }
    waits.sort_by(f64::total_cmp);
    let at = |count: usize| of_hundred(&waits, count);
    say("intent durable at 100/s, median", at(50), "ms", "");
    say("intent durable at 100/s, 99 of 100", at(99), "ms", "aim 5");
    say(
        "intent durable at 100/s, at most",
        waits[waits.len() - 1],
        "ms",
        "",
    );
    told.say();
}

/// Writes until there are a million entries.
async fn filled(control: &Control) {
    let who = control.command_line_operator();
    let began = Instant::now();
    let have = control.audit_size(&who).await.unwrap();
    let each = ENTRIES.saturating_sub(have) / u64::from(4 * WRITERS) + 1;
    let writers = (0..4 * WRITERS).map(|number| {
        let control = control.clone();
        tokio::spawn(async move {
            for _ in 0..each {
                control.rehearse_entry(&text(), peer(number)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    say("filling the log to a million entries", took, "s", "");
}

/// What was written above, exported from the database.
async fn export(control: &Control) {
    let who = control.command_line_operator();
    for format in [Format::Csv, Format::Bundle] {
        let began = Instant::now();
        let filter = Filter::default();
        let export = control
            .audit_export(&who, format, &filter, None)
            .await
            .unwrap();
        let took = began.elapsed().as_secs_f64();
        let name = format!(
            "export of {} entries as {}",
            export.entries,
            format.as_str()
        );
        say(&name, took, "s", "aim 10 a million");
        if format == Format::Bundle {
            let began = Instant::now();
            let report = verify::bundle(export.content, Known::default()).unwrap();
            assert!(report.holds(), "{report}");
            let name = format!("verifying that bundle of {} entries", report.size);
            say(&name, began.elapsed().as_secs_f64(), "s", "");
        }
    }
    say("memory at most so far", peak(), "MB", "");
}

/// The most memory this process has held, in megabytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    kilobytes
        .and_then(|number| number.parse::<f64>().ok())
        .unwrap_or_default()
        / 1e3
}

fn entry(seq: u64) -> Vec<u8> {
    let bytes = format!(
        "{{\"seq\":{seq},\"time\":\"2026-11-21T14:00:00.000Z\",\"kind\":\"access\",\
         \"action\":\"promote\",\"actor\":{{\"issuer\":\"local\",\"subject\":\"0193-{seq}\",\
         \"name\":\"ada\",\"means\":\"password\"}},\"source\":{{\"peer\":\"10.0.0.7\",\
         \"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64)\",\"request_id\":null,\"session\":null}},\
         \"cluster\":\"demo\",\"member\":\"node-4\",\"change\":null,\"intent_seq\":null,\
         \"outcome\":\"succeeded\",\"reason\":\"capacity\",\"ticket\":\"OPS-7\",\
         \"text\":\"{}\",\"seen\":null,\"sent\":null,\"received\":null}}",
        text()
    );
    bytes.into_bytes()
}

/// A million entries of 700 bytes: a bundle verified, a table written.
fn large(directory: &Path) {
    let key = Arc::new(SigningKey::of_seed("quorate-audit/bench", [7; 32]).unwrap());
    let create = |name: &str| {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        options.open(directory.join(name)).unwrap()
    };
    let out = std::io::BufWriter::with_capacity(1 << 20, create("large.tar"));
    let mut bundle = Bundle::begin(out, create("gaps")).unwrap();
    let mut frontier = Frontier::default();
    for seq in 1..=ENTRIES {
        let bytes = entry(seq);
        frontier.append(leaf(&bytes));
        bundle.entry(&bytes, true).unwrap();
    }
    let checkpoint = Checkpoint {
        origin: "quorate-audit/bench".to_owned(),
        size: ENTRIES,
        root: frontier.root(),
    };
    let signing = std::slice::from_ref(&*key);
    let public = [key.public().clone()];
    let note = checkpoint.sign(signing).unwrap();
    let ending = Ending {
        checkpoint: &checkpoint,
        note: &note,
        earlier: &[],
        keys: &public,
        people: &People::default(),
        filter: "{}",
        signing,
    };
    let (mut out, _) = bundle.finish(&ending).unwrap();
    out.flush().unwrap();
    let file = std::fs::File::open(directory.join("large.tar")).unwrap();
    let bytes = u32::try_from(file.metadata().unwrap().len() / 1_000_000).unwrap();
    let began = Instant::now();
    let report = verify::bundle(
        file,
        Known {
            keys: &public,
            outside: &[],
        },
    )
    .unwrap();
    assert!(report.holds(), "{report}");
    let name = format!("verifying a bundle of 1,000,000 entries ({bytes} MB)");
    say(&name, began.elapsed().as_secs_f64(), "s", "aim 5");

    let mut lines = String::new();
    let file = std::fs::File::open(directory.join("large.tar")).unwrap();
    file.take(1 << 20).read_to_string(&mut lines).unwrap();
    let some: Vec<&str> = lines
        .lines()
        .filter(|line| line.starts_with("{\"seq\""))
        .collect();
    let some = &some[..some.len() - 1];
    let began = Instant::now();
    let mut csv = std::io::BufWriter::new(create("large.csv"));
    for number in 0..usize::try_from(ENTRIES).unwrap() {
        let entry: Entry = serde_json::from_str(some[number % some.len()]).unwrap();
        csv.write_all(table::row(&entry).as_bytes()).unwrap();
    }
    csv.flush().unwrap();
    let took = began.elapsed().as_secs_f64();
    say(
        "1,000,000 rows of a table, without the database",
        took,
        "s",
        "",
    );
    say("memory at most", peak(), "MB", "");
}
