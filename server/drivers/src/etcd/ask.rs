//! Asking one member: where it stands and whom it holds to be members. Two calls at once, each
//! bounded; neither changes anything.

use std::time::Duration;

use quorate_domain::{cluster::MemberId, moment::Timestamp, observation::Answer};
use serde_json::json;
use url::Url;

use super::{
    answers::{Listed, Members, Status, member_id},
    gateway::{Missed, at, read},
};
use crate::{
    Secret, clock,
    http::{Client, Wire, address_of},
};

/// What one address answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub url: Url,
    /// Who was expected there.
    pub expected: Option<MemberId>,
    pub answer: Answer,
    pub at: Timestamp,
    pub status: Option<Status>,
    /// Its own copy of the membership; learners do not tell it.
    pub list: Option<Vec<Listed>>,
    /// It wants another token than the one it got, or any at all.
    pub wants_token: bool,
}

impl Asked {
    /// Who it says it is.
    pub fn proven(&self) -> Option<MemberId> {
        self.status
            .as_ref()
            .map(|status| member_id(status.header.member_id))
    }

    /// Who it is, as far as is known.
    pub fn id(&self) -> Option<MemberId> {
        self.proven().or_else(|| self.expected.clone())
    }

    pub fn leads(&self) -> bool {
        self.status.as_ref().is_some_and(Status::leads)
    }

    pub fn cluster_id(&self) -> Option<u64> {
        let id = self.status.as_ref()?.header.cluster_id;
        (id != 0).then_some(id)
    }

    pub fn address(&self) -> String {
        address_of(&self.url)
    }

    /// An address from which nothing came in time.
    pub fn silent(url: Url, expected: Option<MemberId>, why: &Wire) -> Self {
        Self {
            url,
            expected,
            answer: why.answer(),
            at: clock::now(),
            status: None,
            list: None,
            wants_token: false,
        }
    }
}

/// Asks the member at `url`.
pub(super) async fn ask(
    client: &Client,
    token: Option<&Secret>,
    url: Url,
    expected: Option<MemberId>,
    wait: Duration,
) -> Asked {
    let (status_url, list_url) = (
        at(&url, "maintenance/status"),
        at(&url, "cluster/member/list"),
    );
    let body = json!({});
    let (status, list) = tokio::join!(
        read::<Status>(client, token, &status_url, &body, wait),
        read::<Members>(client, token, &list_url, &body, wait)
    );
    let mut asked = Asked::silent(url, expected, &Wire::Broken);
    asked.wants_token = [status.as_ref().err(), list.as_ref().err()]
        .into_iter()
        .flatten()
        .any(wants_token);
    asked.answer = match status {
        Ok(status) if status.header.member_id == 0 => {
            Answer::Misread("it does not say which member it is".to_owned())
        }
        Ok(status) => fill(&mut asked, status, list),
        Err(why) => answer_of(&why),
    };
    asked
}

fn fill(asked: &mut Asked, status: Status, list: Result<Members, Missed>) -> Answer {
    let is_learner = status.is_learner;
    asked.status = Some(status);
    match list {
        Ok(list) if !list.members.is_empty() => {
            asked.list = Some(list.members);
            Answer::Answered
        }
        Ok(_) => Answer::Misread("its list of members is empty".to_owned()),
        Err(_) if is_learner => Answer::Answered,
        Err(why) => answer_of(&why),
    }
}

fn wants_token(why: &Missed) -> bool {
    why.failure()
        .is_some_and(|failure| failure.asks_for_sign_in() || failure.refuses_token())
}

/// How a member that could not be read stands in an observation.
pub(super) fn answer_of(why: &Missed) -> Answer {
    match why {
        Missed::Wire(wire) => wire.answer(),
        Missed::Failed(failure) if failure.asks_for_sign_in() => {
            Answer::Denied("it asks for a name and a password".to_owned())
        }
        Missed::Failed(failure) if failure.refuses_token() || failure.code == Some(7) => {
            Answer::Denied(failure.text.clone())
        }
        // It took longer than it was given.
        Missed::Failed(failure) if failure.code == Some(4) => Answer::Silent(failure.text.clone()),
        Missed::Failed(failure) => Answer::Misread(format!("it says: {}", failure.text)),
    }
}
