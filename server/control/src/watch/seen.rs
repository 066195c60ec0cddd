//! What the last look showed, small enough to keep over a restart: the base of "what happened".

use std::collections::BTreeMap;

use quorate_domain::{
    cluster::MemberId,
    event::Happening,
    health::{Finding, FindingCode, Severity, Verdict},
    view::ClusterView,
};
use serde::{Deserialize, Serialize};

use crate::events::Led;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) verdict: Option<Verdict>,
    leader: Led,
    findings: BTreeMap<String, SeenFinding>,
}

/// A finding without what changes by itself: its text counts seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SeenFinding {
    code: FindingCode,
    member: Option<MemberId>,
    severity: Severity,
    text: String,
}

impl PartialEq for SeenFinding {
    fn eq(&self, other: &Self) -> bool {
        (self.code, &self.member, self.severity) == (other.code, &other.member, other.severity)
    }
}

impl SeenFinding {
    fn of(finding: &Finding) -> (String, Self) {
        let member = finding.member.as_ref().map_or("", MemberId::as_str);
        let kept = Self {
            code: finding.code,
            member: finding.member.clone(),
            severity: finding.severity,
            text: finding.text.clone(),
        };
        (format!("{:?} {member}", finding.code), kept)
    }
}

impl Seen {
    pub(crate) fn of(view: &ClusterView) -> Self {
        Self {
            verdict: Some(view.verdict),
            leader: view
                .leader
                .member
                .clone()
                .map(|member| (member, view.leader.term)),
            findings: view.findings.iter().map(SeenFinding::of).collect(),
        }
    }

    /// Who led, and in which term.
    pub(crate) fn led(&self) -> &Led {
        &self.leader
    }

    /// The same with another leader: what happened in between was told elsewhere.
    pub(super) fn led_by(&mut self, leader: Led) {
        self.leader = leader;
    }

    /// What happened between this and `now`, in the order people tell it.
    pub(crate) fn until(&self, now: &Self) -> Vec<Happening> {
        let mut happened = Vec::new();
        if self.leader != now.leader {
            match (&self.leader, &now.leader) {
                (_, Some((member, term))) => {
                    let (member, term) = (member.clone(), *term);
                    happened.push(Happening::LeaderAgreed { member, term });
                }
                (Some((member, _)), None) => {
                    happened.push(Happening::LeaderLost {
                        member: member.clone(),
                    });
                }
                (None, None) => {}
            }
        }
        for (key, finding) in &self.findings {
            if !now.findings.contains_key(key) {
                happened.push(Happening::FindingCleared {
                    code: finding.code,
                    member: finding.member.clone(),
                    text: first_sentence(&finding.text).to_owned(),
                });
            }
        }
        for (key, finding) in &now.findings {
            if self.findings.get(key) != Some(finding) {
                happened.push(Happening::FindingRaised {
                    code: finding.code,
                    member: finding.member.clone(),
                    severity: finding.severity,
                    text: finding.text.clone(),
                });
            }
        }
        happened
    }
}

/// What was wrong, without what followed from it.
fn first_sentence(text: &str) -> &str {
    match text.find(". ") {
        Some(end) => text.get(..=end).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use quorate_domain::cluster::Term;

    use super::*;

    fn led_by(member: &str, term: u64) -> Seen {
        Seen {
            leader: Some((member.into(), Some(Term(term)))),
            ..Seen::default()
        }
    }

    fn with(code: FindingCode, text: &str) -> Seen {
        let finding = SeenFinding {
            code,
            member: None,
            severity: Severity::Warn,
            text: text.to_owned(),
        };
        Seen {
            findings: BTreeMap::from([(format!("{code:?} "), finding)]),
            ..Seen::default()
        }
    }

    #[test]
    fn elections_are_told_once() {
        let none = Seen::default();
        assert!(matches!(
            none.until(&led_by("n1", 3)).as_slice(),
            [Happening::LeaderAgreed { .. }]
        ));
        assert!(led_by("n1", 3).until(&led_by("n1", 3)).is_empty());
        assert!(matches!(
            led_by("n1", 3).until(&none).as_slice(),
            [Happening::LeaderLost { .. }]
        ));
        assert!(matches!(
            led_by("n1", 3).until(&led_by("n2", 4)).as_slice(),
            [Happening::LeaderAgreed { .. }]
        ));
    }

    #[test]
    fn the_end_of_a_finding_says_what_ended_and_not_what_followed_from_it() {
        let wrong = with(
            FindingCode::NoLeader,
            "Nobody leads. Nothing can be written until a leader is elected.",
        );
        let happened = wrong.until(&Seen::default());
        assert!(
            matches!(
                happened.as_slice(),
                [Happening::FindingCleared { text, .. }] if text == "Nobody leads."
            ),
            "{happened:?}"
        );
    }

    #[test]
    fn a_finding_whose_text_counts_seconds_is_told_once() {
        let first = with(
            FindingCode::MemberUnreachable,
            "n5 has not answered for 5 s",
        );
        let later = with(
            FindingCode::MemberUnreachable,
            "n5 has not answered for 9 s",
        );
        assert!(first.until(&later).is_empty());
        assert!(matches!(
            first.until(&Seen::default()).as_slice(),
            [Happening::FindingCleared { .. }]
        ));
    }
}
