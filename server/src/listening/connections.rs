//! Carries HTTP over accepted connections, each for as long as somebody asks something over it.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
    serve::Listener,
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt as _};

use crate::guards::peer::Peer;

/// Answers under way may take this long to end once the console stops.
const DRAIN: Duration = Duration::from_secs(2);

/// How long the head of a request may be awaited, from the start of a connection or the end of the
/// answer before. Longer than proxies keep connections that nobody uses (nginx 60 s, Go 90 s, Caddy
/// 120 s), so that none is closed under a request.
const AWAITED: Duration = Duration::from_secs(130);

/// How often the other end of HTTP/2 has to show that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// What answers requests, at every door the same.
pub trait Answers:
    Service<Request, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Answers for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Answers until `closing` is cancelled, and a little longer for what is under way.
pub(super) async fn serve<L, S>(mut listener: L, service: S, closing: &CancellationToken)
where
    L: Listener<Addr = Peer>,
    S: Answers,
{
    let connections = TaskTracker::new();
    while let Some((io, peer)) = closing.run_until_cancelled(listener.accept()).await {
        connections.spawn(carry(io, peer, service.clone(), closing.clone(), AWAITED));
    }
    drop(listener);
    connections.close();
    // Whoever is still at it then is left to the end of the process.
    let _ = tokio::time::timeout(DRAIN, connections.wait()).await;
}

async fn carry<I, S>(io: I, peer: Peer, service: S, closing: CancellationToken, awaited: Duration)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Answers,
{
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    let service = service.map_request(move |request: hyper::Request<Incoming>| {
        seen.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        request
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(awaited)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(SIGN_OF_LIFE);
    let connection = builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    // Until the first bytes tell which HTTP it is, no limit of either holds.
    let silent = async {
        tokio::time::sleep(awaited).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = connection.as_mut() => return,
        () = silent => return,
        () = closing.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
