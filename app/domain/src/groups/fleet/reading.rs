//! What is read of the groups: one, a page of them in their order, all at a glance.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use super::{
    super::{Class, GroupRow, GroupsView, HostState, HostView, count, order::order_key},
    Fleet, Group, Host,
};
use crate::{cluster::MemberId, moment::Timestamp, observation::Answer};

impl Fleet {
    #[must_use]
    pub fn total(&self) -> u32 {
        count(self.groups.len())
    }

    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| !host.gone)
    }

    #[must_use]
    pub fn count(&self, class: Class) -> u32 {
        self.classes.get(&class).copied().unwrap_or(0)
    }

    /// Since when there are groups of this class.
    #[must_use]
    pub fn since(&self, class: Class) -> Option<Timestamp> {
        self.since.get(&class).copied()
    }

    /// The first groups of a class, to name some.
    pub fn some(&self, class: Class) -> impl Iterator<Item = &str> {
        let groups = self.order.values().filter_map(|name| self.groups.get(name));
        let rows = groups.filter_map(|group| group.row.as_ref());
        let of = rows.filter(move |row| row.class == class);
        of.map(|row| row.group.as_str())
    }

    #[must_use]
    pub fn row(&self, group: &str) -> Option<&GroupRow> {
        self.groups.get(group)?.row.as_ref()
    }

    /// Hosts that are named as leaders and that nobody has asked yet, each with a group it leads
    /// and who says so.
    #[must_use]
    pub fn strangers(&self, most: usize) -> Vec<(Arc<str>, Arc<str>)> {
        let known: BTreeSet<&str> = self.hosts.iter().map(|host| host.id.as_ref()).collect();
        let mut found: BTreeMap<&Arc<str>, (Arc<str>, Arc<str>)> = BTreeMap::new();
        for (name, group) in &self.groups {
            for (place, line) in &group.lines {
                let Some(leader) = line.leader.as_ref() else {
                    continue;
                };
                let Some(teller) = self.hosts.get(*place) else {
                    continue;
                };
                if !known.contains(leader.as_ref()) {
                    found
                        .entry(leader)
                        .or_insert_with(|| (Arc::clone(&teller.id), Arc::clone(name)));
                }
            }
            if found.len() >= most {
                break;
            }
        }
        found.into_values().take(most).collect()
    }

    /// Some groups of a host, spread over all it has.
    #[must_use]
    pub fn sample(&self, host: &str, most: usize) -> Vec<Arc<str>> {
        let Some(place) = self.hosts.iter().position(|it| it.id.as_ref() == host) else {
            return Vec::new();
        };
        let held = || self.groups.iter().filter(move |(_, it)| it.has(place));
        let step = (held().count() / most.max(1)).max(1);
        let names = held().step_by(step).take(most);
        names.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// One page of the groups in the order of their names, numbers in them by their value: those
    /// of `class` whose name or leader has `q` in it, after the group `after` (which may be gone),
    /// as they stand at `now`. The second is where the next page begins.
    #[must_use]
    pub fn page(
        &self,
        class: Option<Class>,
        q: Option<&str>,
        after: Option<&str>,
        most: usize,
        now: Timestamp,
    ) -> (Vec<GroupRow>, Option<String>) {
        let wanted = q.map(str::to_lowercase);
        let matches = |row: &GroupRow| {
            let has = |text: &str, wanted: &str| text.to_lowercase().contains(wanted);
            let found = wanted.as_deref().is_none_or(|wanted| {
                let leader = row.leader.as_ref();
                has(&row.group, wanted) || leader.is_some_and(|it| has(it.as_str(), wanted))
            });
            found && class.is_none_or(|class| row.class == class)
        };
        let begin = match after {
            Some(after) => Bound::Excluded(order_key(after)),
            None => Bound::Unbounded,
        };
        let rest = self.order.range((begin, Bound::Unbounded));
        let mut rows: Vec<GroupRow> = rest
            .filter_map(|(_, name)| self.groups.get(name))
            .filter_map(|group| Some((group, group.row.as_ref()?)))
            .filter(|(_, row)| matches(row))
            .take(most.saturating_add(1))
            .map(|(group, row)| GroupRow {
                age_ms: self.age(group, now),
                ..row.clone()
            })
            .collect();
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| more).map(|row| row.group.clone());
        (rows, next)
    }

    /// Age of the oldest word a group's row rests on: of hosts that answer; where none of its
    /// hosts does, of the newest from memory.
    fn age(&self, group: &Group, now: Timestamp) -> Option<u64> {
        let hosts = group.lines.iter().filter_map(|(at, _)| self.hosts.get(*at));
        let (fresh, silent): (Vec<&Host>, Vec<&Host>) = hosts.partition(|host| host.answers());
        let oldest = fresh.iter().filter_map(|host| host.heard_at).min();
        let newest = silent.iter().filter_map(|host| host.heard_at).max();
        oldest.or(newest).map(|at| now.since(at))
    }

    /// The whole at a glance, as it stands at `now`.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> GroupsView {
        let mut hosts: Vec<HostView> = self.hosts().map(|host| host.view(now)).collect();
        hosts.sort_by(|a, b| a.id.cmp(&b.id));
        let classes = Class::ALL.into_iter();
        GroupsView {
            total: self.total(),
            hosts,
            classes: classes.map(|class| (class, self.count(class))).collect(),
        }
    }
}

impl Host {
    fn view(&self, now: Timestamp) -> HostView {
        let (state, text) = match &self.answer {
            Answer::Answered | Answer::Sealed | Answer::NotStarted => (HostState::Answering, None),
            Answer::Silent(why) => (HostState::Unreachable, Some(why.clone())),
            Answer::Misread(why) => (HostState::Misread, Some(why.clone())),
            Answer::Denied(why) => (HostState::Denied, Some(why.clone())),
            Answer::NotAsked => (HostState::Unreachable, None),
        };
        let known = |sum: u32| self.answers().then_some(sum);
        HostView {
            id: MemberId::from(self.id.as_ref()),
            address: self.address.clone(),
            state,
            text,
            groups: self.sums.groups,
            leads: known(self.sums.leads),
            votes: known(self.sums.votes),
            learns: known(self.sums.learns),
            age_ms: self.heard_at.map(|at| now.since(at)),
        }
    }
}
