//! `ctl watch`: the event stream, one line whenever something people care about has changed.

use reqwest::Method;
use serde_json::Value;

use super::{
    Read,
    client::{self, Client, Failure},
    show,
};
use crate::{cli::output, exit::Exit};

/// Longer than any event; whatever is longer is not a console's.
const LIMIT: usize = 16 * 1024 * 1024;

pub async fn cluster(client: &Client, name: &str, read: &Read) -> Result<Exit, Failure> {
    let call = client.call(Method::GET, &["clusters", name, "events"]);
    let mut response = client::send(call).await?;
    let mut text = Vec::new();
    let mut view = Value::Null;
    let mut shown = String::new();
    loop {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| Failure::NoAnswer(error.to_string()))?;
        let Some(chunk) = chunk else {
            return Err(Failure::NobodyAnswered(
                "the console ended the stream".to_owned(),
            ));
        };
        text.extend_from_slice(&chunk);
        if text.len() > LIMIT {
            return Err(Failure::NotUnderstood("an event is too long".to_owned()));
        }
        while let Some(event) = next_event(&mut text) {
            match event.name.as_str() {
                "snapshot" => view = event.data,
                "delta" => json_patch::merge(&mut view, &event.data),
                "signed-out" => {
                    let text = "the token has ended".to_owned();
                    return Err(Failure::Ended(Exit::NotAllowed, text));
                }
                _ => continue,
            }
            print(&view, read, &mut shown);
        }
    }
}

fn print(view: &Value, read: &Read, shown: &mut String) {
    if read.json {
        return output::say(view.to_string());
    }
    let line = format!(
        "{}  {}  {}",
        show::text(view, "/verdict"),
        show::text(view, "/leader/member"),
        show::text(view, "/sentence")
    );
    if line != *shown {
        output::say(format!("{}  {line}", show::text(view, "/observed_at")));
        *shown = line;
    }
}

struct Event {
    name: String,
    data: Value,
}

/// Takes the first whole event off the front; comments (keep-alives) are none.
fn next_event(text: &mut Vec<u8>) -> Option<Event> {
    loop {
        let end = text.windows(2).position(|pair| pair == b"\n\n")?;
        let block: Vec<u8> = text.drain(..end + 2).collect();
        let block = String::from_utf8_lossy(&block);
        let field = |name: &str| {
            let value = |line: &str| Some(line.strip_prefix(name)?.trim_start().to_owned());
            block
                .lines()
                .filter_map(value)
                .collect::<Vec<_>>()
                .join("\n")
        };
        let name = field("event:");
        if !name.is_empty() {
            let data = serde_json::from_str(&field("data:")).unwrap_or_default();
            return Some(Event { name, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let whole = b": still here\n\nevent: snapshot\nid: 1\ndata: {\"a\":1}\n\nevent: de";
        let mut text = Vec::new();
        let mut names = Vec::new();
        for byte in whole {
            text.push(*byte);
            names.extend(next_event(&mut text).map(|event| (event.name, event.data)));
        }
        assert_eq!(
            names,
            [("snapshot".to_owned(), serde_json::json!({"a": 1}))]
        );
        assert_eq!(text, b"event: de");
    }
}
