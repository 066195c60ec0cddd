//! One change: how it stands, its steps with times, what was foreseen and seen, who asked for it
//! and why, and its audit entries.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use quorate_domain::{
    job::{Change, ChangeState},
    permission::Permission,
};

use crate::{
    base::{cluster_path, path, segment},
    components::{
        change_dialog::{
            before_after::before_after,
            checks::checks,
            progress::{entry_link, notes, sentence, steps, what_remains},
        },
        moment::moment_utc,
        page_head::PageHead,
        panel::Panel,
        states::{ErrorState, LoadingState},
        tags::ChangeTag,
    },
    live::use_live,
    session::use_session,
    words::{self as all, actions as words, figures},
};

mod approval;

#[component]
pub fn ChangePage() -> impl IntoView {
    let live = use_live();
    let parameters = use_params_map();
    let change = memo(move || {
        let id = parameters.with(|map| map.get("id")).unwrap_or_default();
        live.state
            .with(|state| state.changes.iter().find(|it| it.id.0 == id).cloned())
    });
    let query = use_query_map();
    let problem = move || query.with(|query| query.get("problem"));
    let title = move || {
        change.with(|it| {
            it.as_ref()
                .map_or_else(|| all::CHANGE.to_owned(), |it| it.title.clone())
        })
    };
    let said = move || change.with(|it| it.as_ref().map(sentence).unwrap_or_default());
    let state = memo(move || change.with(|it| it.as_ref().map(|it| it.state)));
    view! {
        <PageHead title=Signal::derive(title) sentence=Signal::derive(said)>
            {move || state.get().map(|state| view! { <ChangeTag state/> })}
        </PageHead>
        {move || match (change.get(), live.problem.get()) {
            (Some(change), _) => whole(&change, problem().as_deref()),
            (None, Some(problem)) => view! { <ErrorState problem/> }.into_any(),
            (None, None) => view! { <LoadingState/> }.into_any(),
        }}
    }
}

/// Everything about one change below its head. `problem` is the code of why somebody's word on it
/// did not count.
#[must_use]
pub fn whole(change: &Change, problem: Option<&str>) -> AnyView {
    let remains = leaves_something(change).then(|| {
        let (title, remains) = if is_open(change) {
            (words::AFTERWARDS, what_remains(change))
        } else {
            (words::NOTES, notes("", &change.notes))
        };
        view! {
            <Panel id="remains" title=title>
                <div class="panel-body">{remains}</div>
            </Panel>
        }
    });
    let steps = steps(&change.steps);
    let checks = checks(&change.checks);
    let approval = approval::panel(change, problem);
    view! {
        {remains}
        {approval}
        <div class="columns">
            <div>
                <Panel id="steps" title=words::STEPS_TAKEN>
                    <div class="panel-body">{steps}</div>
                </Panel>
                {pictures(change)}
                <Panel id="checks" title=words::CHECKS_THEN>
                    <div class="panel-body">{checks}</div>
                </Panel>
            </div>
            <div>
                {request(change)}
                {snapshot(change)}
            </div>
        </div>
    }
    .into_any()
}

fn leaves_something(change: &Change) -> bool {
    change.state.is_final() && (is_open(change) || !change.notes.is_empty())
}

/// Whether somebody has to look at the cluster.
fn is_open(change: &Change) -> bool {
    matches!(change.state, ChangeState::Failed | ChangeState::Unknown)
}

fn pictures(change: &Change) -> AnyView {
    let mut pictures = vec![
        (words::SEEN_BEFORE, &change.before),
        (words::FORESEEN, &change.after),
    ];
    pictures.extend(change.seen.as_ref().map(|seen| (words::SEEN, seen)));
    let pictures = before_after(&pictures);
    view! {
        <Panel id="before-after" title=words::BEFORE_AND_AFTER>
            <div class="panel-body">{pictures}</div>
        </Panel>
    }
    .into_any()
}

fn request(change: &Change) -> AnyView {
    let actor = &change.requested_by;
    let ended = change.ended_at.map(|ended| {
        let took = figures::duration(ended.since(change.created_at));
        view! { {moment_utc(ended)} {format!(", {}", words::after(&took))} }
    });
    let request = change.approvals.as_ref().and_then(|it| it.seq);
    let request = request.map(|seq| entry_link(seq, words::request_entry(seq)));
    let intent = change
        .intent_seq
        .map(|seq| entry_link(seq, words::intent_entry(seq)));
    let outcome = change
        .outcome_seq
        .map(|seq| entry_link(seq, words::outcome_entry(seq)));
    let facts = view! {
        <dl class="facts">
            <div>
                <dt>{words::WHO}</dt>
                <dd>{actor.name.clone()} " " <span class="under">{all::means(actor.means)}</span></dd>
            </div>
            <div><dt>{words::WHY}</dt><dd>{change.reason.clone()}</dd></div>
            {change.ticket.clone().map(|ticket| {
                view! { <div><dt>{words::TICKET_SHORT}</dt><dd>{ticket}</dd></div> }
            })}
            <div>
                <dt>{words::CLUSTER}</dt>
                <dd><a href=cluster_path(change.cluster.as_str())>{change.cluster.0.clone()}</a></dd>
            </div>
            <div><dt>{words::ASKED}</dt><dd>{moment_utc(change.created_at)}</dd></div>
            {ended.map(|ended| view! { <div><dt>{words::ENDED}</dt><dd>{ended}</dd></div> })}
            <div>
                <dt>{words::MEMBERSHIP_DECIDED_ON}</dt>
                <dd><code>{change.plan.step.revision.0.clone()}</code></dd>
            </div>
            <div><dt>{words::RECORDED_AS}</dt><dd class="stacked">{request} {intent} {outcome}</dd></div>
            <div><dt>{words::CHANGE_ID}</dt><dd><code>{change.id.0.clone()}</code></dd></div>
        </dl>
    };
    view! { <Panel id="request" title=words::REQUEST>{facts}</Panel> }.into_any()
}

/// A snapshot's file, for those who may have it.
fn snapshot(change: &Change) -> AnyView {
    let Some(id) = &change.snapshot else {
        return ().into_any();
    };
    let link = path(&format!("/snapshots/{}/content", segment(id)));
    let tags: &[String] = &[];
    let allowed = use_session().is_some_and(|session| {
        session.allows_on(Permission::DownloadSnapshot, &change.cluster, tags)
    });
    let get = if allowed {
        view! {
            <a class="button" href=link download=true rel="external">{words::DOWNLOAD_SNAPSHOT}</a>
        }
        .into_any()
    } else {
        view! {
            <button type="button" class="button" aria-disabled="true" aria-describedby="snapshot-why">
                {words::DOWNLOAD_SNAPSHOT}
            </button>
        }
        .into_any()
    };
    view! {
        <Panel id="snapshot" title=words::SNAPSHOT>
            <div class="panel-body">
                {get}
                <p class="hint" id="snapshot-why">{words::DOWNLOAD_SNAPSHOT_HINT}</p>
            </div>
        </Panel>
    }
    .into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use quorate_domain::approval::Approvals;

    use super::*;
    use crate::rendered::{change, html};

    fn page(change: &Change) -> String {
        html(|| whole(change, None))
    }

    #[test]
    fn a_finished_change_shows_everything_recorded_of_it() {
        let html = page(&change(ChangeState::Succeeded));
        insta::assert_snapshot!(html);
        for said in [
            "CHG-2294",
            "Third region goes live",
            "/q/audit/41",
            "/q/audit/42",
        ] {
            assert!(html.contains(said), "{said} is missing");
        }
        assert!(!html.contains(words::AFTERWARDS));
    }

    #[test]
    fn an_unknown_outcome_says_what_to_do_now() {
        let html = page(&change(ChangeState::Unknown));
        assert!(html.contains(words::WHAT_NOW));
    }

    #[test]
    fn what_waits_names_the_entry_that_asked_for_it_and_nothing_that_is_not_there() {
        let mut waits = change(ChangeState::WaitingApproval);
        (waits.intent_seq, waits.ticket) = (None, None);
        waits.approvals = Some(Approvals {
            needed: 1,
            until: crate::rendered::at(3_600),
            digest: "ab12".to_owned(),
            seq: Some(40),
            given: Vec::new(),
            denied: None,
        });
        let html = page(&waits);
        assert!(html.contains("/q/audit/40"), "{html}");
        for absent in [words::ENDED, words::TICKET_SHORT] {
            assert!(!html.contains(&format!("<dt>{absent}</dt>")), "{absent}");
        }
        waits.waiting_for = Some("approval: 0 of 1".to_owned());
        assert_eq!(sentence(&waits), "Waits for approval: 0 of 1");
    }

    #[test]
    fn a_snapshot_is_not_offered_to_those_who_may_not_have_it() {
        let mut taken = change(ChangeState::Succeeded);
        taken.snapshot = Some("s/1".to_owned());
        let html = page(&taken);
        assert!(html.contains("aria-disabled=\"true\""));
        assert!(!html.contains("/q/snapshots/"));
    }

    #[test]
    fn a_hostile_reason_stays_a_text() {
        let mut hostile = change(ChangeState::Failed);
        hostile.reason = "</dd><script>alert(1)</script>".to_owned();
        assert!(!page(&hostile).contains("<script"));
    }
}
