//! Frames on a controller's web socket, and what of its events is read. Each binary message is
//! one frame: a mark, the kind of content, a number, headers by number, a body. All integers are
//! 32 bits, little-endian. Pure.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;

use crate::word::word;

const MARK: [u8; 4] = [0x03, 0x06, 0x09, 0x0c];
const HEAD: usize = 20;

const RESULT: i32 = 2;
const SUBSCRIBE: i32 = 10_040;
const EVENT: i32 = 10_041;

const REPLY_TO: i32 = 1;
const SUCCESS: i32 = 2;

/// The number of the one request that is made.
const SEQUENCE: i32 = 1;

/// What a frame says, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Subscribed,
    Refused(String),
    Event(Event),
    /// Something else, or an event of another kind.
    Other,
}

/// An event of the namespace `cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pub event_type: String,
    /// Only `members.changed` tells it.
    #[serde(default)]
    pub index: Option<u64>,
    #[serde(default)]
    peers: Option<Vec<EventPeer>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct EventPeer {
    #[serde(deserialize_with = "word")]
    id: String,
    #[serde(deserialize_with = "word")]
    addr: String,
}

impl Event {
    /// The whole membership, where this event tells it.
    pub fn members(&self) -> Option<BTreeSet<(String, String)>> {
        if self.event_type != "members.changed" {
            return None;
        }
        let peers = self.peers.iter().flatten();
        let members: BTreeSet<(String, String)> = peers
            .map(|peer| (peer.id.clone(), peer.addr.clone()))
            .collect();
        (!members.is_empty()).then_some(members)
    }
}

/// The request for cluster events.
pub(super) fn subscription() -> Vec<u8> {
    let body = json!({
        "format": "json", "subscriptions": [{ "type": "cluster", "options": null }]
    });
    frame(SUBSCRIBE, SEQUENCE, &[], body.to_string().as_bytes())
}

fn frame(kind: i32, sequence: i32, headers: &[(i32, &[u8])], body: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (key, value) in headers {
        block.extend_from_slice(&key.to_le_bytes());
        block.extend_from_slice(&length(value));
        block.extend_from_slice(value);
    }
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&length(&block));
    bytes.extend_from_slice(&length(body));
    bytes.extend_from_slice(&block);
    bytes.extend_from_slice(body);
    bytes
}

fn length(bytes: &[u8]) -> [u8; 4] {
    i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_le_bytes()
}

/// `None` for bytes that are no frame.
pub(super) fn read(bytes: &[u8]) -> Option<Heard> {
    if bytes.get(..4)? != MARK {
        return None;
    }
    let kind = number(bytes, 4)?;
    let headers_length = usize::try_from(number(bytes, 12)?).ok()?;
    let body_length = usize::try_from(number(bytes, 16)?).ok()?;
    let body_at = HEAD.checked_add(headers_length)?;
    let headers = bytes.get(HEAD..body_at)?;
    let body = bytes.get(body_at..body_at.checked_add(body_length)?)?;
    Some(match kind {
        RESULT if header(headers, REPLY_TO).is_some_and(is_ours) => result(headers, body),
        EVENT => match serde_json::from_slice::<Event>(body) {
            Ok(event) if event.namespace == "cluster" => Heard::Event(event),
            _ => Heard::Other,
        },
        _ => Heard::Other,
    })
}

fn is_ours(value: &[u8]) -> bool {
    value == SEQUENCE.to_le_bytes()
}

fn result(headers: &[u8], body: &[u8]) -> Heard {
    if header(headers, SUCCESS).is_some_and(|value| value.first() == Some(&1)) {
        return Heard::Subscribed;
    }
    let words: String = String::from_utf8_lossy(body).chars().take(200).collect();
    Heard::Refused(words)
}

fn header(mut headers: &[u8], wanted: i32) -> Option<&[u8]> {
    loop {
        let key = number(headers, 0)?;
        let length = usize::try_from(number(headers, 4)?).ok()?;
        let rest = headers.get(8..)?;
        let value = rest.get(..length)?;
        if key == wanted {
            return Some(value);
        }
        headers = rest.get(length..)?;
    }
}

fn number(bytes: &[u8], at: usize) -> Option<i32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(i32::from_le_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_result_of_the_subscription_is_read() {
        let good = frame(
            RESULT,
            9,
            &[(7, b"x"), (REPLY_TO, &1_i32.to_le_bytes()), (SUCCESS, &[1])],
            b"",
        );
        assert_eq!(read(&good), Some(Heard::Subscribed));
        let bad = frame(
            RESULT,
            9,
            &[(REPLY_TO, &1_i32.to_le_bytes()), (SUCCESS, &[0])],
            b"no",
        );
        assert_eq!(read(&bad), Some(Heard::Refused("no".to_owned())));
        let of_another = frame(RESULT, 9, &[(REPLY_TO, &5_i32.to_le_bytes())], b"");
        assert_eq!(read(&of_another), Some(Heard::Other));
    }

    #[test]
    fn a_change_of_members_tells_them_all() {
        let body = br#"{"namespace":"cluster","eventType":"members.changed","index":7,
            "peers":[{"id":"c1","addr":"tls:a:1","apiAddresses":null}]}"#;
        let Some(Heard::Event(event)) = read(&frame(EVENT, 0, &[], body)) else {
            unreachable!()
        };
        assert_eq!(event.index, Some(7));
        assert_eq!(
            event.members(),
            Some([("c1".to_owned(), "tls:a:1".to_owned())].into())
        );
    }

    #[test]
    fn what_is_cut_or_lies_about_its_length_is_no_frame() {
        let whole = subscription();
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{end}");
        }
        let mut lying = whole.clone();
        lying[12..16].copy_from_slice(&i32::MAX.to_le_bytes());
        assert_eq!(read(&lying), None);
        lying[12..16].copy_from_slice(&(-1_i32).to_le_bytes());
        assert_eq!(read(&lying), None);
        // Headers that lie about their own length are none.
        let mut headers = frame(RESULT, 9, &[(REPLY_TO, &1_i32.to_le_bytes())], b"");
        headers[24..28].copy_from_slice(&i32::MAX.to_le_bytes());
        assert_eq!(read(&headers), Some(Heard::Other));
    }
}
