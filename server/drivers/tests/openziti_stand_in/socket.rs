//! Events by web socket: one frame a binary message, integers little-endian.

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::HeaderMap,
    response::Response,
    routing::get,
};
use serde_json::Value;

use super::{
    edge::caller,
    routes::{Controller, unauthorized},
    world::Life,
};

const MARK: [u8; 4] = [0x03, 0x06, 0x09, 0x0c];

pub fn routes() -> Router<Controller> {
    Router::new().route("/ws-api", get(upgrade))
}

async fn upgrade(
    State(controller): State<Controller>,
    headers: HeaderMap,
    socket: WebSocketUpgrade,
) -> Response {
    if caller(&controller, &headers).is_none() {
        return unauthorized();
    }
    socket.on_upgrade(move |socket| serve(controller, socket))
}

async fn serve(controller: Controller, mut socket: WebSocket) {
    let mut events = controller.world.events.subscribe();
    let mut subscribed = false;
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let Some((sequence, body)) = request(&bytes) else { return };
                    let types = body["subscriptions"].as_array().cloned().unwrap_or_default();
                    subscribed = types.iter().any(|it| it["type"] == "cluster");
                    let headers = [
                        (1_i32, sequence.to_le_bytes().to_vec()),
                        (2, vec![u8::from(subscribed)]),
                    ];
                    if socket.send(frame(2, &headers, b"")).await.is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                _ => return,
            },
            event = events.recv() => {
                let Ok((from, body)) = event else { continue };
                let runs = controller.world.state().node(&controller.id).life == Life::Running;
                if !subscribed || from != controller.id || !runs {
                    continue;
                }
                let kind = body["eventType"].as_str().unwrap_or_default().as_bytes().to_vec();
                let message = frame(10_041, &[(10, kind)], body.to_string().as_bytes());
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The number and the body of a subscription.
fn request(bytes: &[u8]) -> Option<(i32, Value)> {
    let number = |at: usize| Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.get(..4)? != MARK || number(4)? != 10_040 {
        return None;
    }
    let headers = usize::try_from(number(12)?).ok()?;
    let body = serde_json::from_slice(bytes.get(20 + headers..)?).ok()?;
    Some((number(8)?, body))
}

fn frame(kind: i32, headers: &[(i32, Vec<u8>)], body: &[u8]) -> Message {
    let size = |length: usize| i32::try_from(length).unwrap().to_le_bytes();
    let mut block = Vec::new();
    for (key, value) in headers {
        block.extend_from_slice(&key.to_le_bytes());
        block.extend_from_slice(&size(value.len()));
        block.extend_from_slice(value);
    }
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&7_i32.to_le_bytes());
    bytes.extend_from_slice(&size(block.len()));
    bytes.extend_from_slice(&size(body.len()));
    bytes.extend_from_slice(&block);
    bytes.extend_from_slice(body);
    Message::binary(bytes)
}
