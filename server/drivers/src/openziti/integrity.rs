//! The model's integrity: a check of it at the leader, and what the last one found.
//!
//! A controller answers that a check has begun, and tells what it finds elsewhere; one runs at a
//! time. Each controller checks its own copy of the model, and only the leader is asked.

use std::time::{Duration, Instant};

use quorate_domain::observation::Answer;
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
/// A leader that cannot be read, or tells of no such check, for so long is asked no more.
const UNTOLD: Duration = Duration::from_secs(20);
/// What one controller has found it keeps in its memory alone.
const FORGOTTEN: &str = "the leader tells of no such check; it may have been started anew";

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
        let mut told = Instant::now();
        loop {
            let untold = match self.integrity(leader).await {
                Ok(found) if found.is_over(before) => return Ok(found),
                Ok(found) if found.in_progress => None,
                Ok(_) => Some(FORGOTTEN.to_owned()),
                Err(why) => Some(worded(&why)),
            };
            match untold {
                Some(why) if told.elapsed() > UNTOLD => return Err(why),
                Some(_) => {}
                None => told = Instant::now(),
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

/// Why the leader could not be read, as the end of a sentence.
fn worded(why: &Why) -> String {
    match why.answer() {
        Answer::Silent(text) | Answer::Misread(text) | Answer::Denied(text) => text,
        _ => "the leader does not answer".to_owned(),
    }
}

fn reported(mut exchange: Exchange, found: Result<Integrity, String>) -> Applied {
    if let Some(error) = found.as_ref().ok().and_then(Integrity::broke_off) {
        let text = format!("The check began and broke off: {error}.");
        return refused(exchange, "check-failed", &text);
    }
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
    /// Whether this tells of a check that is over and began after `before`. A controller that was
    /// started anew knows of none.
    fn is_over(&self, before: &Self) -> bool {
        let another = self.start_time.is_some() && self.start_time != before.start_time;
        !self.in_progress && another
    }

    /// Why a check did not come to its end.
    fn broke_off(&self) -> Option<&str> {
        self.error.as_deref().filter(|error| !error.is_empty())
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
        if let Some(error) = self.broke_off() {
            return Some(format!(
                "The last integrity check of the model failed: {error}."
            ));
        }
        let first = results.iter().find(|result| !result.fixed)?;
        let found = match (open, self.too_many_errors) {
            (1, false) => "1 problem".to_owned(),
            (_, false) => format!("{open} problems, the first"),
            (_, true) => format!("{open} or more problems, the first"),
        };
        let words: String = first.description.chars().take(160).collect();
        Some(format!(
            "The last integrity check of the model found {found}: {words}."
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    fn told(begun: Option<&str>, more: &serde_json::Value) -> Integrity {
        let mut all =
            json!({ "inProgress": false, "startTime": begun, "error": "", "results": [] });
        let fields = all.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_check_is_over_only_where_another_than_the_last_one_is_told() {
        let (none, plain) = (told(None, &json!({})), json!({}));
        let (first, second) = (told(Some("10:01"), &plain), told(Some("10:02"), &plain));
        let running = told(Some("10:02"), &json!({ "inProgress": true }));
        assert!(first.is_over(&none) && second.is_over(&first));
        assert!(!first.is_over(&first) && !running.is_over(&first));
        // The controller was started anew within the check: that nothing was found is not known.
        assert!(!none.is_over(&first) && !none.is_over(&none));
    }

    #[test]
    fn a_check_that_broke_off_is_no_success_and_one_problem_is_told_as_one() {
        let broke = told(Some("10:01"), &json!({ "error": "no space left" }));
        let Applied::Refused { code, text, .. } = reported(Exchange::default(), Ok(broke)) else {
            panic!("it is told as done")
        };
        assert_eq!(code, "check-failed");
        assert!(text.contains("no space left"), "{text}");
        let flaw = json!({ "results": [{ "description": "no such link", "fixed": false }] });
        let exchange = Exchange {
            received: json!({ "status": 202 }),
            ..Exchange::default()
        };
        let found = reported(exchange, Ok(told(Some("10:01"), &flaw)));
        let Applied::Accepted(receipt) = found else {
            panic!("{found:?}")
        };
        let note = receipt.note.unwrap();
        assert!(note.contains("found 1 problem: no such link"), "{note}");
    }
}
