//! The places of the rows: kept while one looks, renewed on request.

use leptos::prelude::*;
use quorate_domain::view::ClusterSummary;

use super::query::Query;
use crate::live::use_live;

/// The names in the order they were last put in.
#[derive(Clone, Copy)]
pub struct Order(RwSignal<Vec<String>>);

impl Order {
    /// The order of the document as the page is opened: least tolerance first.
    #[must_use]
    pub fn of_live() -> Self {
        let names = use_live().state.with_untracked(|state| names(&state.fleet));
        Self(RwSignal::new(names))
    }

    pub fn renew(&self, fleet: &[ClusterSummary]) {
        self.0.set(names(fleet));
    }

    /// Whether clusters that keep their place would stand elsewhere by now. A cluster that came
    /// or went is no new order: it is added at the end or left out.
    #[must_use]
    pub fn has_moved(&self, fleet: &[ClusterSummary]) -> bool {
        let now = names(fleet);
        let kept = self.0.with(|kept| placed(kept, &now));
        kept != now
    }

    /// The names to show, in their places.
    #[must_use]
    pub fn shown(&self, query: &Query, fleet: &[ClusterSummary]) -> Vec<String> {
        let matching: Vec<String> = fleet
            .iter()
            .filter(|cluster| query.matches(cluster))
            .map(|cluster| cluster.name.0.clone())
            .collect();
        if query.by_name {
            let mut names = matching;
            names.sort();
            return names;
        }
        self.0.with(|kept| placed(kept, &matching))
    }
}

fn names(fleet: &[ClusterSummary]) -> Vec<String> {
    fleet.iter().map(|cluster| cluster.name.0.clone()).collect()
}

/// `names` in the order of `kept`; those `kept` does not know come last, as they come.
fn placed(kept: &[String], names: &[String]) -> Vec<String> {
    let known = kept.iter().filter(|name| names.contains(name));
    let new = names.iter().filter(|name| !kept.contains(name));
    known.chain(new).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::placed;

    fn names(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    #[test]
    fn rows_keep_their_places_and_newcomers_stand_at_the_end() {
        assert_eq!(placed(&names("cab"), &names("abcd")), names("cabd"));
        assert_eq!(placed(&names("cab"), &names("ba")), names("ab"));
        assert_eq!(placed(&[], &names("ba")), names("ba"));
    }
}
