use super::*;
use crate::{rendered::html, sample};

fn drawn(change: impl FnOnce(&mut ClusterView), size: RingSize) -> String {
    let mut view = sample::view();
    change(&mut view);
    html(|| ring(&ring_members(&view), &view.quorum, size))
}

#[test]
fn healthy_voters_come_first_then_those_behind_then_silent_ones() {
    let html = drawn(|_| {}, RingSize::Large);
    let classes: Vec<&str> = html
        .split("class=\"arc ")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(
        classes,
        ["arc-ok", "arc-ok", "arc-ok", "arc-behind", "arc-silent"]
    );
    assert_eq!(html.matches("stroke-dasharray").count(), 1);
}

#[test]
fn voters_that_answer_without_a_leader_are_solid() {
    let leaderless = |view: &mut ClusterView| {
        view.members.truncate(3);
        for (member, state) in view.members.iter_mut().zip([
            MemberState::Unknown,
            MemberState::Unreachable,
            MemberState::Unknown,
        ]) {
            member.role = Role::Voter;
            member.state = state;
        }
        view.quorum.voters = 3;
        view.quorum.answering = 2;
        view.quorum.majority = 2;
    };
    let html = drawn(leaderless, RingSize::Large);
    assert_eq!(html.matches("arc arc-answering").count(), 2, "{html}");
    assert_eq!(html.matches("stroke-dasharray").count(), 1);
    assert!(html.contains("2 answering with a lag not known, 1 not answering"));
}

#[test]
fn the_ring_says_the_same_in_words() {
    let html = drawn(|_| {}, RingSize::Large);
    let words =
        "4 of 5 voters answer, 3 are needed: 3 in step, 1 behind, 1 not answering, 2 learners";
    assert!(html.contains(words), "{html}");
    assert!(html.contains("4/5"));
    assert_eq!(html.matches("ring-dot").count(), 2);
}

#[test]
fn the_small_ring_has_no_figures() {
    assert!(!drawn(|_| {}, RingSize::Small).contains("<text"));
}

#[test]
fn a_joint_configuration_draws_two_rings_and_two_ticks() {
    let joint = |view: &mut ClusterView| {
        let voters = view.quorum.configs[0].clone();
        view.quorum.configs = vec![voters[..3].to_vec(), voters];
    };
    let html = drawn(joint, RingSize::Large);
    assert_eq!(html.matches("ring-tick").count(), 2);
    assert_eq!(html.matches("class=\"arc ").count(), 8);
    assert!(html.contains("two voter sets at once"));
}

#[test]
fn nothing_known_is_a_hatched_circle_with_a_question_mark() {
    let html = drawn(
        |view| {
            view.members.clear();
            view.quorum = Quorum::default();
        },
        RingSize::Large,
    );
    assert!(html.contains("No membership is known."));
    assert!(html.contains(">\n?") || html.contains(">?"), "{html}");
}

#[test]
fn a_single_voter_is_a_whole_ring() {
    let alone = |view: &mut ClusterView| {
        view.members.truncate(1);
        view.quorum = Quorum {
            voters: 1,
            answering: 1,
            majority: 1,
            tolerates: Some(0),
            configs: Vec::new(),
        };
    };
    let html = drawn(alone, RingSize::Small);
    assert_eq!(html.matches("class=\"arc ").count(), 1);
    assert!(html.contains("0 1 1 "), "{html}");
}
