//! The access page's HTML.

use leptos::prelude::*;
use quorate_domain::permission::{Duty, Grant};

use super::{desk::Desk, whole};
use crate::{
    api::access::{Access, AccountRow, Administration, SessionRow, ShownOnce, TokenRow},
    rendered::{at, html, person},
    words::access as words,
};

fn access(administration: Option<Administration>) -> Access {
    Access {
        me: person("admin"),
        grants: vec![Grant::everywhere(Duty::Admin)],
        has_password: false,
        sessions: vec![session("admin", true), session("auditor-1", false)],
        administration,
        now: at(0),
    }
}

fn session(account: &str, current: bool) -> SessionRow {
    SessionRow {
        hash: "9f86d081".to_owned(),
        account: account.to_owned(),
        created_at: at(0),
        last_seen: at(5),
        expires_at: at(28_800),
        peer: Some("127.0.0.1".to_owned()),
        user_agent: Some("<b>Browser</b>".to_owned()),
        current,
    }
}

fn administration() -> Administration {
    let account = |name: &str, disabled| AccountRow {
        name: name.to_owned(),
        grants: vec![Grant::everywhere(Duty::Viewer)],
        disabled,
        has_password: true,
        created_at: at(0),
        last_sign_in: None,
    };
    let token = TokenRow {
        id: "t-41".to_owned(),
        name: "ops-bot".to_owned(),
        grants: vec![Grant::everywhere(Duty::Operator)],
        created_at: at(0),
        expires_at: at(86_400),
        last_used: None,
        revoked: false,
        cut: false,
    };
    Administration {
        accounts: vec![account("admin", false), account("viewer-1", true)],
        tokens: vec![token],
        clusters: vec!["demo".to_owned()],
    }
}

fn page(access: &Access) -> String {
    html(|| whole(access, Desk::new(Callback::new(|()| ()))))
}

#[test]
fn those_who_may_not_administer_see_which_role_is_missing() {
    let html = page(&access(None));
    assert!(html.contains(words::NEEDS_ADMIN));
    assert!(!html.contains(words::ACCOUNTS_TABLE));
}

#[test]
fn administrators_see_accounts_and_tokens() {
    let html = page(&access(Some(administration())));
    for said in [
        "viewer-1",
        "ops-bot",
        "operator on all clusters",
        "Enable viewer-1",
    ] {
        assert!(html.contains(said), "{said} is missing");
    }
}

#[test]
fn a_token_that_holds_less_than_it_was_made_with_is_not_called_active() {
    let mut shown = administration();
    let whole = page(&access(Some(shown.clone())));
    shown.tokens[0].cut = true;
    shown.tokens[0].grants.clear();
    let cut = page(&access(Some(shown)));
    assert!(cut.contains(words::CUT) && !whole.contains(words::CUT));
    assert!(cut.contains(words::NO_ROLE));
}

#[test]
fn nobody_is_offered_to_disable_themselves() {
    assert!(!page(&access(Some(administration()))).contains("Disable admin"));
}

#[test]
fn the_own_session_is_ended_by_signing_out() {
    let html = page(&access(None));
    assert!(html.contains(&words::end_session_of("auditor-1")));
    assert!(!html.contains(&words::end_session_of("admin")));
}

#[test]
fn a_program_s_name_is_shown_as_a_text() {
    assert!(!page(&access(None)).contains("<b>Browser"));
}

#[test]
fn a_secret_shown_once_is_not_printed() {
    assert_eq!(format!("{:?}", ShownOnce("qt_x".to_owned())), "***");
}
