//! What happened to groups, whoever looked: who came to lead, who ceased to, and how many members
//! there are. A group costs something here only while it stands otherwise than was told last.
//!
//! Lines count members and do not name them, so neither does this. A group is told of from when
//! it was seen led for the first time: what was before that, nobody here can know.

use std::sync::Arc;

use super::{
    super::{Class, GroupRow},
    Fleet, Group, Host,
};
use crate::{
    cluster::{MemberId, Term},
    event::Happening,
    moment::Timestamp,
    text,
};

/// How long a group must be without an agreed leader before that is told, in milliseconds. A host
/// that answers late once would else be an election in each group it leads.
const LOST_MS: u64 = 5_000;

/// What happened to a group, and when.
pub type Happened = (Arc<str>, Timestamp, Happening);

/// How a group stood when something was told of it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    leader: Option<(Arc<str>, u64)>,
    voters: u32,
    learners: u32,
}

impl Told {
    /// `None` for a group that nobody is agreed to lead.
    fn of(row: &GroupRow, hosts: &[Host]) -> Option<Self> {
        let leader = called(row.leader.as_ref()?, hosts);
        Some(Self {
            leader: Some((leader, row.term.unwrap_or(0))),
            voters: row.voters.unwrap_or(0),
            learners: row.learners.unwrap_or(0),
        })
    }

    fn leads(&self, leader: &MemberId, term: Option<u64>) -> bool {
        let (led, in_term) = match &self.leader {
            Some((led, in_term)) => (led.as_ref(), *in_term),
            None => return false,
        };
        led == leader.as_str() && in_term == term.unwrap_or(0)
    }

    fn counts(&self, row: &GroupRow) -> bool {
        (Some(self.voters), Some(self.learners)) == (row.voters, row.learners)
    }

    /// Whether the group stands as it was told.
    fn holds(&self, row: &GroupRow) -> bool {
        match &row.leader {
            Some(leader) => self.leads(leader, row.term) && self.counts(row),
            None => self.leader.is_none(),
        }
    }
}

/// One text for all groups that the same host leads.
fn called(leader: &MemberId, hosts: &[Host]) -> Arc<str> {
    let host = hosts.iter().find(|it| it.id.as_ref() == leader.as_str());
    host.map_or_else(|| Arc::from(leader.as_str()), |it| Arc::clone(&it.id))
}

impl Fleet {
    /// What happened since this was asked last, of at most `most` groups and of none that
    /// `others` tell of; what is left is told the next time, as it stands then.
    pub fn happened(
        &mut self,
        most: usize,
        others: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Vec<Happened> {
        let waiting = self.untold.iter().filter(|(name, _)| !others(name));
        let waiting: Vec<_> = waiting
            .map(|(name, since)| (Arc::clone(name), *since))
            .collect();
        let mut happened = Vec::new();
        let mut of = 0;
        for (name, since) in waiting {
            if of == most {
                break;
            }
            let Some(group) = self.groups.get_mut(&name) else {
                self.untold.remove(&name);
                continue;
            };
            let before = happened.len();
            group.tell(&name, &self.hosts, (since, now), &mut happened);
            if group.is_told() {
                self.untold.remove(&name);
            }
            of += usize::from(happened.len() > before);
        }
        happened
    }

    /// Somebody who looked at the group has told until now, and who led it last is `leader`: from
    /// here on it is told by this again.
    pub fn told_by_others(
        &mut self,
        group: &str,
        leader: Option<(&MemberId, Option<Term>)>,
        now: Timestamp,
    ) {
        let Some(known) = self.groups.get_mut(group) else {
            return;
        };
        let Some(told) = &mut known.told else { return };
        if let Some(row) = known.row.as_ref().filter(|row| row.leader.is_some()) {
            // Who came and went they have told by name.
            told.voters = row.voters.unwrap_or(0);
            told.learners = row.learners.unwrap_or(0);
        }
        told.leader = leader.map(|(id, term)| (called(id, &self.hosts), term.map_or(0, |it| it.0)));
        let key = self.groups.get_key_value(group);
        if let Some(key) = key.map(|(key, _)| Arc::clone(key)) {
            self.untold.remove(&key);
            self.note(&key, now);
        }
    }

    /// After a group was judged anew.
    pub(super) fn note(&mut self, name: &Arc<str>, now: Timestamp) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        if group.told.is_none() {
            let row = group.row.as_ref();
            group.told = row.and_then(|row| Told::of(row, &self.hosts));
        }
        if group.is_told() {
            self.untold.remove(name);
        } else {
            self.untold.entry(Arc::clone(name)).or_insert(now);
        }
    }
}

impl Group {
    /// Whether there is nothing to tell. Of a group that is not known, only what was not told
    /// before is left.
    fn is_told(&self) -> bool {
        match (&self.told, &self.row) {
            (Some(told), Some(row)) => told.holds(row),
            _ => true,
        }
    }

    fn tell(
        &mut self,
        name: &Arc<str>,
        hosts: &[Host],
        (since, now): (Timestamp, Timestamp),
        happened: &mut Vec<Happened>,
    ) {
        let (Some(told), Some(row)) = (&mut self.told, &self.row) else {
            return;
        };
        let Some(leader) = &row.leader else {
            let lasts = row.class != Class::Unknown && now.since(since) >= LOST_MS;
            if lasts && let Some((member, _)) = told.leader.take() {
                let member = MemberId::from(member.as_ref());
                happened.push((Arc::clone(name), since, Happening::LeaderLost { member }));
            }
            return;
        };
        let Some(stands) = Told::of(row, hosts) else {
            return;
        };
        if !told.leads(leader, row.term) {
            let (member, term) = (leader.clone(), row.term.map(Term));
            let what = Happening::LeaderAgreed { member, term };
            happened.push((Arc::clone(name), now, what));
        }
        if !told.counts(row) {
            let before = (told.voters, told.learners);
            let text = text::group_members((stands.voters, stands.learners), before);
            happened.push((Arc::clone(name), now, Happening::MembershipChanged { text }));
        }
        *told = stands;
    }
}
