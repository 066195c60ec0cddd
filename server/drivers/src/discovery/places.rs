//! Where members were found: what is worth remembering for the time when no seed answers.

use std::collections::BTreeMap;

use quorate_domain::{cluster::MemberId, groups::Fleet, observation::Observation};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::origin;

/// Where each member answered last. What was merely announced is not among these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(BTreeMap<MemberId, String>);

impl Places {
    /// Learns from a look in which somebody told who the members are: who answered is where it
    /// was asked, who did not is where it was, who is no member any more is forgotten. Whether
    /// anything was told.
    pub fn learn(&mut self, seen: &Observation) -> bool {
        let told = seen.membership.as_ref();
        let Some(membership) = told.filter(|_| !seen.membership_remembered) else {
            return false;
        };
        self.0.retain(|id, _| membership.member(id).is_some());
        for node in seen.nodes.iter().filter(|node| node.answered()) {
            if let (Some(_), Some(asked)) = (membership.member(&node.id), &node.asked) {
                self.0.insert(node.id.clone(), asked.clone());
            }
        }
        true
    }

    /// Learns from a look at a program of many groups: where its hosts answer. Who does not
    /// answer is where it was, unless somebody else answers there. Whether any answered.
    pub fn learn_hosts(&mut self, fleet: &Fleet) -> bool {
        let mut any = false;
        for host in fleet.hosts().filter(|host| host.answers()) {
            any = true;
            self.0.retain(|_, at| *at != host.address);
            let id = MemberId::from(host.id.as_ref());
            self.0.insert(id, host.address.clone());
        }
        any
    }

    /// The addresses, each once.
    #[must_use]
    pub fn urls(&self) -> Vec<Url> {
        let mut urls: Vec<Url> = self.0.values().filter_map(|at| origin(at).ok()).collect();
        urls.sort();
        urls.dedup();
        urls
    }
}
