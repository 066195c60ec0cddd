//! Messages as RFC 5424 has them. The message's text is what verifies: a checkpoint as JSON of
//! plain ASCII, or an entry's exact bytes; the structured data are for whoever searches.

use quorate_control::Parcel;
use quorate_domain::{
    audit::{Entry, Outcome},
    moment::Timestamp,
};
use serde_json::json;

/// "log audit", in the specification's list of facilities.
const FACILITY: u8 = 13;
const WARNING: u8 = 4;
const INFORMATIONAL: u8 = 6;
/// The project has no number of its own; this one is reserved for examples.
const OWN: &str = "quorate@32473";
const HOSTNAME_MOST: usize = 255;
const MSGID_MOST: usize = 32;
/// The most characters of a value of structured data: a receiver may be small.
const VALUE_MOST: usize = 200;
const SEQUENCE_MOST: u32 = 2_147_483_647;
/// Before a text that is not plain ASCII.
const BOM: &str = "\u{feff}";

/// Who sends, and how many messages it has sent.
pub struct Sender {
    hostname: String,
    process: u32,
    sequence: u32,
}

impl Default for Sender {
    fn default() -> Self {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            hostname: printable(name.trim(), HOSTNAME_MOST),
            process: std::process::id(),
            sequence: 0,
        }
    }
}

impl Sender {
    pub fn checkpoint(&mut self, parcel: &Parcel, note: &str, time: Timestamp) -> Vec<u8> {
        let own = [
            ("log", parcel.log.clone()),
            ("size", parcel.size.to_string()),
        ];
        let text = ascii(&json!({ "quorate_checkpoint": note }).to_string());
        let header = self.header(INFORMATIONAL, &time.to_string(), "checkpoint");
        format!("{header} {} {text}", self.data(&own)).into_bytes()
    }

    /// `bytes` are the entry as it is stored.
    pub fn entry(&mut self, log: &str, bytes: &[u8]) -> Vec<u8> {
        let entry: Option<Entry> = serde_json::from_slice(bytes).ok();
        let mut own = vec![("log", log.to_owned())];
        let (mut severity, mut time, mut kind) =
            (INFORMATIONAL, "-".to_owned(), "entry".to_owned());
        if let Some(entry) = &entry {
            time = entry.time.to_string();
            kind = json!(entry.kind).as_str().unwrap_or("entry").to_owned();
            own.push(("seq", entry.seq.to_string()));
            own.push(("action", entry.action.clone()));
            own.push(("actor", entry.actor.name.clone()));
            if let Some(cluster) = &entry.cluster {
                own.push(("cluster", cluster.0.clone()));
            }
            if let Some(outcome) = entry.outcome {
                own.push(("outcome", json!(outcome).as_str().unwrap_or("-").to_owned()));
                if outcome != Outcome::Succeeded {
                    severity = WARNING;
                }
            }
        }
        let header = self.header(severity, &time, &kind);
        let mark = if bytes.is_ascii() { "" } else { BOM };
        let mut message = format!("{header} {} {mark}", self.data(&own)).into_bytes();
        message.extend_from_slice(bytes);
        message
    }

    fn header(&self, severity: u8, time: &str, kind: &str) -> String {
        format!(
            "<{}>1 {time} {} quorate {} {}",
            FACILITY * 8 + severity,
            self.hostname,
            self.process,
            printable(kind, MSGID_MOST)
        )
    }

    /// Each message has the next number.
    fn data(&mut self, own: &[(&str, String)]) -> String {
        self.sequence = match self.sequence {
            SEQUENCE_MOST => 1,
            sequence => sequence + 1,
        };
        let own: String = own
            .iter()
            .map(|(name, value)| format!(" {name}=\"{}\"", escaped(value)))
            .collect();
        format!(
            "[timeQuality tzKnown=\"1\"][origin software=\"quorate\" swVersion=\"{}\"]\
             [meta sequenceId=\"{}\"][{OWN}{own}]",
            escaped(env!("CARGO_PKG_VERSION")),
            self.sequence
        )
    }
}

/// What a header's field may hold: visible ASCII, and not nothing.
fn printable(text: &str, most: usize) -> String {
    let some: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(most)
        .collect();
    match some.is_empty() {
        true => "-".to_owned(),
        false => some,
    }
}

/// A value of structured data.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| !c.is_control()).take(VALUE_MOST) {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The same JSON in plain ASCII: no receiver changes it.
fn ascii(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use quorate_control::Content;

    use super::*;

    fn sender() -> Sender {
        Sender {
            hostname: "raft-1".to_owned(),
            process: 7,
            sequence: SEQUENCE_MOST - 1,
        }
    }

    #[test]
    fn a_checkpoint_is_plain_text_and_reads_back() {
        let note = "log\n7\nroot\n\n\u{2014} log sig\n";
        let time = Timestamp::parse("2026-11-21T14:00:00.250Z").unwrap();
        let parcel = Parcel {
            log: "quorate/\"a]\\b\"".to_owned(),
            size: 7,
            content: Content::Checkpoint {
                note: note.to_owned(),
                time,
            },
        };
        let mut sender = sender();
        let text = String::from_utf8(sender.checkpoint(&parcel, note, time)).unwrap();
        assert!(text.is_ascii());
        let begin = "<110>1 2026-11-21T14:00:00.250Z raft-1 quorate 7 checkpoint \
                     [timeQuality tzKnown=\"1\"][origin software=\"quorate\" swVersion=\"";
        assert!(text.starts_with(begin), "{text}");
        let own = "[meta sequenceId=\"2147483647\"][quorate@32473 \
                   log=\"quorate/\\\"a\\]\\\\b\\\"\" size=\"7\"] {";
        assert!(text.contains(own), "{text}");
        let json = &text[text.find(" {").unwrap() + 1..];
        let read: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(read["quorate_checkpoint"], note);
        // The number begins anew after the largest there is.
        let next = String::from_utf8(sender.checkpoint(&parcel, note, time)).unwrap();
        assert!(next.contains("sequenceId=\"1\""), "{next}");
    }

    #[test]
    fn an_entry_travels_to_the_byte() {
        let stored = r#"{"seq":7,"time":"2026-11-21T14:00:00.000Z","kind":"refusal","action":"promote","actor":{"issuer":"local","subject":"0193","name":"a]da","means":"password"},"outcome":"refused","text":"Größe"}"#;
        let message = sender().entry("log", stored.as_bytes());
        let text = String::from_utf8(message).unwrap();
        assert!(text.starts_with("<108>1 2026-11-21T14:00:00.000Z raft-1 quorate 7 refusal ["));
        assert!(text.contains("actor=\"a\\]da\""), "{text}");
        assert!(text.contains("outcome=\"refused\""), "{text}");
        assert!(text.ends_with(&format!("] {BOM}{stored}")), "{text}");
        // What cannot be read is sent as it is.
        let text = String::from_utf8(sender().entry("log", b"{}")).unwrap();
        assert!(
            text.starts_with("<110>1 - raft-1 quorate 7 entry ["),
            "{text}"
        );
    }

    #[test]
    fn fields_hold_what_the_specification_allows() {
        assert_eq!(printable("a b\u{e9}\u{7f}c", 10), "abc");
        assert_eq!(printable(" \n", 10), "-");
        assert_eq!(printable(&"x".repeat(300), HOSTNAME_MOST).len(), 255);
        assert_eq!(escaped("a\nb"), "ab");
        assert_eq!(ascii("\u{2014}\u{1f600}"), "\\u2014\\ud83d\\ude00");
    }
}
