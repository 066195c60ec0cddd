#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn an_origin_is_scheme_host_and_port_and_nothing_else() {
    for good in [
        "http://127.0.0.1:8200",
        "https://bao.example:8200/",
        "https://[::1]:8200",
    ] {
        assert!(origin(good).is_ok(), "{good}");
    }
    let bad = [
        "",
        "bao:8200",
        "ftp://bao",
        "file:///etc/passwd",
        "http://bao/v1",
        "http://bao/?x",
        "http://bao/#x",
        "http://name:secret@bao:8200",
        "http://",
        "gopher://bao:70",
    ];
    for bad in bad {
        assert!(origin(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_refused_seed_is_named_without_its_password() {
    let error = origin("https://ops:hunter2@bao:8200")
        .unwrap_err()
        .to_string();
    assert!(
        !error.contains("hunter2") && !error.contains("ops"),
        "{error}"
    );
    assert!(error.contains("bao:8200"), "{error}");
}

#[test]
fn plain_http_is_a_finding_beyond_loopback_only() {
    for home in [
        "http://127.0.0.1:1",
        "http://localhost:1",
        "http://[::1]:1",
        "https://far:1",
    ] {
        assert_eq!(plain_http(&url(home)), None, "{home}");
    }
    for far in [
        "http://10.0.0.1:8200",
        "http://bao.example",
        "http://127.0.0.1.example:1",
    ] {
        assert!(
            matches!(plain_http(&url(far)), Some(Note::PlainHttp { .. })),
            "{far}"
        );
    }
}

#[test]
fn what_was_certainly_not_sent_is_told_apart() {
    let wait = Duration::from_secs(1);
    for never in [
        Wire::Refused,
        Wire::ConnectTimedOut(wait),
        Wire::NameNotFound,
        Wire::Untrusted(String::new()),
        Wire::NotTls,
    ] {
        assert!(!never.was_sent(), "{never}");
    }
    for perhaps in [
        Wire::TimedOut(wait),
        Wire::Broken,
        Wire::TooLarge(1),
        Wire::NotHttp,
    ] {
        assert!(perhaps.was_sent(), "{perhaps}");
    }
}

#[test]
fn a_told_address_is_followed_only_to_where_it_is_as_safe() {
    let table = [
        ("https://a:1", "https://10.0.0.2:1", true),
        ("https://a:1", "https://b.example:1", true),
        ("https://a:1", "http://b.example:1", false),
        ("http://a:1", "http://10.0.0.2:1", true),
        ("http://a:1", "https://10.0.0.2:1", true),
        ("https://10.0.0.1:1", "https://127.0.0.1:1", false),
        ("https://10.0.0.1:1", "https://localhost:1", false),
        ("https://10.0.0.1:1", "https://[::ffff:127.0.0.1]:1", false),
        ("http://10.0.0.1:1", "http://169.254.169.254", false),
        ("http://10.0.0.1:1", "http://[fe80::1]:1", false),
        ("http://10.0.0.1:1", "http://0.0.0.0:1", false),
        ("http://10.0.0.1:1", "http://[::]:1", false),
        ("http://127.0.0.1:1", "http://127.0.0.1:2", true),
        ("https://127.0.0.1:1", "http://127.0.0.1:2", false),
    ];
    for (teller, told, followed) in table {
        assert_eq!(
            may_lead(&url(teller), &url(told)),
            followed,
            "{teller} {told}"
        );
    }
}
