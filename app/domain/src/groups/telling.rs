//! A program of many groups in words: the sentence of its card, its verdict, its findings.

use super::{Class, Fleet, Host};
use crate::{
    cluster::MemberId,
    health::{Finding, FindingCode, Severity, Verdict},
    moment::Timestamp,
    observation::Answer,
    text,
    view::{ClusterView, LeaderStatus},
};

/// A look this old says nothing about now.
const OLD_MS: u64 = 15_000;
/// How many groups a finding names.
const NAMED: usize = 3;

/// Puts what is known of the groups into the view of their program, which is blank but for what
/// the configuration and the program's identity say.
pub fn dress(view: &mut ClusterView, fleet: &Fleet, now: Timestamp) {
    let old = view.age_ms.filter(|age| *age > OLD_MS);
    view.verdict = old.map_or_else(|| verdict(fleet), |_| Verdict::Unknown);
    view.sentence = old.map_or_else(|| sentence(fleet), text::look_is_old);
    view.leader_sentence = String::new();
    if view.verdict == Verdict::AtRisk {
        if fleet.count(Class::LeaderDisputed) > 0 {
            view.leader.status = LeaderStatus::Disputed;
        } else if fleet.count(Class::NoLeader) > 0 {
            view.leader.status = LeaderStatus::None;
        }
    }
    view.findings.retain(|finding| stays(finding.code));
    if view.verdict == Verdict::Ok && view.findings.iter().any(|it| it.code.weighs()) {
        view.verdict = Verdict::AtRisk;
    }
    let mut findings = findings(fleet, now);
    findings.append(&mut view.findings);
    view.findings = findings;
    // Every change is one of a group.
    view.actions = Vec::new();
    view.groups = Some(fleet.view(now));
}

/// The worst that holds for any group; unknown only if no host answers.
fn verdict(fleet: &Fleet) -> Verdict {
    if !fleet.hosts().any(Host::answers) {
        return Verdict::Unknown;
    }
    let silent = fleet.hosts().any(|host| !host.answers());
    let least = if silent { Verdict::AtRisk } else { Verdict::Ok };
    let found = Class::ALL.into_iter().filter(|it| fleet.count(*it) > 0);
    found.map(Class::verdict).fold(least, Verdict::max)
}

fn sentence(fleet: &Fleet) -> String {
    let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    let hosts = fleet.hosts().count();
    let answering = fleet.hosts().filter(|host| host.answers()).count();
    let wrong: Vec<(Class, u32)> = Class::ALL
        .into_iter()
        .filter(|class| *class != Class::Ok)
        .map(|class| (class, fleet.count(class)))
        .filter(|(_, number)| *number > 0)
        .collect();
    text::groups_sentence(fleet.total(), number(hosts), number(answering), &wrong)
}

/// What is no group's state.
const fn stays(code: FindingCode) -> bool {
    matches!(
        code,
        FindingCode::PlainHttp
            | FindingCode::MissingPermission
            | FindingCode::CredentialExpires
            | FindingCode::TwoClusters
            | FindingCode::SourceFailed
    )
}

fn findings(fleet: &Fleet, now: Timestamp) -> Vec<Finding> {
    let mut found: Vec<Finding> = Class::ALL
        .into_iter()
        .filter_map(|class| of_class(fleet, class, now))
        .collect();
    let silent = fleet.hosts().filter(|host| !host.answers());
    found.extend(silent.map(|host| of_host(host, now)));
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found
}

fn of_class(fleet: &Fleet, class: Class, now: Timestamp) -> Option<Finding> {
    let (code, severity) = match class {
        Class::NoQuorum => (FindingCode::NoQuorum, Severity::Bad),
        Class::LeaderDisputed => (FindingCode::LeaderDisputed, Severity::Bad),
        Class::NoLeader => (FindingCode::NoLeader, Severity::Bad),
        Class::Unknown => (FindingCode::LeaderUnknown, Severity::Warn),
        Class::ReducedTolerance => (FindingCode::MemberUnconfirmed, Severity::Warn),
        Class::Fault => (FindingCode::MemberFault, Severity::Warn),
        Class::Lagging => (FindingCode::MemberLagging, Severity::Warn),
        Class::Ok => return None,
    };
    let number = fleet.count(class);
    let names: Vec<&str> = fleet.some(class).take(NAMED).collect();
    (number > 0).then(|| Finding {
        code,
        member: None,
        since: fleet.since(class).unwrap_or(now),
        severity,
        text: text::groups_finding(class, number, &names),
        hint: Some(text::groups_hint(class).to_owned()),
    })
}

fn of_host(host: &Host, now: Timestamp) -> Finding {
    let (code, why) = match &host.answer {
        Answer::Misread(why) => (FindingCode::MemberMisread, Some(why.as_str())),
        Answer::Denied(why) => (FindingCode::MemberDenied, Some(why.as_str())),
        Answer::Silent(why) => (FindingCode::MemberUnreachable, Some(why.as_str())),
        _ => (FindingCode::MemberUnreachable, None),
    };
    Finding {
        code,
        member: Some(MemberId::from(host.id.as_ref())),
        since: host.silent_since.unwrap_or(now),
        severity: Severity::Warn,
        text: text::host_silent(&host.id, why),
        hint: Some(text::host_hint().to_owned()),
    }
}
