//! Consul's catalogue: where the instances of a service are registered. Their health there is
//! not asked for: a member that is down is a fact to show, not one to leave out.

use reqwest::header::HeaderName;
use serde::Deserialize;
use std::time::Duration;

use super::{
    address,
    cause::Cause,
    seed::Catalogue,
    source::{Found, MOST},
};
use crate::{
    Secret,
    http::{Client, Reply, Wire, may_name},
    word::{maybe_word, word},
};

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
/// Consul says so when a token may not see all there is.
const FILTERED: &str = "x-consul-results-filtered-by-acls";
/// Moves with every change of what was asked for.
const INDEX: &str = "x-consul-index";
/// How often it is asked where it does not keep a call waiting for a change.
const EVERY: Duration = Duration::from_secs(15);
const WAIT: Duration = Duration::from_secs(5);
/// How long a call for a change is kept waiting. Consul adds up to a sixteenth.
pub(super) const KEPT: Duration = Duration::from_secs(30);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    /// The machine's.
    #[serde(default, deserialize_with = "word")]
    address: String,
    /// The service's own, if it has one.
    #[serde(default, deserialize_with = "maybe_word")]
    service_address: Option<String>,
    #[serde(default)]
    service_port: u16,
}

/// What is there now; after `since`, what is there once that has changed, or after [`KEPT`].
pub(super) async fn ask(
    catalogue: &Catalogue,
    client: &Client,
    token: Option<&Secret>,
    since: Option<u64>,
) -> Result<Found, Cause> {
    let mut url = catalogue.base.clone();
    url.set_path(&format!("/v1/catalog/service/{}", catalogue.service));
    {
        // Any server may answer: with no leader the catalogue is a little old, and not away.
        let mut query = url.query_pairs_mut();
        query.append_pair("stale", "");
        for tag in &catalogue.tags {
            query.append_pair("tag", tag);
        }
        if let Some(datacenter) = &catalogue.datacenter {
            query.append_pair("dc", datacenter);
        }
        if let Some(since) = since {
            query.append_pair("index", &since.to_string());
            query.append_pair("wait", &format!("{}s", KEPT.as_secs()));
        }
    }
    let kept = since.map_or(Duration::ZERO, |_| KEPT + KEPT / 16);
    let mut call = client.get(&url).within(kept + WAIT);
    if let Some(token) = token {
        call = call.secret_header(TOKEN, token);
    }
    found(catalogue, &call.send().await.map_err(of_wire)?)
}

fn found(catalogue: &Catalogue, reply: &Reply) -> Result<Found, Cause> {
    if let Some(why) = reply.problem() {
        return Err(of_wire(why));
    }
    let instances: Vec<Instance> = reply.json().map_err(Cause::NotConsul)?;
    if instances.is_empty() {
        let hidden = reply.header(FILTERED) == Some("true");
        return Err(if hidden {
            Cause::ConsulHides
        } else {
            Cause::NoInstance
        });
    }
    let place = |instance: &Instance| {
        let own = instance.service_address.as_deref().unwrap_or_default();
        let host = if own.is_empty() {
            &instance.address
        } else {
            own
        };
        address(catalogue.scheme, host, instance.service_port)
    };
    let places = instances.iter().filter_map(place);
    let mut addresses: Vec<_> = places
        .filter(|told| may_name(&catalogue.base, told))
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MOST);
    if addresses.is_empty() {
        return Err(Cause::NoPort);
    }
    let index = reply.header(INDEX).and_then(|text| text.parse().ok());
    Ok(Found {
        index: index.filter(|index| *index > 0),
        ..Found::new(addresses, EVERY)
    })
}

fn of_wire(why: Wire) -> Cause {
    match why {
        Wire::Denied { text, .. } => Cause::ConsulDenied(text),
        why @ (Wire::NotHttp | Wire::NotJson | Wire::Status { status: 404, .. }) => {
            Cause::NotConsul(why)
        }
        why => Cause::Consul(why),
    }
}
