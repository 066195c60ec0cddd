//! `[[identity.grants]]` and who is denied: the table of roles behind a sign-on proxy.

use quorate_domain::permission::{Duty, Grant};
use toml::{Table, Value};

use super::{Reader, texts};
use crate::identity::{Rule, Rules};

impl Reader<'_, '_> {
    pub(super) fn rules(&mut self) -> Rules {
        let mut rules = Rules::default();
        let blocks = self.section.0.and_then(|table| table.get("grants"));
        let blocks = blocks
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        for (index, block) in blocks.iter().filter_map(Value::as_table).enumerate() {
            let path = format!("grants[{index}]");
            if let Some(given) = self.grant(block, &path) {
                rules.given.push(given);
            }
        }
        let groups = self.texts("denied_groups").into_iter().map(Rule::Group);
        let users = self.texts("denied_users").into_iter().map(Rule::User);
        rules.denied = groups.chain(users).collect();
        rules
    }

    fn grant(&mut self, block: &Table, path: &str) -> Option<(Rule, Grant)> {
        let text = |key: &str| {
            let text = block.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        let rule = match (text("group"), text("user")) {
            (Some(group), None) => Some(Rule::Group(group.to_owned())),
            (None, Some(user)) => Some(Rule::User(user.to_owned())),
            _ => {
                self.wrong(
                    &format!("{path}.group"),
                    "name a group, or a user, and not both",
                );
                None
            }
        };
        let role = text("role").and_then(Duty::parse);
        if role.is_none() {
            let known: Vec<&str> = Duty::ALL.into_iter().map(Duty::as_str).collect();
            self.wrong(
                &format!("{path}.role"),
                &format!("expected one of {}", known.join(", ")),
            );
        }
        let clusters = texts(Some(block), "clusters");
        if clusters.is_empty() {
            self.wrong(
                &format!("{path}.clusters"),
                "names no cluster; \"*\" is all of them",
            );
        }
        let grant = Grant {
            role: role?,
            clusters,
            tags: texts(Some(block), "tags"),
        };
        Some((rule?, grant))
    }
}
