//! Reads: as a few lines for people, or as the console's own JSON.

use serde_json::Value;

use super::{
    Read,
    client::{Client, Failure},
};
use crate::{cli::output, exit::Exit};

/// The most of a list this command shows.
const PAGE: &str = "1000";

pub async fn clusters(client: &Client, read: &Read) -> Result<Exit, Failure> {
    let all = client
        .get(&["clusters"], &[("limit", PAGE.to_owned())])
        .await?;
    if read.json {
        output::json(&all);
        return Ok(Exit::Done);
    }
    let row = |cluster: &Value| {
        vec![
            text(cluster, "/name"),
            text(cluster, "/verdict"),
            text(cluster, "/leader/member"),
            text(cluster, "/sentence"),
        ]
    };
    output::table(&items(&all).iter().map(row).collect::<Vec<_>>());
    Ok(Exit::Done)
}

pub async fn cluster(client: &Client, name: &str, read: &Read) -> Result<Exit, Failure> {
    let view = match &read.group {
        Some(group) => {
            client
                .get(&["clusters", name, "groups", group], &[])
                .await?
        }
        None => client.get(&["clusters", name], &[]).await?,
    };
    if read.json {
        output::json(&view);
    } else {
        lines(&view);
    }
    Ok(Exit::Done)
}

/// A cluster's view in lines.
pub fn lines(view: &Value) {
    output::say(format!(
        "{}: {}",
        text(view, "/name"),
        text(view, "/sentence")
    ));
    if view.pointer("/classes").is_some() {
        hosts(view);
    } else {
        output::say(text(view, "/leader_sentence"));
        members(view);
    }
    for finding in view
        .pointer("/findings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        output::say(format!(
            "{}  {}",
            text(finding, "/severity"),
            text(finding, "/text")
        ));
    }
}

fn members(view: &Value) {
    let heading = [
        "member", "role", "state", "term", "applied", "lag", "address",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let leader = view.pointer("/leader/member").and_then(Value::as_str);
    for member in view
        .pointer("/members")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let leads = leader == member.pointer("/id").and_then(Value::as_str);
        rows.push(vec![
            called(member, leads),
            text(member, "/role"),
            text(member, "/state"),
            text(member, "/term"),
            text(member, "/applied_index"),
            text(member, "/lag"),
            text(member, "/address"),
        ]);
    }
    output::table(&rows);
}

/// A member by its id, which commands take, and its name, where sentences call it by another.
fn called(member: &Value, leads: bool) -> String {
    let (id, name) = (text(member, "/id"), text(member, "/name"));
    let other = (name != id && name != "-").then_some(name);
    let said: Vec<String> = other
        .into_iter()
        .chain(leads.then(|| "leads".to_owned()))
        .collect();
    if said.is_empty() {
        return id;
    }
    format!("{id} ({})", said.join(", "))
}

/// Of a program of many groups.
fn hosts(view: &Value) {
    let heading = [
        "host", "state", "groups", "leads", "votes", "learns", "address",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let told = view.pointer("/hosts").and_then(Value::as_array);
    for host in told.into_iter().flatten() {
        let of = [
            "/id", "/state", "/groups", "/leads", "/votes", "/learns", "/address",
        ];
        rows.push(of.map(|field| text(host, field)).to_vec());
    }
    output::table(&rows);
    let classes = view.pointer("/classes").and_then(Value::as_object);
    let counts = classes
        .into_iter()
        .flatten()
        .filter(|(_, count)| **count != 0);
    let counts: Vec<String> = counts
        .map(|(class, count)| format!("{count} {class}"))
        .collect();
    output::say(format!("groups: {}", counts.join(", ")));
}

/// The groups of a program, by name.
pub async fn groups(
    client: &Client,
    name: &str,
    asked: [(&'static str, Option<String>); 2],
    read: &Read,
) -> Result<Exit, Failure> {
    let mut query = vec![("limit", PAGE.to_owned())];
    let given = asked.into_iter();
    query.extend(given.filter_map(|(name, value)| value.map(|value| (name, value))));
    let page = client.get(&["clusters", name, "groups"], &query).await?;
    if read.json {
        output::json(&page);
        return Ok(Exit::Done);
    }
    let heading = [
        "group",
        "class",
        "leader",
        "term",
        "voters",
        "answering",
        "lag",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for group in items(&page) {
        let of = [
            "/group",
            "/class",
            "/leader",
            "/term",
            "/voters",
            "/answering",
            "/lag",
        ];
        rows.push(of.map(|field| text(group, field)).to_vec());
    }
    output::table(&rows);
    if page.pointer("/next").is_some_and(Value::is_string) {
        output::say("There are more; narrow them by --class or --find.");
    }
    Ok(Exit::Done)
}

pub async fn changes(client: &Client, cluster: Option<&str>, read: &Read) -> Result<Exit, Failure> {
    let mut query = vec![("limit", "100".to_owned())];
    query.extend(cluster.map(|cluster| ("cluster", cluster.to_owned())));
    let all = client.get(&["changes"], &query).await?;
    if read.json {
        output::json(&all);
        return Ok(Exit::Done);
    }
    let row = |change: &Value| {
        vec![
            text(change, "/created_at"),
            text(change, "/id"),
            text(change, "/state"),
            text(change, "/title"),
            text(change, "/requested_by/name"),
        ]
    };
    output::table(&items(&all).iter().map(row).collect::<Vec<_>>());
    Ok(Exit::Done)
}

/// All pages, one after another.
pub async fn audit(
    client: &Client,
    asked: [(&str, Option<String>); 4],
    read: &Read,
) -> Result<Exit, Failure> {
    let mut query: Vec<(&str, String)> = asked
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    query.push(("limit", PAGE.to_owned()));
    let mut after: Option<String> = None;
    let mut entries = Vec::new();
    loop {
        let mut query = query.clone();
        query.extend(after.take().map(|after| ("after", after)));
        let page = client.get(&["audit"], &query).await?;
        entries.extend(items(&page).iter().cloned());
        match page.pointer("/next").and_then(Value::as_str) {
            Some(next) if !items(&page).is_empty() => after = Some(next.to_owned()),
            _ => break,
        }
    }
    if read.json {
        output::json(&serde_json::json!({ "items": entries, "next": null }));
        return Ok(Exit::Done);
    }
    let row = |entry: &Value| {
        vec![
            text(entry, "/seq"),
            text(entry, "/time"),
            text(entry, "/kind"),
            text(entry, "/actor/name"),
            text(entry, "/action"),
            text(entry, "/cluster"),
            text(entry, "/text"),
        ]
    };
    output::table(&entries.iter().map(row).collect::<Vec<_>>());
    Ok(Exit::Done)
}

fn items(list: &Value) -> &[Value] {
    list.pointer("/items")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A field for people: `-` where it is not known.
pub fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => output::plain(text),
        Some(other) => other.to_string(),
    }
}
