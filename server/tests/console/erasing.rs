//! Erasing a person from the audit log, as an administrator's browser does it: seen first, proved,
//! done. And what is wrong with the log itself, in the list of problems.

use quorate_domain::permission::Duty;

use crate::{
    step_up::{place, told},
    support::{Form as _, Running, cookie, json},
};

const PASSWORD: &str = "kelp violin tundra";
const PAGE: &str = "/access/erase";

#[tokio::test(flavor = "multi_thread")]
async fn it_is_seen_first_then_proved_and_then_done() {
    let console = Running::start().await;
    console.account("carlotta", Duty::Viewer).await;
    let session = console.session(Duty::Admin).await;
    let set = console.post("/password").header("cookie", &session);
    let set = set.form(&[("new", PASSWORD)]).send().await.unwrap();
    assert_eq!(place(&set), "/access?password=set");
    let posts = async |path: &str, fields: &[(&str, &str)]| {
        let request = console.post(path).header("cookie", &session);
        request.form(fields).send().await.unwrap()
    };

    // Blanks are no reason: that is said before anything is shown.
    let blank = [("by", "name"), ("whom", "carlotta"), ("reason", "    ")];
    let refused = posts(PAGE, &blank).await;
    assert_eq!(place(&refused), "/access/erase?problem=invalid");

    let mut fields = vec![("by", "name"), ("whom", "carlotta"), ("reason", "letter 7")];
    let seen = posts(PAGE, &fields).await;
    assert_eq!(seen.status(), 200);
    let html = seen.text().await.unwrap();
    for said in ["carlotta", "letter 7", "name=\"confirmed\""] {
        assert!(html.contains(said), "{said}: {html}");
    }
    fields.push(("confirmed", "yes"));
    let question = place(&posts(PAGE, &fields).await);
    assert!(question.starts_with("/step-up/"), "{question}");
    let asked = console.get(&question).header("cookie", &session);
    let html = asked.send().await.unwrap().text().await.unwrap();
    for said in ["erase a person from the audit log", "carlotta", "letter 7"] {
        assert!(html.contains(said), "{said}: {html}");
    }
    assert!(told(&console, "audit_person_erased").await.is_empty());

    let proof = [("method", "password"), ("password", PASSWORD)];
    let proved = posts(&question, &proof).await;
    assert_eq!(place(&proved).split('=').next(), Some("/access/erase?done"));
    let erased = told(&console, "audit_person_erased").await;
    assert_eq!(erased.len(), 1);
    assert_eq!(erased[0].reason.as_deref(), Some("letter 7"));
    let created = told(&console, "account_created").await;
    assert!(created.iter().all(|it| !it.text.contains("carlotta")));

    // Once more there is nobody to erase, and the address of the answer names nobody.
    let session = cookie(&proved);
    let again = console.post(PAGE).header("cookie", &session);
    let again = again.form(&fields).send().await.unwrap();
    assert_eq!(place(&again), "/access/erase?problem=not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_takes_no_entries_is_a_problem_and_its_reason_is_for_who_may_read_it() {
    let console = Running::start().await;
    let (viewer, auditor) = (
        console.token(Duty::Viewer).await,
        console.token(Duty::Auditor).await,
    );
    let own = async |token: &str| {
        let request = console.get("/api/v1/problems").bearer_auth(token);
        let list = json(request.send().await.unwrap()).await;
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().find(|it| it["cluster"].is_null())
    };
    assert_eq!(own(&auditor).await, None);
    fill_up(&console).await;
    let (seen, read) = (own(&viewer).await.unwrap(), own(&auditor).await.unwrap());
    for told in [&seen, &read] {
        assert_eq!(told["code"], "audit-refuses", "{told}");
        assert_eq!(told["severity"], "bad");
    }
    assert!(read["hint"].as_str().unwrap().contains("full"), "{read}");
    assert!(!seen["hint"].as_str().unwrap().contains("full"), "{seen}");
}

/// Until neither a long nor a short entry fits any more.
async fn fill_up(console: &Running) {
    let control = &console.control;
    control.rehearse_full_audit(1).await.unwrap();
    for length in [1_500, 1] {
        let mut full = false;
        for number in 0..200 {
            let (action, text) = (format!("filling_{number}"), "x".repeat(length));
            let mut source = control.command_line_operator().source;
            source.peer = Some(format!("peer {number}"));
            let refused = control.record_refusal(&action, &text, &source).await;
            full = refused.is_err();
            if full {
                break;
            }
        }
        assert!(full, "the log never filled up");
    }
}
