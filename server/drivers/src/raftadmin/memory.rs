//! What is remembered of a cluster between looks: its members, those that have left and may
//! still run, and who held another membership. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quorate_domain::cluster::{MemberId, Membership, Revision};
use url::Url;

use super::{
    ask::{Asked, Words},
    places::Places,
};

#[derive(Debug)]
pub(super) struct Memory {
    pub seeds: Vec<Url>,
    /// Where members were in an earlier life of the console.
    pub remembered: Vec<Url>,
    pub places: Places,
    /// As it was last told.
    pub membership: Option<Membership>,
    /// Members that were taken out and have answered since.
    pub former: BTreeMap<MemberId, Url>,
    /// Who held another membership than the leader at the last look, and which that was.
    pub differed: BTreeMap<MemberId, Revision>,
}

impl Memory {
    /// Where members were in an earlier life. While no source has led anywhere, it is they who
    /// bound where a member's word may lead, as seeds do.
    pub fn recall(&mut self, places: &[Url]) {
        if self.seeds.is_empty() {
            self.places.begin_at(places);
        }
        self.remembered = places.to_vec();
    }

    /// Everywhere to ask, each address once, with the Raft address that is expected there.
    pub fn targets(&self) -> Vec<(Url, Option<String>)> {
        let mut targets: Vec<(Url, Option<String>)> = Vec::new();
        if let Some(membership) = &self.membership {
            let places = self.places.of_members(membership);
            for member in &membership.members {
                if let Some(url) = places.get(&member.id).and_then(super::places::Place::url) {
                    targets.push((url.clone(), Some(member.address.clone())));
                }
            }
        }
        let remembered = self.remembered.iter().filter(|_| targets.is_empty());
        let more: Vec<&Url> = self
            .former
            .values()
            .chain(&self.seeds)
            .chain(remembered)
            .collect();
        let mut known: BTreeSet<Url> = targets.iter().map(|(url, _)| url.clone()).collect();
        for url in more {
            if known.insert(url.clone()) {
                targets.push((url.clone(), None));
            }
        }
        targets
    }

    pub fn place(&self, member: &MemberId) -> Option<Url> {
        let address = &self.membership.as_ref()?.member(member)?.address;
        self.places.of_address(address)
    }

    /// Whether a node belongs to this cluster. Nodes tell no identity of their cluster; one whose
    /// configuration shares no member, by id and address, with what is known is of another.
    pub fn ours(&self, words: &Words) -> bool {
        let Some(membership) = &self.membership else {
            return true;
        };
        let theirs = &words.configuration.members;
        theirs.is_empty()
            || theirs.iter().any(|member| {
                let known = membership.member(&member.id);
                known.is_some_and(|known| known.address == member.address)
            })
    }

    /// Learns from the answers of one look, in the order they were asked for: while nothing is
    /// known, the first that belongs to a cluster decides which one this is.
    pub fn learn(&mut self, asked: &[Asked]) {
        if self.membership.is_none() {
            self.membership = asked
                .iter()
                .find_map(|one| Some(one.inside()?.configuration.clone()));
        }
        let told = witness(self, asked).map(|words| words.configuration.clone());
        if let Some(told) = told {
            self.learn_membership(told);
        }
        // Whoever is gone for good is not asked for ever.
        self.former.retain(|_, url| {
            let found = asked.iter().find(|one| one.url == *url);
            found.is_none_or(|one| one.inside().is_some())
        });
    }

    fn learn_membership(&mut self, told: Membership) {
        if let Some(before) = &self.membership {
            let places = self.places.of_members(before);
            for (id, place) in places {
                if let (None, Some(url)) = (told.member(&id), place.url()) {
                    self.former.insert(id, url.clone());
                }
            }
        }
        let places = self.places.of_members(&told);
        let taken: BTreeSet<&Url> = places.values().filter_map(|place| place.url()).collect();
        self.former
            .retain(|id, url| told.member(id).is_none() && !taken.contains(url));
        self.membership = Some(told);
    }
}

/// Whose configuration counts: the leader's; of several that say they lead, the one that most
/// name, for any node can make up a term, none the others' words. Without one that of the node
/// that is furthest.
pub(super) fn witness<'a>(memory: &Memory, asked: &'a [Asked]) -> Option<&'a Words> {
    let ours: Vec<&Words> = asked
        .iter()
        .filter_map(Asked::inside)
        .filter(|words| memory.ours(words))
        .collect();
    let rank = |words: &&&Words| {
        let own = words.leads_from().filter(|from| {
            let mut members = words.configuration.members.iter();
            members.any(|member| member.address == *from)
        });
        let naming = own.map(|own| {
            let named = ours.iter().filter(|it| it.leader.as_deref() == Some(own));
            named.count()
        });
        (naming, words.stats.term, words.stats.last_index)
    };
    ours.iter().max_by_key(rank).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        clock,
        raftadmin::{
            answers::{Stats, configuration},
            messages::{GetConfigurationResponse, Server, StatsResponse},
        },
    };
    use quorate_domain::observation::Answer;

    fn words(state: &str, term: u64, leader: &str, members: &str) -> Words {
        let mut stats: BTreeMap<String, String> = [
            "last_log_index",
            "commit_index",
            "applied_index",
            "fsm_pending",
            "last_snapshot_index",
            "last_snapshot_term",
        ]
        .into_iter()
        .map(|key| (key.to_owned(), "0".to_owned()))
        .collect();
        stats.insert("state".to_owned(), state.to_owned());
        stats.insert("term".to_owned(), term.to_string());
        let server = |id: &str| Server {
            suffrage: 0,
            id: id.to_owned(),
            address: format!("{id}:1"),
        };
        let servers = members.split(' ').map(server).collect();
        Words {
            stats: Stats::read(&StatsResponse { stats }).unwrap(),
            leader: (!leader.is_empty()).then(|| leader.to_owned()),
            configuration: configuration(&GetConfigurationResponse { servers }).unwrap(),
        }
    }

    fn asked(host: &str, words: Words) -> Asked {
        Asked {
            url: format!("http://{host}:1").parse().unwrap(),
            answer: Answer::Answered,
            at: clock::now(),
            words: Some(words),
        }
    }

    fn memory() -> Memory {
        Memory {
            seeds: vec!["http://a:1".parse().unwrap()],
            remembered: Vec::new(),
            places: Places::new(None, &[]),
            membership: None,
            former: BTreeMap::new(),
            differed: BTreeMap::new(),
        }
    }

    fn ids(memory: &Memory) -> Vec<String> {
        let members = &memory.membership.as_ref().unwrap().members;
        members.iter().map(|member| member.id.0.clone()).collect()
    }

    #[test]
    fn a_made_up_term_wins_no_words() {
        let mut memory = memory();
        memory.learn(&[
            asked("a", words("Leader", 3, "a:1", "a b c")),
            asked("b", words("Follower", 3, "a:1", "a b c")),
            asked("c", words("Leader", 900, "c:1", "c x y")),
        ]);
        assert_eq!(ids(&memory), ["a", "b", "c"]);
    }

    #[test]
    fn a_configuration_that_shares_nobody_is_another_clusters() {
        let mut memory = memory();
        memory.learn(&[asked("a", words("Leader", 3, "a:1", "a b c"))]);
        let strange = words("Leader", 9, "x:1", "x y z");
        assert!(!memory.ours(&strange));
        memory.learn(&[asked("a", strange)]);
        assert_eq!(ids(&memory), ["a", "b", "c"]);
    }

    #[test]
    fn without_a_seed_what_is_remembered_bounds_where_members_lead() {
        let mut memory = Memory {
            seeds: Vec::new(),
            ..memory()
        };
        memory.recall(&["https://10.0.0.1:7000".parse().unwrap()]);
        let place = |memory: &Memory, address: &str| {
            let place = memory.places.of_address(address);
            place.map(|url| crate::http::address_of(&url))
        };
        let secure = place(&memory, "10.0.0.2:7000").unwrap();
        assert_eq!(secure, "https://10.0.0.2:7000");
        assert_eq!(place(&memory, "127.0.0.1:7000"), None);
        // A source that answers after all leads on; what was remembered then bounds nothing.
        let seeds: Vec<Url> = vec!["http://127.0.0.1:1".parse().unwrap()];
        memory.places.begin_at(&seeds);
        memory.seeds = seeds;
        memory.recall(&["https://10.0.0.1:7000".parse().unwrap()]);
        let told = place(&memory, "127.0.0.1:7000").unwrap();
        assert_eq!(told, "http://127.0.0.1:7000");
    }

    #[test]
    fn whoever_is_taken_out_is_asked_until_it_answers_no_more() {
        let mut memory = memory();
        memory.learn(&[asked("a", words("Leader", 3, "a:1", "a b c"))]);
        memory.learn(&[asked("a", words("Leader", 3, "a:1", "a b"))]);
        let asks = |memory: &Memory| {
            memory
                .targets()
                .iter()
                .any(|(url, _)| url.as_str() == "http://c:1/")
        };
        assert!(asks(&memory));
        memory.learn(&[
            asked("a", words("Leader", 3, "a:1", "a b")),
            asked("c", words("Follower", 3, "", "a b c")),
        ]);
        assert!(asks(&memory));
        let gone: Url = "http://c:1".parse().unwrap();
        memory.learn(&[
            asked("a", words("Leader", 3, "a:1", "a b")),
            Asked::silent(gone, &crate::http::Wire::Refused),
        ]);
        assert!(!asks(&memory));
    }
}
