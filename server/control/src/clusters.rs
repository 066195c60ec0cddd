//! Which clusters there are, who may see them, and where new members of them may be.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use quorate_domain::{
    action::Action,
    cluster::ClusterName,
    permission::{Permission, allows},
};

use crate::{
    ClusterSetup, Control, ControlError, Operator, store::Store, watch::Watched, wire::Wire,
};

/// One entry of `join_allowed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JoinRule {
    /// Exactly this address.
    Exact(Place),
    /// Any host of this network, by number, with this scheme and port.
    Network {
        scheme: Option<String>,
        network: IpNet,
        port: Option<u16>,
        any_port: bool,
    },
}

/// An address taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    scheme: Option<String>,
    host: String,
    port: Option<u16>,
}

impl Place {
    /// `https://10.0.0.4:8200`, `10.0.0.4:8201`, `[fd00::4]:8201`, `host:8200`. `None` for what
    /// has user, path, query, or is no address.
    pub(crate) fn parse(address: &str) -> Option<Self> {
        let lower = address.trim().to_ascii_lowercase();
        let (scheme, rest) = split_scheme(&lower);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest)?;
        let plain = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | ':')
        };
        let known = scheme
            .as_deref()
            .is_none_or(|scheme| matches!(scheme, "http" | "https" | "tls"));
        let sound = known && !host.is_empty() && host.chars().all(plain);
        let port = port.or(match scheme.as_deref() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        });
        sound.then(|| Self {
            scheme,
            host: host.to_owned(),
            port,
        })
    }
}

/// `https://…`, and `tls:host:port` as OpenZiti writes its control addresses.
fn split_scheme(text: &str) -> (Option<String>, &str) {
    if let Some((scheme, rest)) = text.split_once("://") {
        return (Some(scheme.to_ascii_lowercase()), rest);
    }
    match text.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tls") && rest.contains(':') => {
            (Some("tls".to_owned()), rest)
        }
        _ => (None, text),
    }
}

/// Host (without brackets) and port of `host:port`, `[v6]:port`, `host`, `v6`.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after {
            "" => Some((host, None)),
            _ => Some((host, Some(after.strip_prefix(':')?.parse().ok()?))),
        };
    }
    match text.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((text, None)),
    }
}

impl JoinRule {
    /// `https://10.20.0.0/16:8200`, `http://127.0.0.0/8:*`, `[fd00::/8]:8201` or an exact address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = split_scheme(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if !rest.contains('/') {
            return Place::parse(text).map(Self::Exact);
        }
        let (rest, any_port) = match rest.strip_suffix(":*") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (network, port) = split_port(rest)?;
        let network = network.parse().ok()?;
        let port = port.or(match scheme.as_deref() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        });
        let known = matches!(scheme.as_deref(), None | Some("http" | "https" | "tls"));
        // Every newcomer's address has a port: without one the rule would never hold.
        if !known || (port.is_none() && !any_port) {
            return None;
        }
        Some(Self::Network {
            scheme,
            network,
            port,
            any_port,
        })
    }

    /// Names are never looked up: only numbers can be in a network.
    fn holds(&self, place: &Place) -> bool {
        match self {
            Self::Exact(exact) => exact == place,
            Self::Network {
                scheme,
                network,
                port,
                any_port,
            } => {
                let inside = place
                    .host
                    .parse::<IpAddr>()
                    .is_ok_and(|host| network.contains(&host));
                inside && *scheme == place.scheme && (*any_port || *port == place.port)
            }
        }
    }
}

/// Every cluster of the configuration, with what is remembered of it.
pub(crate) async fn watched(
    setups: Vec<ClusterSetup>,
    read_only: bool,
    store: &Store,
) -> Result<BTreeMap<ClusterName, Arc<Watched>>, ControlError> {
    let mut clusters = BTreeMap::new();
    for setup in setups {
        let mut registration = setup.registration;
        registration.read_only |= read_only;
        let name = registration.name.clone();
        let rules = setup.join_allowed.iter().map(|text| join_rule(&name, text));
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        let known = store.remembered(&name).await?;
        let wire = Wire::new(setup.driver);
        let watched = Watched::new(registration, wire, rules, known);
        watched.load_overrides(store).await?;
        if clusters.insert(name.clone(), Arc::new(watched)).is_some() {
            return Err(ControlError::invalid(
                format!("two clusters are named {name}"),
                "Give each cluster a name of its own.",
            ));
        }
    }
    Ok(clusters)
}

/// Whether `text` may stand in `join_allowed`: a network with port, or one exact address.
#[must_use]
pub fn is_join_rule(text: &str) -> bool {
    JoinRule::parse(text).is_some()
}

fn join_rule(cluster: &ClusterName, text: &str) -> Result<JoinRule, ControlError> {
    JoinRule::parse(text).ok_or_else(|| {
        ControlError::invalid(
            format!("join_allowed of {cluster} has `{text}`, which is no address"),
            "Write https://10.20.0.0/16:8200 for a network, or one exact address.",
        )
    })
}

impl Watched {
    /// Whether a newcomer's address is one of those the configuration allows.
    pub(crate) fn may_join(&self, action: &Action) -> Result<(), ControlError> {
        let Action::AddLearner { address, .. } = action else {
            return Ok(());
        };
        let place = Place::parse(address);
        let allowed =
            place.is_some_and(|place| self.join_allowed.iter().any(|rule| rule.holds(&place)));
        if allowed {
            return Ok(());
        }
        Err(ControlError::AddressNotAllowed {
            address: address.clone(),
        })
    }
}

impl Control {
    /// The cluster, if there is one of this name and `who` may see it.
    pub(crate) fn visible(
        &self,
        who: &Operator,
        name: &str,
    ) -> Result<&Arc<Watched>, ControlError> {
        self.inner
            .clusters
            .get(&ClusterName::from(name))
            .filter(|watched| allows(&who.grants, Permission::View, Some(watched.place())))
            .ok_or_else(|| ControlError::not_found("cluster", name))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn newcomers_are_allowed_by_network_or_exactly() {
        for (rule, address, expected) in [
            ("https://10.20.0.0/16:8200", "https://10.20.3.4:8200", true),
            ("https://10.20.0.0/16:8200", "https://10.20.3.4:8200/", true),
            ("https://10.20.0.0/16:8200", "http://10.20.3.4:8200", false),
            ("https://10.20.0.0/16:8200", "https://10.21.3.4:8200", false),
            ("https://10.20.0.0/16:8200", "https://10.20.3.4:8201", false),
            (
                "https://10.20.0.0/16:8200",
                "https://evil.example:8200",
                false,
            ),
            (
                "https://10.20.0.0/16:8200",
                "https://10.20.3.4:8200@evil.example",
                false,
            ),
            (
                "https://10.20.0.0/16:8200",
                "https://10.20.3.4:8200/v1",
                false,
            ),
            ("http://127.0.0.1:8240", "http://127.0.0.1:8240", true),
            ("http://127.0.0.1:8240", "HTTP://127.0.0.1:8240", true),
            ("http://127.0.0.1:8240", "http://127.0.0.1:8241", false),
            ("http://127.0.0.0/8:*", "http://127.0.0.1:41234", true),
            ("http://127.0.0.0/8:*", "http://10.0.0.1:41234", false),
            ("127.0.0.1:7004", "127.0.0.1:7004", true),
            ("tls:10.0.0.0/8:6262", "tls:10.1.2.3:6262", true),
            ("tls:10.0.0.0/8:6262", "10.1.2.3:6262", false),
            ("tls:ctrl4.example:6262", "tls:ctrl4.example:6262", true),
            ("tls:7004", "tls:7004", true),
            ("10.0.0.0/8:7004", "10.1.2.3:7004", true),
            ("[fd00::/8]:7004", "[fd00::1]:7004", true),
            ("[fd00::/8]:7004", "[fe00::1]:7004", false),
            (
                "https://bao-x.example:8200",
                "https://bao-x.example:8200",
                true,
            ),
        ] {
            let rule = JoinRule::parse(rule).unwrap();
            let held = Place::parse(address).is_some_and(|place| rule.holds(&place));
            assert_eq!(held, expected, "{rule:?} {address}");
        }
    }

    #[test]
    fn what_is_no_rule_is_none() {
        for text in [
            "",
            "https://",
            "10.0.0.0/99:1",
            "10.0.0.0/8",
            "tls:10.0.0.0/8",
            "ftp://10.0.0.0/8:1",
            "ftp://10.0.0.1:1",
            "a b:1",
            "h:99999",
        ] {
            assert_eq!(JoinRule::parse(text), None, "{text}");
        }
    }
}
