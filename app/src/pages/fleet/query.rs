//! What the fleet page shows, as its URL says: `?q=eu&tag=prod&problems=1&sort=name`.

use std::collections::BTreeMap;

use leptos_router::params::ParamsMap;
use quorate_domain::view::{ClusterSummary, needs_a_look};

use crate::base::segment;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub text: String,
    pub problems: bool,
    pub kind: Option<String>,
    pub tag: Option<String>,
    /// By name; otherwise least tolerance first.
    pub by_name: bool,
}

/// A value many clusters share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    Kind(String),
    Tag(String),
}

impl Facet {
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Kind(label) | Self::Tag(label) => label,
        }
    }
}

impl Query {
    #[must_use]
    pub fn of(params: &ParamsMap) -> Self {
        let given = |name: &str| params.get(name).filter(|value| !value.is_empty());
        Self {
            text: given("q").unwrap_or_default(),
            problems: given("problems").is_some(),
            kind: given("kind"),
            tag: given("tag"),
            by_name: given("sort").as_deref() == Some("name"),
        }
    }

    #[must_use]
    pub fn matches(&self, cluster: &ClusterSummary) -> bool {
        let kind = self
            .kind
            .as_deref()
            .is_none_or(|kind| cluster.kind.title() == kind);
        let tag = self
            .tag
            .as_ref()
            .is_none_or(|tag| cluster.tags.contains(tag));
        kind && tag && (!self.problems || needs_a_look(cluster)) && self.reads(cluster)
    }

    /// Every word typed must stand somewhere in the row.
    fn reads(&self, cluster: &ClusterSummary) -> bool {
        let mut row = format!("{} {}", cluster.name, cluster.title).to_lowercase();
        for more in cluster.tags.iter().chain(&cluster.zones) {
            row.push(' ');
            row.push_str(&more.to_lowercase());
        }
        self.text
            .to_lowercase()
            .split_whitespace()
            .all(|word| row.contains(word))
    }

    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = text.to_owned();
        self
    }

    #[must_use]
    pub fn without_text(self) -> Self {
        self.with_text("")
    }

    #[must_use]
    pub fn by_tolerance(mut self) -> Self {
        self.by_name = false;
        self
    }

    #[must_use]
    pub fn by_name(mut self) -> Self {
        self.by_name = true;
        self
    }

    #[must_use]
    pub fn problems_toggled(mut self) -> Self {
        self.problems = !self.problems;
        self
    }

    #[must_use]
    pub fn holds(&self, facet: &Facet) -> bool {
        match facet {
            Facet::Kind(kind) => self.kind.as_ref() == Some(kind),
            Facet::Tag(tag) => self.tag.as_ref() == Some(tag),
        }
    }

    #[must_use]
    pub fn toggled(mut self, facet: &Facet) -> Self {
        let held = self.holds(facet);
        match facet {
            Facet::Kind(kind) => self.kind = (!held).then(|| kind.clone()),
            Facet::Tag(tag) => self.tag = (!held).then(|| tag.clone()),
        }
        self
    }

    /// As names and values, nothing for what is as usual.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let text = (!self.text.is_empty()).then(|| ("q", self.text.clone()));
        let kind = self.kind.clone().map(|kind| ("kind", kind));
        let tag = self.tag.clone().map(|tag| ("tag", tag));
        let problems = self.problems.then(|| ("problems", "1".to_owned()));
        let sort = self.by_name.then(|| ("sort", "name".to_owned()));
        [text, kind, tag, problems, sort]
            .into_iter()
            .flatten()
            .collect()
    }

    #[must_use]
    pub fn address(&self, home: &str) -> String {
        let pairs = self.pairs().into_iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", segment(&value)))
            .collect();
        if pairs.is_empty() {
            home.to_owned()
        } else {
            format!("{home}?{}", pairs.join("&"))
        }
    }
}

/// The kinds (where there are several) and tags of the fleet with how many carry them, the most
/// common first.
#[must_use]
pub fn facets(fleet: &[ClusterSummary], limit: usize) -> Vec<(Facet, u64)> {
    let mut counts: BTreeMap<Facet, u64> = BTreeMap::new();
    for cluster in fleet {
        *counts
            .entry(Facet::Kind(cluster.kind.title().to_owned()))
            .or_default() += 1;
        for tag in &cluster.tags {
            *counts.entry(Facet::Tag(tag.clone())).or_default() += 1;
        }
    }
    let kinds = counts
        .keys()
        .filter(|facet| matches!(facet, Facet::Kind(_)))
        .count();
    let mut facets: Vec<(Facet, u64)> = counts
        .into_iter()
        .filter(|(facet, _)| kinds > 1 || matches!(facet, Facet::Tag(_)))
        .collect();
    facets.sort_by_key(|facet| std::cmp::Reverse(facet.1));
    facets.truncate(limit);
    facets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_reads_back_from_its_address() {
        let query = Query {
            text: "eu west&x".to_owned(),
            problems: true,
            kind: Some("OpenBao".to_owned()),
            tag: Some("prod".to_owned()),
            by_name: true,
        };
        let params: ParamsMap = query
            .pairs()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        assert_eq!(Query::of(&params), query);
        assert_eq!(
            query.address("/"),
            "/?q=eu%20west%26x&kind=OpenBao&tag=prod&problems=1&sort=name"
        );
        assert_eq!(Query::default().address("/base/"), "/base/");
    }

    #[test]
    fn a_facet_is_taken_off_by_choosing_it_again() {
        let facet = Facet::Tag("prod".to_owned());
        let query = Query::default().toggled(&facet);
        assert!(query.holds(&facet));
        assert_eq!(query.toggled(&facet), Query::default());
    }
}
