//! Where raftadmin of each member answers. Pure.
//!
//! A node tells neither its own id nor where its raftadmin is. It is where its Raft is, unless a
//! pattern says otherwise; so who answers somewhere is known by the address alone.

use std::collections::BTreeMap;

use quorate_domain::cluster::{Member, MemberId, Membership};
use url::Url;

use crate::http::{may_lead, origin};

/// How addresses of Raft become addresses of raftadmin.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pattern: Option<String>,
    /// `http` or `https`, as the seeds have it.
    scheme: &'static str,
    /// Those that members' addresses were learnt from.
    seeds: Vec<Url>,
}

/// Where one member is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    At(Url),
    /// The pattern gives several members this address: nobody could say who answers.
    Shared(Url),
    /// No address comes of its Raft address.
    Nowhere,
}

impl Place {
    pub const fn url(&self) -> Option<&Url> {
        match self {
            Self::At(url) => Some(url),
            Self::Shared(_) | Self::Nowhere => None,
        }
    }
}

impl Places {
    pub fn new(pattern: Option<String>, seeds: &[Url]) -> Self {
        let mut places = Self {
            pattern,
            scheme: "http",
            seeds: Vec::new(),
        };
        places.begin_at(seeds);
        places
    }

    /// Whoever is reached by TLS does not lead on to plain connections.
    pub fn begin_at(&mut self, seeds: &[Url]) {
        let secure = !seeds.is_empty() && seeds.iter().all(|seed| seed.scheme() == "https");
        self.scheme = if secure { "https" } else { "http" };
        self.seeds = seeds.to_vec();
    }

    /// For a Raft address, `host:port`.
    pub fn of_address(&self, address: &str) -> Option<Url> {
        let own = origin(&format!("http://{address}")).ok()?;
        let (host, port) = (own.host_str()?, own.port_or_known_default()?);
        let text = match &self.pattern {
            Some(pattern) => pattern
                .replace("{host}", host)
                .replace("{port}", &port.to_string()),
            None => format!("{}://{address}", self.scheme),
        };
        let url = origin(&text).ok()?;
        let mut tellers = self.seeds.iter();
        let may = self.seeds.is_empty() || tellers.any(|seed| may_lead(seed, &url));
        may.then_some(url)
    }

    pub fn of_members(&self, membership: &Membership) -> BTreeMap<MemberId, Place> {
        let url = |member: &Member| self.of_address(&member.address);
        let members = membership.members.iter();
        let all: Vec<Url> = members.filter_map(url).collect();
        let place = |member: &Member| match url(member) {
            None => Place::Nowhere,
            Some(url) if all.iter().filter(|other| **other == url).count() > 1 => {
                Place::Shared(url)
            }
            Some(url) => Place::At(url),
        };
        let members = membership.members.iter();
        members
            .map(|member| (member.id.clone(), place(member)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::raftadmin::{
        answers::configuration,
        messages::{GetConfigurationResponse, Server},
    };

    fn seeds(text: &str) -> Vec<Url> {
        vec![text.parse().unwrap()]
    }

    fn text(url: Option<Url>) -> Option<String> {
        url.map(|url| crate::http::address_of(&url))
    }

    #[test]
    fn raftadmin_is_where_raft_is_unless_a_pattern_says_otherwise() {
        let plain = Places::new(None, &seeds("http://10.0.0.1:7000"));
        let at = |places: &Places, address: &str| text(places.of_address(address));
        assert_eq!(at(&plain, "10.0.0.2:7000").unwrap(), "http://10.0.0.2:7000");
        assert_eq!(
            at(&plain, "[fd00::2]:7000").unwrap(),
            "http://[fd00::2]:7000"
        );
        let secure = Places::new(None, &seeds("https://10.0.0.1:7000"));
        assert_eq!(
            at(&secure, "n2.example:7000").unwrap(),
            "https://n2.example:7000"
        );
        let far = plain.of_address("127.0.0.1:7000");
        assert_eq!(
            far, None,
            "no node elsewhere leads to the console's own machine"
        );
        let pattern = |text: &str| Places::new(Some(text.to_owned()), &seeds("http://a:1"));
        let other = pattern("https://{host}:9000");
        assert_eq!(
            at(&other, "10.0.0.2:7000").unwrap(),
            "https://10.0.0.2:9000"
        );
        let same = pattern("https://{host}:{port}");
        assert_eq!(at(&same, "10.0.0.2:7000").unwrap(), "https://10.0.0.2:7000");
        for bad in ["", "unix:/run/raft", "a b:1", "10.0.0.2:7000/x", "a:99999"] {
            assert_eq!(at(&plain, bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_that_several_would_have_is_nobodys() {
        let server = |id: &str, address: &str| Server {
            suffrage: 0,
            id: id.to_owned(),
            address: address.to_owned(),
        };
        let servers = vec![
            server("a", "10.0.0.1:7000"),
            server("b", "10.0.0.1:7001"),
            server("c", "10.0.0.2:7000"),
        ];
        let membership = configuration(&GetConfigurationResponse { servers }).unwrap();
        let pattern = Some("http://{host}:9000".to_owned());
        let found = Places::new(pattern, &[]).of_members(&membership);
        assert!(matches!(found[&MemberId::from("a")], Place::Shared(_)));
        assert!(matches!(found[&MemberId::from("b")], Place::Shared(_)));
        assert!(matches!(found[&MemberId::from("c")], Place::At(_)));
    }
}
