#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    audit::Means,
    cluster::{MemberId, Revision, Term},
    health::Verdict,
    preflight::ReasonCode,
};

fn rule(clusters: &str, tags: &str, actions: &[Verb], approvals: u32) -> Rule {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    Rule {
        clusters: words(clusters),
        tags: words(tags),
        actions: actions.to_vec(),
        approvals,
        expires_after_ms: 3_600_000,
        execute_within_ms: 300_000,
    }
}

fn basis() -> Basis {
    Basis {
        action: None,
        revision: Revision::from("a91f"),
        leader: Some(MemberId::from("n1")),
        term: Some(Term(41)),
        verdict: Verdict::Ok,
        reasons: vec![ReasonCode::EvenVoters],
    }
}

#[test]
fn a_rule_holds_on_its_clusters_tags_and_actions_only() {
    let name = ClusterName::from("vault-eu");
    let tags = ["prod".to_owned(), "eu".to_owned()];
    let remove = [Verb::Remove];
    for (rule, verb, expected) in [
        (rule("*", "", &remove, 1), Verb::Remove, Some(1)),
        (rule("*", "", &remove, 1), Verb::Promote, None),
        (rule("*", "", &remove, 0), Verb::Remove, None),
        (rule("vault-eu", "", &remove, 2), Verb::Remove, Some(2)),
        (rule("vault-us", "", &remove, 2), Verb::Remove, None),
        (rule("", "", &remove, 2), Verb::Remove, None),
        (rule("*", "prod", &remove, 1), Verb::Remove, Some(1)),
        (rule("*", "test prod", &remove, 1), Verb::Remove, Some(1)),
        (rule("*", "test", &remove, 1), Verb::Remove, None),
        (rule("*", "", &Verb::ALL, 3), Verb::Snapshot, Some(3)),
    ] {
        let found = demand(std::slice::from_ref(&rule), &name, &tags, verb);
        assert_eq!(found.map(|it| it.approvals), expected, "{rule:?} {verb:?}");
    }
}

#[test]
fn of_several_rules_each_strictest_part_holds() {
    let mut short = rule("*", "", &[Verb::Remove], 1);
    short.expires_after_ms = 60_000;
    let mut many = rule("*", "", &Verb::ALL, 2);
    many.execute_within_ms = 1_000;
    let name = ClusterName::from("blue");
    let found = demand(&[short, many], &name, &[], Verb::Remove).unwrap();
    assert_eq!(
        found,
        Demand {
            approvals: 2,
            expires_after_ms: 60_000,
            execute_within_ms: 1_000,
        }
    );
}

#[test]
fn every_act_in_every_stage_leads_where_the_table_says() {
    use Act::{Approve, ApproveLast, Begin, Deny, Expire, Lapse, MakeVoid, Withdraw};
    use Stage::{Approved, Begun, Denied, Expired, Void, Waiting, Withdrawn};
    let acts = [
        Approve,
        ApproveLast,
        Deny,
        Withdraw,
        Expire,
        MakeVoid,
        Begin,
        Lapse,
    ];
    let waiting = [
        Some(Waiting),
        Some(Approved),
        Some(Denied),
        Some(Withdrawn),
        Some(Expired),
        Some(Void),
        None,
        Some(Waiting),
    ];
    let approved = [
        None,
        None,
        None,
        Some(Withdrawn),
        Some(Expired),
        Some(Void),
        Some(Begun),
        Some(Waiting),
    ];
    for stage in Stage::ALL {
        let row = match stage {
            Waiting => waiting,
            Approved => approved,
            // Used once, or over for good.
            Begun | Denied | Expired | Void | Withdrawn => [None; 8],
        };
        for (act, expected) in acts.into_iter().zip(row) {
            assert_eq!(stage.after(act), expected, "{stage:?} {act:?}");
        }
    }
}

#[test]
fn a_stage_is_shown_as_a_state_and_only_those_that_go_on_are_open() {
    for stage in Stage::ALL {
        let open = matches!(stage, Stage::Waiting | Stage::Approved | Stage::Begun);
        assert_eq!(stage.shown().is_final(), !open, "{stage:?}");
        let read = Stage::of(stage.shown());
        // Both are told as cancelled.
        assert!(read == stage || stage == Stage::Withdrawn, "{stage:?}");
    }
}

#[test]
fn nobody_approves_their_own_request_or_twice_or_too_late() {
    let approved = ["dana".to_owned()];
    let at = Timestamp::from_unix_ms;
    let desk = |stage| Desk {
        stage,
        until: at(1_000),
        requester: "ada",
        approved: &approved,
    };
    let waiting = desk(Stage::Waiting);
    for (person, now, approving, denying) in [
        ("erin", 999, None, None),
        (
            "ada",
            0,
            Some(Objection::OwnRequest),
            Some(Objection::OwnRequest),
        ),
        ("dana", 0, Some(Objection::AlreadyApproved), None),
        (
            "erin",
            1_000,
            Some(Objection::TooLate),
            Some(Objection::TooLate),
        ),
        (
            "ada",
            1_000,
            Some(Objection::TooLate),
            Some(Objection::TooLate),
        ),
    ] {
        assert_eq!(
            waiting.against_approving(person, at(now)),
            approving,
            "{person} at {now}"
        );
        assert_eq!(
            waiting.against_deciding(person, at(now)),
            denying,
            "{person} at {now}"
        );
    }
    for stage in Stage::ALL.into_iter().filter(|it| *it != Stage::Waiting) {
        let found = desk(stage).against_approving("erin", at(0));
        assert_eq!(found, Some(Objection::NotWaiting), "{stage:?}");
    }
}

#[test]
fn whatever_is_different_makes_another_text_to_approve() {
    let (cluster, other) = (ClusterName::from("blue"), ClusterName::from("green"));
    let action = Action::Remove {
        member: MemberId::from("n3"),
    };
    let another = Action::Remove {
        member: MemberId::from("n2"),
    };
    let seen = basis();
    let mut later = basis();
    later.term = Some(Term(42));
    let bound = Bound {
        change: "0193-a",
        cluster: &cluster,
        group: None,
        action: &action,
        issuer: "local",
        subject: "a-1",
        reason: "disk is replaced",
        ticket: Some("CHG-1"),
        basis: &seen,
        needed: 2,
    };
    assert_eq!(bound.canonical(), bound.canonical());
    let different = [
        Bound {
            change: "0193-b",
            ..bound
        },
        Bound {
            cluster: &other,
            ..bound
        },
        Bound {
            group: Some("7"),
            ..bound
        },
        Bound {
            action: &another,
            ..bound
        },
        Bound {
            issuer: "oidc",
            ..bound
        },
        Bound {
            subject: "a-2",
            ..bound
        },
        Bound {
            reason: "disk is replaced ",
            ..bound
        },
        Bound {
            ticket: None,
            ..bound
        },
        Bound {
            basis: &later,
            ..bound
        },
        Bound { needed: 1, ..bound },
    ];
    for other in different {
        assert_ne!(other.canonical(), bound.canonical(), "{other:?}");
    }
}

#[test]
fn a_cluster_that_moved_is_told_by_what_moved() {
    let then = basis();
    assert_eq!(moved(&then, &basis()), Vec::<String>::new());
    let mut now = basis();
    now.term = Some(Term(42));
    assert_eq!(moved(&then, &now).len(), 1, "a new term under one leader");
    now.leader = Some(MemberId::from("n2"));
    assert_eq!(moved(&then, &now).len(), 1, "the leader says it");
    now.revision = Revision::from("b2");
    assert_eq!(moved(&then, &now).len(), 2);
    let mut better = basis();
    better.reasons.clear();
    assert!(
        moved(&then, &better).is_empty(),
        "a warning less is no move"
    );
    // Backends that tell no terms.
    now = basis();
    now.term = None;
    assert!(moved(&then, &now).is_empty());
}

#[test]
fn approvals_read_back_as_they_were_written() {
    let given = Given {
        by: Actor {
            issuer: "local".to_owned(),
            subject: "0193".to_owned(),
            name: "dana".to_owned(),
            means: Means::Password,
        },
        at: Timestamp::from_unix_ms(1_795_270_972_412),
        reason: "seen".to_owned(),
        seq: 8,
    };
    let approvals = Approvals {
        needed: 2,
        until: Timestamp::from_unix_ms(1_795_270_973_000),
        digest: "ab".to_owned(),
        seq: Some(7),
        given: vec![given],
        denied: None,
    };
    let written = serde_json::to_string(&approvals).unwrap();
    assert_eq!(
        serde_json::from_str::<Approvals>(&written).unwrap(),
        approvals
    );
}
