//! The closed list of findings, worked out from a standing. Which sentence belongs to which code
//! is `text`'s affair; what is remembered between looks is `health`'s.

use std::collections::BTreeMap;

use crate::{
    cluster::MemberId,
    health::{Finding, FindingCode, Severity, Verdict},
    moment::Timestamp,
    standing::{MemberStanding, Standing},
    text,
    view::LeaderStatus,
};

mod member;
mod note;

/// All findings, most urgent first.
pub(crate) fn findings(standing: &Standing<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    cluster_findings(standing, &mut found);
    for member in &standing.members {
        member::member_findings(standing, member, &mut found);
    }
    if standing.observation.membership.is_none() {
        member::stranger_findings(standing, &mut found);
    }
    for note in &standing.observation.notes {
        note::note_findings(standing, note, &mut found);
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

/// Under which the moment is remembered since when a member has stood apart.
pub(crate) fn apart_key(member: &MemberId) -> String {
    key(&FindingCode::MemberApart, Some(member.as_str()))
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
            text::membership_remembered(standing.memory.membership_told_at),
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
            let statement = match only_named(standing) {
                Some(named) => text::leader_unconfirmed(&named),
                None => text::no_leader(),
            };
            add(FindingCode::NoLeader, Severity::Bad, statement);
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

/// The one member all words on who leads name, where they do, and why that is not enough.
fn only_named<'n>(standing: &'n Standing<'_>) -> Option<text::Named<'n>> {
    let mut votes = standing.leader.votes.iter();
    let (named, by) = votes.next().filter(|_| votes.len() == 0)?;
    let answering = usize::try_from(standing.quorum.answering).unwrap_or(usize::MAX);
    Some(text::Named {
        name: standing.name(named),
        by: by.iter().map(|id| standing.name(id).to_owned()).collect(),
        by_all: by.len() >= answering,
        doubt: crate::leader::doubt(standing.observation, named, standing.now),
    })
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

/// An override hides a finding's alarm, not the finding.
fn quieten(standing: &Standing<'_>, found: &mut [Finding]) {
    for finding in found {
        let about = finding.member.as_ref().and_then(|id| standing.member(id));
        if about.is_some_and(|member| member.manual.is_some()) {
            finding.severity = Severity::Info;
        }
    }
}
