//! Somebody who tells where to begin, and how often it is asked.

use std::{fmt, net::SocketAddr, time::Duration};

use tokio::time::timeout;
use url::Url;

use super::{
    catalogue,
    cause::Cause,
    seed::{Catalogue, Seed, Service},
    service,
};
use crate::{ConnectError, Connection, Lookups, Secret, http::Client};

/// The most addresses one source may give.
pub(super) const MOST: usize = 64;
/// However short or long an answer says that it holds.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Between two calls that wait for a change, however often something changes.
const CALM: Duration = Duration::from_secs(1);
/// A source that fails is asked again after this, then after twice as long, up to a minute.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);
/// The whole of one question, however many servers it goes to.
const WAIT: Duration = Duration::from_secs(10);

/// A good answer: never empty.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub addresses: Vec<Url>,
    /// How long it holds, within bounds.
    pub lasts: Duration,
    /// From where a source that can waits for the next change.
    pub index: Option<u64>,
}

impl Found {
    pub fn new(addresses: Vec<Url>, lasts: Duration) -> Self {
        let lasts = lasts.clamp(SHORTEST, LONGEST);
        Self {
            addresses,
            lasts,
            index: None,
        }
    }

    /// How long to wait before asking again, after asking since `since` for so long.
    pub fn pause(&self, since: Option<u64>, took: Duration) -> Duration {
        // Who answers at once that nothing has changed does not wait for changes.
        let waits = self.index.is_some() && (self.index != since || took >= CALM);
        if waits { CALM } else { self.lasts }
    }
}

pub(super) enum Source {
    Service(Service, Option<SocketAddr>),
    Catalogue(Box<Catalogue>, Client, Option<Secret>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service, _) => service.fmt(f),
            Self::Catalogue(catalogue, ..) => catalogue.fmt(f),
        }
    }
}

impl Source {
    /// # Errors
    /// If `seed` is an address, or the authorities cannot be used.
    pub fn new(seed: Seed, connection: &Connection) -> Result<Self, ConnectError> {
        match seed {
            Seed::Address(url) => Err(ConnectError::Seed {
                seed: url.to_string(),
            }),
            Seed::Service(service) => Ok(Self::Service(service, connection.lookups.resolver)),
            Seed::Catalogue(catalogue) => {
                let token = connection.lookups.consul_token.clone();
                let client = Client::new(&anonymous(connection))?;
                Ok(Self::Catalogue(Box::new(catalogue), client, token))
            }
        }
    }

    /// Where it is asked by HTTP.
    pub const fn asked_at(&self) -> Option<&Url> {
        match self {
            Self::Service(..) => None,
            Self::Catalogue(catalogue, ..) => Some(&catalogue.base),
        }
    }

    /// Bounded in time. Where a source can, it answers once something has changed since `since`.
    pub async fn ask(&self, since: Option<u64>) -> Result<Found, Cause> {
        let asking = async {
            match self {
                Self::Service(service, server) => service::ask(service, *server).await,
                Self::Catalogue(catalogue, client, token) => {
                    catalogue::ask(catalogue, client, token.as_ref(), since).await
                }
            }
        };
        let most = since.map_or(WAIT, |_| WAIT + catalogue::KEPT);
        timeout(most, asking).await.unwrap_or(Err(Cause::DnsSilent))
    }
}

/// The same authorities and names, and nothing that says who the console is to the cluster.
fn anonymous(connection: &Connection) -> Connection {
    Connection {
        seeds: Vec::new(),
        token: None,
        login: None,
        client_pem: None,
        remembered: Vec::new(),
        lookups: Lookups {
            consul_token: None,
            ..connection.lookups.clone()
        },
        ..connection.clone()
    }
}

/// How long to wait after so many failures in a row.
pub(super) fn pause(failures: u32) -> Duration {
    let doubled = AGAIN.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(AGAIN_AT_MOST)
}
