//! One unary gRPC call, bounded in time and size, on the console's own connections: tonic frames
//! it, reqwest carries it, so that authorities, client certificates and the words for what goes
//! wrong are the same as everywhere.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use prost::Message;
use quorate_domain::observation::Answer;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::{
        Service,
        http::{self, Uri, header::CONTENT_TYPE, uri::PathAndQuery},
    },
};
use tonic_prost::ProstCodec;
use url::Url;

use super::messages::Method;
use crate::http::{STATUS_LIMIT, Wire};

/// The most of an answer that is no gRPC that is looked at.
const EXCERPT: usize = 4096;

/// Why a call brought no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    Wire(Wire),
    /// The service's own words, cut short.
    Said {
        code: Code,
        text: String,
    },
}

impl Missed {
    /// How a member that could not be read stands in an observation.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Wire(wire) => wire.answer(),
            Self::Said { code, .. } => match code {
                Code::Unauthenticated | Code::PermissionDenied => Answer::Denied(self.to_string()),
                Code::DeadlineExceeded | Code::Unavailable => Answer::Silent(self.to_string()),
                _ => Answer::Misread(self.to_string()),
            },
        }
    }

    pub const fn has_no_such_service(&self) -> bool {
        matches!(
            self,
            Self::Said {
                code: Code::Unimplemented,
                ..
            }
        )
    }
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wire(why) => why.fmt(f),
            Self::Said { .. } if self.has_no_such_service() => {
                f.write_str("it speaks gRPC and has no service RaftAdmin")
            }
            Self::Said { code, text } => write!(f, "it says {code:?}: {text}"),
        }
    }
}

/// Calls `method` at `origin` and waits `wait` for the whole answer. `enqueue` is what the server
/// is told of the deadline: raftadmin takes it as the time an operation may wait for its turn.
pub(super) async fn call<Q, A>(
    client: &reqwest::Client,
    origin: &Url,
    method: Method,
    asked: Q,
    wait: Duration,
    enqueue: Duration,
) -> Result<A, Missed>
where
    Q: Message + 'static,
    A: Message + Default + 'static,
{
    let uri = Uri::try_from(origin.as_str())
        .map_err(|_| Missed::Wire(Wire::Request("no address for gRPC".to_owned())))?;
    let carrier = Carrier {
        client: client.clone(),
        wait,
    };
    let mut request = Request::new(asked);
    request.set_timeout(enqueue);
    let mut grpc = Grpc::with_origin(carrier, uri).max_decoding_message_size(STATUS_LIMIT);
    let path = PathAndQuery::from_static(method.path());
    let answer = grpc.unary(request, path, ProstCodec::<Q, A>::default());
    match tokio::time::timeout(wait, answer).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(missed(&status, wait)),
        Err(_) => Err(Missed::Wire(Wire::TimedOut(wait))),
    }
}

fn missed(status: &Status, wait: Duration) -> Missed {
    let mut next = status.source();
    while let Some(present) = next {
        if let Some(wire) = present.downcast_ref::<Wire>() {
            return Missed::Wire(wire.clone());
        }
        if let Some(error) = present.downcast_ref::<reqwest::Error>() {
            return Missed::Wire(carried(error, wait));
        }
        next = present.source();
    }
    match status.code() {
        // What tonic itself makes of an answer it cannot read.
        Code::Internal if status.source().is_some() || status.metadata().is_empty() => {
            Missed::Wire(Wire::Shape(excerpt(status.message())))
        }
        Code::OutOfRange => Missed::Wire(Wire::TooLarge(STATUS_LIMIT)),
        code => Missed::Said {
            code,
            text: excerpt(status.message()),
        },
    }
}

fn excerpt(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(200).collect()
}

/// What went wrong below gRPC. A peer that answers HTTP/2's greeting with anything else is found
/// out by the framing; its errors, and those of TLS that come through it, have no mark but their
/// text.
fn carried(error: &reqwest::Error, wait: Duration) -> Wire {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(present) = next {
        let text = present.to_string();
        if text.starts_with("connection error detected") {
            return Wire::NotGrpc;
        }
        // By TLS 1.3 a certificate is refused only after the handshake, when HTTP/2 has begun.
        if let Some(alert) = text.strip_prefix("received fatal alert: ") {
            return Wire::Handshake(format!("it says {alert}"));
        }
        if text == "tls handshake eof" {
            return Wire::Handshake("it ended without an answer".to_owned());
        }
        next = present.source();
    }
    Wire::of(error, wait)
}

/// tonic's transport: one HTTP/2 request by reqwest.
#[derive(Clone)]
struct Carrier {
    client: reqwest::Client,
    wait: Duration,
}

type Carried = Result<http::Response<reqwest::Body>, Wire>;

impl Service<http::Request<tonic::body::Body>> for Carrier {
    type Response = http::Response<reqwest::Body>;
    type Error = Wire;
    type Future = Pin<Box<dyn Future<Output = Carried> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Wire>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let Self { client, wait } = self.clone();
        Box::pin(async move {
            let malformed = || Wire::Request("the message cannot be sent".to_owned());
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| malformed())?.to_bytes();
            let request = http::Request::from_parts(head, body);
            let request = reqwest::Request::try_from(request).map_err(|_| malformed())?;
            let sent = client.execute(request).await;
            let response = sent.map_err(|error| carried(&error, wait))?;
            speaks_grpc(response.into()).await
        })
    }
}

/// The response if it is one of gRPC; otherwise what it is.
async fn speaks_grpc(response: http::Response<reqwest::Body>) -> Carried {
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return Ok(response);
    }
    let status = response.status();
    let location = response.headers().get(http::header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok().map(str::to_owned));
    let body = Limited::new(response.into_body(), EXCERPT).collect().await;
    let body = match body {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => bytes::Bytes::new(),
        Err(_) => return Err(Wire::Broken),
    };
    Err(Wire::of_status(status, location.as_deref(), &body).unwrap_or(Wire::NotGrpc))
}
