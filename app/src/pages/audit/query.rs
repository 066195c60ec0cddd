//! What the audit page lists, as its URL says it. Every link on the page is made here.

use quorate_domain::{
    audit::{EntryKind, Filter, Outcome},
    moment::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::base::segment;

const DAY_MS: u64 = 86_400_000;

/// How far back the list reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// Since midnight, UTC.
    Today,
    Week,
    Month,
    #[default]
    All,
}

impl Range {
    pub const ALL: [Self; 4] = [Self::Today, Self::Week, Self::Month, Self::All];

    /// The value in the URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Week => "week",
            Self::Month => "month",
            Self::All => "all",
        }
    }

    fn from(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Today => midnight(now),
            // From midnight: what is downloaded twice on one day is then the same.
            Self::Week => midnight(now.minus_ms(7 * DAY_MS)),
            Self::Month => midnight(now.minus_ms(30 * DAY_MS)),
            Self::All => None,
        }
    }
}

/// When the day of `time` began, in UTC.
fn midnight(time: Timestamp) -> Option<Timestamp> {
    Timestamp::parse(&format!("{}T00:00:00Z", time.day()))
}

/// A kind of entry as people ask for it; each stands for one or more [`EntryKind`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    Changes,
    Access,
    Refusals,
    Console,
}

impl Sort {
    pub const ALL: [Self; 4] = [Self::Changes, Self::Access, Self::Refusals, Self::Console];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Access => "access",
            Self::Refusals => "refusals",
            Self::Console => "console",
        }
    }

    fn kinds(self) -> Vec<EntryKind> {
        match self {
            // An outcome stands in the row of its intent.
            Self::Changes => vec![EntryKind::Intent],
            Self::Access => vec![EntryKind::Access],
            Self::Refusals => vec![EntryKind::Refusal],
            Self::Console => vec![EntryKind::Console],
        }
    }
}

pub const OUTCOMES: [(Outcome, &str); 4] = [
    (Outcome::Succeeded, "succeeded"),
    (Outcome::Failed, "failed"),
    (Outcome::Refused, "refused"),
    (Outcome::Unknown, "unknown"),
];

/// The list's conditions; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    pub range: Range,
    /// Days in UTC, `2026-11-21`, both inclusive; they narrow the range further.
    pub from: Option<String>,
    pub to: Option<String>,
    pub cluster: Option<String>,
    pub actor: Option<String>,
    pub sort: Option<Sort>,
    pub outcome: Option<Outcome>,
    /// Entries older than this number.
    pub before: Option<u64>,
}

impl Query {
    /// Reads the URL's parameters; what cannot be read is left out.
    #[must_use]
    pub fn read(parameter: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| parameter(name).filter(|value| !value.trim().is_empty());
        let range = text("range").unwrap_or_default();
        let sort = text("kind").unwrap_or_default();
        let outcome = text("outcome").unwrap_or_default();
        Self {
            range: Range::ALL
                .into_iter()
                .find(|it| it.as_str() == range)
                .unwrap_or_default(),
            from: text("from").filter(|day| moment_of(day, 0).is_some()),
            to: text("to").filter(|day| moment_of(day, 0).is_some()),
            cluster: text("cluster"),
            actor: text("actor"),
            sort: Sort::ALL.into_iter().find(|it| it.as_str() == sort),
            outcome: OUTCOMES
                .into_iter()
                .find(|(_, name)| *name == outcome)
                .map(|(it, _)| it),
            before: text("before").and_then(|seq| seq.parse().ok()),
        }
    }

    /// The use case's filter at `now`.
    #[must_use]
    pub fn filter(&self, now: Timestamp) -> Filter {
        let day = self.from.as_deref().and_then(|day| moment_of(day, 0));
        Filter {
            from: day.max(self.range.from(now)),
            to: self.to.as_deref().and_then(|day| moment_of(day, DAY_MS)),
            cluster: self.cluster.clone(),
            actor: self.actor.clone(),
            kinds: self.sort.map(Sort::kinds).unwrap_or_default(),
            outcome: self.outcome,
            change: None,
        }
    }

    /// Whether anything at all is left out.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        *self
            != Self {
                before: self.before,
                ..Self::default()
            }
    }

    /// Whether a condition is set that no chip shows.
    #[must_use]
    pub fn is_detailed(&self) -> bool {
        self.from.is_some()
            || self.to.is_some()
            || self.range == Range::Month
            || self.outcome == Some(Outcome::Succeeded)
    }

    /// The conditions that are set, as the URL and forms name them, without the place in the list.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let outcome = OUTCOMES
            .into_iter()
            .find(|(it, _)| Some(*it) == self.outcome)
            .map(|(_, name)| name);
        let range = (self.range != Range::All).then_some(self.range.as_str());
        let pairs = [
            ("range", range),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("cluster", self.cluster.as_deref()),
            ("actor", self.actor.as_deref()),
            ("kind", self.sort.map(Sort::as_str)),
            ("outcome", outcome),
        ];
        let given = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_owned())));
        given.collect()
    }

    /// The link to this list under `base`, without the place in it.
    #[must_use]
    pub fn link(&self, base: &str) -> String {
        let mut link = format!("{base}/audit");
        for (index, (name, value)) in self.pairs().into_iter().enumerate() {
            link.push(if index == 0 { '?' } else { '&' });
            link.push_str(name);
            link.push('=');
            link.push_str(&segment(&value));
        }
        link
    }

    /// The link to the page that begins below entry `before`.
    #[must_use]
    pub fn link_before(&self, base: &str, before: &str) -> String {
        let link = self.link(base);
        let joint = if link.contains('?') { '&' } else { '?' };
        format!("{link}{joint}before={}", segment(before))
    }
}

fn moment_of(day: &str, plus_ms: u64) -> Option<Timestamp> {
    Timestamp::parse(&format!("{day}T00:00:00Z")).map(|moment| moment.plus_ms(plus_ms))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Query {
        Query::read(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_link_reads_back_as_the_query_it_was_made_from() {
        let query = read(&[
            ("range", "week"),
            ("from", "2026-11-20"),
            ("cluster", "vault-eu"),
            ("actor", "o'neil"),
            ("kind", "changes"),
            ("outcome", "unknown"),
        ]);
        assert_eq!(
            query.link("/q"),
            "/q/audit?range=week&from=2026-11-20&cluster=vault-eu&actor=o%27neil&kind=changes&outcome=unknown"
        );
        assert!(query.is_narrowed());
    }

    #[test]
    fn nonsense_in_the_url_is_left_out() {
        let query = read(&[
            ("range", "aeon"),
            ("from", "yesterday"),
            ("before", "-3"),
            ("kind", "x"),
        ]);
        assert_eq!(query, Query::default());
        assert!(!query.is_narrowed());
        assert_eq!(query.link(""), "/audit");
    }

    #[test]
    fn today_begins_at_midnight_utc() {
        let now = Timestamp::parse("2026-11-21T14:02:52Z").unwrap();
        let filter = read(&[("range", "today")]).filter(now);
        assert_eq!(filter.from, Timestamp::parse("2026-11-21T00:00:00Z"));
    }

    #[test]
    fn the_later_of_two_beginnings_counts_and_the_last_day_is_whole() {
        let now = Timestamp::parse("2026-11-21T14:02:52Z").unwrap();
        let query = read(&[
            ("range", "month"),
            ("from", "2026-11-20"),
            ("to", "2026-11-20"),
        ]);
        let filter = query.filter(now);
        assert_eq!(filter.from, Timestamp::parse("2026-11-20T00:00:00Z"));
        assert_eq!(filter.to, Timestamp::parse("2026-11-21T00:00:00Z"));
    }

    #[test]
    fn an_older_page_keeps_the_conditions() {
        assert_eq!(
            Query::default().link_before("", "18192"),
            "/audit?before=18192"
        );
        let query = read(&[("range", "today")]);
        assert_eq!(query.link_before("", "9"), "/audit?range=today&before=9");
    }
}
