//! What reads texts from outside, each as one function of bytes: what fuzzing calls, and the test
//! that plays its corpus again. Each says whether the text could be read. None may panic, and what
//! holds whatever the text says is asserted here.

use std::io::Cursor;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use quorate_drivers::Secret;

use crate::{
    configuration::Configuration,
    guards::client,
    identity::{
        Identity, Names, Peers, Preset, Proxied, Rules, Shown, TrustedHeaders, Word, foreign,
        rehearsal,
    },
};

/// The address everything comes from.
const PEER: &str = "10.0.0.1";
const SECRET: &str = "rehearsed";

/// A function for each folder of the corpus.
pub type Reader = fn(&[u8]) -> bool;

/// All of them, by the names of their folders.
pub const READERS: [(&str, Reader); 7] = [
    ("agent_answer", agent_answer),
    ("assertion", assertion),
    ("bundle", bundle),
    ("configuration", configuration),
    ("forwarded", forwarded),
    ("passkey", passkey),
    ("trusted_header", trusted_header),
];

/// A proxy's signed assertion, of every preset; all that is judged of it but the signature.
pub fn assertion(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return rehearsal::keys(bytes);
    };
    let read = Preset::ALL
        .into_iter()
        .filter(|preset| rehearsal::assertion(text, *preset));
    read.count() > 0 || rehearsal::keys(bytes)
}

/// Lines of `name: value`, with a trusted proxy's secret among them or not.
pub fn trusted_header(bytes: &[u8]) -> bool {
    let mut headers = headers(bytes);
    let word = TrustedHeaders {
        names: Names {
            user: "remote-user".to_owned(),
            name: Some("remote-name".to_owned()),
            email: Some("remote-email".to_owned()),
            groups: Some("remote-groups".to_owned()),
            groups_separator: ",".to_owned(),
        },
        peers: Some(peers()),
        certificate_names: Vec::new(),
        users: Vec::new(),
        secret: Some(("x-proxy-secret".to_owned(), Secret::new(SECRET))),
    };
    let said = headers.get_all("remote-user").iter().count();
    let identity = Identity::Proxied(Box::new(Proxied {
        word: Word::Headers(word),
        rules: Rules::default(),
        sign_out: None,
    }));
    let presented = identity.take(&mut headers, Shown::Nothing);
    let left = headers.keys().find(|name| foreign(name.as_str()));
    assert!(left.is_none(), "{left:?} reaches what is behind");
    let Some(Word::Headers(word)) = identity.proxied().map(|proxied| &proxied.word) else {
        return false;
    };
    let stranger = word.known(&presented, Some("203.0.113.9"));
    assert!(!matches!(stranger, Ok(Some(_))), "anybody is believed");
    let Ok(Some(known)) = word.known(&presented, Some(PEER)) else {
        return false;
    };
    assert_eq!(said, 1, "one of several names was chosen");
    rehearsal::holds(&known);
    true
}

/// Lines of `name: value` that tell where a request began.
pub fn forwarded(bytes: &[u8]) -> bool {
    let headers = headers(bytes);
    let stranger = client::address(&headers, "203.0.113.9", &peers());
    assert_eq!(stranger, None, "anybody is believed");
    let Some(address) = client::address(&headers, PEER, &peers()) else {
        return false;
    };
    let read: Result<std::net::IpAddr, _> = address.parse();
    let shortest = read.map(|address| address.to_string());
    assert_eq!(shortest.as_deref(), Ok(address.as_str()));
    true
}

/// The configuration's file.
pub fn configuration(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    match Configuration::parse(text, []) {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.problems.is_empty(), "refused without a reason");
            false
        }
    }
}

/// An exported part of the audit log.
pub fn bundle(bytes: &[u8]) -> bool {
    let known = quorate_audit::verify::Known::default();
    let Ok(report) = quorate_audit::verify::bundle(Cursor::new(bytes), known) else {
        return false;
    };
    assert_eq!(report.holds(), report.faults().is_empty());
    assert!(!report.to_string().is_empty());
    report.holds()
}

/// What a browser and a passkey's device bring, made or used.
pub fn passkey(bytes: &[u8]) -> bool {
    quorate_control::step_up::rehearsal::judged(bytes)
}

/// Who an agent says it is, on the first line, and how it sees its group, on the others.
pub fn agent_answer(bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let identity = parts.next().unwrap_or_default();
    let view = parts.next().unwrap_or_default();
    quorate_drivers::agent::rehearsal::judged(identity, view)
}

fn peers() -> Peers {
    Peers::parse(&["10.0.0.0/24".to_owned(), "2001:db8:0:1::/64".to_owned()]).unwrap_or_else(
        |problem| {
            // The two above are networks.
            unreachable!("{problem}")
        },
    )
}

fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(64) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        let value = HeaderValue::from_bytes(value.trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn what_fuzzing_has_kept_is_read_without_harm() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let folders: BTreeSet<String> = fs::read_dir(&corpus)
            .unwrap()
            .map(|folder| folder.unwrap().file_name().into_string().unwrap())
            .collect();
        let names: BTreeSet<String> = READERS.map(|(name, _)| name.to_owned()).into();
        assert_eq!(folders, names, "a reader for each folder, and the reverse");
        for (name, read) in READERS {
            let (mut readable, mut refused) = (0, 0);
            for file in fs::read_dir(corpus.join(name)).unwrap() {
                match read(&fs::read(file.unwrap().path()).unwrap()) {
                    true => readable += 1,
                    false => refused += 1,
                }
            }
            assert!(readable > 0, "{name}: nothing in its corpus can be read");
            assert!(refused > 0, "{name}: nothing in its corpus is refused");
        }
    }

    #[test]
    fn every_reader_is_fuzzed() {
        let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
        let mut found: Vec<String> = fs::read_dir(targets)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_owned())
            .map(|stem| stem.into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, READERS.map(|(name, _)| name.to_owned()));
    }
}
