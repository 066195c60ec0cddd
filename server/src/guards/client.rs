//! Where a request really began, when proxies stand in front of the console.
//!
//! Every proxy on the way adds the address it was asked from at the right end of a list; whatever
//! stands further left may have been written by anybody. So the list is read from the right, and
//! only for as long as the one who wrote the next piece is a trusted proxy. What cannot be read
//! ends it. Says nothing of who somebody is.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::identity::Peers;

const LIST: &str = "x-forwarded-for";
/// The same by RFC 7239, read only where there is no list of the older kind: a proxy that writes
/// one of them passes the other on as it came.
const STANDARD: &str = "forwarded";
/// No way to a console has more proxies.
const HOPS_MOST: usize = 32;

/// The address the request began at, in its shortest form, without a port; `None` where that is
/// `peer` itself as far as anybody trusted says.
#[must_use]
pub fn address(headers: &HeaderMap, peer: &str, trusted: &Peers) -> Option<String> {
    let mut hops = hops(headers).into_iter().rev().take(HOPS_MOST);
    let mut known: Option<String> = None;
    while trusted.include(Some(known.as_deref().unwrap_or(peer))) {
        match hops.next().flatten() {
            Some(hop) => known = Some(hop.to_canonical().to_string()),
            None => break,
        }
    }
    known.filter(|known| known != peer)
}

/// Left to right; `None` is what cannot be read.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    if headers.contains_key(LIST) {
        return pieces(headers, LIST, hop);
    }
    pieces(headers, STANDARD, |piece| {
        piece.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(())?;
            hop(value.trim().trim_matches('"'))
        })
    })
}

/// Several lines of one name are one list.
fn pieces(
    headers: &HeaderMap,
    name: &str,
    read: impl Fn(&str) -> Option<IpAddr>,
) -> Vec<Option<IpAddr>> {
    let mut found = Vec::new();
    for value in headers.get_all(name) {
        match value.to_str() {
            Ok(text) => found.extend(text.split(',').map(&read)),
            Err(_) => found.push(None),
        }
    }
    found
}

/// An address of either family, with or without a port, in brackets or not.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse().ok().map(IpAddr::V6)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn read(peer: &str, lines: &[(&'static str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/24", "2001:db8:0:1::/64", "unix"].map(str::to_owned);
        address(&headers, peer, &Peers::parse(&trusted).unwrap())
    }

    fn list(peer: &str, value: &str) -> Option<String> {
        read(peer, &[(LIST, value)])
    }

    #[test]
    fn what_a_client_writes_itself_stands_left_of_what_the_proxy_adds() {
        assert_eq!(
            list(PROXY, "1.1.1.1, 203.0.113.9").as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(
            list(PROXY, "1.1.1.1, 203.0.113.9, 10.0.0.2").as_deref(),
            Some("203.0.113.9"),
            "over two proxies"
        );
        let lines = [(LIST, "1.1.1.1"), (LIST, "203.0.113.9")];
        assert_eq!(
            read(PROXY, &lines).as_deref(),
            Some("203.0.113.9"),
            "over two lines"
        );
    }

    #[test]
    fn whoever_is_no_trusted_proxy_says_nothing() {
        assert_eq!(list("203.0.113.9", "1.1.1.1"), None);
        assert_eq!(list("203.0.113.9", "1.1.1.1, 10.0.0.1"), None);
        assert_eq!(
            list("::ffff:10.0.0.1", "203.0.113.9").as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(list("unix", "203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(read(PROXY, &[]), None);
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for (written, meant) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::9", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("2001:0DB8:0000::9", "2001:db8::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
            ("  203.0.113.9  ", "203.0.113.9"),
        ] {
            assert_eq!(list(PROXY, written).as_deref(), Some(meant), "{written}");
        }
        assert_eq!(
            list("2001:db8:0:1::7", "2001:db8:0:2::7, 2001:db8:0:1::8").as_deref(),
            Some("2001:db8:0:2::7")
        );
    }

    #[test]
    fn what_cannot_be_read_ends_the_list() {
        for garbage in [
            "",
            "unknown",
            "_hidden",
            "evil",
            "203.0.113",
            "203.0.113.9:x",
            "203.0.113.9:99999",
            "[203.0.113.9]",
            "[2001:db8::9",
            "fe80::1%eth0",
            "\"203.0.113.9\"",
            "203.0.113.9;10.0.0.2",
            "0x7f.1",
        ] {
            assert_eq!(list(PROXY, garbage), None, "{garbage:?}");
            let behind = format!("1.1.1.1, {garbage}, 10.0.0.2");
            assert_eq!(
                list(PROXY, &behind).as_deref(),
                Some("10.0.0.2"),
                "the last that is known: {garbage:?}"
            );
        }
        let mut headers = HeaderMap::new();
        let value = axum::http::HeaderValue::from_bytes(b"203.0.113.9, \xff").unwrap();
        headers.append(LIST, value);
        let trusted = Peers::parse(&[PROXY.to_owned()]).unwrap();
        assert_eq!(address(&headers, PROXY, &trusted), None);
    }

    #[test]
    fn the_standard_header_counts_where_there_is_no_other() {
        for (written, meant) in [
            ("for=203.0.113.9", Some("203.0.113.9")),
            (
                "for=1.1.1.1, For=203.0.113.9;proto=https",
                Some("203.0.113.9"),
            ),
            (
                "proto=https; for=\"[2001:db8::9]:4711\"; by=10.0.0.1",
                Some("2001:db8::9"),
            ),
            ("for=unknown", None),
            ("proto=https", None),
        ] {
            assert_eq!(
                read(PROXY, &[(STANDARD, written)]).as_deref(),
                meant,
                "{written}"
            );
        }
        let both = [(STANDARD, "for=1.1.1.1"), (LIST, "203.0.113.9")];
        assert_eq!(read(PROXY, &both).as_deref(), Some("203.0.113.9"));
        let both = [(STANDARD, "for=1.1.1.1"), (LIST, "unknown")];
        assert_eq!(read(PROXY, &both), None);
    }

    #[test]
    fn a_list_without_end_is_not_followed() {
        let long = vec!["10.0.0.2"; 5_000].join(",");
        let found = list(PROXY, &format!("203.0.113.9,{long}"));
        assert_eq!(found.as_deref(), Some("10.0.0.2"));
    }
}
