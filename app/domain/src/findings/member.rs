//! Findings about one member: why it does not answer, how far behind it is, what it is wanted as.

use super::{finding, votes_and_answers};
use crate::{
    cluster::Role,
    health::{Finding, FindingCode, Severity},
    observation::{Answer, Note},
    standing::{MemberStanding, Standing},
    text,
    view::MemberState,
};

/// A wish the backend has not carried out for this long is worth a warning, in milliseconds.
const WISH_WAITS_MS: u64 = 60_000;

pub(super) fn member_findings(
    standing: &Standing<'_>,
    member: &MemberStanding<'_>,
    found: &mut Vec<Finding>,
) {
    let mut add = |code, severity, statement| {
        found.push(finding(standing, code, Some(member), severity, statement));
    };
    let name = &member.member.name;
    let role = member.member.role;
    let absent = absence(standing, role);
    match member.report.map(|report| &report.answer) {
        Some(Answer::Silent(why)) => {
            if let Some(silent) = member.silent_ms {
                let early = silent < standing.registration.thresholds.silent_after_ms;
                let severity = if early { Severity::Info } else { absent };
                let statement = text::member_unreachable(&text::Absence {
                    name,
                    silent_ms: silent,
                    heard: member.age_ms.is_some(),
                    why,
                    votes: role.votes(),
                    zone: last_of_zone(standing, member).as_ref(),
                });
                add(FindingCode::MemberUnreachable, severity, statement);
            }
        }
        Some(Answer::Sealed) => add(FindingCode::MemberSealed, absent, text::member_sealed(name)),
        Some(Answer::NotStarted) => {
            let answers = member.report.is_some_and(|report| report.asked.is_some());
            add(
                FindingCode::MemberNotStarted,
                absent,
                text::member_not_started(name, answers),
            );
        }
        Some(Answer::Misread(why)) => {
            add(
                FindingCode::MemberMisread,
                Severity::Warn,
                text::member_misread(name, why),
            );
        }
        Some(Answer::Denied(why)) => {
            add(
                FindingCode::MemberDenied,
                Severity::Warn,
                text::member_denied(name, why),
            );
        }
        Some(Answer::NotAsked) => {
            add(
                FindingCode::MemberUnconfirmed,
                Severity::Warn,
                text::member_unconfirmed(name),
            );
        }
        Some(Answer::Answered) | None => {}
    }
    if let Some(fault) = member.fault() {
        add(
            FindingCode::MemberFault,
            Severity::Bad,
            text::member_fault(name, fault),
        );
    }
    if let Some(apart) = &member.apart {
        let severity = if standing.apart_for_long(&member.member.id) {
            absent
        } else {
            Severity::Info
        };
        let why = text::apart(name, apart, |id| standing.name(id));
        add(FindingCode::MemberApart, severity, text::member_apart(&why));
    }
    if member.state == MemberState::CatchingUp {
        let severity = if role.votes() {
            Severity::Warn
        } else {
            Severity::Info
        };
        add(
            FindingCode::MemberLagging,
            severity,
            text::member_lagging(name, member.lag.map(|(lag, _)| lag), role.votes()),
        );
    }
    wish_finding(standing, member, found);
    if let Some(manual) = member.manual {
        let statement = text::override_active(name, &manual.by, &manual.reason, manual.until);
        found.push(finding(
            standing,
            FindingCode::OverrideActive,
            Some(member),
            Severity::Info,
            statement,
        ));
    }
}

/// While nobody tells the membership, what the nodes asked did answer is all there is to go by.
pub(super) fn stranger_findings(standing: &Standing<'_>, found: &mut Vec<Finding>) {
    for report in &standing.observation.nodes {
        let name = report.asked.as_deref().unwrap_or(report.id.as_str());
        let (code, statement) = match &report.answer {
            Answer::Sealed => (FindingCode::MemberSealed, text::member_sealed(name)),
            Answer::NotStarted => (
                FindingCode::MemberNotStarted,
                text::member_not_started(name, report.asked.is_some()),
            ),
            Answer::Misread(_) if noted(standing, name) => continue,
            Answer::Misread(why) => (FindingCode::MemberMisread, text::member_misread(name, why)),
            Answer::Denied(why) => (FindingCode::MemberDenied, text::member_denied(name, why)),
            Answer::Silent(why) => (
                FindingCode::MemberUnreachable,
                (text::never_heard(name, why), None),
            ),
            Answer::Answered | Answer::NotAsked => continue,
        };
        let mut one = finding(standing, code, None, Severity::Warn, statement);
        one.member = Some(report.id.clone());
        found.push(one);
    }
}

/// Whether a note on this address says the same already.
fn noted(standing: &Standing<'_>, name: &str) -> bool {
    let mut notes = standing.observation.notes.iter();
    notes.any(|note| matches!(note, Note::Misread { address, .. } if address == name))
}

fn wish_finding(standing: &Standing<'_>, member: &MemberStanding<'_>, found: &mut Vec<Finding>) {
    let Some(wanted) = member
        .member
        .wanted_role
        .filter(|wanted| *wanted != member.member.role)
    else {
        return;
    };
    let leads = standing.leader.member.as_ref() == Some(&member.member.id);
    let backend = text::backend(standing.observation);
    let statement = text::wish_pending(&member.member.name, wanted.votes(), leads, &backend);
    let mut wish = finding(
        standing,
        FindingCode::WishPending,
        Some(member),
        Severity::Info,
        statement,
    );
    if leads || standing.now.since(wish.since) >= WISH_WAITS_MS {
        wish.severity = Severity::Warn;
    }
    found.push(wish);
}

/// How bad the absence of a member is: a voter's is bad once none may fail.
fn absence(standing: &Standing<'_>, role: Role) -> Severity {
    let spare = standing
        .quorum
        .tolerates
        .is_some_and(|tolerates| tolerates > 0);
    if role.votes() && !spare {
        Severity::Bad
    } else {
        Severity::Warn
    }
}

/// The zone of a voter and how many of the zone's voters still answer.
fn last_of_zone<'a>(
    standing: &Standing<'a>,
    member: &MemberStanding<'a>,
) -> Option<(&'a str, u64)> {
    let zone = standing
        .zone(member.member)
        .filter(|_| member.member.role.votes())?;
    let left = standing
        .members
        .iter()
        .filter(|other| votes_and_answers(other) && standing.zone(other.member) == Some(zone))
        .count();
    Some((zone, u64::try_from(left).unwrap_or(u64::MAX)))
}
