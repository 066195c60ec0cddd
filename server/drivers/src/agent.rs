//! Programs that embed an admin agent: one protocol, so one driver.
//!
//! Every member is asked for its own view at once; what each says of itself is kept apart from
//! what the leader says of others. Changes go to the leader, compared with the membership they
//! were decided on.

mod answers;
mod ask;
mod book;
mod bulk;
mod change;
mod diagnose;
mod follow;
mod many;
mod picture;
#[doc(hidden)]
pub mod rehearsal;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use quorate_domain::{
    cluster::{Kind, Thresholds},
    groups::Fleet,
    observation::Observation,
    plan::Step,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use url::Url;

use crate::{
    Applied, ConnectError, Connection, Diagnosis, Driver, SnapshotPlace,
    http::{Client, Wire, origin},
    patience::Patience,
};
use ask::{Asked, GROUP};
use book::Book;
use follow::Followers;
use many::Many;

/// The driver for one cluster of agents.
pub struct Agent {
    connection: Connection,
    client: Client,
    book: Mutex<Book>,
    patience: Patience,
    followers: Followers,
    /// The group it looks at; of a program of many, where that is a single one's own driver.
    group: String,
    /// For a program's own driver.
    many: Option<Many>,
}

impl Agent {
    /// # Errors
    /// If a seed is no address or the certificates cannot be used.
    pub fn connect(connection: Connection) -> Result<Arc<dyn Driver>, ConnectError> {
        let seeds = connection
            .seeds
            .iter()
            .map(|seed| origin(seed))
            .collect::<Result<_, _>>()?;
        let remembered = connection
            .remembered
            .iter()
            .filter_map(|seed| origin(seed).ok());
        let client = Client::new(&connection)?;
        Ok(Arc::new(Self {
            book: Mutex::new(Book::new(seeds, remembered.collect())),
            patience: Patience::default(),
            followers: Followers::new(
                client.clone(),
                connection.token.clone(),
                connection.status_timeout,
            ),
            client,
            connection,
            group: GROUP.to_owned(),
            many: Some(Many::new(Thresholds::default().lag_warn)),
        }))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks everybody known; whom they name beyond that is asked in a second round.
    async fn ask_all(&self, deadline: Duration) -> BTreeMap<Url, Asked> {
        let end = Instant::now() + deadline;
        let mut asked = BTreeMap::new();
        for _ in 0..2 {
            let known = self.book().addresses();
            let new: Vec<Url> = known
                .into_iter()
                .filter(|url| !asked.contains_key(url))
                .collect();
            if new.is_empty() {
                break;
            }
            let left = end.saturating_duration_since(Instant::now());
            let wait = self.connection.status_timeout.min(left);
            let answers = join_all(new.into_iter().map(|url| self.ask(url, wait))).await;
            self.book().learn(&answers);
            asked.extend(
                answers
                    .into_iter()
                    .map(|answer| (answer.url.clone(), answer)),
            );
        }
        asked
    }

    async fn ask(&self, url: Url, most: Duration) -> Asked {
        let began = std::time::Instant::now();
        let wait = self.patience.with(&url, most, began);
        let asking = ask::ask(
            &self.client,
            self.connection.token.as_ref(),
            url.clone(),
            &self.group,
            wait,
        );
        // The calls bound themselves; this holds even if one of them did not.
        let patience = wait + Duration::from_millis(100);
        let asked = match timeout(patience, asking).await {
            Ok(asked) => asked,
            Err(_) => Asked::silent(url, &Wire::TimedOut(wait)),
        };
        let ran_out = asked.view.is_none() && began.elapsed() >= wait;
        self.patience.learn(&asked.url, ran_out, began);
        asked
    }
}

#[async_trait]
impl Driver for Agent {
    fn kind(&self) -> Kind {
        Kind::Agent
    }

    async fn observe(&self, deadline: Duration) -> Observation {
        let asked = match &self.many {
            None => self.ask_all(deadline).await,
            Some(many) if many.found() => return many.observe(self, deadline).await,
            Some(many) => {
                let wait = self.connection.status_timeout.min(deadline);
                let (asked, found) = tokio::join!(self.ask_all(deadline), many.probe(self, wait));
                if found {
                    return many.observe(self, deadline).await;
                }
                asked
            }
        };
        let (observation, follow) = {
            let mut book = self.book();
            let observation = picture::picture(&mut book, &asked);
            (observation, book.to_follow())
        };
        // A group's own driver is short-lived; the program's hears for all groups.
        if self.many.is_some() {
            self.followers.follow(follow);
        }
        observation
    }

    async fn apply(&self, step: &Step, _place: &SnapshotPlace) -> Applied {
        change::apply(self, step).await
    }

    fn pushes(&self) -> Option<watch::Receiver<u64>> {
        self.many.as_ref().map(|_| self.followers.pushes())
    }

    fn groups(&self) -> Option<Arc<RwLock<Fleet>>> {
        self.many.as_ref()?.fleet()
    }

    fn group(&self, group: &str) -> Option<Arc<dyn Driver>> {
        let many = self.many.as_ref()?;
        let mut seeds = self.book().addresses();
        seeds.extend(many.places());
        let mut book = Book::new(seeds.into_iter().collect(), Vec::new());
        // Which cluster this is has been decided for the program as a whole.
        book.cluster_id = many.cluster_id();
        Some(Arc::new(Self {
            connection: self.connection.clone(),
            client: self.client.clone(),
            book: Mutex::new(book),
            patience: Patience::default(),
            followers: Followers::new(
                self.client.clone(),
                self.connection.token.clone(),
                self.connection.status_timeout,
            ),
            group: group.to_owned(),
            many: None,
        }))
    }

    fn begin_at(&self, seeds: &[Url]) {
        self.book().begin_at(seeds);
    }

    fn recall(&self, places: &[Url]) {
        self.book().recall(places);
    }

    async fn diagnose(&self) -> Vec<Diagnosis> {
        diagnose::diagnose(self).await
    }
}
