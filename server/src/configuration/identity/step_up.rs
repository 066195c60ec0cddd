//! `[identity.step_up]`: before what somebody proves that it is them, and by what.

use quorate_control::step_up::{Method, Rules};
use quorate_domain::action::Verb;
use toml::Table;

use super::super::Section;

/// Beside the verbs: approving another person's change.
const APPROVE: &str = "approve";
/// What is dangerous where the table is there and names nothing.
const USUAL: [&str; 3] = ["demote", "remove", APPROVE];

/// Without the table nothing has to be proved.
pub fn read(table: &Table, problems: &mut Vec<String>) -> Rules {
    let identity = Section::of(table, "identity");
    let Some(section) = identity.0.filter(|table| table.contains_key("step_up")) else {
        return Rules::default();
    };
    let signs_on_elsewhere = matches!(identity.text("mode"), Some("trusted-header" | "jwt-header"));
    let section = Section::of(section, "step_up");
    let given = |key: &str| section.0.is_some_and(|table| table.contains_key(key));
    let actions = match given("actions") {
        true => section.texts("actions"),
        false => USUAL.map(str::to_owned).to_vec(),
    };
    let mut rules = Rules {
        acr_values: section.texts("acr_values"),
        tokens: section
            .0
            .and_then(|table| table.get("tokens")?.as_bool())
            .unwrap_or(false),
        ..Rules::default()
    };
    for action in actions {
        match Verb::ALL.into_iter().find(|verb| verb.as_str() == action) {
            Some(verb) => rules.verbs.push(verb),
            None if action == APPROVE => rules.approvals = true,
            None => {
                let known: Vec<&str> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
                problems.push(format!(
                    "identity.step_up.actions: expected {} or {APPROVE}; found \"{action}\"",
                    known.join(", ")
                ));
            }
        }
    }
    if given("methods") {
        rules.methods = methods(&section.texts("methods"), problems);
    }
    if !rules.acr_values.is_empty() && signs_on_elsewhere {
        problems.push("identity.step_up.acr_values: belongs to the mode \"oidc\"".to_owned());
    }
    rules
}

fn methods(texts: &[String], problems: &mut Vec<String>) -> Vec<Method> {
    let mut methods = Vec::new();
    for text in texts {
        match Method::ALL.into_iter().find(|it| it.as_str() == text) {
            Some(method) => methods.push(method),
            None => problems.push(format!(
                "identity.step_up.methods: expected passkey, password or sign-in; found \"{text}\""
            )),
        }
    }
    if methods.is_empty() {
        problems.push("identity.step_up.methods: names nothing to prove it by".to_owned());
    }
    methods
}
