//! Findings made of what a driver met on its way.

use super::{finding, key};
use crate::{
    health::{Finding, FindingCode, Severity},
    observation::Note,
    standing::Standing,
    text,
};

/// A backend's own opinion is worthless for this long after a change of leader, in milliseconds.
const OPINION_SETTLES_MS: u64 = 6_000;

/// A credential that ends within this time is worth a warning, in milliseconds.
const CREDENTIAL_SOON_MS: u64 = 24 * 3_600_000;

pub(super) fn note_findings(standing: &Standing<'_>, note: &Note, found: &mut Vec<Finding>) {
    let about = |code, severity, statement| finding(standing, code, None, severity, statement);
    let one = match note {
        Note::PlainHttp { address } => about(
            FindingCode::PlainHttp,
            Severity::Warn,
            text::plain_http(address),
        ),
        Note::NoAuthentication => about(
            FindingCode::NoAuthentication,
            Severity::Warn,
            text::no_authentication(standing.observation.kind),
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
                .leader_seen_since
                .is_none_or(|since| standing.now.since(since) >= OPINION_SETTLES_MS);
            if !settled {
                return;
            }
            about(
                FindingCode::BackendUnhealthy,
                Severity::Info,
                text::backend_unhealthy(standing.observation.kind, text),
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
        Note::Alarm { member, alarm } => {
            let about = standing.member(member);
            let name = about.map_or(member.as_str(), |about| about.member.name.as_str());
            finding(
                standing,
                FindingCode::BackendAlarm,
                about,
                Severity::Bad,
                text::backend_alarm(name, alarm),
            )
        }
        Note::SourceFailed {
            source,
            why,
            hint,
            kept,
        } => about(
            FindingCode::SourceFailed,
            Severity::Warn,
            text::source_failed(source, why, hint, *kept),
        ),
        Note::Misread { address, why } => about(
            FindingCode::MemberMisread,
            Severity::Warn,
            text::misread(address, why),
        ),
        Note::MaybeNoMember { member } => {
            let Some(member) = standing.member(member) else {
                return;
            };
            finding(
                standing,
                FindingCode::MemberUnconfirmed,
                Some(member),
                Severity::Warn,
                text::maybe_no_member(&member.member.name),
            )
        }
        Note::LeftOutside { member, address } => {
            let mut one = about(
                FindingCode::LeftOutside,
                Severity::Bad,
                text::left_outside(member.as_str(), address),
            );
            one.member = Some(member.clone());
            one
        }
    };
    found.push(one);
}
