//! Properties over clusters in any condition, judged by a model that shares nothing with the
//! rules: it knows sets of names, who is awake, and what a majority is.
#![allow(clippy::expect_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::{
    action::Action,
    cluster::{MemberId, Role, Term},
    observation::Answer,
    plan::{Basis, preview},
    preflight::{self, Level},
    stage::Stage,
    view::{ClusterView, LeaderStatus, render},
};

/// One node in any condition.
#[derive(Clone, Debug)]
struct Node {
    voter: bool,
    awake: bool,
    term: u64,
    claims: bool,
    names: Option<usize>,
    behind: u64,
    age_ms: u64,
}

fn node() -> impl Strategy<Value = Node> {
    (
        prop::bool::weighted(0.75),
        prop::bool::weighted(0.8),
        prop_oneof![8 => Just(4_u64), 1 => Just(3_u64), 1 => Just(5_u64)],
        prop::bool::weighted(0.1),
        prop_oneof![8 => Just(Some(0_usize)), 1 => Just(None), 1 => (0_usize..4).prop_map(Some)],
        prop_oneof![4 => Just(0_u64), 1 => 0_u64..300, 1 => 0_u64..5_000],
        prop_oneof![8 => Just(0_u64), 1 => 0_u64..9_000],
    )
        .prop_map(|(voter, awake, term, claims, names, behind, age_ms)| Node {
            voter,
            awake,
            term,
            claims,
            names,
            behind,
            age_ms,
        })
}

#[derive(Clone, Debug)]
struct World {
    nodes: Vec<Node>,
    /// The second voter set of a joint configuration.
    joint: Option<Vec<bool>>,
    viewed_after_ms: u64,
}

fn world() -> impl Strategy<Value = World> {
    (
        prop::collection::vec(node(), 1..8),
        prop::option::weighted(0.1, prop::collection::vec(any::<bool>(), 8)),
        prop_oneof![6 => Just(0_u64), 1 => 0_u64..10_000],
    )
        .prop_map(|(mut nodes, joint, viewed_after_ms)| {
            if let Some(first) = nodes.first_mut() {
                // Most worlds have somebody who leads, or nothing would ever be permitted.
                first.claims = first.term == 4;
                first.voter = true;
                first.behind = 0;
                first.names = Some(0);
            }
            World {
                nodes,
                joint,
                viewed_after_ms,
            }
        })
}

fn name(place: usize) -> String {
    format!("n{}", place + 1)
}

impl World {
    fn stage(&self) -> Stage {
        let mut stage = Stage::voters(1);
        stage.members.clear();
        stage.nodes.clear();
        for (place, node) in self.nodes.iter().enumerate() {
            let role = if node.voter {
                Role::Voter
            } else {
                Role::Learner
            };
            stage = self.staged(stage, place, node, role);
        }
        if let Some(second) = &self.joint {
            let first = self.voter_names();
            let second: Vec<String> = self
                .nodes
                .iter()
                .enumerate()
                .zip(second)
                .filter(|((_, node), in_second)| node.voter && **in_second)
                .map(|((place, _), _)| name(place))
                .collect();
            if !second.is_empty() {
                let first: Vec<String> = first.into_iter().collect();
                stage = stage.joint(&[&first.join(" "), &second.join(" ")]);
            }
        }
        stage
    }

    fn staged(&self, stage: Stage, place: usize, node: &Node, role: Role) -> Stage {
        let id = name(place);
        let mut stage = stage.with(&id, role).says(&id, |says| {
            says.claims_leadership = node.claims;
            says.names_leader = if node.claims {
                Some(name(place).into())
            } else {
                node.names.map(|named| name(named).into())
            };
            says.term = Some(Term(node.term));
            says.last_index = Some(10_000 - node.behind);
            says.commit_index = Some(10_000 - node.behind);
            says.applied_index = Some(10_000 - node.behind);
        });
        let report = stage
            .nodes
            .get_mut(&MemberId::from(id.as_str()))
            .expect("staged");
        report.at = report.at.minus_ms(node.age_ms);
        if !node.awake {
            report.answer = Answer::Silent("refused".to_owned());
            report.says = None;
        }
        stage
    }

    fn view(&self) -> ClusterView {
        let stage = self.stage().look();
        render(&stage.state(), stage.at.plus_ms(self.viewed_after_ms))
    }

    fn voter_names(&self) -> BTreeSet<String> {
        let voters = self.nodes.iter().enumerate().filter(|(_, node)| node.voter);
        voters.map(|(place, _)| name(place)).collect()
    }

    /// Awake, and heard within the time the model allows.
    fn heard(&self, within_ms: u64) -> BTreeSet<String> {
        let heard = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.awake && node.age_ms + self.viewed_after_ms <= within_ms);
        heard.map(|(place, _)| name(place)).collect()
    }
}

fn all_actions(world: &World) -> Vec<Action> {
    let mut actions = vec![
        Action::AddLearner {
            address: "http://new".to_owned(),
            member: None,
        },
        Action::Transfer { member: None },
        Action::Snapshot,
    ];
    for place in 0..=world.nodes.len() {
        let member = || MemberId::from(name(place));
        actions.push(Action::Promote { member: member() });
        actions.push(Action::Demote { member: member() });
        actions.push(Action::Remove { member: member() });
        actions.push(Action::Transfer {
            member: Some(member()),
        });
    }
    actions
}

fn permitted(view: &ClusterView, action: &Action) -> bool {
    preflight::worst(&preflight::check(view, action)) < Level::Refuse
}

/// The model's own bookkeeping: the voters after an action.
fn voters_after(mut voters: BTreeSet<String>, action: &Action) -> BTreeSet<String> {
    match action {
        Action::Promote { member } => {
            voters.insert(member.to_string());
        }
        Action::Demote { member } | Action::Remove { member } => {
            voters.remove(member.as_str());
        }
        _ => {}
    }
    voters
}

fn has_majority(answering: &BTreeSet<String>, voters: &BTreeSet<String>) -> bool {
    answering.intersection(voters).count() * 2 > voters.len()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn no_permitted_change_leaves_fewer_answering_voters_than_the_new_majority(world in world()) {
        let view = world.view();
        let answering = world.heard(7_000);
        for action in all_actions(&world) {
            if permitted(&view, &action) {
                let after = voters_after(world.voter_names(), &action);
                prop_assert!(has_majority(&answering, &after), "{action:?}");
                prop_assert!(has_majority(&answering, &world.voter_names()), "{action:?}");
            }
        }
    }

    #[test]
    fn agreed_needs_a_fresh_claim_and_a_fresh_majority_in_its_term(world in world()) {
        let view = world.view();
        if view.leader.status == LeaderStatus::Agreed {
            let leader = view.leader.member.clone().expect("agreed on somebody").to_string();
            let fresh = world.heard(2_000);
            prop_assert!(fresh.contains(&leader));
            let place = (0..world.nodes.len()).find(|place| name(*place) == leader).expect("one of them");
            let own = world.nodes.get(place).expect("one of them");
            prop_assert!(own.claims && own.voter);
            let backing: BTreeSet<String> = world
                .nodes
                .iter()
                .enumerate()
                .filter(|(at, node)| {
                    node.term == own.term
                        && (*at == place || (!node.claims && node.names == Some(place)))
                })
                .map(|(at, _)| name(at))
                .filter(|voter| fresh.contains(voter))
                .collect();
            prop_assert!(has_majority(&backing, &world.voter_names()));
            for config in &view.quorum.configs {
                let config = config.iter().map(ToString::to_string).collect();
                prop_assert!(has_majority(&backing, &config));
            }
            for node in world.nodes.iter().filter(|node| node.voter && node.awake) {
                prop_assert!(node.term <= own.term, "a voter has passed the leader's term");
            }
        } else {
            prop_assert_eq!(&view.leader.member, &None);
        }
    }

    #[test]
    fn a_permitted_change_has_an_agreed_leader_that_is_not_its_victim(world in world()) {
        let view = world.view();
        for action in all_actions(&world) {
            if permitted(&view, &action) {
                prop_assert_eq!(view.leader.status, LeaderStatus::Agreed);
                if let Action::Demote { member } | Action::Remove { member } | Action::Transfer { member: Some(member) } = &action {
                    prop_assert_ne!(view.leader.member.as_ref(), Some(member));
                }
            }
        }
    }

    #[test]
    fn a_permitted_promotion_is_of_a_level_learner_that_answers(world in world()) {
        let view = world.view();
        for (place, node) in world.nodes.iter().enumerate() {
            let action = Action::Promote { member: name(place).into() };
            if permitted(&view, &action) {
                prop_assert!(!node.voter && node.awake && node.behind <= 100);
                prop_assert!(node.age_ms + world.viewed_after_ms <= 7_000);
            }
        }
    }

    #[test]
    fn a_permitted_transfer_is_to_an_awake_voter_that_is_level(world in world()) {
        let view = world.view();
        for (place, node) in world.nodes.iter().enumerate() {
            let action = Action::Transfer { member: Some(name(place).into()) };
            if permitted(&view, &action) {
                prop_assert!(node.voter && node.awake && node.behind <= 100);
                let target = view.member(&name(place).into()).expect("a member");
                prop_assert_eq!(&target.names_leader, &view.leader.member);
                prop_assert_eq!(target.term, view.leader.term);
            }
        }
    }

    #[test]
    fn while_two_voter_sets_must_agree_only_a_snapshot_is_permitted(world in world()) {
        let view = world.view();
        if view.quorum.configs.len() > 1 {
            for action in all_actions(&world) {
                prop_assert!(action == Action::Snapshot || !permitted(&view, &action), "{action:?}");
            }
        }
    }

    #[test]
    fn the_picture_after_agrees_with_simple_bookkeeping(world in world()) {
        let view = world.view();
        prop_assume!(view.quorum.configs.len() == 1);
        let answering = world.heard(7_000);
        for action in all_actions(&world).into_iter().filter(|action| permitted(&view, action)) {
            let after = preview(&view, &action).after;
            let voters = voters_after(world.voter_names(), &action);
            let drawn: BTreeSet<String> = after
                .members
                .iter()
                .filter(|member| member.role.votes())
                .map(|member| member.id.to_string())
                .collect();
            prop_assert_eq!(&drawn, &voters);
            let alive = answering.intersection(&voters).count();
            prop_assert_eq!(usize::try_from(after.quorum.answering).expect("small"), alive);
            prop_assert_eq!(usize::try_from(after.quorum.voters).expect("small"), voters.len());
        }
    }

    #[test]
    fn checks_are_worst_first_and_fingerprints_read_back(world in world()) {
        let view = world.view();
        for action in all_actions(&world) {
            let checks = preflight::check(&view, &action);
            prop_assert!(checks.is_sorted_by(|one, next| one.level >= next.level));
            prop_assert!(!checks.is_empty());
            let basis = Basis::of(&view, &checks);
            prop_assert_eq!(Basis::parse(&basis.fingerprint()), Some(basis));
        }
    }

    #[test]
    fn the_verdict_never_claims_more_than_the_model(world in world()) {
        let view = world.view();
        let answering = world.heard(7_000);
        let alive = answering.intersection(&world.voter_names()).count();
        if view.quorum.configs.len() == 1 {
            use crate::health::Verdict;
            prop_assert_eq!(view.verdict == Verdict::Unknown, alive == 0);
            let lost = alive > 0 && !has_majority(&answering, &world.voter_names());
            prop_assert_eq!(view.verdict == Verdict::NoQuorum, lost);
            if view.verdict == Verdict::Ok {
                prop_assert_eq!(alive, world.voter_names().len());
            }
        }
    }
}

#[test]
fn the_worlds_of_these_properties_permit_something() {
    let calm = Node {
        voter: true,
        awake: true,
        term: 4,
        claims: false,
        names: Some(0),
        behind: 0,
        age_ms: 0,
    };
    let mut nodes = vec![calm; 5];
    nodes.first_mut().expect("five").claims = true;
    nodes.last_mut().expect("five").voter = false;
    let world = World {
        nodes,
        joint: None,
        viewed_after_ms: 0,
    };
    let view = world.view();
    let allowed = all_actions(&world)
        .iter()
        .filter(|action| permitted(&view, action))
        .count();
    // Add, snapshot; promote the learner; demote, remove and transfer to three; remove the learner.
    assert_eq!(allowed, 13);
}
