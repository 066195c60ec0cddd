//! The one HTTP client: TLS with private authorities and client certificates, time and size
//! limits, no redirects, no proxies, no cookies. It turns what comes back into a [`Reply`] and
//! what goes wrong into a [`Wire`] error in words. It knows nothing of any backend.
//!
//! A call is built, bounded and sent like this:
//!
//! ```ignore
//! let client = Client::new(&connection)?;
//! let status: Status = client.get(&url).bearer(&token).within(wait).json().await?;
//! let reply = client.post(&url, &body).bearer(&token).within(wait).send().await?; // any status
//! let mut stream = client.get(&url).within(wait).stream().await?; // 2xx only
//! while let Some(chunk) = stream.chunk(per_chunk).await? { … }
//! ```

mod call;
mod wire;

use std::{net::IpAddr, time::Duration};

use quorate_domain::observation::Note;
use reqwest::{Certificate, ClientBuilder, Identity, Method, redirect};
use serde_json::Value;
use url::{Host, Url};

use crate::{ConnectError, Connection, discovery::names::Names};

pub use call::{Call, Reply, Stream};
pub use wire::Wire;

/// The most a status answer may hold.
pub const STATUS_LIMIT: usize = 2 * 1024 * 1024;

const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// Connections to one cluster, with its authorities and client certificate. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    reads: reqwest::Client,
    /// Never reuses a connection: a kept one may have died, and then nobody could tell whether
    /// the change that was written to it arrived.
    changes: reqwest::Client,
}

impl Client {
    /// # Errors
    /// If the certificates given cannot be used.
    pub fn new(connection: &Connection) -> Result<Self, ConnectError> {
        install_ring();
        let failed = |source| ConnectError::Certificates {
            cluster: connection.name.clone(),
            source,
        };
        // Shorter than the whole call, so that a change that found no connection is known not
        // to have been sent.
        let connect = CONNECT_WAIT.min(connection.change_timeout / 2);
        let reads = || {
            bounded()
                .connect_timeout(CONNECT_WAIT)
                .pool_max_idle_per_host(4)
        };
        let changes = || bounded().connect_timeout(connect).pool_max_idle_per_host(0);
        Ok(Self {
            reads: trusting(reads, connection).map_err(failed)?,
            changes: trusting(changes, connection).map_err(failed)?,
        })
    }

    /// A read. Without [`Call::within`] it waits 1 s in all.
    pub fn get(&self, url: &Url) -> Call {
        Call::new(self.reads.request(Method::GET, url.clone()), url)
    }

    /// A read that the backend wants as POST.
    pub fn ask(&self, url: &Url, body: &Value) -> Call {
        Call::new(
            self.reads.request(Method::POST, url.clone()).json(body),
            url,
        )
    }

    /// A read that the backend wants as POST of a form, as in OAuth.
    pub fn ask_form(&self, url: &Url, fields: &[(&str, &str)]) -> Call {
        Call::new(self.reads.request(Method::POST, url.clone()), url).form(fields)
    }

    /// A change, on a connection of its own: whatever fails while connecting was certainly
    /// never sent (see [`Wire::was_sent`]).
    pub fn post(&self, url: &Url, body: &Value) -> Call {
        self.change(Method::POST, url).body(body)
    }

    /// A change by any method, without body.
    pub fn change(&self, method: Method, url: &Url) -> Call {
        Call::new(self.changes.request(method, url.clone()), url)
    }
}

/// Connections by HTTP/2 alone, as gRPC needs them, with the same authorities and certificate.
#[derive(Clone, Debug)]
pub(crate) struct Http2 {
    pub reads: reqwest::Client,
    /// As in [`Client`]: never on a connection that was used before.
    pub changes: reqwest::Client,
}

/// How long what was sent may go unheard below HTTP, before a connection is given up. Calls of
/// HTTP/2 share one; without this a peer that was cut off would be called on the old one for long.
#[cfg(target_os = "linux")]
const UNHEARD: Duration = Duration::from_secs(2);

impl Http2 {
    /// # Errors
    /// If the certificates given cannot be used.
    pub fn new(connection: &Connection) -> Result<Self, ConnectError> {
        install_ring();
        let failed = |source| ConnectError::Certificates {
            cluster: connection.name.clone(),
            source,
        };
        let connect = CONNECT_WAIT.min(connection.change_timeout / 2);
        let reads = || {
            let builder = bounded().http2_prior_knowledge();
            #[cfg(target_os = "linux")]
            let builder = builder.tcp_user_timeout(UNHEARD);
            builder.connect_timeout(CONNECT_WAIT)
        };
        let changes = || {
            bounded()
                .http2_prior_knowledge()
                .connect_timeout(connect)
                .pool_max_idle_per_host(0)
        };
        Ok(Self {
            reads: trusting(reads, connection).map_err(failed)?,
            changes: trusting(changes, connection).map_err(failed)?,
        })
    }
}

/// `text` as the origin of a server: scheme http or https, a host, nothing after it.
///
/// # Errors
/// For anything else, also for an address with a name and password in it.
pub fn origin(text: &str) -> Result<Url, ConnectError> {
    let wrong = || ConnectError::Seed {
        seed: without_credentials(text),
    };
    let url = Url::parse(text.trim()).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(url) } else { Err(wrong()) }
}

/// `http://127.0.0.1:8200`: scheme, host and port of `url` as people write them.
#[must_use]
pub fn address_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether `url` can only lead back to this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Whether an address that somebody at `teller` told may be sent the console's credentials.
///
/// Whoever is reached by TLS leads on to nothing but TLS. Whoever is elsewhere does not lead to the
/// console's own machine, nor to addresses that mean something else on each machine: services
/// meant for this machine alone are there (those of clouds that hand out keys, for example).
#[must_use]
pub fn may_lead(teller: &Url, told: &Url) -> bool {
    let as_safe = told.scheme() == "https" || teller.scheme() == "http";
    as_safe && may_name(teller, told)
}

/// Whether somebody at `teller` may name this place at all: nobody elsewhere leads to the console's
/// own machine.
#[must_use]
pub fn may_name(teller: &Url, told: &Url) -> bool {
    is_loopback(teller) || !means_this_machine(told)
}

fn means_this_machine(url: &Url) -> bool {
    if is_loopback(url) {
        return true;
    }
    let special = |address: std::net::Ipv4Addr| {
        address.is_unspecified()
            || address.is_link_local()
            || address.is_multicast()
            || address.is_broadcast()
    };
    match url.host() {
        Some(Host::Ipv4(address)) => special(address),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(address) => special(address),
            None => {
                address.is_unspecified()
                    || address.is_unicast_link_local()
                    || address.is_multicast()
            }
        },
        _ => false,
    }
}

/// The standing finding for an address that is reached by plain HTTP beyond loopback.
#[must_use]
pub fn plain_http(url: &Url) -> Option<Note> {
    (url.scheme() == "http" && !is_loopback(url)).then(|| Note::PlainHttp {
        address: address_of(url),
    })
}

pub(crate) fn without_credentials(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://…{}", &text[..scheme], &text[at..])
        }
        _ => text.to_owned(),
    }
}

fn install_ring() {
    // An error only says that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn bounded() -> ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("quorate/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .tls_info(true)
        // A frozen peer must cost one connection only. With HTTP/2 all calls would share one,
        // and it would go on being used after the peer has come back.
        .http1_only()
        .pool_idle_timeout(Duration::from_secs(30))
}

fn trusting(
    builder: impl Fn() -> ClientBuilder,
    connection: &Connection,
) -> Result<reqwest::Client, reqwest::Error> {
    let authorities = match &connection.ca_pem {
        Some(pem) => Certificate::from_pem_bundle(pem)?,
        None => Vec::new(),
    };
    let identity = match &connection.client_pem {
        Some(pem) => Some(Identity::from_pem(pem.reveal().as_bytes())?),
        None => None,
    };
    let names = connection.lookups.resolver.and_then(Names::by);
    let named = || match &names {
        Some(names) => builder().dns_resolver(names.clone()),
        None => builder(),
    };
    let identified = || match identity.clone() {
        Some(identity) => named().identity(identity),
        None => named(),
    };
    if !authorities.is_empty() {
        return identified().tls_certs_merge(authorities).build();
    }
    // A machine without any system authorities must still be able to speak plain HTTP.
    identified()
        .build()
        .or_else(|_| identified().tls_certs_only([]).build())
}

#[cfg(test)]
mod tests;
