//! All that the hosts of one program have told of its groups, kept up by what moved: a look at
//! which nothing moved costs nothing, whatever the number of groups.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Class, GroupRow, Line, Part, Word, count, judge,
    order::{OrderKey, order_key},
};
use crate::{moment::Timestamp, observation::Answer};

mod happened;
mod reading;

pub use happened::Happened;

/// What one host told in one look.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// These are all its groups, with indexes as they are now; else only what moved.
    pub complete: bool,
    pub lines: Vec<(String, Line)>,
    pub gone: Vec<String>,
}

/// A host as it answered the newest look.
#[derive(Clone, Debug)]
pub struct Host {
    pub id: Arc<str>,
    pub address: String,
    pub answer: Answer,
    pub heard_at: Option<Timestamp>,
    /// Since when it has not answered.
    pub silent_since: Option<Timestamp>,
    /// No group needs it any more, or it goes by another name.
    gone: bool,
    sums: Sums,
}

/// How long a host that no group needs may be silent before it is no host of the program any more.
const LEFT_MS: u64 = 60_000;

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    groups: u32,
    leads: u32,
    votes: u32,
    learns: u32,
}

impl Sums {
    fn add(&mut self, line: &Line) {
        self.groups += 1;
        self.leads += u32::from(line.part == Part::Leader);
        self.votes += u32::from(line.part.votes());
        self.learns += u32::from(line.part == Part::Learner);
    }

    fn take(&mut self, line: &Line) {
        let less = |from: &mut u32, holds: bool| *from = from.saturating_sub(u32::from(holds));
        less(&mut self.groups, true);
        less(&mut self.leads, line.part == Part::Leader);
        less(&mut self.votes, line.part.votes());
        less(&mut self.learns, line.part == Part::Learner);
    }
}

#[derive(Debug)]
struct Group {
    /// By the host's place in the list of hosts.
    lines: Vec<(usize, Line)>,
    /// The leader's last index at the full reading before the newest.
    before: Option<u64>,
    lag: Option<u64>,
    /// `None` until it is judged for the first time.
    row: Option<GroupRow>,
    /// `None` until it was seen led.
    told: Option<happened::Told>,
}

/// The hosts and groups of one program.
#[derive(Debug, Default)]
pub struct Fleet {
    hosts: Vec<Host>,
    groups: BTreeMap<Arc<str>, Group>,
    /// The names as people order them: `group-2` before `group-10`.
    order: BTreeMap<OrderKey, Arc<str>>,
    classes: BTreeMap<Class, u32>,
    since: BTreeMap<Class, Timestamp>,
    /// To be judged anew.
    touched: BTreeSet<Arc<str>>,
    /// Of which there is something to tell, and since when.
    untold: BTreeMap<Arc<str>, Timestamp>,
    lag_warn: u64,
}

impl Fleet {
    /// Lag counts as a problem from `lag_warn` entries on.
    #[must_use]
    pub fn new(lag_warn: u64) -> Self {
        Self {
            lag_warn,
            ..Self::default()
        }
    }

    /// What a host told, at `at`.
    pub fn hear(&mut self, host: &str, address: &str, at: Timestamp, news: News) {
        let place = self.place(host, address);
        if let Some(known) = self.hosts.get_mut(place) {
            known.heard_at = Some(at);
            address.clone_into(&mut known.address);
        }
        self.answered(place, Answer::Answered, at);
        let mut left: BTreeSet<Arc<str>> = BTreeSet::new();
        if news.complete {
            let told: BTreeSet<&str> = news.lines.iter().map(|(name, _)| name.as_str()).collect();
            let kept = self.groups.iter().filter(|(_, group)| group.has(place));
            let gone = kept.filter(|(name, _)| !told.contains(name.as_ref()));
            left.extend(gone.map(|(name, _)| Arc::clone(name)));
        }
        left.extend(news.gone.iter().map(|name| Arc::from(name.as_str())));
        for name in left {
            self.drop_line(place, &name);
        }
        for (name, line) in news.lines {
            self.put_line(place, &name, line);
        }
    }

    /// A host that did not answer, or not what was asked. Its lines stay, from memory.
    pub fn miss(&mut self, host: &str, address: &str, at: Timestamp, answer: Answer) {
        let place = self.place(host, address);
        self.answered(place, answer, at);
    }

    /// Ends a look: judges what moved. `full` if every host that answers told all in it.
    pub fn settle(&mut self, full: bool, now: Timestamp) {
        if full {
            self.measure();
        }
        for name in std::mem::take(&mut self.touched) {
            self.judge(&name, now);
        }
        if full {
            self.part_with_who_left(now);
        }
        let classes = &self.classes;
        self.since
            .retain(|class, _| classes.get(class).is_some_and(|count| *count > 0));
        for (class, _) in classes.iter().filter(|(_, count)| **count > 0) {
            self.since.entry(*class).or_insert(now);
        }
    }

    /// Whoever was known by its address only has told its name.
    pub fn rename(&mut self, address: &str, name: &str) {
        let known = self.hosts.iter().any(|host| host.id.as_ref() == name);
        let mut hosts = self.hosts.iter_mut();
        if let Some(host) = hosts.find(|host| host.id.as_ref() == address && address != name) {
            if known {
                host.gone = true;
            } else {
                host.id = Arc::from(name);
            }
        }
    }

    fn place(&mut self, host: &str, address: &str) -> usize {
        let known = self.hosts.iter().position(|it| it.id.as_ref() == host);
        known.unwrap_or_else(|| {
            self.hosts.push(Host {
                id: Arc::from(host),
                address: address.to_owned(),
                answer: Answer::NotAsked,
                heard_at: None,
                silent_since: None,
                gone: false,
                sums: Sums::default(),
            });
            self.hosts.len() - 1
        })
    }

    fn answered(&mut self, place: usize, answer: Answer, at: Timestamp) {
        let Some(host) = self.hosts.get_mut(place) else {
            return;
        };
        let (before, now) = (host.answers(), answer == Answer::Answered);
        host.gone = host.gone && !now;
        host.silent_since = (!now).then(|| host.silent_since.unwrap_or(at));
        host.answer = answer;
        if before != now {
            let held = self.groups.iter().filter(|(_, group)| group.has(place));
            self.touched.extend(held.map(|(name, _)| Arc::clone(name)));
        }
    }

    fn put_line(&mut self, place: usize, name: &str, mut line: Line) {
        let line_leader = line.leader.take();
        line.leader = line_leader.map(|leader| self.same(leader));
        let name = match self.groups.get_key_value(name) {
            Some((known, _)) => Arc::clone(known),
            None => {
                let new: Arc<str> = Arc::from(name);
                self.order.insert(order_key(name), Arc::clone(&new));
                new
            }
        };
        if let Some(host) = self.hosts.get_mut(place) {
            host.sums.add(&line);
        }
        let group = self
            .groups
            .entry(Arc::clone(&name))
            .or_insert_with(|| Group {
                lines: Vec::new(),
                before: None,
                lag: None,
                row: None,
                told: None,
            });
        let old = group.lines.iter_mut().find(|(at, _)| *at == place);
        let moved = match old {
            Some((_, old)) => {
                if let Some(host) = self.hosts.get_mut(place) {
                    host.sums.take(old);
                }
                let index = old.last_index;
                let moved = *old
                    != Line {
                        last_index: index,
                        ..line.clone()
                    };
                *old = line;
                moved
            }
            None => {
                group.lines.push((place, line));
                true
            }
        };
        if moved {
            self.touched.insert(name);
        }
    }

    /// One text for all lines that name the same host.
    fn same(&self, name: Arc<str>) -> Arc<str> {
        let known = self.hosts.iter().find(|host| host.id == name);
        known.map_or(name, |host| Arc::clone(&host.id))
    }

    fn drop_line(&mut self, place: usize, name: &str) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        if let Some(at) = group.lines.iter().position(|(it, _)| *it == place) {
            let (_, line) = group.lines.swap_remove(at);
            if let Some(host) = self.hosts.get_mut(place) {
                host.sums.take(&line);
            }
        }
        let empty = group.lines.is_empty();
        let key = self
            .groups
            .get_key_value(name)
            .map(|(key, _)| Arc::clone(key));
        let Some(key) = key else { return };
        if empty {
            self.order.remove(&order_key(&key));
            let row = self.groups.remove(&key).and_then(|group| group.row);
            self.uncount(row.map(|row| row.class));
            self.touched.remove(&key);
            self.untold.remove(&key);
        } else {
            self.touched.insert(key);
        }
    }

    fn uncount(&mut self, class: Option<Class>) {
        if let Some(count) = class.and_then(|class| self.classes.get_mut(&class)) {
            *count = count.saturating_sub(1);
        }
    }

    /// From which lag on a replica is told as lagging.
    pub fn warn_from(&mut self, lag_warn: u64) {
        if self.lag_warn != lag_warn {
            self.lag_warn = lag_warn;
            self.touched.extend(self.groups.keys().cloned());
        }
    }

    /// Hosts are read one after the other, so a replica counts as behind by what it lacks of what
    /// the leader had at the reading before: what it cannot have missed by being asked earlier.
    fn measure(&mut self) {
        for (name, group) in &mut self.groups {
            let leading = group.lines.iter().filter(|(place, line)| {
                line.claims && self.hosts.get(*place).is_some_and(Host::answers)
            });
            let leading = leading.max_by_key(|(_, line)| line.term);
            let last = leading.and_then(|(_, line)| line.last_index);
            let others = group.lines.iter().filter(|(place, line)| {
                let answers = self.hosts.get(*place).is_some_and(Host::answers);
                answers && line.part != Part::Absent && !line.claims
            });
            let least = others.filter_map(|(_, line)| line.last_index).min();
            let lag = match (group.before, least) {
                (Some(before), Some(least)) => Some(before.saturating_sub(least)),
                (Some(_), None) => (group.lines.len() == 1).then_some(0),
                (None, _) => None,
            };
            group.before = last;
            if lag != group.lag {
                group.lag = lag;
                self.touched.insert(Arc::clone(name));
            }
        }
    }

    /// A host that was taken out of all its groups and then stopped is no missing host. What it
    /// told is kept for a while: it may have left no group, and only be restarting.
    fn part_with_who_left(&mut self, now: Timestamp) {
        for place in 0..self.hosts.len() {
            let silent = self.hosts.get(place).and_then(|host| host.silent_since);
            let long = silent.is_some_and(|since| now.since(since) >= LEFT_MS);
            let mut held = self.groups.values().filter(|group| group.has(place));
            let heard = self
                .hosts
                .get(place)
                .is_some_and(|host| host.heard_at.is_some());
            if !long || !heard || held.any(|it| it.misses_one(&self.hosts)) {
                continue;
            }
            let held: Vec<Arc<str>> = self
                .groups
                .iter()
                .filter(|(_, group)| group.has(place))
                .map(|(name, _)| Arc::clone(name))
                .collect();
            for name in &held {
                self.drop_line(place, name);
            }
            for name in std::mem::take(&mut self.touched) {
                self.judge(&name, now);
            }
            if let Some(host) = self.hosts.get_mut(place) {
                host.gone = true;
            }
        }
    }

    fn judge(&mut self, name: &Arc<str>, now: Timestamp) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        let words: Vec<Word<'_>> = group
            .lines
            .iter()
            .filter_map(|(place, line)| {
                let host = self.hosts.get(*place)?;
                Some(Word {
                    host: &host.id,
                    answers: host.answers(),
                    line,
                })
            })
            .collect();
        let row = judge(name, &words, group.lag, self.lag_warn);
        let class = row.class;
        let before = group.row.replace(row);
        self.uncount(before.map(|row| row.class));
        *self.classes.entry(class).or_default() += 1;
        self.note(name, now);
    }
}

impl Group {
    /// A member of it does not report, by the words of those that do.
    fn misses_one(&self, hosts: &[Host]) -> bool {
        let Some(row) = &self.row else { return true };
        let learners = self.lines.iter().filter(|(place, line)| {
            line.part == Part::Learner && hosts.get(*place).is_some_and(Host::answers)
        });
        row.voters != Some(row.answering) || row.learners != Some(count(learners.count()))
    }

    fn has(&self, place: usize) -> bool {
        self.lines.iter().any(|(at, _)| *at == place)
    }
}

impl Host {
    #[must_use]
    pub fn answers(&self) -> bool {
        self.answer == Answer::Answered
    }
}
