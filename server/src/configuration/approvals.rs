//! `[[approvals]]`: which changes other people have to approve. A rule that could never hold is
//! refused: somebody would believe that it protects something.

use quorate_control::ApprovalPolicy;
use quorate_domain::{action::Verb, approval::Rule};
use toml::{Table, Value};

use super::{
    Cluster, Mode, Section,
    keys::{EXECUTE_WITHIN_MS, EXPIRES_AFTER_MS},
};

const MOST: u64 = 10;
const SHORTEST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
const LONGEST_EXECUTE_MS: u64 = 24 * 60 * 60 * 1_000;

pub fn read(
    table: &Table,
    clusters: &[Cluster],
    identity: &Mode,
    problems: &mut Vec<String>,
) -> ApprovalPolicy {
    let list = table.get("approvals").and_then(Value::as_array);
    let blocks = list.into_iter().flatten().filter_map(Value::as_table);
    let mut rules = Vec::new();
    for (index, block) in blocks.enumerate() {
        let reader = Reader {
            block,
            path: format!("approvals[{index}]"),
        };
        match reader.rule(clusters) {
            Ok(rule) => rules.push(rule),
            Err(wrong) => problems.extend(wrong),
        }
    }
    ApprovalPolicy {
        rules,
        granted: identity.granted(),
    }
}

struct Reader<'a> {
    block: &'a Table,
    path: String,
}

impl Reader<'_> {
    fn rule(&self, clusters: &[Cluster]) -> Result<Rule, Vec<String>> {
        let mut wrong = Vec::new();
        let rule = Rule {
            clusters: self.clusters(clusters, &mut wrong),
            tags: self.tags(clusters, &mut wrong),
            actions: self.actions(&mut wrong),
            approvals: u32::try_from(self.number("approvals", 1, (1, MOST), &mut wrong))
                .unwrap_or(u32::MAX),
            expires_after_ms: self.number(
                "expires_after_ms",
                EXPIRES_AFTER_MS,
                (SHORTEST_MS, LONGEST_MS),
                &mut wrong,
            ),
            execute_within_ms: self.number(
                "execute_within_ms",
                EXECUTE_WITHIN_MS,
                (SHORTEST_MS, LONGEST_EXECUTE_MS),
                &mut wrong,
            ),
        };
        if wrong.is_empty() {
            Ok(rule)
        } else {
            Err(wrong)
        }
    }

    fn texts(&self, key: &str) -> Vec<String> {
        Section(Some(self.block)).texts(key)
    }

    fn clusters(&self, known: &[Cluster], wrong: &mut Vec<String>) -> Vec<String> {
        if !self.block.contains_key("clusters") {
            return vec!["*".to_owned()];
        }
        let named = self.texts("clusters");
        if named.is_empty() {
            wrong.push(self.says("clusters", "names no cluster; \"*\" is all of them"));
        }
        for name in named.iter().filter(|name| *name != "*") {
            if !known.iter().any(|cluster| cluster.name() == name) {
                wrong.push(self.says("clusters", &format!("there is no cluster \"{name}\"")));
            }
        }
        named
    }

    fn tags(&self, known: &[Cluster], wrong: &mut Vec<String>) -> Vec<String> {
        let tags = self.texts("tags");
        for tag in &tags {
            let mut all = known.iter().flat_map(|cluster| &cluster.registration.tags);
            if !all.any(|known| known == tag) {
                wrong.push(self.says("tags", &format!("no cluster has the tag \"{tag}\"")));
            }
        }
        tags
    }

    fn actions(&self, wrong: &mut Vec<String>) -> Vec<Verb> {
        let named = self.texts("actions");
        if named.is_empty() {
            wrong.push(self.says("actions", "missing; \"*\" is every action"));
        }
        let mut verbs = Vec::new();
        for name in &named {
            match Verb::ALL.into_iter().find(|verb| verb.as_str() == name) {
                Some(verb) => verbs.push(verb),
                None if name == "*" => verbs.extend(Verb::ALL),
                None => {
                    let known: Vec<&str> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
                    let known = known.join(", ");
                    wrong.push(self.says("actions", &format!("expected \"*\" or {known}")));
                }
            }
        }
        verbs.sort();
        verbs.dedup();
        verbs
    }

    fn number(
        &self,
        key: &str,
        usual: u64,
        (least, most): (u64, u64),
        wrong: &mut Vec<String>,
    ) -> u64 {
        let Some(given) = self.block.get(key).and_then(Value::as_integer) else {
            return usual;
        };
        match u64::try_from(given) {
            Ok(given) if (least..=most).contains(&given) => given,
            _ => {
                wrong.push(self.says(key, &format!("expected {least} to {most}, found {given}")));
                usual
            }
        }
    }

    fn says(&self, key: &str, text: &str) -> String {
        format!("{}.{key}: {text}", self.path)
    }
}
