//! Asking one address where its node stands, whom it names as leader and whom it holds to be
//! members. Three calls, bounded together by who asks; none changes anything.

use std::time::Duration;

use quorate_domain::{cluster::Membership, moment::Timestamp, observation::Answer};
use url::Url;

use super::{
    answers::{Stats, configuration},
    grpc::{Missed, call},
    messages::{GetConfigurationResponse, LeaderResponse, Method, Nothing, StatsResponse},
};
use crate::{
    clock,
    http::{Wire, address_of},
    word::is_word,
};

/// What one address answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub url: Url,
    pub answer: Answer,
    pub at: Timestamp,
    /// All or nothing: a node whose words cannot all be read has said nothing.
    pub words: Option<Words>,
}

/// A node's own words.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub stats: Stats,
    /// The Raft address of whom it names as leader; its own where it leads.
    pub leader: Option<String>,
    pub configuration: Membership,
}

impl Asked {
    pub fn silent(url: Url, why: &Wire) -> Self {
        Self::missed(url, why.answer())
    }

    fn missed(url: Url, answer: Answer) -> Self {
        Self {
            url,
            answer,
            at: clock::now(),
            words: None,
        }
    }

    pub fn address(&self) -> String {
        address_of(&self.url)
    }

    /// Its words, if it belongs to a cluster.
    pub fn inside(&self) -> Option<&Words> {
        self.words
            .as_ref()
            .filter(|words| !words.configuration.members.is_empty())
    }
}

impl Words {
    /// The Raft address it leads from; `None` unless it says that it leads.
    pub fn leads_from(&self) -> Option<&str> {
        self.leader.as_deref().filter(|_| self.stats.leads())
    }
}

/// Asks the node at `url`. `expected` is the Raft address of the member that should be there.
pub(super) async fn ask(
    client: &reqwest::Client,
    url: Url,
    expected: Option<String>,
    wait: Duration,
) -> Asked {
    let mut words = words(client, &url, wait).await;
    let elsewhere = |words: &Words| {
        let from = words.leads_from().map(str::to_owned);
        from.filter(|from| expected.as_ref().is_some_and(|own| own != from))
    };
    // Between two calls leadership may have moved; what is still so when asked again, is so.
    if words.as_ref().is_ok_and(|words| elsewhere(words).is_some()) {
        words = self::words(client, &url, wait).await;
    }
    let words = match words {
        Ok(words) => words,
        Err(why) => return Asked::missed(url, why.answer()),
    };
    if let Some(from) = elsewhere(&words) {
        let why = format!("the member at {from} answers there");
        return Asked::missed(url, Answer::Misread(why));
    }
    let outside = words.configuration.members.is_empty();
    Asked {
        url,
        answer: if outside {
            Answer::NotStarted
        } else {
            Answer::Answered
        },
        at: clock::now(),
        words: Some(words),
    }
}

pub(super) async fn words(
    client: &reqwest::Client,
    url: &Url,
    wait: Duration,
) -> Result<Words, Missed> {
    // One first: of several calls that wait for the same connection only one learns why it failed.
    let stats = stats(client, url, wait).await?;
    let (leader, told) = tokio::join!(
        call::<_, LeaderResponse>(client, url, Method::Leader, Nothing {}, wait, wait),
        call::<_, GetConfigurationResponse>(
            client,
            url,
            Method::GetConfiguration,
            Nothing {},
            wait,
            wait
        ),
    );
    let (leader, told) = (leader?.address, told?);
    if !is_word(&leader) {
        let why = Wire::Shape("the address of its leader".to_owned());
        return Err(Missed::Wire(why));
    }
    Ok(Words {
        stats,
        leader: (!leader.is_empty()).then_some(leader),
        configuration: configuration(&told).map_err(Missed::Wire)?,
    })
}

pub(super) async fn stats(
    client: &reqwest::Client,
    url: &Url,
    wait: Duration,
) -> Result<Stats, Missed> {
    let told: StatsResponse = call(client, url, Method::Stats, Nothing {}, wait, wait).await?;
    Stats::read(&told).map_err(Missed::Wire)
}
