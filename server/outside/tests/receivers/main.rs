//! Places outside, held against real receivers: rsyslog with TLS, an HTTPS server of Python's own
//! library, and object storage as moto has it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod storage;
mod syslog;
mod tools;
mod webhook;

use std::{future::Future, time::Duration};

use quorate_control::{Content, Parcel, Terms};
use quorate_domain::moment::Timestamp;
use quorate_outside::Named;

/// Generous: a machine may be slow, and busy with other things.
const PATIENCE: Duration = Duration::from_secs(90);

fn named(name: &str) -> Named {
    Named {
        name: name.to_owned(),
        terms: Terms::of(name),
    }
}

/// A checkpoint as far as places look at it.
fn checkpoint(size: u64, note: &str) -> Parcel {
    Parcel {
        log: "quorate-audit/test".to_owned(),
        size,
        content: Content::Checkpoint {
            note: note.to_owned(),
            time: Timestamp::parse("2026-11-21T14:00:00.000Z").unwrap(),
        },
    }
}

/// Asks again until there is an answer.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer,
        Err(_late) => panic!("waited too long until {what}"),
    }
}
