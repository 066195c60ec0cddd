//! What happened: one line of time per cluster, made of elections, findings, changes, snapshots.

use serde::{Deserialize, Serialize};

use crate::{
    cluster::{ClusterName, MemberId, Term},
    health::{FindingCode, Severity},
    job::{ChangeId, ChangeState},
    moment::Timestamp,
};

/// One line of "What happened".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "told::Told")]
pub struct Event {
    pub id: u64,
    pub at: Timestamp,
    pub cluster: ClusterName,
    #[serde(flatten)]
    pub what: Happening,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event", try_from = "told::Told")]
pub enum Happening {
    LeaderAgreed {
        member: MemberId,
        term: Option<Term>,
    },
    LeaderLost {
        member: MemberId,
    },
    FindingRaised {
        code: FindingCode,
        member: Option<MemberId>,
        severity: Severity,
        text: String,
    },
    FindingCleared {
        code: FindingCode,
        member: Option<MemberId>,
        text: String,
    },
    MembershipChanged {
        text: String,
    },
    Change {
        /// `id` on the wire is the event's own.
        #[serde(rename = "change")]
        id: ChangeId,
        state: ChangeState,
        text: String,
        actor: String,
        ticket: Option<String>,
    },
}

mod told {
    //! An event as it is read: every field beside the others. Reading a tagged enum inside a
    //! flattened struct as such would first gather all of it, which costs the browser's program as
    //! much code as reading a whole cluster.

    use serde::Deserialize;

    use super::{
        ChangeId, ChangeState, ClusterName, Event, FindingCode, Happening, MemberId, Severity,
        Term, Timestamp,
    };

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        LeaderAgreed,
        LeaderLost,
        FindingRaised,
        FindingCleared,
        MembershipChanged,
        Change,
    }

    #[derive(Deserialize)]
    pub struct Told {
        id: Option<u64>,
        at: Option<Timestamp>,
        cluster: Option<ClusterName>,
        event: Kind,
        member: Option<MemberId>,
        term: Option<Term>,
        code: Option<FindingCode>,
        severity: Option<Severity>,
        text: Option<String>,
        change: Option<ChangeId>,
        state: Option<ChangeState>,
        actor: Option<String>,
        ticket: Option<String>,
    }

    impl TryFrom<Told> for Event {
        type Error = &'static str;

        fn try_from(mut told: Told) -> Result<Self, Self::Error> {
            Ok(Self {
                id: told.id.ok_or("missing field `id`")?,
                at: told.at.ok_or("missing field `at`")?,
                cluster: told.cluster.take().ok_or("missing field `cluster`")?,
                what: told.try_into()?,
            })
        }
    }

    impl TryFrom<Told> for Happening {
        type Error = &'static str;

        fn try_from(told: Told) -> Result<Self, Self::Error> {
            let code = told.code.ok_or("missing field `code`");
            let text = told.text.ok_or("missing field `text`");
            Ok(match told.event {
                Kind::LeaderAgreed => Self::LeaderAgreed {
                    member: told.member.ok_or("missing field `member`")?,
                    term: told.term,
                },
                Kind::LeaderLost => Self::LeaderLost {
                    member: told.member.ok_or("missing field `member`")?,
                },
                Kind::FindingRaised => Self::FindingRaised {
                    code: code?,
                    member: told.member,
                    severity: told.severity.ok_or("missing field `severity`")?,
                    text: text?,
                },
                Kind::FindingCleared => Self::FindingCleared {
                    code: code?,
                    member: told.member,
                    text: text?,
                },
                Kind::MembershipChanged => Self::MembershipChanged { text: text? },
                Kind::Change => Self::Change {
                    id: told.change.ok_or("missing field `change`")?,
                    state: told.state.ok_or("missing field `state`")?,
                    text: text?,
                    actor: told.actor.ok_or("missing field `actor`")?,
                    ticket: told.ticket,
                },
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_kind_of_event_reads_back_what_it_wrote() {
        let member = MemberId::from("n1");
        let kinds = [
            Happening::LeaderAgreed {
                member: member.clone(),
                term: Some(Term(4)),
            },
            Happening::LeaderLost {
                member: member.clone(),
            },
            Happening::FindingRaised {
                code: FindingCode::MemberUnreachable,
                member: Some(member.clone()),
                severity: Severity::Warn,
                text: "n1 does not answer.".to_owned(),
            },
            Happening::FindingCleared {
                code: FindingCode::MemberUnreachable,
                member: Some(member),
                text: "n1 answers again.".to_owned(),
            },
            Happening::MembershipChanged {
                text: "n2 is a voter now.".to_owned(),
            },
            Happening::Change {
                id: ChangeId("c-1".to_owned()),
                state: ChangeState::Running,
                text: "Promote n2".to_owned(),
                actor: "ada".to_owned(),
                ticket: None,
            },
        ];
        for what in kinds {
            let event = Event {
                id: 7,
                at: Timestamp::from_unix_ms(1_795_270_972_412),
                cluster: ClusterName("demo".to_owned()),
                what,
            };
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
            let json = serde_json::to_string(&event.what).unwrap();
            assert_eq!(
                serde_json::from_str::<Happening>(&json).unwrap(),
                event.what
            );
        }
    }

    #[test]
    fn an_event_without_what_it_is_about_is_refused() {
        let error = serde_json::from_str::<Happening>(r#"{"event":"leader_lost"}"#).unwrap_err();
        assert!(
            error.to_string().starts_with("missing field `member`"),
            "{error}"
        );
    }
}
