//! The closed list of findings, worked out from a standing. Which sentence belongs to which code
//! is `text`'s affair; what is remembered between looks is `health`'s.

use std::collections::BTreeMap;

use crate::{
    cluster::Role,
    health::{Finding, FindingCode, Severity, Verdict},
    moment::Timestamp,
    observation::{Answer, Note},
    standing::{MemberStanding, Standing},
    text,
    view::{LeaderStatus, MemberState},
};

/// A backend's own opinion is worthless for this long after a change of leader, in milliseconds.
const OPINION_SETTLES_MS: u64 = 6_000;

/// A wish the backend has not carried out for this long is worth a warning, in milliseconds.
const WISH_WAITS_MS: u64 = 60_000;

/// A credential that ends within this time is worth a warning, in milliseconds.
const CREDENTIAL_SOON_MS: u64 = 24 * 3_600_000;

/// All findings, most urgent first.
pub(crate) fn findings(standing: &Standing<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    cluster_findings(standing, &mut found);
    for member in &standing.members {
        member_findings(standing, member, &mut found);
    }
    if standing.observation.membership.is_none() {
        stranger_findings(standing, &mut found);
    }
    for note in &standing.observation.notes {
        note_findings(standing, note, &mut found);
    }
    quieten(standing, &mut found);
    found.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then(a.code.cmp(&b.code))
            .then(a.member.cmp(&b.member))
    });
    found
}

/// When each present finding began, by [`key`].
pub(crate) fn begun(standing: &Standing<'_>) -> BTreeMap<String, Timestamp> {
    findings(standing)
        .into_iter()
        .map(|finding| {
            (
                key(&finding.code, finding.member.as_ref().map(|id| id.as_str())),
                finding.since,
            )
        })
        .collect()
}

/// The answer to "may it lose another node?". Only what weighs on the cluster itself counts.
pub(crate) fn verdict(standing: &Standing<'_>, findings: &[Finding]) -> Verdict {
    let quorum = &standing.quorum;
    if quorum.answering == 0
        && standing
            .members
            .iter()
            .all(|member| !votes_and_answers(member))
    {
        return Verdict::Unknown;
    }
    if !quorum.holds() {
        return Verdict::NoQuorum;
    }
    let all_answer = standing
        .members
        .iter()
        .filter(|m| m.member.role.votes())
        .all(|member| member.answering);
    let wrong = findings
        .iter()
        .any(|f| f.code.weighs() && f.severity >= Severity::Warn);
    if all_answer && !wrong {
        Verdict::Ok
    } else {
        Verdict::AtRisk
    }
}

fn votes_and_answers(member: &MemberStanding<'_>) -> bool {
    member.member.role.votes() && member.answering
}

fn key(code: &FindingCode, member: Option<&str>) -> String {
    match member {
        Some(member) => format!("{}:{member}", code.as_str()),
        None => code.as_str().to_owned(),
    }
}

/// A finding about a member, or with `None` about the cluster.
fn finding(
    standing: &Standing<'_>,
    code: FindingCode,
    about: Option<&MemberStanding<'_>>,
    severity: Severity,
    (text, hint): text::Statement,
) -> Finding {
    let member = about.map(|about| about.member.id.clone());
    let known = standing
        .memory
        .finding_since
        .get(&key(&code, member.as_ref().map(|id| id.as_str())));
    let since = known.copied().unwrap_or(standing.observation.taken_at);
    Finding {
        code,
        member,
        since,
        severity,
        text,
        hint,
    }
}

fn cluster_findings(standing: &Standing<'_>, found: &mut Vec<Finding>) {
    let mut add = |code, severity, statement| {
        found.push(finding(standing, code, None, severity, statement));
    };
    if standing.observation.membership_remembered {
        add(
            FindingCode::MembershipRemembered,
            Severity::Warn,
            text::membership_remembered(),
        );
    }
    if standing.is_stale() {
        return;
    }
    let quorum = &standing.quorum;
    if quorum.answering == 0 {
        add(
            FindingCode::NobodyAnswers,
            Severity::Bad,
            text::nobody_answers(),
        );
        return;
    }
    if !quorum.holds() {
        add(
            FindingCode::NoQuorum,
            Severity::Bad,
            text::no_quorum(quorum),
        );
    } else if quorum.tolerates == Some(0) {
        add(
            FindingCode::ToleranceNone,
            Severity::Warn,
            text::tolerance_none(quorum),
        );
    }
    if quorum.is_joint() {
        add(
            FindingCode::JointConfiguration,
            Severity::Warn,
            text::joint_configuration(),
        );
    } else if quorum.voters > 0 && quorum.voters.is_multiple_of(2) {
        add(
            FindingCode::EvenVoters,
            Severity::Info,
            text::even_voters(quorum.voters),
        );
    }
    match standing.leader.status {
        LeaderStatus::Disputed => {
            add(
                FindingCode::LeaderDisputed,
                Severity::Bad,
                text::leader_disputed(&names(standing)),
            );
        }
        LeaderStatus::None => {
            add(FindingCode::NoLeader, Severity::Bad, text::no_leader());
        }
        // An older look merely has to be renewed, and without a quorum more is said already.
        LeaderStatus::Unknown
            if quorum.holds() && standing.age_ms() <= crate::leader::CLAIM_HOLDS_MS =>
        {
            add(
                FindingCode::LeaderUnknown,
                Severity::Warn,
                text::leader_unknown(),
            );
        }
        LeaderStatus::Unknown | LeaderStatus::Agreed => {}
    }
}

/// Who is named by whom, by what people call them.
pub(crate) fn names(standing: &Standing<'_>) -> Vec<(String, Vec<String>)> {
    standing
        .leader
        .votes
        .iter()
        .map(|(named, by)| {
            let by = by.iter().map(|id| standing.name(id).to_owned()).collect();
            (standing.name(named).to_owned(), by)
        })
        .collect()
}

fn member_findings(standing: &Standing<'_>, member: &MemberStanding<'_>, found: &mut Vec<Finding>) {
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
            add(
                FindingCode::MemberNotStarted,
                absent,
                text::member_not_started(name),
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
fn stranger_findings(standing: &Standing<'_>, found: &mut Vec<Finding>) {
    for report in &standing.observation.nodes {
        let name = report.asked.as_deref().unwrap_or(report.id.as_str());
        let (code, statement) = match &report.answer {
            Answer::Sealed => (FindingCode::MemberSealed, text::member_sealed(name)),
            Answer::NotStarted => (
                FindingCode::MemberNotStarted,
                text::member_not_started(name),
            ),
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

fn note_findings(standing: &Standing<'_>, note: &Note, found: &mut Vec<Finding>) {
    let about = |code, severity, statement| finding(standing, code, None, severity, statement);
    let one = match note {
        Note::PlainHttp { address } => about(
            FindingCode::PlainHttp,
            Severity::Warn,
            text::plain_http(address),
        ),
        Note::RemovedStillRunning { member, address } => {
            let mut one = about(
                FindingCode::RemovedStillRunning,
                Severity::Warn,
                text::removed_still_running(member.as_str(), address),
            );
            one.member = Some(member.clone());
            if let Some(since) = standing
                .memory
                .finding_since
                .get(&key(&one.code, Some(member.as_str())))
            {
                one.since = *since;
            }
            one
        }
        Note::ViewsDiffer { members } => {
            for member in members.iter().filter_map(|id| standing.member(id)) {
                let statement = text::views_differ(&member.member.name);
                found.push(finding(
                    standing,
                    FindingCode::ViewsDiffer,
                    Some(member),
                    Severity::Warn,
                    statement,
                ));
            }
            return;
        }
        Note::BackendUnhealthy { text } => {
            let settled = standing
                .memory
                .leader_since
                .is_none_or(|since| standing.now.since(since) >= OPINION_SETTLES_MS);
            if !settled {
                return;
            }
            about(
                FindingCode::BackendUnhealthy,
                Severity::Info,
                text::backend_unhealthy(text),
            )
        }
        Note::MissingPermission { what } => about(
            FindingCode::MissingPermission,
            Severity::Warn,
            text::missing_permission(what),
        ),
        Note::CredentialExpires { at } => {
            let left = at.since(standing.now);
            let severity = if left < CREDENTIAL_SOON_MS {
                Severity::Warn
            } else {
                Severity::Info
            };
            about(
                FindingCode::CredentialExpires,
                severity,
                text::credential_expires(left),
            )
        }
        Note::TwoClusters { addresses } => about(
            FindingCode::TwoClusters,
            Severity::Bad,
            text::two_clusters(addresses),
        ),
        Note::Misread { address, why } => about(
            FindingCode::MemberMisread,
            Severity::Warn,
            text::misread(address, why),
        ),
    };
    found.push(one);
}

/// An override hides a finding's alarm, not the finding.
fn quieten(standing: &Standing<'_>, found: &mut [Finding]) {
    for finding in found {
        let about = finding.member.as_ref().and_then(|id| standing.member(id));
        if about.is_some_and(|member| member.manual.is_some()) {
            finding.severity = Severity::Info;
        }
    }
}
