//! Whether the leader hears a member. etcd does not tell it, and on an idle cluster a learner that
//! is cut off stays level and goes on naming its leader. What moves with every heartbeat that is
//! answered is how many bytes the leader has had from it, on its page of measurements.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use quorate_domain::cluster::MemberId;
use url::Url;

use super::{Etcd, gateway::page};

/// How many bytes the leader has had from each member, as it writes the figure.
pub(super) type Heard = BTreeMap<MemberId, String>;

const FAMILY: &str = "etcd_network_peer_received_bytes_total";
/// The page is long; during looks it is read no more often than this.
const READ_EVERY: Duration = Duration::from_secs(2);
/// A member that is heard sends something with every heartbeat: a tenth of a second by default,
/// seconds where somebody has set it so. Until this has passed nothing is said against it.
const SILENCE: Duration = Duration::from_secs(5);
const ASKED_AGAIN: Duration = Duration::from_millis(100);
/// Two readings further apart tell nothing of what came between them, and one that is older
/// nothing of now: the console looked seldom, or the page could not be read.
const HOLDS: Duration = Duration::from_secs(7);

/// What earlier looks have found at one leader.
#[derive(Default)]
pub(super) struct Contact {
    leader: Option<MemberId>,
    read: Option<Instant>,
    members: BTreeMap<MemberId, Row>,
}

struct Row {
    figure: String,
    read: Instant,
    /// Something came after this moment, if anything has come since the first reading.
    heard_after: Instant,
    moved: bool,
}

impl Contact {
    /// Whether the page is to be read now; then it is not for a while.
    pub fn falls_due(&mut self, now: Instant) -> bool {
        let due = self
            .read
            .is_none_or(|read| now.saturating_duration_since(read) >= READ_EVERY);
        if due {
            self.read = Some(now);
        }
        due
    }

    pub fn learn(&mut self, leader: &MemberId, heard: Heard, now: Instant) {
        if self.leader.as_ref() != Some(leader) {
            self.leader = Some(leader.clone());
            self.members.clear();
        }
        self.members.retain(|id, _| heard.contains_key(id));
        for (id, figure) in heard {
            let row = self.members.entry(id).or_insert_with(|| Row {
                figure: figure.clone(),
                read: now,
                heard_after: now,
                moved: false,
            });
            if row.figure != figure {
                row.moved = now.saturating_duration_since(row.read) <= HOLDS;
                row.heard_after = if row.moved { row.read } else { now };
                row.figure = figure;
            }
            row.read = now;
        }
    }

    /// For how long the leader has not heard each member, at most; where it has not heard one
    /// since it was first looked at, at least. Whoever has not been read of lately is left out.
    pub fn ages(&self, leader: Option<&MemberId>, now: Instant) -> BTreeMap<MemberId, u64> {
        if self.leader.is_none() || self.leader.as_ref() != leader {
            return BTreeMap::new();
        }
        let fresh = |row: &&Row| now.saturating_duration_since(row.read) <= HOLDS;
        let rows = self.members.iter().filter(|(_, row)| fresh(row));
        let rows = rows.filter_map(|(id, row)| {
            let age = now.saturating_duration_since(row.heard_after);
            let known = row.moved || age > SILENCE;
            let milliseconds = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            known.then(|| (id.clone(), milliseconds))
        });
        rows.collect()
    }
}

impl Etcd {
    /// The figures of a leader; `None` where it does not show them.
    pub(super) async fn heard_at(&self, leader: &Url, wait: Duration) -> Option<Heard> {
        let call = self.client.get(&page(leader, "metrics")).within(wait);
        let reply = call.send().await.ok()?;
        if reply.status != 200 {
            return None;
        }
        figures(std::str::from_utf8(&reply.body).ok()?)
    }

    /// Whether the leader hears a member now; `None` where that cannot be told. Takes a heartbeat
    /// or two, and longer only if nothing comes.
    pub(super) async fn hears(&self, leader: &Url, member: &MemberId) -> Option<bool> {
        let wait = self.status_timeout;
        // Of one that this leader has never heard etcd itself knows that it is not level.
        let first = self.heard_at(leader, wait).await?.remove(member)?;
        let until = Instant::now() + SILENCE;
        while Instant::now() < until {
            tokio::time::sleep(ASKED_AGAIN).await;
            if self.heard_at(leader, wait).await?.remove(member)? != first {
                return Some(true);
            }
        }
        Some(false)
    }
}

/// The rows `name{From="id"} figure`; `None` if the page does not know of them.
fn figures(text: &str) -> Option<Heard> {
    let mut known = false;
    let mut heard = Heard::new();
    for line in text.lines() {
        known |= line.contains(FAMILY);
        let row = line
            .strip_prefix(FAMILY)
            .and_then(|rest| rest.strip_prefix("{From=\""))
            .and_then(|rest| rest.split_once("\"} "));
        if let Some((id, figure)) = row {
            heard.insert(MemberId::from(id), figure.trim().to_owned());
        }
    }
    known.then_some(heard)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PAGE: &str = "# TYPE etcd_network_peer_received_bytes_total counter\n\
        etcd_network_peer_received_bytes_total{From=\"0\"} 120\n\
        etcd_network_peer_received_bytes_total{From=\"d64b9800803bea93\"} 1.2345678e+07\n\
        etcd_network_peer_sent_bytes_total{To=\"d64b9800803bea93\"} 9\n";

    fn heard(figure: &str) -> Heard {
        Heard::from([("b".into(), figure.to_owned())])
    }

    #[test]
    fn figures_are_read_as_they_are_written_and_a_page_without_them_tells_nothing() {
        let found = figures(PAGE).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found.get(&"d64b9800803bea93".into()).unwrap(),
            "1.2345678e+07"
        );
        assert_eq!(figures("process_cpu_seconds_total 4\n"), None);
        let bad = format!("# HELP {FAMILY} x\n{FAMILY}{{From=\"b\n{FAMILY} 7\n");
        assert_eq!(figures(&bad), Some(Heard::new()));
    }

    #[test]
    fn contact_is_as_old_as_the_reading_before_the_figure_moved() {
        let (leader, start) = (MemberId::from("a"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut contact = Contact::default();
        assert!(contact.falls_due(start));
        contact.learn(&leader, heard("10"), start);
        assert!(!contact.falls_due(at(1)) && contact.falls_due(at(2)));
        assert!(contact.ages(Some(&leader), at(1)).is_empty());
        contact.learn(&leader, heard("20"), at(3));
        contact.learn(&leader, heard("20"), at(9));
        let ages = contact.ages(Some(&leader), at(9));
        assert_eq!(ages, BTreeMap::from([("b".into(), 9_000)]));
        contact.learn(&leader, heard("30"), at(11));
        let ages = contact.ages(Some(&leader), at(11));
        assert_eq!(ages, BTreeMap::from([("b".into(), 2_000)]));
    }

    #[test]
    fn a_page_that_cannot_be_read_and_a_console_that_looked_seldom_say_nothing_against_a_member() {
        let (leader, start) = (MemberId::from("a"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut contact = Contact::default();
        contact.learn(&leader, heard("10"), start);
        contact.learn(&leader, heard("20"), at(2));
        // No page since.
        assert!(contact.ages(Some(&leader), at(30)).is_empty());
        // It came at some time within the half minute, most likely now.
        contact.learn(&leader, heard("30"), at(32));
        assert!(contact.ages(Some(&leader), at(32)).is_empty());
        contact.learn(&leader, heard("40"), at(34));
        let ages = contact.ages(Some(&leader), at(34));
        assert_eq!(ages, BTreeMap::from([("b".into(), 2_000)]));
        // Nothing came all the while.
        contact.learn(&leader, heard("40"), at(60));
        let ages = contact.ages(Some(&leader), at(60));
        assert_eq!(ages, BTreeMap::from([("b".into(), 28_000)]));
    }

    #[test]
    fn who_was_never_heard_is_told_after_a_while_and_another_leader_begins_anew() {
        let (leader, start) = (MemberId::from("a"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut contact = Contact::default();
        contact.learn(&leader, heard("10"), start);
        contact.learn(&leader, heard("10"), at(6));
        let ages = contact.ages(Some(&leader), at(6));
        assert_eq!(ages, BTreeMap::from([("b".into(), 6_000)]));
        assert!(contact.ages(Some(&"c".into()), at(6)).is_empty());
        contact.learn(&"c".into(), heard("11"), at(7));
        assert!(contact.ages(Some(&"c".into()), at(8)).is_empty());
    }
}
