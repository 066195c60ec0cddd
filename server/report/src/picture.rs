//! What a cluster was before a change and after it, as entries recorded it, and the difference in
//! a few lines.

use std::collections::BTreeMap;

use serde_json::Value;

/// Lines of a difference at most.
const LINES_MOST: usize = 12;

/// What was seen of a cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Role by member.
    members: BTreeMap<String, String>,
    leader: Option<String>,
    tolerates: Option<i64>,
}

/// One line of a difference: what, before, after. What was not there is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub what: What,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Member(String),
    Voters,
    Leader,
    Tolerates,
    /// More members changed than are shown.
    More(usize),
}

impl Picture {
    /// From the `seen` of an entry; `None` if it tells of no members.
    pub fn of(seen: &Value) -> Option<Self> {
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.filter(|it| !it.is_empty()).map(str::to_owned)
        };
        let members = seen.get("members").and_then(Value::as_array)?;
        let members: BTreeMap<String, String> = members
            .iter()
            .filter_map(|member| Some((text(member, "id")?, text(member, "role")?)))
            .collect();
        (!members.is_empty()).then(|| Self {
            members,
            leader: text(seen, "leader"),
            tolerates: seen.pointer("/quorum/tolerates").and_then(Value::as_i64),
        })
    }

    fn voters(&self) -> usize {
        self.members.values().filter(|it| *it == "voter").count()
    }

    /// What is different in `after`.
    pub fn difference(&self, after: &Self) -> Vec<Step> {
        let mut steps = Vec::new();
        let both = self.members.keys().chain(after.members.keys());
        let all: std::collections::BTreeSet<&String> = both.collect();
        let mut more = 0;
        for id in all {
            let (old, new) = (self.members.get(id), after.members.get(id));
            if old == new {
                continue;
            }
            if steps.len() == LINES_MOST {
                more += 1;
                continue;
            }
            steps.push(Step {
                what: What::Member(id.clone()),
                before: old.cloned(),
                after: new.cloned(),
            });
        }
        if more > 0 {
            steps.push(Step {
                what: What::More(more),
                before: None,
                after: None,
            });
        }
        let mut compare = |what: What, before: Option<String>, after: Option<String>| {
            if before != after {
                steps.push(Step {
                    what,
                    before,
                    after,
                });
            }
        };
        let number = |value: usize| Some(value.to_string());
        compare(What::Voters, number(self.voters()), number(after.voters()));
        compare(What::Leader, self.leader.clone(), after.leader.clone());
        compare(
            What::Tolerates,
            self.tolerates.map(|it| it.to_string()),
            after.tolerates.map(|it| it.to_string()),
        );
        steps
    }
}
