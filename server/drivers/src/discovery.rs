//! Where to begin, told by others: DNS service records and Consul's catalogue among the seeds.
//!
//! Each source is asked again and again, in the background; its last good answer stays in use
//! while it fails, and that it fails is a finding that names the cause. What it tells is a place
//! to begin, no more: who the members are is always the cluster's own word.

mod catalogue;
mod cause;
pub(crate) mod names;
mod places;
mod seed;
mod service;
mod source;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::join_all;
use quorate_domain::{
    cluster::Kind,
    groups::Fleet,
    observation::{Note, Observation},
    plan::Step,
};
use tokio::{sync::watch, task::AbortHandle, time::timeout};
use url::Url;

use crate::{
    Applied, ConnectError, Connection, Diagnosis, Driver, SnapshotPlace,
    http::{address_of, origin, plain_http},
};
use cause::Cause;
use source::{Found, Source};

pub use places::Places;
pub use seed::{Seed, SeedError};

/// The most addresses all sources of a cluster may give together.
const MOST: usize = 64;
/// The first look waits so long for the sources' first answers.
const FIRST: Duration = Duration::from_millis(400);

/// The driver for `connection`: `reach` makes it for plain addresses, and where there are sources
/// among the seeds it is told what they tell. With sources this wants a running Tokio.
///
/// # Errors
/// If a seed can never lead anywhere, and as `reach`.
pub(crate) fn connect(
    mut connection: Connection,
    reach: impl FnOnce(Connection) -> Result<Arc<dyn Driver>, ConnectError>,
) -> Result<Arc<dyn Driver>, ConnectError> {
    if !connection.seeds.iter().any(|seed| Seed::is_source(seed)) {
        return reach(connection);
    }
    let seeds: Vec<Seed> = connection
        .seeds
        .iter()
        .map(|seed| Seed::parse(seed))
        .collect::<Result<_, _>>()?;
    let mut entries = Vec::new();
    for seed in seeds {
        entries.push(match seed {
            Seed::Address(url) => Entry::Fixed(url),
            seed => Entry::Told(Source::new(seed, &connection)?),
        });
    }
    connection.seeds.retain(|seed| !Seed::is_source(seed));
    let driver = reach(connection)?;
    Ok(Arc::new(Discovered::start(driver, entries)))
}

/// A seed in the order of the configuration.
enum Entry {
    Fixed(Url),
    Told(Source),
}

/// A driver that is told where to begin by sources; they are asked until this is dropped.
struct Discovered {
    shared: Arc<Shared>,
    tasks: Vec<AbortHandle>,
}

struct Shared {
    driver: Arc<dyn Driver>,
    entries: Vec<Entry>,
    standings: Mutex<Standings>,
    /// How many sources have been asked at least once.
    asked: watch::Sender<usize>,
}

/// How each entry stands; the fixed ones stand still.
struct Standings {
    each: Vec<Standing>,
    /// What the driver was told last.
    given: Vec<Url>,
}

#[derive(Clone, Default)]
struct Standing {
    /// The last good answer.
    addresses: Vec<Url>,
    trouble: Option<Cause>,
    asked: bool,
}

impl Discovered {
    fn start(driver: Arc<dyn Driver>, entries: Vec<Entry>) -> Self {
        let standing = |entry: &Entry| match entry {
            Entry::Fixed(url) => Standing {
                addresses: vec![url.clone()],
                trouble: None,
                asked: true,
            },
            Entry::Told(_) => Standing::default(),
        };
        let each: Vec<Standing> = entries.iter().map(standing).collect();
        let standings = Standings {
            given: merged(&each),
            each,
        };
        let shared = Arc::new(Shared {
            driver,
            standings: Mutex::new(standings),
            asked: watch::Sender::new(0),
            entries,
        });
        let sources = 0..shared.entries.len();
        let tasks = sources
            .filter(|at| matches!(shared.entries.get(*at), Some(Entry::Told(_))))
            .map(|at| tokio::spawn(follow(Arc::clone(&shared), at)).abort_handle())
            .collect();
        Self { shared, tasks }
    }

    /// Until every source has been asked once, or for a little while.
    async fn first_answers(&self, most: Duration) {
        let sources = self.tasks.len();
        let mut asked = self.shared.asked.subscribe();
        let _late = timeout(most, asked.wait_for(|asked| *asked >= sources)).await;
    }
}

impl Drop for Discovered {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Asks one source for as long as the driver lives.
async fn follow(shared: Arc<Shared>, at: usize) {
    let Some(Entry::Told(source)) = shared.entries.get(at) else {
        return;
    };
    let (mut failures, mut since) = (0, None);
    loop {
        let began = Instant::now();
        let found = source.ask(since).await;
        failures = if found.is_ok() { 0 } else { failures + 1 };
        let pause = match &found {
            Ok(found) => found.pause(since, began.elapsed()),
            Err(_) => source::pause(failures),
        };
        // One that has gone back is of a catalogue that was made anew.
        let index = found.as_ref().ok().and_then(|found| found.index);
        since = index.filter(|index| since.is_none_or(|before| *index >= before));
        shared.learn(at, found);
        tokio::time::sleep(pause).await;
    }
}

impl Shared {
    /// Never held across an await.
    fn standings(&self) -> MutexGuard<'_, Standings> {
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an answer, or why there is none; tells the driver where that changes its beginning.
    fn learn(&self, at: usize, found: Result<Found, Cause>) {
        let begin = {
            let mut standings = self.standings();
            let Some(standing) = standings.each.get_mut(at) else {
                return;
            };
            let first = !std::mem::replace(&mut standing.asked, true);
            match found {
                Ok(found) => {
                    standing.addresses = found.addresses;
                    standing.trouble = None;
                }
                Err(cause) => standing.trouble = Some(cause),
            }
            if first {
                self.asked.send_modify(|asked| *asked += 1);
            }
            let merged = merged(&standings.each);
            let moved = merged != standings.given && !merged.is_empty();
            if moved {
                standings.given.clone_from(&merged);
            }
            moved.then_some(merged)
        };
        if let Some(seeds) = begin {
            let told: Vec<String> = seeds.iter().map(address_of).collect();
            tracing::info!(seeds = told.join(", "), "the seeds have moved");
            self.driver.begin_at(&seeds);
        }
    }

    fn notes(&self) -> Vec<Note> {
        let standings = self.standings();
        let mut notes = Vec::new();
        for (entry, standing) in self.entries.iter().zip(&standings.each) {
            let Entry::Told(source) = entry else { continue };
            notes.extend(source.asked_at().and_then(plain_http));
            if let Some(cause) = &standing.trouble {
                notes.push(Note::SourceFailed {
                    source: source.to_string(),
                    why: cause.to_string(),
                    hint: cause.hint().to_owned(),
                    kept: u64::try_from(standing.addresses.len()).unwrap_or(u64::MAX),
                });
            }
        }
        notes
    }
}

/// All addresses in the order of the configuration, each once.
fn merged(each: &[Standing]) -> Vec<Url> {
    let mut merged: Vec<Url> = Vec::new();
    for url in each.iter().flat_map(|standing| &standing.addresses) {
        if merged.len() < MOST && !merged.contains(url) {
            merged.push(url.clone());
        }
    }
    merged
}

#[async_trait]
impl Driver for Discovered {
    fn kind(&self) -> Kind {
        self.shared.driver.kind()
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        let began = Instant::now();
        self.first_answers(FIRST.min(deadline / 3)).await;
        let left = deadline.saturating_sub(began.elapsed());
        let mut observation = self.shared.driver.observe(left).await;
        observation.notes.extend(self.shared.notes());
        observation
    }

    async fn apply(&self, step: &Step, place: &SnapshotPlace) -> Applied {
        self.shared.driver.apply(step, place).await
    }

    fn recall(&self, places: &[Url]) {
        self.shared.driver.recall(places);
    }

    fn pushes(&self) -> Option<watch::Receiver<u64>> {
        self.shared.driver.pushes()
    }

    fn groups(&self) -> Option<Arc<RwLock<Fleet>>> {
        self.shared.driver.groups()
    }

    fn group(&self, group: &str) -> Option<Arc<dyn Driver>> {
        self.shared.driver.group(group)
    }

    /// What each source tells now, then what is found where that leads.
    async fn diagnose(&self) -> Vec<Diagnosis> {
        let entries = self.shared.entries.iter().enumerate();
        let sources = entries.filter_map(|(at, entry)| match entry {
            Entry::Told(source) => Some(async move { (at, source, source.ask(None).await) }),
            Entry::Fixed(_) => None,
        });
        let mut lines = Vec::new();
        for (at, source, found) in join_all(sources).await {
            lines.push(line(source, &found));
            lines.extend(source.asked_at().and_then(plain_line));
            self.shared.learn(at, found);
        }
        if !self.shared.standings().given.is_empty() {
            lines.extend(self.shared.driver.diagnose().await);
        }
        lines
    }
}

fn line(source: &Source, found: &Result<Found, Cause>) -> Diagnosis {
    match found {
        Ok(found) => {
            let addresses: Vec<String> = found.addresses.iter().map(address_of).collect();
            let again = match found.index {
                Some(_) => "its changes are waited for".to_owned(),
                None => format!("asked again after {} s", found.lasts.as_secs()),
            };
            Diagnosis {
                ok: true,
                code: "source-answers".to_owned(),
                text: format!("{source} leads to {} ({again}).", addresses.join(", ")),
                hint: None,
            }
        }
        Err(cause) => Diagnosis {
            ok: false,
            code: cause.code().to_owned(),
            text: format!("{source} does not tell where members are: {cause}."),
            hint: Some(cause.hint().to_owned()),
        },
    }
}

fn plain_line(url: &Url) -> Option<Diagnosis> {
    plain_http(url).map(|_| Diagnosis {
        ok: false,
        code: "plain-http".to_owned(),
        text: format!(
            "{} is reached by plain HTTP: whoever is on the way decides where the members are.",
            address_of(url)
        ),
        hint: Some("Use Consul's TLS port, usually 8501, and https://.".to_owned()),
    })
}

/// `host` and `port` as the origin of a member's API.
fn address(scheme: &str, host: &str, port: u16) -> Option<Url> {
    let host = host.trim_end_matches('.');
    let text = if host.contains(':') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    };
    (port != 0).then(|| origin(&text).ok()).flatten()
}

#[cfg(test)]
mod tests;
