//! The lines of time of groups: in memory while somebody looks at the group, in the store always.
//!
//! What their hosts tell in bulk may be very much at once. It is written in parcels, of which few
//! may wait at a time; who asks for room first loses nothing by that.

use std::collections::VecDeque;

use quorate_domain::{
    cluster::{ClusterName, MemberId, Term},
    event::{Event, Happening},
    moment::Timestamp,
};

use super::{AT_HAND, EventLog, PoisonError};
use crate::{ControlError, store::Store};

/// Written in one transaction.
const PARCEL: usize = 256;
/// Events of groups that nobody looks at, on their way to the store at once: about 1 MB.
const ROOM: u64 = 4_096;
/// How long the beginning of a watch waits for what is on its way to the store.
const ARRIVING: std::time::Duration = std::time::Duration::from_secs(5);

/// Who leads, and in which term; `None` inside if nobody does.
pub(crate) type Led = Option<(MemberId, Option<Term>)>;

impl EventLog {
    /// How many events of groups that nobody looks at may be added now.
    pub(crate) fn room(&self) -> usize {
        let waiting = self.waiting.load(std::sync::atomic::Ordering::Relaxed);
        usize::try_from(ROOM.saturating_sub(waiting)).unwrap_or(0)
    }

    /// What happened to several groups, each under its own `cluster/group`.
    pub(crate) fn add_all(
        &self,
        happened: impl Iterator<Item = (ClusterName, Timestamp, Happening)>,
    ) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events: Vec<Event> = happened
            .map(|(group, at, what)| recent.event(&group, at, what))
            .collect();
        drop(recent);
        while !events.is_empty() {
            let rest = events.split_off(events.len().min(PARCEL));
            self.keep(std::mem::replace(&mut events, rest));
        }
    }

    /// Takes a group's line of time into memory, for as long as somebody looks at the group: what
    /// is in the store, and what comes while that is read.
    pub(crate) async fn open(
        &self,
        store: &Store,
        group: &ClusterName,
    ) -> Result<(), ControlError> {
        self.begin(group);
        self.settled(ARRIVING).await;
        let most = u32::try_from(AT_HAND).unwrap_or(u32::MAX);
        let known = store.events(group, most).await;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: VecDeque<Event> = recent.opening.remove(group).unwrap_or_default();
        let known = known?;
        let oldest = list.back().map_or(u64::MAX, |event| event.id);
        list.extend(known.into_iter().filter(|event| event.id < oldest));
        list.truncate(AT_HAND);
        recent.by_cluster.entry(group.clone()).or_insert(list);
        Ok(())
    }

    fn begin(&self, group: &ClusterName) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if !recent.by_cluster.contains_key(group) {
            recent.opening.insert(group.clone(), VecDeque::new());
        }
    }

    /// Nobody looks at the group any more: the store has what happened to it.
    pub(crate) fn close(&self, group: &ClusterName) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.by_cluster.remove(group);
    }

    /// Who leads the group by what was told last of that, if its line of time is in memory and
    /// says so.
    pub(crate) fn led(&self, group: &ClusterName) -> Option<Led> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let list = recent.by_cluster.get(group)?;
        list.iter().find_map(|event| match &event.what {
            Happening::LeaderAgreed { member, term } => Some(Some((member.clone(), *term))),
            Happening::LeaderLost { .. } => Some(None),
            _ => None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::events::{Order, Waiting};

    async fn log() -> (tempfile::TempDir, Store, EventLog, Waiting) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let program = ClusterName::from("many");
        let (log, waiting) = EventLog::load(&store, std::iter::once(&program))
            .await
            .unwrap();
        (folder, store, log, waiting)
    }

    fn agreed(group: usize) -> (ClusterName, Timestamp, Happening) {
        let what = Happening::LeaderAgreed {
            member: MemberId::from("host-1"),
            term: Some(Term(4)),
        };
        let name = ClusterName::from(format!("many/g{group:05}").as_str());
        (name, Timestamp::from_unix_ms(1), what)
    }

    /// Writes what has come so far.
    async fn write(log: &EventLog, store: &Store, waiting: &mut Waiting) -> Vec<usize> {
        let mut parcels = Vec::new();
        while let Ok(order) = waiting.try_recv() {
            if let Order::Keep(events) = order {
                store.events_add(&events).await.unwrap();
                parcels.push(events.len());
                log.arrived(u64::try_from(events.len()).unwrap(), true);
            }
        }
        parcels
    }

    #[tokio::test]
    async fn what_happens_to_thousands_of_groups_is_written_in_parcels_and_waits_for_room() {
        let (_folder, store, log, mut waiting) = log().await;
        let room = log.room();
        assert_eq!(room, 4_096);
        log.add_all((0..room).map(agreed));
        assert_eq!(log.room(), 0, "nothing more before some of it is written");
        let parcels = write(&log, &store, &mut waiting).await;
        assert_eq!(parcels, [256; 16]);
        assert_eq!(log.room(), 4_096);
        let name = agreed(7).0;
        assert_eq!(store.events(&name, 9).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn of_all_groups_of_a_program_the_store_keeps_the_newest_and_leaves_other_programs() {
        let (_folder, store, log, mut waiting) = log().await;
        log.add_all((0..500).map(agreed));
        let others = ["many", "many-more/g1", "man/g1", "many.b/g1"].map(ClusterName::from);
        let what = agreed(0).2;
        let other = |name: &ClusterName| (name.clone(), Timestamp::from_unix_ms(1), what.clone());
        log.add_all(others.iter().map(other));
        write(&log, &store, &mut waiting).await;
        store.events_prune_groups("many", 300).await.unwrap();
        let count = async |group: usize| store.events(&agreed(group).0, 9).await.unwrap().len();
        assert_eq!((count(199).await, count(200).await), (0, 1));
        assert_eq!((count(0).await, count(499).await), (0, 1));
        for name in &others {
            assert_eq!(store.events(name, 9).await.unwrap().len(), 1, "{name}");
        }
    }

    #[tokio::test]
    async fn a_line_of_time_that_is_opened_has_what_is_still_on_its_way_to_the_store() {
        let (_folder, store, log, mut waiting) = log().await;
        let (name, _, _) = agreed(7);
        assert_eq!(log.led(&name), None);
        log.add_all(std::iter::once(agreed(7)));
        let writing = async {
            // As the console's own writer does it.
            while let Some(order) = waiting.recv().await {
                match order {
                    Order::Keep(events) => store.events_add(&events).await.unwrap(),
                    Order::Told(reply) => {
                        reply.send(()).unwrap();
                        return;
                    }
                }
            }
        };
        let opening = async {
            log.open(&store, &name).await.unwrap();
        };
        tokio::join!(opening, writing);
        let led = Some(Some((MemberId::from("host-1"), Some(Term(4)))));
        assert_eq!(log.led(&name), led);
        log.add_all(std::iter::once(agreed(7)));
        let names = std::slice::from_ref(&name);
        assert_eq!(log.newest(&store, names, 9).await.unwrap().len(), 2);
        log.close(&name);
        assert_eq!(log.led(&name), None);
    }
}
