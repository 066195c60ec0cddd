//! Who of those a controller lists is a member. A controller lists its Raft configuration and,
//! as non-voters, whoever else is connected to it: a newcomer, somebody just removed, a stranger.
//! Pure.

use std::collections::BTreeSet;

use quorate_domain::cluster::MemberId;

use super::{answers::Row, ask::Asked};

/// What is known of a line beyond the line itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Told by an event, or added by this console: id and address.
    pub members: BTreeSet<(String, String)>,
    /// Told by an event to be no member, or removed by this console.
    pub gone: BTreeSet<String>,
}

impl Known {
    pub const fn nothing() -> Self {
        Self {
            members: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    /// A cluster event lists all members by id and address.
    pub fn learn_all(&mut self, members: BTreeSet<(String, String)>) {
        let lost = self.members.iter().filter(|one| !members.contains(*one));
        let lost: Vec<String> = lost.map(|(id, _)| id.clone()).collect();
        self.gone.extend(lost);
        self.gone
            .retain(|id| !members.iter().any(|(member, _)| member == id));
        self.members = members;
    }

    pub fn learn_added(&mut self, id: &str, address: &str) {
        self.gone.remove(id);
        self.members.insert((id.to_owned(), address.to_owned()));
    }

    pub fn learn_removed(&mut self, id: &str) {
        self.members.retain(|(member, _)| member != id);
        self.gone.insert(id.to_owned());
    }
}

/// What a line of the counting list stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Member,
    /// It may be a member, or only connected.
    Doubtful,
    /// Connected, and no member.
    Stranger,
}

/// What `row` of the list of `witness` stands for, by what all the others say.
pub(super) fn standing(row: &Row, witness: &Asked, asked: &[Asked], known: &Known) -> Standing {
    // Only members are listed as voters, or without being connected.
    if row.voter || !row.connected {
        return Standing::Member;
    }
    let id = MemberId::from(row.id.as_str());
    if known
        .members
        .contains(&(row.id.clone(), row.address.clone()))
    {
        return Standing::Member;
    }
    let others = || asked.iter().filter(|other| other.id() != witness.id());
    let listed_apart = others().any(|other| {
        let apart = |seen: &Row| !seen.connected && seen.address == row.address;
        // One that is behind may still hold who was removed.
        is_caught_up(other, witness) && other.row(&id).is_some_and(apart)
    });
    let itself = others().find(|other| other.id() == Some(&id) && other.rows.is_some());
    if listed_apart {
        return Standing::Member;
    }
    if known.gone.contains(&row.id) {
        return Standing::Stranger;
    }
    match itself.map(Asked::own_row) {
        // It lists itself only if its own configuration has it, and as what it has it.
        Some(Some(own)) if own.voter == row.voter && own.address == row.address => {
            return Standing::Member;
        }
        Some(Some(_)) => return Standing::Doubtful,
        Some(None) => return Standing::Stranger,
        None => {}
    }
    let unlisted = others().any(|other| is_caught_up(other, witness) && other.row(&id).is_none());
    if unlisted {
        Standing::Stranger
    } else {
        Standing::Doubtful
    }
}

/// It has the same voters as the witness and is no older.
fn is_caught_up(other: &Asked, witness: &Asked) -> bool {
    let voters = |node: &Asked| -> Option<BTreeSet<String>> {
        let rows = node.rows.as_ref()?.iter();
        Some(
            rows.filter(|row| row.voter)
                .map(|row| row.id.clone())
                .collect(),
        )
    };
    let same = other.rows.is_some() && voters(other) == voters(witness);
    let timeline = |node: &Asked| node.index.as_ref().and_then(|index| index.timeline.clone());
    let level = match (other.index(), witness.index()) {
        (Some(other), Some(witness)) => other >= witness,
        _ => true,
    };
    same && level && timeline(other) == timeline(witness)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use quorate_domain::observation::Answer;
    use serde_json::json;
    use url::Url;

    use super::*;

    fn row(id: &str, voter: bool, connected: bool) -> Row {
        serde_json::from_value(json!({
            "id": id, "address": format!("tls:{id}:1"), "voter": voter,
            "leader": id == "c1", "connected": connected
        }))
        .unwrap()
    }

    fn says(id: &str, rows: Vec<Row>) -> Asked {
        let url = Url::parse(&format!("https://{id}:1280")).unwrap();
        let mut asked = Asked::with(url, Some(id.into()), Answer::Answered);
        asked.rows = Some(rows);
        asked
    }

    fn voters(connected: bool) -> Vec<Row> {
        ["c1", "c2", "c3"]
            .iter()
            .map(|id| row(id, true, connected))
            .collect()
    }

    fn with_x(connected: bool) -> Vec<Row> {
        let mut rows = voters(true);
        rows.push(row("x", false, connected));
        rows
    }

    #[test]
    fn accident_37_a_connected_controller_is_a_member_only_where_something_proves_it() {
        let leader = says("c1", with_x(true));
        let x = row("x", false, true);
        let cases: [(&str, Vec<Asked>, Known, Standing); 7] = [
            (
                "nobody else says anything",
                vec![],
                Known::default(),
                Standing::Doubtful,
            ),
            (
                "all are connected to it",
                vec![says("c2", with_x(true))],
                Known::default(),
                Standing::Doubtful,
            ),
            (
                "a follower lists it without being connected",
                vec![says("c2", with_x(false))],
                Known::default(),
                Standing::Member,
            ),
            (
                "a follower that is level does not list it",
                vec![says("c2", voters(true))],
                Known::default(),
                Standing::Stranger,
            ),
            (
                "it does not list itself",
                vec![says("x", voters(true))],
                Known::default(),
                Standing::Stranger,
            ),
            (
                "it lists itself so",
                vec![says("x", with_x(true))],
                Known::default(),
                Standing::Member,
            ),
            (
                "it lists itself, and was seen to go",
                vec![says("x", with_x(true))],
                Known {
                    gone: ["x".to_owned()].into(),
                    ..Known::default()
                },
                Standing::Stranger,
            ),
        ];
        for (name, mut asked, known, expected) in cases {
            asked.push(leader.clone());
            assert_eq!(standing(&x, &leader, &asked, &known), expected, "{name}");
        }
    }

    #[test]
    fn what_an_event_tells_stands_until_another_tells_otherwise() {
        let mut known = Known::default();
        let pair = |id: &str| (id.to_owned(), format!("tls:{id}:1"));
        known.learn_all([pair("c1"), pair("x")].into());
        known.learn_all([pair("c1")].into());
        assert!(known.gone.contains("x"));
        known.learn_added("x", "tls:x:1");
        assert!(known.members.contains(&pair("x")) && !known.gone.contains("x"));
        known.learn_removed("x");
        assert!(known.gone.contains("x"));
    }
}
