//! Who has approved a change, and the forms for who may: plain ones, so that they work with
//! scripts off. What somebody may is decided by the console again.

use leptos::prelude::*;
use quorate_domain::{
    approval::{Approvals, Given},
    job::{Change, ChangeState},
    permission::{self, Permission},
};

use crate::{
    base::{path, segment},
    components::{moment::moment_utc, panel::Panel},
    live::use_live,
    session::{Session, use_session},
    words::approval as words,
};

/// Nothing for a change that needs nobody. `problem` is the code of why a word did not count.
pub fn panel(change: &Change, problem: Option<&str>) -> AnyView {
    let Some(approvals) = &change.approvals else {
        return ().into_any();
    };
    let facts = facts(change, approvals);
    let problem = problem.map(|code| {
        view! { <p class="field-problem" role="alert">{words::problem(code)}</p> }
    });
    let forms = use_session().map(|session| forms(change, approvals, &session));
    view! {
        <Panel id="approval" title=words::TITLE>
            {facts}
            <div class="panel-body">{problem} {forms}</div>
        </Panel>
    }
    .into_any()
}

fn facts(change: &Change, approvals: &Approvals) -> AnyView {
    let given: Vec<_> = approvals.given.iter().map(word).collect();
    let given = match given.is_empty() {
        true => words::NOBODY_YET.into_any(),
        false => given.into_any(),
    };
    let denied = approvals.denied.as_ref().map(|denied| {
        view! { <div><dt>{words::DENIED_BY}</dt><dd>{word(denied)}</dd></div> }
    });
    // Once it is decided, nobody has to hurry any more.
    let until = (change.state == ChangeState::WaitingApproval).then(|| {
        view! { <div><dt>{words::UNTIL}</dt><dd>{moment_utc(approvals.until)}</dd></div> }
    });
    view! {
        <dl class="facts">
            <div>
                <dt>{words::BY}</dt>
                <dd class="stacked">
                    <p>{words::so_far(approvals.given.len(), approvals.needed)}</p>
                    {given}
                </dd>
            </div>
            {denied}
            {until}
            <div><dt>{words::BOUND_TO}</dt><dd><code>{approvals.digest.clone()}</code></dd></div>
        </dl>
    }
    .into_any()
}

fn word(given: &Given) -> AnyView {
    view! {
        <p>
            <strong>{given.by.name.clone()}</strong>
            " "
            <span class="under">{words::word(given.at, &given.reason)}</span>
        </p>
    }
    .into_any()
}

fn forms(change: &Change, approvals: &Approvals, session: &Session) -> AnyView {
    let waits = change.state == ChangeState::WaitingApproval;
    if !waits && change.state != ChangeState::Queued {
        return ().into_any();
    }
    let state = use_live().state;
    let tags = state.with_untracked(|it| {
        let view = it.cluster.as_ref();
        view.map(|view| view.tags.clone()).unwrap_or_default()
    });
    let place = (&change.cluster, tags.as_slice());
    let own = change.requested_by.subject == session.subject;
    let missing = permission::missing(&session.grants, Permission::Approve, Some(place));
    let hint = match (own, missing) {
        (true, _) => Some(words::OWN.to_owned()),
        (false, missing) => missing,
    };
    let decide = waits.then(|| match hint {
        Some(why) => disabled(&why),
        None => decide(change, approvals, session),
    });
    let may_cancel = own || session.allows_on(Permission::Administer, place.0, place.1);
    view! { {decide} {may_cancel.then(|| cancel(change, approvals))} }.into_any()
}

fn disabled(why: &str) -> AnyView {
    view! {
        <p class="hint" id="approval-why">{why.to_owned()}</p>
        <p>
            <button type="button" class="button" aria-disabled="true" aria-describedby="approval-why">
                {words::APPROVE}
            </button>
            " "
            <button type="button" class="button" aria-disabled="true" aria-describedby="approval-why">
                {words::DENY}
            </button>
        </p>
    }
    .into_any()
}

fn decide(change: &Change, approvals: &Approvals, session: &Session) -> AnyView {
    let subject = &session.subject;
    let spoken = approvals.given.iter().any(|it| it.by.subject == *subject);
    let approve = (!spoken).then(|| {
        view! {
            <button class="button button-primary" type="submit" name="word" value="approve">
                {words::APPROVE}
            </button>
        }
    });
    let hint = if spoken { words::SPOKEN } else { words::MEANS };
    view! {
        <form class="stacked-form" method="post" action=action(change)>
            <p class="field-hint">{hint}</p>
            <input type="hidden" name="digest" value=approvals.digest.clone()/>
            <label class="field">
                <span class="field-label">{words::REASON}</span>
                <input class="input" name="reason" maxlength="500" autocomplete="off"/>
            </label>
            <p>
                {approve}
                " "
                <button class="button" type="submit" name="word" value="deny">{words::DENY}</button>
            </p>
        </form>
    }
    .into_any()
}

fn cancel(change: &Change, approvals: &Approvals) -> AnyView {
    view! {
        <form class="stacked-form" method="post" action=action(change)>
            <input type="hidden" name="digest" value=approvals.digest.clone()/>
            <label class="field">
                <span class="field-label">{words::CANCEL_REASON}</span>
                <input class="input" name="reason" maxlength="500" autocomplete="off"/>
            </label>
            <button class="button" type="submit" name="word" value="cancel">{words::CANCEL}</button>
        </form>
    }
    .into_any()
}

fn action(change: &Change) -> String {
    path(&format!("/changes/{}/word", segment(&change.id.0)))
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use leptos::prelude::provide_context;
    use quorate_domain::{
        audit::Means,
        permission::{Duty, Grant},
    };

    use super::*;
    use crate::rendered::{at, change, html, person};

    fn waiting() -> Change {
        let mut waiting = change(ChangeState::WaitingApproval);
        let mut dana = person("dana");
        dana.subject = "a-2".to_owned();
        waiting.approvals = Some(Approvals {
            needed: 2,
            until: at(3_600),
            digest: "ab12".to_owned(),
            seq: Some(40),
            given: vec![Given {
                by: dana,
                at: at(60),
                reason: "<b>seen</b>".to_owned(),
                seq: 41,
            }],
            denied: None,
        });
        waiting
    }

    fn page(change: &Change, subject: &str, duty: Duty) -> String {
        let session = Session {
            subject: subject.to_owned(),
            name: "somebody".to_owned(),
            means: Means::Password,
            grants: vec![Grant::everywhere(duty)],
            read_only: false,
        };
        html(|| {
            provide_context(Some(session));
            panel(change, None)
        })
    }

    #[test]
    fn who_may_decide_has_a_form_and_who_may_not_is_told_why() {
        let approver = page(&waiting(), "a-3", Duty::Approver);
        for said in [
            "/q/changes/0193-a/word",
            "value=\"approve\"",
            "value=\"deny\"",
            "ab12",
            "1 of 2",
            "&lt;b&gt;seen",
        ] {
            assert!(approver.contains(said), "{said}: {approver}");
        }
        assert!(!approver.contains("value=\"cancel\""));
        let own = page(&waiting(), "a-1", Duty::Approver);
        assert!(own.contains(words::OWN) && own.contains("value=\"cancel\""));
        assert!(!own.contains("value=\"approve\""));
        let spoken = page(&waiting(), "a-2", Duty::Approver);
        assert!(spoken.contains(words::SPOKEN) && !spoken.contains("value=\"approve\""));
        let viewer = page(&waiting(), "a-4", Duty::Viewer);
        assert!(viewer.contains("approver") && viewer.contains("aria-disabled=\"true\""));
        assert!(!viewer.contains("<form"));
    }

    #[test]
    fn what_is_over_has_no_forms() {
        let mut over = waiting();
        over.state = ChangeState::Expired;
        let html = page(&over, "a-3", Duty::Approver);
        assert!(html.contains("1 of 2") && !html.contains("<form"));
        let until = format!("<dt>{}</dt>", words::UNTIL);
        assert!(!html.contains(&until), "{html}");
        assert!(page(&waiting(), "a-3", Duty::Approver).contains(&until));
    }
}
