//! The model's integrity: a check of it at the leader, and what the last one found.
//!
//! A controller answers that a check has begun, and tells what it finds elsewhere; one runs at a
//! time. Each controller checks its own copy of the model, and only the leader is asked.

use std::time::{Duration, Instant};

use serde_json::json;
use url::Url;

use super::{
    Openziti,
    answers::{Integrity, Wrapped},
    ask::{Why, checked, fabric},
    change::{Request, Sent},
    outcome::{judged, refused},
};
use crate::{Applied, Exchange, Receipt};

/// How long the result of an integrity check is believed.
const INTEGRITY_LASTS: Duration = Duration::from_secs(30);
/// The longest a check is waited for.
const CHECKED: Duration = Duration::from_secs(540);
/// How often it is asked whether it is over.
const ASKED_EVERY: Duration = Duration::from_millis(500);
/// A leader that cannot be read for so long is asked no more.
const UNREAD: Duration = Duration::from_secs(20);

impl Openziti {
    /// Begins a check and waits for its end; nothing that it finds is repaired.
    pub(super) async fn check_integrity(&self, leader: &Url) -> Applied {
        let before = match self.integrity(leader).await {
            Ok(found) => found,
            Err(why) => return super::outcome::unread(leader, &why),
        };
        let request = Request {
            path: "database/check-data-integrity",
            body: None,
        };
        let (exchange, reply) = match self.send(leader, &request).await {
            Sent::Answered(exchange, reply) => (exchange, reply),
            Sent::Not(applied) => return applied,
        };
        if reply.status == 429 {
            let text = "A check of this controller's model is running already.";
            return refused(exchange, "too-soon", text);
        }
        if let Some(applied) = judged(&exchange, &reply) {
            return applied;
        }
        let found = self.ended(leader, &before).await;
        self.memory().integrity_at = None;
        reported(exchange, found)
    }

    /// What the check found that is not the one `before`; in words why that is not known.
    async fn ended(&self, leader: &Url, before: &Integrity) -> Result<Integrity, String> {
        let began = Instant::now();
        let mut read = Instant::now();
        loop {
            match self.integrity(leader).await {
                Ok(found) if found.is_over(before) => return Ok(found),
                Ok(_) => read = Instant::now(),
                Err(why) if read.elapsed() > UNREAD => return Err(format!("{:?}", why.answer())),
                Err(_) => {}
            }
            if began.elapsed() > CHECKED {
                return Err(format!("it runs for more than {} s", CHECKED.as_secs()));
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    }

    async fn integrity(&self, leader: &Url) -> Result<Integrity, Why> {
        let place = fabric(leader, "database/data-integrity-results");
        let call = || self.asker.client.get(&place);
        let wait = self.status_timeout * 2;
        let reply = self.asker.read(leader, wait, call).await?;
        checked(&reply).map(|told: Wrapped<Integrity>| told.data)
    }

    /// What the last integrity check found at the leader; nobody is told of it otherwise.
    pub(super) async fn refresh_integrity(&self, url: &Url, until: Instant) {
        let due = self
            .memory()
            .integrity_at
            .is_none_or(|at| at.elapsed() > INTEGRITY_LASTS);
        if !due {
            return;
        }
        let place = fabric(url, "database/data-integrity-results");
        let call = || self.asker.client.get(&place);
        let Ok(reply) = self.asker.read(url, self.wait(until), call).await else {
            return;
        };
        let told: Result<Wrapped<Integrity>, _> = checked(&reply);
        let mut memory = self.memory();
        memory.integrity_at = Some(Instant::now());
        memory.integrity = told.ok().and_then(|told| told.data.finding());
    }
}

fn reported(mut exchange: Exchange, found: Result<Integrity, String>) -> Applied {
    match found {
        Ok(found) => {
            exchange.received["found"] = json!(found.open());
            Applied::Accepted(Receipt {
                exchange,
                snapshot: None,
                member: None,
                deferred: false,
                note: Some(found.finding().unwrap_or_else(|| {
                    "The integrity check of the model found nothing.".to_owned()
                })),
            })
        }
        Err(why) => Applied::Unknown {
            exchange,
            text: format!("The check has begun, and what became of it is not known: {why}."),
        },
    }
}

impl Integrity {
    /// Whether this tells of a check that is over and began after `before`.
    fn is_over(&self, before: &Self) -> bool {
        let same = self.start_time.is_some() && self.start_time == before.start_time;
        !self.in_progress && !same
    }

    /// How many problems are left.
    fn open(&self) -> usize {
        let results = self.results.as_deref().unwrap_or_default();
        results.iter().filter(|result| !result.fixed).count()
    }

    /// What a check found, if there is anything to say.
    fn finding(&self) -> Option<String> {
        let results = self.results.as_deref().unwrap_or_default();
        let open = self.open();
        if let Some(error) = self.error.as_ref().filter(|error| !error.is_empty()) {
            return Some(format!(
                "The last integrity check of the model failed: {error}."
            ));
        }
        let first = results.iter().find(|result| !result.fixed)?;
        let more = if self.too_many_errors { " or more" } else { "" };
        let words: String = first.description.chars().take(160).collect();
        Some(format!(
            "The last integrity check of the model found {open}{more} problems, the first: {words}."
        ))
    }
}
