//! Which controller's API answers where: from a configured pattern, from what the cluster
//! announces, from what a controller proves by its certificate. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quorate_domain::cluster::{Member, MemberId, Membership};
use url::Url;

use super::answers::{Announced, host_of};
use crate::http;

/// An address book of one cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pattern: Option<String>,
    seeds: Vec<Url>,
    told: BTreeMap<MemberId, Url>,
    proven: BTreeMap<MemberId, Url>,
}

impl Directory {
    pub fn new(pattern: Option<String>, seeds: Vec<Url>) -> Self {
        Self {
            pattern,
            seeds,
            ..Self::default()
        }
    }

    pub fn seeds(&self) -> &[Url] {
        &self.seeds
    }

    /// Other seeds from now on; what was learnt stays.
    pub fn begin_at(&mut self, seeds: &[Url]) {
        self.seeds = seeds.to_vec();
    }

    /// What the cluster announces, by the controller at `teller`. Lines without an address take
    /// nothing back: they are normal.
    pub fn learn(&mut self, announced: &[Announced], teller: &Url) {
        for line in announced {
            if let Some(url) = line.origin().filter(|url| http::may_lead(teller, url)) {
                self.told.insert(MemberId::from(line.id.as_str()), url);
            }
        }
    }

    /// `member` showed its certificate at `url`.
    pub fn learn_proof(&mut self, member: &MemberId, url: &Url) {
        self.proven.retain(|other, at| at != url || other == member);
        self.proven
            .entry(member.clone())
            .or_insert_with(|| url.clone());
    }

    /// Where `member` answers: as the pattern says, else as the cluster announces, else where it
    /// has proven to be.
    pub fn url_of(&self, member: &Member) -> Option<Url> {
        self.by_pattern(member)
            .or_else(|| self.told.get(&member.id).cloned())
            .or_else(|| self.proven.get(&member.id).cloned())
    }

    fn by_pattern(&self, member: &Member) -> Option<Url> {
        let host = host_of(&member.address)?;
        http::origin(&self.pattern.as_ref()?.replace("{host}", host)).ok()
    }

    /// Everything worth asking, each address once, with the id expected there.
    pub fn targets(
        &self,
        membership: Option<&Membership>,
        more: &[Url],
    ) -> Vec<(Url, Option<MemberId>)> {
        let mut targets: Vec<(Url, Option<MemberId>)> = Vec::new();
        let mut seen = BTreeSet::new();
        for member in membership.iter().flat_map(|membership| &membership.members) {
            if let Some(url) = self.url_of(member)
                && seen.insert(url.clone())
            {
                targets.push((url, Some(member.id.clone())));
            }
        }
        for url in self.seeds.iter().chain(more) {
            if seen.insert(url.clone()) {
                targets.push((url.clone(), self.known_at(url)));
            }
        }
        targets
    }

    /// Who is known to answer at `url`.
    pub fn known_at(&self, url: &Url) -> Option<MemberId> {
        let mut known = self.proven.iter().chain(&self.told);
        known
            .find(|(_, known)| *known == url)
            .map(|(id, _)| id.clone())
    }

    /// Forgets who is no member any more.
    pub fn keep(&mut self, keep: impl Fn(&MemberId) -> bool) {
        self.told.retain(|id, _| keep(id));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::openziti::answers::{Row, membership};

    fn member(id: &str, address: &str) -> Member {
        let row = serde_json::json!({
            "id": id, "address": address, "voter": true, "leader": false, "connected": true
        });
        let row: Row = serde_json::from_value(row).unwrap();
        membership([&row]).members.remove(0)
    }

    fn announced(id: &str, url: &str) -> Announced {
        serde_json::from_value(serde_json::json!({
            "id": id, "apiAddresses": { "fabric": [{ "url": url }] }
        }))
        .unwrap()
    }

    #[test]
    fn a_configured_pattern_wins_over_what_the_cluster_announces() {
        let mut directory = Directory::new(Some("https://{host}:1280".to_owned()), Vec::new());
        let teller = Url::parse("https://10.0.0.9:1280").unwrap();
        directory.learn(&[announced("c1", "https://inside:1280/fabric/v1")], &teller);
        let found = directory
            .url_of(&member("c1", "tls:10.0.0.1:6262"))
            .unwrap();
        assert_eq!(found.as_str(), "https://10.0.0.1:1280/");
    }

    #[test]
    fn the_control_address_is_never_taken_for_an_api_address() {
        let seed = Url::parse("https://127.0.0.1:1280").unwrap();
        let directory = Directory::new(None, vec![seed]);
        assert_eq!(directory.url_of(&member("c1", "tls:127.0.0.1:6262")), None);
    }

    #[test]
    fn who_moves_is_found_where_it_proves_to_be() {
        let mut directory = Directory::new(None, Vec::new());
        let (here, there) = (
            Url::parse("https://10.0.0.1:1280").unwrap(),
            Url::parse("https://10.0.0.2:1280").unwrap(),
        );
        directory.learn_proof(&"c1".into(), &here);
        directory.learn_proof(&"c2".into(), &here);
        directory.learn_proof(&"c1".into(), &there);
        assert_eq!(
            directory.url_of(&member("c2", "tls:x:1")),
            Some(here.clone())
        );
        assert_eq!(directory.url_of(&member("c1", "tls:y:1")), Some(there));
        assert_eq!(directory.known_at(&here), Some("c2".into()));
    }
}
