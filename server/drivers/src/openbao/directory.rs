//! Who answers where: from a configured pattern, from the cluster's own words, from what a node
//! proves by its header. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quorate_domain::cluster::{Member, MemberId, Membership};
use url::Url;

use super::answers::{HaNode, LeaderWords, raft_address};
use crate::http;

/// An address book of one cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pattern: Option<String>,
    seeds: Vec<Url>,
    /// Raft address → API address, in the cluster's own words.
    told: BTreeMap<String, Url>,
    /// What answered with a member's id in its header.
    proven: BTreeMap<MemberId, Url>,
    /// Raft address of everybody who has ever been a member, for those who are no more.
    known: BTreeMap<String, MemberId>,
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

    /// `sys/ha-status`, as the leader at `teller` told it.
    pub fn learn_rows(&mut self, rows: &[HaNode], teller: &Url) {
        for row in rows {
            self.learn(&row.cluster_address, &row.api_address, teller);
        }
    }

    /// `sys/leader`: even a standby that names a dead leader tells truly where that one is.
    pub fn learn_leader(&mut self, words: &LeaderWords, teller: &Url) {
        self.learn(&words.leader_cluster_address, &words.leader_address, teller);
    }

    /// `node` answered at `url` with its own id.
    pub fn learn_proof(&mut self, node: &MemberId, url: &Url) {
        self.proven.retain(|_, other| other != url);
        self.proven.insert(node.clone(), url.clone());
    }

    pub fn learn_members(&mut self, membership: &Membership) {
        for member in &membership.members {
            self.known.insert(member.address.clone(), member.id.clone());
        }
    }

    fn learn(&mut self, cluster_address: &str, api_address: &str, teller: &Url) {
        if let Ok(url) = http::origin(api_address)
            && !cluster_address.is_empty()
            && http::may_lead(teller, &url)
        {
            self.told
                .insert(raft_address(cluster_address).to_owned(), url);
        }
    }

    /// Where `member` answers: as the pattern says, else as the cluster tells, else as it has
    /// proven, else at the one seed on its host.
    pub fn url_of(&self, member: &Member) -> Option<Url> {
        self.by_pattern(member)
            .or_else(|| self.told.get(&member.address).cloned())
            .or_else(|| self.proven.get(&member.id).cloned())
            .or_else(|| self.by_host(member))
    }

    /// The id of who was once a member at this Raft address.
    pub fn former(&self, address: &str) -> Option<&MemberId> {
        self.known.get(address)
    }

    /// The Raft address the cluster told for this API address.
    pub fn raft_address_of(&self, url: &Url) -> Option<&str> {
        self.told
            .iter()
            .find(|(_, told)| *told == url)
            .map(|(address, _)| address.as_str())
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
        for url in self.seeds.iter().chain(self.told.values()).chain(more) {
            if seen.insert(url.clone()) {
                targets.push((url.clone(), self.proven_at(url)));
            }
        }
        targets
    }

    fn proven_at(&self, url: &Url) -> Option<MemberId> {
        self.proven
            .iter()
            .find(|(_, proven)| *proven == url)
            .map(|(id, _)| id.clone())
    }

    fn by_pattern(&self, member: &Member) -> Option<Url> {
        let host = host_of(&member.address)?;
        http::origin(&self.pattern.as_ref()?.replace("{host}", host)).ok()
    }

    fn by_host(&self, member: &Member) -> Option<Url> {
        let host = host_of(&member.address)?.trim_matches(['[', ']']);
        let on_host = |url: &&Url| {
            url.host_str()
                .is_some_and(|other| other.trim_matches(['[', ']']) == host)
        };
        let members_there = self.known.keys().filter(|address| {
            host_of(address).is_some_and(|other| other.trim_matches(['[', ']']) == host)
        });
        if members_there.count() > 1 {
            return None;
        }
        let mut seeds = self.seeds.iter().filter(on_host);
        let first = seeds.next()?;
        seeds.next().is_none().then(|| first.clone())
    }

    /// Forgets what the cluster told of addresses that belong to nobody any more.
    pub fn forget(&mut self, keep: impl Fn(&str) -> bool) {
        self.told.retain(|address, _| keep(address));
    }
}

/// The host of `host:port`, brackets kept.
fn host_of(address: &str) -> Option<&str> {
    let (host, _) = address.rsplit_once(':')?;
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::openbao::answers::{Server, membership};

    fn member(id: &str, address: &str) -> Member {
        let server = Server {
            node_id: id.to_owned(),
            address: address.to_owned(),
            leader: false,
            voter: true,
        };
        membership(&[server]).members.remove(0)
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_configured_pattern_wins_over_what_the_cluster_tells() {
        let mut directory = Directory::new(Some("https://{host}:8200".to_owned()), Vec::new());
        let teller = url("https://10.0.0.9:8200");
        directory.learn("https://10.0.0.4:8201", "https://internal:8200", &teller);
        let found = directory.url_of(&member("n4", "10.0.0.4:8201")).unwrap();
        assert_eq!(found, url("https://10.0.0.4:8200"));
        let found = directory.url_of(&member("n6", "[fd00::6]:8201")).unwrap();
        assert_eq!(found, url("https://[fd00::6]:8200"));
    }

    #[test]
    fn a_standby_that_names_a_dead_leader_still_tells_where_it_was() {
        let mut directory = Directory::new(None, vec![url("http://127.0.0.1:9210")]);
        let words = LeaderWords {
            leader_address: "http://127.0.0.1:9200".to_owned(),
            leader_cluster_address: "https://127.0.0.1:9201".to_owned(),
            ..LeaderWords::default()
        };
        directory.learn_leader(&words, &url("http://127.0.0.1:9210"));
        let found = directory.url_of(&member("n1", "127.0.0.1:9201")).unwrap();
        assert_eq!(found, url("http://127.0.0.1:9200"));
    }

    #[test]
    fn a_seed_stands_for_the_one_member_on_its_host() {
        let mut directory = Directory::new(None, vec![url("https://bao-a.example:8200")]);
        let one = member("a", "bao-a.example:8201");
        assert_eq!(
            directory.url_of(&one).unwrap(),
            url("https://bao-a.example:8200")
        );
        directory
            .known
            .insert("bao-a.example:8201".to_owned(), "a".into());
        directory
            .known
            .insert("bao-a.example:9201".to_owned(), "b".into());
        assert_eq!(directory.url_of(&one), None);
    }
}
