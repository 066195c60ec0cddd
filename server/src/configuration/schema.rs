//! A file against the table of keys: unknown names and wrong types, each with its path.

use toml::{Table, Value};

use super::keys::{Holds, Key, ROOT};

/// All that is wrong, one line each.
pub fn check(table: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    check_table(table, ROOT, "", &mut problems);
    problems
}

fn check_table(table: &Table, keys: &[Key], path: &str, problems: &mut Vec<String>) {
    for (name, value) in table {
        let path = join(path, name);
        match keys.iter().find(|key| key.name == name) {
            None => problems.push(unknown(&path, name, keys)),
            Some(key) => check_value(value, key.holds, &path, problems),
        }
    }
}

fn check_value(value: &Value, holds: Holds, path: &str, problems: &mut Vec<String>) {
    let fits = match (holds, value) {
        (Holds::Later, _) => {
            problems.push(format!("{path}: {}", crate::NOT_IN_THIS_VERSION));
            return;
        }
        (Holds::Table(keys), Value::Table(table)) => {
            check_table(table, keys, path, problems);
            return;
        }
        (Holds::Tables(keys), Value::Array(list)) => {
            for (index, item) in list.iter().enumerate() {
                check_value(
                    item,
                    Holds::Table(keys),
                    &format!("{path}[{index}]"),
                    problems,
                );
            }
            return;
        }
        (Holds::Text, Value::String(_)) | (Holds::YesNo, Value::Boolean(_)) => true,
        (Holds::Number, Value::Integer(number)) => *number >= 0,
        (Holds::Texts, Value::Array(list)) => list.iter().all(Value::is_str),
        (Holds::TextsByName, Value::Table(table)) => table.values().all(Value::is_str),
        _ => false,
    };
    if !fits {
        problems.push(format!(
            "{path}: expected {}, found {}",
            holds.expected(),
            found(value)
        ));
    }
}

fn unknown(path: &str, name: &str, keys: &[Key]) -> String {
    match nearest(name, keys.iter().map(|key| key.name)) {
        Some(near) => format!("{path}: unknown key; did you mean \"{near}\"?"),
        None => {
            let names: Vec<&str> = keys
                .iter()
                .filter(|key| key.holds != Holds::Later)
                .map(|key| key.name)
                .collect();
            format!("{path}: unknown key; known here are {}", names.join(", "))
        }
    }
}

/// The known name that was probably meant: a slip of the keys, or the beginning of a longer name.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let longer = |candidate: &str| {
        candidate
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('_'))
    };
    let distance = |candidate: &str| match longer(candidate) {
        true => 1,
        false => strsim::damerau_levenshtein(name, candidate),
    };
    known
        .map(|candidate| (distance(candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.len() / 3))
        .map(|(_, candidate)| candidate)
}

/// What stands there, without quoting texts: one may be a secret in the wrong place.
fn found(value: &Value) -> String {
    match value {
        Value::String(_) => "a text".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
