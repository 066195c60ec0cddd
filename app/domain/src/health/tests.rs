//! What is remembered between looks, and what is found wrong.
#![allow(clippy::expect_used)]

use super::*;
use crate::{
    cluster::Role,
    observation::Note,
    stage::{LOOK, Stage},
    view::{ClusterView, MemberState, render},
};

fn found(view: &ClusterView) -> Vec<(FindingCode, Option<String>, Severity)> {
    view.findings
        .iter()
        .map(|f| {
            (
                f.code,
                f.member.as_ref().map(ToString::to_string),
                f.severity,
            )
        })
        .collect()
}

fn about(
    code: FindingCode,
    id: &str,
    severity: Severity,
) -> (FindingCode, Option<String>, Severity) {
    (code, Some(id.to_owned()), severity)
}

#[test]
fn a_healthy_cluster_has_nothing_to_say() {
    let view = Stage::voters(3).learner("n4").view();
    assert_eq!(found(&view), []);
    assert_eq!(view.verdict, Verdict::Ok);
}

#[test]
fn each_answer_has_its_finding() {
    use FindingCode::{
        MemberDenied, MemberFault, MemberMisread, MemberNotStarted, MemberSealed,
        MemberUnconfirmed, MemberUnreachable,
    };
    let why = || "because".to_owned();
    let stage = || Stage::voters(5);
    let table = [
        (
            stage().silent("n2"),
            MemberUnreachable,
            Severity::Info,
            MemberState::Unreachable,
        ),
        (
            stage().answer("n2", Answer::Sealed),
            MemberSealed,
            Severity::Warn,
            MemberState::Sealed,
        ),
        (
            stage().answer("n2", Answer::NotStarted),
            MemberNotStarted,
            Severity::Warn,
            MemberState::NotStarted,
        ),
        (
            stage().answer("n2", Answer::Misread(why())),
            MemberMisread,
            Severity::Warn,
            MemberState::Unknown,
        ),
        (
            stage().answer("n2", Answer::Denied(why())),
            MemberDenied,
            Severity::Warn,
            MemberState::Unknown,
        ),
        (
            stage().answer("n2", Answer::NotAsked),
            MemberUnconfirmed,
            Severity::Warn,
            MemberState::Unconfirmed,
        ),
        (
            stage().says("n2", |says| says.fault = Some(why())),
            MemberFault,
            Severity::Bad,
            MemberState::Unreachable,
        ),
    ];
    for (stage, code, severity, state) in table {
        let view = stage.view();
        assert_eq!(found(&view), [about(code, "n2", severity)]);
        let member = view.member(&"n2".into()).expect("listed");
        assert_eq!((member.state, member.answering), (state, false), "{code:?}");
        assert_eq!(view.verdict, Verdict::AtRisk, "{code:?}");
        assert_eq!(member.findings.len(), 1);
    }
}

#[test]
fn silence_grows_worse_with_time_and_with_tolerance() {
    // Voters, silent ones, how long, how bad.
    let table = [
        (5, "n5", 0, Severity::Info),
        (5, "n5", 4_900, Severity::Info),
        (5, "n5", 5_000, Severity::Warn),
        (5, "n4 n5", 5_000, Severity::Bad),
        (3, "n3", 5_000, Severity::Bad),
        (3, "n3", 500, Severity::Info),
    ];
    for (voters, silent, milliseconds, severity) in table {
        let stage = Stage::voters(voters).look().later(milliseconds);
        let view = silent.split(' ').fold(stage, Stage::silent).view();
        let last = silent.split(' ').next_back().expect("one");
        assert!(
            found(&view).contains(&about(FindingCode::MemberUnreachable, last, severity)),
            "{voters} {silent} {milliseconds}: {:?}",
            found(&view)
        );
    }
    let learner = Stage::voters(3)
        .learner("n4")
        .look()
        .later(60_000)
        .silent("n4")
        .view();
    assert_eq!(
        found(&learner),
        [about(FindingCode::MemberUnreachable, "n4", Severity::Warn)]
    );
}

#[test]
fn silence_is_told_with_its_length_its_zone_and_a_way_out() {
    let stage = Stage::voters(5).zone("n4", "eu2").zone("n5", "eu2");
    let view = stage.look().later(41_000).silent("n5").view();
    let finding = view.findings.first().expect("one");
    assert_eq!(finding.text, "n5 has not answered for 41 s: refused.");
    assert_eq!(
        finding.since,
        LOOK.plus_ms(41_000),
        "the first look that failed"
    );
    assert_eq!(
        finding.hint.as_deref(),
        Some(
            "Zone eu2 has one voter left. If it stays away, replace it: add a learner, let it \
             catch up, promote it, then remove n5."
        )
    );
    assert_eq!(view.sentence, "4 of 5 voters answer; one more may fail.");
}

#[test]
fn a_finding_keeps_the_moment_it_began() {
    let stage = Stage::voters(3)
        .silent("n3")
        .look()
        .later(3_000)
        .look()
        .later(3_000);
    let view = stage.view();
    assert!(
        view.findings.iter().all(|finding| finding.since == LOOK),
        "{:?}",
        view.findings
    );
}

#[test]
fn the_verdict_follows_from_those_that_answer() {
    let silent = |voters: u32, ids: &str| {
        ids.split_whitespace()
            .fold(Stage::voters(voters), Stage::silent)
    };
    let plain = Note::PlainHttp {
        address: "http://n1".to_owned(),
    };
    let table = [
        (silent(3, ""), Verdict::Ok),
        (silent(3, "n3"), Verdict::AtRisk),
        (silent(5, "n5"), Verdict::AtRisk),
        (silent(3, "n2 n3"), Verdict::NoQuorum),
        (silent(3, "n1 n2 n3"), Verdict::Unknown),
        (silent(3, "n1 n2 n3").learner("n4"), Verdict::Unknown),
        (silent(1, ""), Verdict::AtRisk),
        (silent(2, ""), Verdict::AtRisk),
        (silent(4, ""), Verdict::Ok),
        (silent(3, "").learner("n4").silent("n4"), Verdict::Ok),
        (silent(3, "").claims("n2", 4), Verdict::AtRisk),
        (silent(3, "").note(plain), Verdict::Ok),
        (silent(3, "").wants("n1", Role::Learner), Verdict::AtRisk),
    ];
    for (number, (stage, verdict)) in table.into_iter().enumerate() {
        assert_eq!(stage.view().verdict, verdict, "row {number}");
    }
}

#[test]
fn between_two_looks_at_rest_nobody_is_held_silent() {
    let stage = Stage::voters(3);
    let rest = stage.clone().seen_after(5_500);
    assert_eq!((rest.quorum.answering, rest.verdict), (3, Verdict::Ok));
    assert_eq!(found(&rest), []);
    let old = stage.seen_after(7_001);
    assert_eq!((old.quorum.answering, old.verdict), (0, Verdict::Unknown));
    assert_eq!(
        old.sentence,
        "Last looked at 7 s ago; what holds now is not known."
    );
    assert_eq!(found(&old), [], "not having looked is nobody's fault");
}

#[test]
fn lagging_begins_above_the_limit_and_ends_at_half_of_it() {
    let mut stage = Stage::voters(2);
    let table = [
        (1_000, false),
        (1_001, true),
        (501, true),
        (500, false),
        (999, false),
    ];
    for (lag, lagging) in table {
        stage =
            stage
                .later(1_000)
                .indexes("n1", 5_000, 5_000)
                .indexes("n2", 5_000 - lag, 5_000 - lag);
        stage = stage.look();
        let view = render(&stage.state(), stage.at);
        let state = view.member(&"n2".into()).expect("listed").state;
        assert_eq!(state == MemberState::CatchingUp, lagging, "at {lag}");
        assert_eq!(view.worst_lag, Some(lag));
    }
}

#[test]
fn the_leaders_time_runs_on_through_a_moment_of_doubt() {
    let calm = Stage::voters(3).look().later(1_000);
    let doubt = calm.names("n2", None).names("n3", None).look().later(1_000);
    let again = doubt.names("n2", Some("n1")).names("n3", Some("n1"));
    // It led already when it was first seen: since when, nobody knows.
    assert_eq!(again.clone().view().leader.since, None);
    let elected = ["n1", "n2", "n3"].into_iter().fold(again, |stage, id| {
        stage.says(id, |says| says.term = Some(Term(6)))
    });
    assert_eq!(elected.view().leader.since, Some(LOOK.plus_ms(2_000)));
}

#[test]
fn tolerance_is_remembered_for_a_day() {
    let hour = 3_600_000;
    let mut stage = Stage::voters(3).look().later(hour).silent("n3").look();
    assert_eq!(
        stage.memory.tolerance_history,
        [(LOOK, 1), (LOOK.plus_ms(hour), 0)]
    );
    stage = stage
        .later(24 * hour)
        .answer("n3", Answer::Silent(String::new()))
        .look();
    assert_eq!(
        stage.memory.tolerance_history,
        [(LOOK, 1), (LOOK.plus_ms(hour), 0)]
    );
    stage = stage.later(2 * hour).look();
    assert_eq!(stage.memory.tolerance_history, [(LOOK.plus_ms(hour), 0)]);
}

#[test]
fn lag_samples_are_thinned_and_bounded() {
    let mut stage = Stage::voters(2);
    for _ in 0..200 {
        stage = stage.later(5_000).look();
    }
    let samples = stage
        .memory
        .lag_history
        .get(&MemberId::from("n2"))
        .expect("sampled");
    assert_eq!(samples.len(), LAG_SAMPLES);
    let gaps = samples.windows(2).map(|pair| match pair {
        [(earlier, _), (later, _)] => later.since(*earlier),
        _ => 0,
    });
    assert!(gaps.into_iter().all(|gap| gap == 10_000));
}

#[test]
fn those_that_left_are_forgotten() {
    let mut stage = Stage::voters(3).look();
    stage.members.retain(|member| member.id.as_str() != "n3");
    let memory = stage.later(1_000).look().memory;
    assert!(!memory.last_answer.contains_key(&"n3".into()));
    assert!(!memory.lag_history.contains_key(&"n3".into()));
}

#[test]
fn an_override_hides_the_alarm_until_it_ends_and_not_the_finding() {
    let mut stage = Stage::voters(5).look().later(60_000).silent("n5");
    stage.overrides = vec![Override {
        member: "n5".into(),
        reason: "new disk".to_owned(),
        by: "operator-7".to_owned(),
        until: stage.at.plus_ms(1_000),
    }];
    let view = stage.clone().view();
    assert_eq!(
        found(&view),
        [
            about(FindingCode::MemberUnreachable, "n5", Severity::Info),
            about(FindingCode::OverrideActive, "n5", Severity::Info),
        ]
    );
    assert_eq!(view.quorum.answering, 4, "arithmetic knows no overrides");
    let ended = stage.seen_after(1_000);
    assert_eq!(
        found(&ended),
        [about(FindingCode::MemberUnreachable, "n5", Severity::Warn)]
    );
}

#[test]
fn a_voter_that_does_not_follow_is_told_of_and_soon_not_counted_on() {
    let stage = Stage::voters(3).names("n3", None).look();
    let young = stage.clone().later(1_000).view();
    assert_eq!(
        found(&young),
        [about(FindingCode::MemberApart, "n3", Severity::Info)]
    );
    assert_eq!(young.quorum.tolerates, Some(1));
    let old = stage.later(2_000).view();
    assert_eq!(
        found(&old),
        [
            about(FindingCode::MemberApart, "n3", Severity::Bad),
            (FindingCode::ToleranceNone, None, Severity::Warn)
        ]
    );
    assert_eq!(old.sentence, "3 of 3 voters answer; none may fail.");
    assert_eq!(old.verdict, Verdict::AtRisk);
    assert_eq!(
        old.findings[0].text,
        "n3 answers and follows no leader. No majority can count on it."
    );
}

#[test]
fn a_wish_that_waits_a_minute_is_worth_a_warning() {
    let stage = Stage::voters(3)
        .learner("n4")
        .wants("n4", Role::Voter)
        .look();
    let young = stage.clone().later(59_000).view();
    assert_eq!(
        found(&young),
        [about(FindingCode::WishPending, "n4", Severity::Info)]
    );
    let old = stage.later(60_000).view();
    assert_eq!(
        found(&old),
        [about(FindingCode::WishPending, "n4", Severity::Warn)]
    );
}

#[test]
fn notes_become_findings() {
    use FindingCode::{
        BackendAlarm, CredentialExpires, MemberMisread, MissingPermission, NoAuthentication,
        PlainHttp, RemovedStillRunning, SourceFailed, TwoClusters,
    };
    let text = || "x".to_owned();
    let table = [
        (
            Note::Alarm {
                member: "n2".into(),
                alarm: "NOSPACE".to_owned(),
            },
            BackendAlarm,
            Severity::Bad,
        ),
        (
            Note::PlainHttp { address: text() },
            PlainHttp,
            Severity::Warn,
        ),
        (Note::NoAuthentication, NoAuthentication, Severity::Warn),
        (
            Note::MissingPermission { what: text() },
            MissingPermission,
            Severity::Warn,
        ),
        (
            Note::TwoClusters {
                addresses: vec![text()],
            },
            TwoClusters,
            Severity::Bad,
        ),
        (
            Note::SourceFailed {
                source: text(),
                why: text(),
                hint: text(),
                kept: 3,
            },
            SourceFailed,
            Severity::Warn,
        ),
        (
            Note::Misread {
                address: text(),
                why: text(),
            },
            MemberMisread,
            Severity::Warn,
        ),
        (
            Note::CredentialExpires {
                at: LOOK.plus_ms(3_600_000),
            },
            CredentialExpires,
            Severity::Warn,
        ),
        (
            Note::CredentialExpires {
                at: LOOK.plus_ms(48 * 3_600_000),
            },
            CredentialExpires,
            Severity::Info,
        ),
        (
            Note::RemovedStillRunning {
                member: "n9".into(),
                address: text(),
            },
            RemovedStillRunning,
            Severity::Warn,
        ),
    ];
    for (note, code, severity) in table {
        let view = Stage::voters(3).note(note).view();
        let codes: Vec<_> = view.findings.iter().map(|f| (f.code, f.severity)).collect();
        assert_eq!(codes, [(code, severity)]);
    }
}

#[test]
fn a_new_leader_gives_the_backends_opinion_time_to_settle() {
    let note = || Note::BackendUnhealthy {
        text: "unwell".to_owned(),
    };
    assert_eq!(found(&Stage::voters(3).note(note()).view()), []);
    let settled = Stage::voters(3).look().later(6_000).note(note()).view();
    assert_eq!(
        found(&settled),
        [(FindingCode::BackendUnhealthy, None, Severity::Info)]
    );
}

#[test]
fn while_nobody_tells_the_membership_the_answers_are_told() {
    let state = Stage::voters(3)
        .answer("n1", Answer::Denied("permission denied".to_owned()))
        .silent("n2")
        .answer("n3", Answer::Sealed)
        .without_membership();
    let view = render(&state, LOOK);
    let codes: Vec<_> = view.findings.iter().map(|finding| finding.code).collect();
    for code in [
        FindingCode::NobodyAnswers,
        FindingCode::MemberDenied,
        FindingCode::MemberUnreachable,
        FindingCode::MemberSealed,
    ] {
        assert!(codes.contains(&code), "{code:?} in {codes:?}");
    }
    assert_eq!(view.verdict, Verdict::Unknown);
    assert_eq!(view.quorum.tolerates, None);
}

#[test]
fn codes_are_written_the_same_everywhere() {
    for code in [
        FindingCode::NoQuorum,
        FindingCode::MemberUnreachable,
        FindingCode::TwoClusters,
    ] {
        let json = serde_json::to_value(code).expect("plain");
        assert_eq!(json, code.as_str());
    }
}

#[test]
fn since_when_the_first_leader_seen_leads_is_not_known() {
    let stage = Stage::voters(3).look().later(60_000);
    let view = stage.view();
    assert_eq!(view.leader.since, None);
    assert_eq!(
        view.leader_sentence,
        "n1 leads; the 3 voters that answer name it."
    );
}

#[test]
fn an_override_is_active_since_it_was_first_seen() {
    let mut stage = Stage::voters(5).look().later(60_000).silent("n5");
    stage.overrides = vec![Override {
        member: "n5".into(),
        reason: "new disk".to_owned(),
        by: "operator-7".to_owned(),
        until: stage.at.plus_ms(600_000),
    }];
    let began = stage.at;
    let view = stage.look().later(5_000).view();
    let active = view
        .findings
        .iter()
        .find(|finding| finding.code == FindingCode::OverrideActive)
        .expect("it is found");
    assert_eq!(active.since, began);
    assert_eq!(
        active.text,
        "operator-7 has set the state of n5 by hand until 2026-11-21 14:33:52 UTC: new disk"
    );
    let n5 = view.member(&"n5".into()).expect("listed");
    assert!(n5.manual.is_some());
    assert_eq!(
        n5.findings,
        ["n5 has not answered for 1 min 5 s: refused."],
        "it is told as `manual`, not as something wrong"
    );
}

#[test]
fn nobody_leads_is_said_only_where_nobody_is_named() {
    let said = |stage: Stage| {
        let view = stage.view();
        let found = view
            .findings
            .into_iter()
            .find(|finding| finding.code == FindingCode::NoLeader);
        found.expect("no leader").text
    };
    let three = || Stage::voters(3);
    let all = |id: &str| {
        three()
            .names("n1", Some(id))
            .names("n2", Some(id))
            .names("n3", Some(id))
    };
    let unproven = three().says("n1", |says| {
        says.quorum_evidence_ms = Some(1_000);
        says.election_timeout_ms = Some(1_000);
    });
    let table = [
        (
            unproven.clone(),
            "No leader is confirmed: n1 is named by all, but its proof of a majority is older than an election timeout.",
        ),
        (
            unproven.names("n3", None),
            "No leader is confirmed: n1 is named by n1 and n2, but its proof of a majority is older than an election timeout.",
        ),
        (
            three().silent("n1"),
            "No leader is confirmed: all still name n1, which does not answer. Nothing can be written until a leader is elected.",
        ),
        (
            three().says("n3", |says| says.term = Some(Term(9))),
            "No leader is confirmed: all still name n1, and a higher term was seen. Nothing can be written until a leader is elected.",
        ),
        (
            all("n2").says("n1", |says| says.claims_leadership = false),
            "No leader is confirmed: all name n2, which does not say that it leads.",
        ),
        (
            three().names("n2", None).names("n3", None),
            "No leader is confirmed: n1 claims to lead, but only n1 names it.",
        ),
        (
            three().silent("n1").names("n2", None).names("n3", None),
            "Nobody leads. Nothing can be written until a leader is elected.",
        ),
    ];
    for (stage, expected) in table {
        assert_eq!(said(stage), expected);
    }
}

#[test]
fn a_remembered_membership_says_from_when_it_is() {
    let stage = Stage::voters(3).look().later(60_000).look();
    let told = stage.memory.membership_told_at;
    assert_eq!(told, Some(LOOK.plus_ms(60_000)));
    let mut state = stage.later(60_000).state();
    let seen = state.observation.as_mut().expect("it looked");
    seen.membership_remembered = true;
    let now = seen.taken_at;
    state.memory = remember(state.memory, &state.registration, seen, &[], now);
    assert_eq!(state.memory.membership_told_at, told);
    let view = render(&state, now);
    let text = &view.findings[0].text;
    let from = LOOK.plus_ms(60_000).in_words();
    assert!(text.contains(&format!("last known from {from}")), "{text}");
}
