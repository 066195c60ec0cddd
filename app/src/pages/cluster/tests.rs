//! The parts of the cluster page as HTML.
#![allow(clippy::unwrap_used)]

use leptos::prelude::*;
use quorate_domain::{
    cluster::MemberId,
    health::Severity,
    job::ChangeId,
    permission::Duty,
    view::{ClusterView, LeaderStatus},
};

use super::{banner, head, inspector, members, seen::Seen, topology, topology::Drawing, votes};
use crate::{live::Live, live::PageState, rendered, sample, session::Session};

const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&";

fn part(view: ClusterView, duty: Duty, of: impl FnOnce(Seen) -> AnyView) -> String {
    rendered::html(|| {
        let state = PageState {
            cluster: Some(view),
            ..PageState::default()
        };
        provide_context(Live::new(state, None, sample::now()));
        provide_context::<Option<Session>>(Some(sample::session(duty)));
        of(Seen::of(Memo::new(|_| "vault-eu".to_owned())))
    })
}

fn table(view: ClusterView, duty: Duty) -> String {
    part(view, duty, |seen| {
        let chosen = Memo::new(|_| None);
        view! { <members::Members seen chosen/> }.into_any()
    })
}

fn graph(view: ClusterView, drawing: Drawing) -> String {
    part(view, Duty::Admin, |seen| {
        let (drawing, chosen) = (memo(move || drawing), Memo::new(|_| None));
        view! { <topology::Topology seen drawing chosen/> }.into_any()
    })
}

#[test]
fn the_head_says_what_holds_who_leads_and_when_it_was_seen() {
    let html = part(sample::view(), Duty::Admin, |seen| {
        view! { <head::Head seen/> }.into_any()
    });
    assert!(html.contains("4 of 5 voters answer; one more may fail."));
    assert!(html.contains("bao-eu1-a leads since 3 d 4 h"));
    assert!(html.contains("OpenBao 2.7.2 · term 41 · membership a91f03 · 5 voters, 2 learners"));
    assert!(html.contains("seen 14:02:51 UTC"));
    assert_eq!(html.matches("<h1").count(), 1);
}

#[test]
fn the_table_is_a_table_with_a_body_a_head_and_one_row_a_member() {
    let html = table(sample::view(), Duty::Admin);
    assert!(html.contains("<tbody>") && html.contains("<thead>"));
    assert_eq!(html.matches("scope=\"row\"").count(), 7);
    assert_eq!(html.matches("scope=\"col\"").count(), 8);
    assert!(html.contains("1,232,789"));
    assert!(html.contains("41 s ago"));
}

#[test]
fn a_button_that_cannot_be_used_stays_and_says_why() {
    let html = table(sample::view(), Duty::Admin);
    assert!(html.contains("Promote: too far behind"));
    assert!(html.contains("52,114 entries behind; at most 100 are allowed."));
    assert!(html.contains("aria-disabled=\"true\""));
    assert!(
        !html.contains(" disabled"),
        "a disabled button cannot be reached"
    );
}

#[test]
fn a_viewer_is_told_which_role_an_action_needs() {
    let html = table(sample::view(), Duty::Viewer);
    assert!(html.contains("Demote: needs admin"));
    assert!(html.contains("Transfer leadership: needs operator"));
}

#[test]
fn a_silent_voter_is_offered_for_removal_first() {
    let html = table(sample::view(), Duty::Admin);
    assert!(html.contains("id=\"act-remove-bao-eu2-b\""));
    assert!(html.contains("id=\"act-demote-bao-eu2-a\""));
}

#[test]
fn the_graph_draws_solid_dashed_and_dotted_links_to_an_agreed_leader() {
    let html = graph(sample::view(), Drawing::ByRole);
    assert_eq!(html.matches("class=\"topo-link\"").count(), 3);
    assert_eq!(html.matches("topo-link-behind").count(), 2);
    assert_eq!(html.matches("topo-link-silent").count(), 1);
    assert!(html.contains("node-leader"));
}

#[test]
fn without_an_agreed_leader_nobody_stands_in_the_middle() {
    let mut view = sample::view();
    view.leader.status = LeaderStatus::Disputed;
    let html = graph(view, Drawing::ByRole);
    assert!(!html.contains("node-leader"));
    assert!(!html.contains("topo-link\""));
    assert!(html.contains("The leader is disputed"));
    assert!(html.contains("names bao-eu1-a"));
}

#[test]
fn by_zone_every_zone_is_a_column_and_table_only_draws_nothing() {
    let html = graph(sample::view(), Drawing::ByZone);
    assert_eq!(html.matches("topo-zone-name").count(), 7);
    assert!(!graph(sample::view(), Drawing::TableOnly).contains("class=\"node"));
}

#[test]
fn the_banner_shows_the_most_urgent_finding_and_its_next_step() {
    let html = part(sample::view(), Duty::Admin, |seen| {
        view! { <banner::Banner seen/> }.into_any()
    });
    assert!(html.contains("bao-eu2-b has not answered for 41 s."));
    assert!(html.contains("If it stays away, replace it"));
    assert!(html.contains("href=\"?member=bao-eu2-b\""));
    assert!(html.contains("tone-warn"));
}

#[test]
fn there_is_no_banner_for_what_is_only_good_to_know() {
    let mut view = sample::view();
    view.findings
        .iter_mut()
        .for_each(|finding| finding.severity = Severity::Info);
    let html = part(view, Duty::Admin, |seen| {
        view! { <banner::Banner seen/> }.into_any()
    });
    assert!(!html.contains("banner"));
}

#[test]
fn a_running_change_is_linked_even_before_its_steps_are_known() {
    let mut view = sample::view();
    view.running_change = Some(ChangeId("0193-a".to_owned()));
    let html = part(view, Duty::Admin, |seen| {
        view! { <banner::Running seen/> }.into_any()
    });
    assert!(html.contains("A change is running."));
    assert!(html.contains("href=\"/q/changes/0193-a\""));
}

#[test]
fn who_names_whom_is_told_only_while_no_leader_is_agreed() {
    let said = |view| {
        part(view, Duty::Admin, |seen| {
            view! { <votes::Votes seen/> }.into_any()
        })
    };
    assert!(!said(sample::view()).contains("is named by"));
    let mut view = sample::view();
    view.leader.status = LeaderStatus::Disputed;
    let html = said(view);
    assert!(html.contains("bao-eu1-a is named by bao-eu1-a, bao-eu1-b, bao-eu1-c, bao-eu2-a"));
}

#[test]
fn a_state_is_set_by_hand_by_administrators_only() {
    let inspector = |duty| {
        part(sample::view(), duty, |seen| {
            view! { <inspector::Inspector seen id="bao-eu2-b"/> }.into_any()
        })
    };
    let html = inspector(Duty::Admin);
    assert!(html.contains("/override\""), "{html}");
    assert!(html.contains("name=\"reason\""), "{html}");
    assert!(!inspector(Duty::Operator).contains("/override\""));
}

#[test]
fn the_inspector_tells_what_is_known_and_leaves_out_what_no_backend_tells() {
    let html = part(sample::view(), Duty::Admin, |seen| {
        view! { <inspector::Inspector seen id="bao-eu2-b"/> }.into_any()
    });
    assert!(html.contains("bao-eu2-b.example:8201"));
    assert!(html.contains("connection refused"));
    assert!(html.contains("nobody"));
    assert!(!html.contains("Wanted role"));
}

#[test]
fn a_hostile_name_stays_text_everywhere() {
    let mut view = sample::view();
    let member = &mut view.members[1];
    member.id = MemberId::from(HOSTILE);
    member.name = HOSTILE.to_owned();
    member.zone = Some(HOSTILE.to_owned());
    view.findings[0].text = HOSTILE.to_owned();
    view.findings[0].member = Some(MemberId::from(HOSTILE));
    let parts = [
        table(view.clone(), Duty::Admin),
        graph(view.clone(), Drawing::ByRole),
        graph(view.clone(), Drawing::ByZone),
        part(view.clone(), Duty::Admin, |seen| {
            view! { <banner::Banner seen/> }.into_any()
        }),
        part(view, Duty::Admin, |seen| {
            view! { <inspector::Inspector seen id=MemberId::from(HOSTILE)/> }.into_any()
        }),
    ];
    for html in parts {
        assert!(!html.contains("<img"), "{html}");
        assert!(html.contains("&lt;img"), "{html}");
    }
}

#[test]
fn nothing_is_styled_inline() {
    let html = table(sample::view(), Duty::Admin) + &graph(sample::view(), Drawing::ByRole);
    assert!(!html.contains("style="));
}
