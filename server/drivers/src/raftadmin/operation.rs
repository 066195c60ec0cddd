//! One changing call and what became of it. raftadmin answers a change with a token at once, a
//! follower too; what happened is told by waiting for the token, which it keeps until it is told
//! to forget it. A wait that is given up leaves something waiting over there, so there is one,
//! long enough; and the token is forgotten whatever came of it.

use std::time::Duration;

use prost::Message;
use url::Url;

use super::{
    grpc::{Missed, call},
    messages::{AwaitResponse, Future, Method, Nothing},
};

/// How long forgetting may take; what is not forgotten costs its process some bytes.
const FORGET: Duration = Duration::from_secs(2);
/// What is waited beyond a deadline for the word that it has passed.
const GRACE: Duration = Duration::from_secs(2);

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done {
        /// Its place in the log, where it has one.
        index: u64,
    },
    /// The library's words on why not.
    Said(String),
    /// No word on it came.
    Lost(Missed),
}

/// How long one operation may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Until it is its turn: the library is told, and gives up by itself.
    pub enqueue: Duration,
    /// From then until it has happened.
    pub settle: Duration,
}

/// Runs to its end even if nobody waits for it any more: the token must be forgotten.
pub(super) async fn operate<Q: Message + 'static>(
    client: &reqwest::Client,
    url: &Url,
    method: Method,
    asked: Q,
    limits: Limits,
) -> Outcome {
    let (client, url) = (client.clone(), url.clone());
    let running = tokio::spawn(async move { run(&client, &url, method, asked, limits).await });
    let lost = || Outcome::Lost(Missed::Wire(crate::http::Wire::Broken));
    running.await.unwrap_or_else(|_| lost())
}

async fn run<Q: Message + 'static>(
    client: &reqwest::Client,
    url: &Url,
    method: Method,
    asked: Q,
    limits: Limits,
) -> Outcome {
    let Limits { enqueue, settle } = limits;
    let token: Future = match call(client, url, method, asked, enqueue + GRACE, enqueue).await {
        Ok(token) => token,
        Err(missed) => return Outcome::Lost(missed),
    };
    let wait = settle + GRACE;
    let awaited = call(client, url, Method::Await, token.clone(), wait, settle).await;
    let forgotten: Result<Nothing, Missed> =
        call(client, url, Method::Forget, token, FORGET, FORGET).await;
    if let Err(missed) = forgotten {
        tracing::debug!(%url, %missed, "an operation was not forgotten");
    }
    match awaited {
        Ok(AwaitResponse { error, index }) if error.is_empty() => Outcome::Done { index },
        Ok(AwaitResponse { error, .. }) => Outcome::Said(error),
        // It was begun: whatever is wrong with the answer, it may have been done.
        Err(Missed::Wire(_)) => Outcome::Lost(Missed::Wire(crate::http::Wire::Broken)),
        Err(said) => Outcome::Lost(said),
    }
}
