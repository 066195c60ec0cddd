//! Asking one controller: whom it lists, whom it believes to lead, how far it is. Bounded, and
//! changes nothing.

use std::time::{Duration, Instant};

use quorate_domain::{cluster::MemberId, moment::Timestamp, observation::Answer};
use serde_json::json;
use url::Url;

use super::{
    answers::{Inspected, ModelIndex, Problem, Row, Wrapped},
    identity::Identity,
    sign_in::{Session, Sessions, SignInError},
    version::Version,
};
use crate::{
    clock,
    http::{Call, Client, Reply, Wire, address_of},
};

/// What one controller answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub url: Url,
    /// Who was expected there.
    pub expected: Option<MemberId>,
    /// Whose certificate was shown there.
    pub proven: Option<Identity>,
    /// It has no address of its own that is known: another controller passed the question on.
    pub passed_on: bool,
    pub answer: Answer,
    pub at: Timestamp,
    /// Its own list of members and of whoever else is connected to it.
    pub rows: Option<Vec<Row>>,
    pub index: Option<ModelIndex>,
}

impl Asked {
    /// A controller of which nothing came in time.
    pub fn silent(url: Url, expected: Option<MemberId>, why: &Wire) -> Self {
        Self::with(url, expected, why.answer())
    }

    pub fn with(url: Url, expected: Option<MemberId>, answer: Answer) -> Self {
        Self {
            url,
            expected,
            proven: None,
            passed_on: false,
            answer,
            at: clock::now(),
            rows: None,
            index: None,
        }
    }

    /// Who it is, as far as is known.
    pub fn id(&self) -> Option<&MemberId> {
        let proven = self.proven.as_ref().map(|proven| &proven.id);
        proven.or(self.expected.as_ref())
    }

    /// The line about itself. Controllers list themselves only as members.
    pub fn own_row(&self) -> Option<&Row> {
        let id = self.id()?;
        self.row(id)
    }

    pub fn row(&self, id: &MemberId) -> Option<&Row> {
        let mut rows = self.rows.iter().flatten();
        rows.find(|row| row.id == id.as_str())
    }

    /// By its own belief it leads.
    pub fn leads(&self) -> bool {
        self.answer == Answer::Answered && self.own_row().is_some_and(|own| own.leader)
    }

    /// Whom it believes to lead.
    pub fn names(&self) -> Option<&str> {
        let mut leaders = self.rows.iter().flatten().filter(|row| row.leader);
        leaders.next().map(|row| row.id.as_str())
    }

    pub fn version(&self) -> Option<Version> {
        Version::parse(&self.own_row()?.version)
    }

    pub fn index(&self) -> Option<u64> {
        self.index.as_ref().map(|index| index.index)
    }

    pub fn address(&self) -> String {
        address_of(&self.url)
    }
}

/// `{origin}{path}`
pub(super) fn at(origin: &Url, path: &str) -> Url {
    let mut url = origin.clone();
    url.set_path(path);
    url
}

/// The fabric API's `path`.
pub(super) fn fabric(origin: &Url, path: &str) -> Url {
    at(origin, &format!("/fabric/v1/{path}"))
}

/// A way to ask controllers, signed in.
#[derive(Clone)]
pub(super) struct Asker {
    pub client: Client,
    pub sessions: Sessions,
}

/// Why a controller could not be read.
#[derive(Clone, Debug)]
pub(super) enum Why {
    Wire(Wire),
    SignIn(SignInError),
    /// Signed in, and not allowed to see the members.
    NoRight,
    /// One controller by itself, not part of a cluster.
    NotClustered,
    /// The answer has the shape of an error; its code and text.
    Problem(u16, String, String),
}

impl Why {
    pub fn answer(&self) -> Answer {
        match self {
            Self::Wire(why) | Self::SignIn(SignInError::Wire(why)) => why.answer(),
            Self::SignIn(why @ (SignInError::NotOpenziti | SignInError::TooOld(_))) => {
                Answer::Misread(why.to_string())
            }
            Self::SignIn(why) => Answer::Denied(why.to_string()),
            Self::NoRight => Answer::Denied(
                "the console's identity is no administrator and may not list the members"
                    .to_owned(),
            ),
            Self::NotClustered => {
                Answer::Misread("it is a single controller, not part of a cluster".to_owned())
            }
            Self::Problem(status, code, text) => {
                Answer::Misread(format!("it answers {status} {code}: {text}"))
            }
        }
    }
}

impl Asker {
    /// One read, signed in; once more with a new session if the old one is not taken.
    pub async fn read(
        &self,
        url: &Url,
        within: Duration,
        call: impl Fn() -> Call,
    ) -> Result<Reply, Why> {
        let until = Instant::now() + within;
        let left = || {
            until
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(10))
        };
        let session = self.session(url, left()).await?;
        let reply = session.sign(call().within(left())).send().await;
        let reply = reply.map_err(Why::Wire)?;
        if reply.status != 401 {
            self.sessions.was_good(url);
            return Ok(reply);
        }
        if !self.sessions.reject(url, &session) {
            return Err(Why::NoRight);
        }
        let session = self.session(url, left()).await?;
        let reply = session.sign(call().within(left())).send().await;
        let reply = reply.map_err(Why::Wire)?;
        if reply.status == 401 {
            self.sessions.was_in_vain(url);
            return Err(Why::NoRight);
        }
        Ok(reply)
    }

    async fn session(&self, url: &Url, wait: Duration) -> Result<Session, Why> {
        match tokio::time::timeout(wait, self.sessions.session(url)).await {
            Ok(outcome) => outcome.map_err(Why::SignIn),
            Err(_) => Err(Why::Wire(Wire::TimedOut(wait))),
        }
    }

    /// The list of the controller at `url`, and the certificate it showed.
    pub async fn list(
        &self,
        url: &Url,
        within: Duration,
    ) -> Result<(Vec<Row>, Option<Identity>), Why> {
        let place = fabric(url, "cluster/list-members");
        let reply = self.read(url, within, || self.client.get(&place)).await?;
        let identity = reply.certificate.as_deref().and_then(Identity::of);
        let rows: Wrapped<Vec<Row>> = checked(&reply)?;
        Ok((rows.data, identity))
    }

    /// What the controllers named by `ids` say of themselves, asked by way of `url`.
    pub async fn inspect(
        &self,
        url: &Url,
        ids: &[&MemberId],
        values: &[&str],
        within: Duration,
    ) -> Result<Inspected, Why> {
        let names: Vec<String> = ids.iter().map(|id| literally(id.as_str())).collect();
        let body = json!({
            "appRegex": format!("^({})$", names.join("|")), "requestedValues": values
        });
        let place = fabric(url, "inspections");
        let call = || self.client.ask(&place, &body);
        let reply = self.read(url, within, call).await?;
        checked(&reply)
    }

    /// Asks the controller at `url` for its list and its index.
    pub async fn ask(&self, url: Url, expected: Option<MemberId>, within: Duration) -> Asked {
        let until = Instant::now() + within;
        let index_of = async |id: &MemberId| {
            let left = until.saturating_duration_since(Instant::now());
            let inspected = self.inspect(&url, &[id], &["data-model-index"], left).await;
            inspected.ok()?.index(id.as_str())
        };
        let early = async {
            match &expected {
                Some(id) => index_of(id).await,
                None => None,
            }
        };
        let (listed, early) = tokio::join!(self.list(&url, within), early);
        let (rows, proven) = match listed {
            Ok(listed) => listed,
            Err(why) => return Asked::with(url.clone(), expected, why.answer()),
        };
        // A question for another than the one who answers has been passed on.
        let index = match &proven {
            Some(proven) if expected.as_ref() != Some(&proven.id) => index_of(&proven.id).await,
            _ => early,
        };
        let mut asked = Asked::with(url.clone(), expected, Answer::Answered);
        asked.proven = proven;
        asked.rows = Some(rows);
        asked.index = index;
        asked
    }

    /// Asks those of whom no address is known, by way of `url`, in one call. Who is not
    /// connected to it, or slow, is simply not in the answer.
    pub async fn ask_through(&self, url: &Url, ids: &[MemberId], within: Duration) -> Vec<Asked> {
        let names: Vec<&MemberId> = ids.iter().collect();
        let values = ["data-model-index", "connected-peers"];
        let Ok(inspected) = self.inspect(url, &names, &values, within).await else {
            return Vec::new();
        };
        let one = |id: &MemberId| {
            let rows = inspected.rows(id.as_str())?;
            let mut asked = Asked::with(url.clone(), Some(id.clone()), Answer::Answered);
            asked.passed_on = true;
            asked.index = inspected.index(id.as_str());
            asked.rows = Some(rows);
            Some(asked)
        };
        ids.iter().filter_map(one).collect()
    }
}

/// The JSON of a success, or what kind of failure it is.
pub(super) fn checked<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<T, Why> {
    let Some(wire) = reply.problem() else {
        return reply.json().map_err(Why::Wire);
    };
    match Problem::of(&reply.body) {
        Some(problem) if problem.code == "SERVER_NOT_RUNNING_IN_HA_MODE" => Err(Why::NotClustered),
        Some(problem) => Err(Why::Problem(
            reply.status,
            problem.code.clone(),
            problem.text(),
        )),
        None => Err(Why::Wire(wire)),
    }
}

/// An id as a regular expression that fits nothing else.
fn literally(id: &str) -> String {
    let mut pattern = String::new();
    for letter in id.chars() {
        if !letter.is_ascii_alphanumeric() && letter != '-' && letter != '_' {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_as_a_pattern_fits_only_itself() {
        assert_eq!(literally("ctrl-1"), "ctrl-1");
        assert_eq!(literally("a.b*"), r"a\.b\*");
    }
}
