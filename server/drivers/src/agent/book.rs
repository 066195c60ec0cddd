//! What is remembered of a cluster between looks: who its members are, where they answer, which
//! cluster it is. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quorate_domain::{
    capability::Capability,
    cluster::{MemberId, Membership, Revision},
};
use url::Url;

use super::ask::Asked;
use crate::http::{may_lead, origin};

/// The address book of one cluster.
#[derive(Debug, Default)]
pub(super) struct Book {
    seeds: Vec<Url>,
    remembered: Vec<Url>,
    /// The cluster this is, once somebody told.
    pub cluster_id: Option<String>,
    /// The membership as it was last told.
    pub membership: Option<Membership>,
    pub capabilities: Vec<Capability>,
    pub program: Option<String>,
    pub version: Option<String>,
    /// Where each member answers, in the membership's own words.
    places: BTreeMap<MemberId, Url>,
    /// Who held another membership than the leader at the last look, and which that was.
    pub differed: BTreeMap<MemberId, Revision>,
}

impl Book {
    pub fn new(seeds: Vec<Url>, remembered: Vec<Url>) -> Self {
        Self {
            seeds,
            remembered,
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

    /// Where members were in an earlier life of the console.
    pub fn recall(&mut self, places: &[Url]) {
        self.remembered = places.to_vec();
    }

    /// Whether this was only remembered from an earlier life of the console.
    pub fn merely_remembers(&self, url: &Url) -> bool {
        self.remembered.contains(url) && !self.seeds.contains(url)
    }

    /// Everywhere to ask: members' own places first; those remembered only until some are known.
    pub fn addresses(&self) -> BTreeSet<Url> {
        let known = self.places.values().chain(&self.seeds);
        let remembered = self.remembered.iter().filter(|_| self.places.is_empty());
        known.chain(remembered).cloned().collect()
    }

    /// Whose events to follow.
    pub fn to_follow(&self) -> BTreeSet<Url> {
        self.places.values().cloned().collect()
    }

    pub fn place(&self, member: &MemberId) -> Option<&Url> {
        self.places.get(member)
    }

    /// Whether the answer is from this cluster. The first to answer in the order of the seeds
    /// decides which cluster this is.
    pub fn ours(&self, asked: &Asked) -> bool {
        match (&self.cluster_id, asked.cluster_id()) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        }
    }

    pub fn learn(&mut self, answers: &[Asked]) {
        if self.cluster_id.is_none() {
            let by_seeds = self.seeds.iter().chain(&self.remembered);
            let mut told = by_seeds.filter_map(|seed| {
                let asked = answers.iter().find(|asked| asked.url == *seed)?;
                asked.cluster_id()
            });
            self.cluster_id = told.next().map(str::to_owned);
        }
        let ours: Vec<&Asked> = answers.iter().filter(|asked| self.ours(asked)).collect();
        if let Some(witness) = best(ours.iter().copied())
            && let Some(membership) = membership_of(witness)
        {
            self.learn_membership(membership, &witness.url);
        }
        let identity = ours.iter().find_map(|asked| asked.identity.as_ref());
        if let Some(identity) = identity {
            self.capabilities = identity.capabilities();
            self.program = Some(identity.implementation.clone());
            self.version = identity.library_version.clone();
        }
    }

    /// The membership as the node at `teller` told it.
    pub fn learn_membership(&mut self, membership: Membership, teller: &Url) {
        let places = membership.members.iter().filter_map(|member| {
            let url = origin(member.api_address.as_deref()?).ok()?;
            may_lead(teller, &url).then(|| (member.id.clone(), url))
        });
        self.places = places.collect();
        self.membership = Some(membership);
    }
}

fn membership_of(asked: &Asked) -> Option<Membership> {
    asked.view.as_ref()?.membership()
}

/// The best witness of the membership: who leads with fresh evidence in the highest term, else
/// the voter that is furthest in term and log, else anybody who holds one.
pub(super) fn best<'a>(answers: impl Iterator<Item = &'a Asked>) -> Option<&'a Asked> {
    let rank = |asked: &&Asked| {
        let view = asked.view.as_ref()?;
        if view.membership.members.is_empty() {
            return None;
        }
        let voter = view.voter.unwrap_or(false);
        Some((
            view.leads(),
            voter && view.fault.is_none(),
            view.term,
            view.last_index,
        ))
    };
    answers
        .filter(|asked| rank(asked).is_some())
        .max_by_key(rank)
}
