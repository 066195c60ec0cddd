//! What strangers may have written, made safe to keep: capped, control characters escaped.

use quorate_domain::audit::{Actor, Source};
pub(crate) use quorate_domain::letters::steers;
use serde_json::Value;

/// The most characters a text of an entry keeps.
pub(crate) const TEXT_MOST: usize = 2_000;
const USER_AGENT_MOST: usize = 256;
const NAME_MOST: usize = 256;
/// The most characters all texts of one JSON field keep together.
const VALUE_MOST: usize = 65_536;

/// At most `most` characters of `text`; what would steer a terminal or the direction of writing
/// is shown by its number.
pub(crate) fn text(text: &str, most: usize) -> String {
    let mut kept = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == most {
            kept.push('…');
            break;
        }
        if steers(character) {
            kept.extend(character.escape_unicode());
        } else {
            kept.push(character);
        }
    }
    kept
}

pub(crate) fn actor(actor: Actor) -> Actor {
    Actor {
        issuer: text(&actor.issuer, NAME_MOST),
        subject: text(&actor.subject, NAME_MOST),
        name: text(&actor.name, NAME_MOST),
        means: actor.means,
    }
}

pub(crate) fn source(source: Source) -> Source {
    Source {
        peer: source.peer.map(|peer| text(&peer, NAME_MOST)),
        client: source.client.map(|client| text(&client, NAME_MOST)),
        user_agent: source.user_agent.map(|agent| text(&agent, USER_AGENT_MOST)),
        request_id: source.request_id.map(|id| text(&id, NAME_MOST)),
        session: source.session.map(|session| text(&session, NAME_MOST)),
        assurance: source.assurance,
    }
}

/// The same for every text in a JSON value; a value that is too large says so instead.
pub(crate) fn value(value: Value) -> Value {
    let mut left = VALUE_MOST;
    safe(value, &mut left)
}

fn safe(value: Value, left: &mut usize) -> Value {
    match value {
        Value::String(long) => {
            let kept = text(&long, TEXT_MOST.min(*left));
            *left = left.saturating_sub(kept.len());
            Value::String(kept)
        }
        Value::Array(items) => {
            let mut kept = Vec::new();
            for item in items {
                if *left == 0 {
                    kept.push(Value::String("…".to_owned()));
                    break;
                }
                *left = left.saturating_sub(8);
                kept.push(safe(item, left));
            }
            Value::Array(kept)
        }
        Value::Object(fields) => {
            let mut kept = serde_json::Map::new();
            for (name, field) in fields {
                if *left == 0 {
                    kept.insert("…".to_owned(), Value::Null);
                    break;
                }
                let name = text(&name, NAME_MOST);
                *left = left.saturating_sub(name.len() + 8);
                kept.insert(name, safe(field, left));
            }
            Value::Object(kept)
        }
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_shown_by_their_numbers() {
        assert_eq!(
            text("a\u{1b}[31mb\u{202e}c\n", 99),
            "a\\u{1b}[31mb\\u{202e}c\\u{a}"
        );
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(text("abcdef", 3), "abc…");
    }

    #[test]
    fn a_huge_value_keeps_its_beginning_only() {
        let huge = Value::Array(vec![Value::String("x".repeat(1_000)); 1_000]);
        let kept = serde_json::to_string(&value(huge)).unwrap_or_default();
        assert!(kept.len() < VALUE_MOST + TEXT_MOST, "{}", kept.len());
    }
}
