//! Keys given as environment variables: `QUORATE_SERVER__LISTEN`, `QUORATE_CLUSTERS__0__NAME`.
//!
//! Two underscores go one level down; a number picks a cluster, counted from 0.

use toml::{Table, Value};

use super::{
    keys::{Holds, Key, ROOT},
    schema::nearest,
};

const PREFIX: &str = "QUORATE_";
/// Variables of other commands and of the build.
const OTHERS: [&str; 5] = [
    "QUORATE_URL",
    "QUORATE_TOKEN",
    "QUORATE_SITE",
    "QUORATE_LOG",
    "QUORATE_CA_FILE",
];

/// Whether a variable gives a key of the configuration.
pub fn is_ours(name: &str) -> bool {
    let other = OTHERS.contains(&name) || name.starts_with("QUORATE_TEST");
    name.starts_with(PREFIX) && !other
}

/// Puts the variables over the file; what is wrong with them, one line each.
pub fn apply(
    table: &mut Table,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Vec<String> {
    let mut variables: Vec<(String, String)> = variables.into_iter().collect();
    variables.sort();
    variables
        .into_iter()
        .filter_map(|(name, text)| {
            let path = name.strip_prefix(PREFIX)?.to_lowercase();
            let path: Vec<&str> = path.split("__").collect();
            set(table, ROOT, &path, &text)
                .err()
                .map(|problem| format!("{name}: {problem}"))
        })
        .collect()
}

fn set(table: &mut Table, keys: &[Key], path: &[&str], text: &str) -> Result<(), String> {
    let Some((name, rest)) = path.split_first() else {
        return Err("names a table; name one of its keys".to_owned());
    };
    let key = keys.iter().find(|key| key.name == *name).ok_or_else(|| {
        match nearest(name, keys.iter().map(|key| key.name)) {
            Some(near) => format!("unknown key \"{name}\"; did you mean \"{near}\"?"),
            None => format!("unknown key \"{name}\""),
        }
    })?;
    match key.holds {
        Holds::Table(inner) => {
            let value = table
                .entry(*name)
                .or_insert_with(|| Value::Table(Table::new()));
            let table = value.as_table_mut().ok_or("the file has no table there")?;
            set(table, inner, rest, text)
        }
        Holds::Tables(inner) => {
            let value = table
                .entry(*name)
                .or_insert_with(|| Value::Array(Vec::new()));
            set(
                nth_table(value, rest.first().copied())?,
                inner,
                rest.get(1..).unwrap_or(&[]),
                text,
            )
        }
        _ if !rest.is_empty() => Err(format!("\"{name}\" is not a table")),
        holds => {
            table.insert((*name).to_owned(), value_of(holds, text)?);
            Ok(())
        }
    }
}

fn nth_table<'a>(value: &'a mut Value, index: Option<&str>) -> Result<&'a mut Table, String> {
    let list = value.as_array_mut().ok_or("the file has no list there")?;
    let index: usize = index
        .and_then(|index| index.parse().ok())
        .ok_or("expected a number next, counted from 0")?;
    if index == list.len() {
        list.push(Value::Table(Table::new()));
    }
    list.get_mut(index)
        .and_then(Value::as_table_mut)
        .ok_or_else(|| format!("there is no block {index}; blocks are counted from 0 without gaps"))
}

fn value_of(holds: Holds, text: &str) -> Result<Value, String> {
    let value = match holds {
        Holds::Text => Some(Value::String(text.to_owned())),
        Holds::Later => return Err(crate::NOT_IN_THIS_VERSION.to_owned()),
        Holds::Texts if !text.trim_start().starts_with('[') => Some(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(Value::from)
                .collect(),
        )),
        _ => format!("it = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("it")),
    };
    value.ok_or_else(|| format!("expected {}", holds.expected()))
}
