//! The wire to one cluster. Sending wants an [`Intent`], and uses it up: what is not recorded
//! is not sent, and nothing is sent twice.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use quorate_domain::{groups::Fleet, observation::Observation, plan::Step};
use quorate_drivers::{Applied, Driver, Exchange, SnapshotPlace};
use serde_json::Value;
use tokio::sync::watch;

use crate::audit::Intent;

pub(crate) struct Wire {
    driver: Arc<dyn Driver>,
}

impl Wire {
    pub(crate) fn new(driver: Arc<dyn Driver>) -> Self {
        Self { driver }
    }

    /// One look; `None` if the driver broke its word (never ended, or panicked).
    pub(crate) async fn observe(&self, deadline: Duration, grace: Duration) -> Option<Observation> {
        let look = AssertUnwindSafe(self.driver.observe(deadline)).catch_unwind();
        match tokio::time::timeout(deadline + grace, look).await {
            Ok(Ok(observation)) => Some(observation),
            Ok(Err(_panic)) => {
                tracing::error!("a look at a cluster panicked");
                None
            }
            Err(_late) => {
                tracing::error!("a look at a cluster did not end in time");
                None
            }
        }
    }

    /// The seeds as they are configured.
    pub(crate) fn seeds(&self) -> Vec<String> {
        self.driver.seeds()
    }

    /// Asks at these places too, for as long as nobody tells who the members are.
    pub(crate) fn recall(&self, places: &[url::Url]) {
        self.driver.recall(places);
    }

    /// The groups of a program of many.
    pub(crate) fn groups(&self) -> Option<Arc<std::sync::RwLock<Fleet>>> {
        self.driver.groups()
    }

    /// A driver for one of them.
    pub(crate) fn group(&self, group: &str) -> Option<Arc<dyn Driver>> {
        self.driver.group(group)
    }

    pub(crate) fn pushes(&self) -> Option<watch::Receiver<u64>> {
        self.driver.pushes()
    }

    /// One changing request, at most `longest` long.
    pub(crate) async fn send(
        &self,
        intent: Intent,
        step: &Step,
        place: &SnapshotPlace,
        longest: Duration,
    ) -> Applied {
        tracing::info!(
            intent = intent.seq(),
            action = step.action.verb().as_str(),
            "sending"
        );
        match tokio::time::timeout(longest, self.driver.apply(step, place)).await {
            Ok(applied) => applied,
            Err(_late) => Applied::Unknown {
                exchange: Exchange {
                    sent: serde_json::to_value(step).unwrap_or(Value::Null),
                    received: Value::Null,
                },
                text: format!("no answer within {} s", longest.as_secs()),
            },
        }
    }
}
