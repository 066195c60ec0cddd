//! Short texts of a backend that become ids, names and addresses.
//!
//! Whoever answers may write anything: a text of a megabyte, or one that reorders what stands
//! beside it on a page. Cut or cleaned, two ids could become one; so such an answer is unreadable
//! as a whole.

use serde::{Deserialize, Deserializer, de::Error};

/// The most bytes of an id, a name, an address or a version.
const LONGEST: usize = 512;

/// Whether `text` can stand on a page.
pub(crate) fn is_word(text: &str) -> bool {
    let steers = |character: char| {
        character.is_control()
            || matches!(character,
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.len() <= LONGEST && !text.chars().any(steers)
}

/// For `deserialize_with`: a text that can stand on a page.
pub(crate) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_word(&text) {
        Ok(text)
    } else {
        Err(D::Error::custom(
            "an id, name or address is too long or holds control characters",
        ))
    }
}

/// As [`word`], where none may be told; goes with `default`.
pub(crate) fn maybe_word<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Word(#[serde(deserialize_with = "word")] String);
    Ok(Option::<Word>::deserialize(deserializer)?.map(|Word(text)| text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Told {
        #[serde(deserialize_with = "word")]
        id: String,
        #[serde(default, deserialize_with = "maybe_word")]
        name: Option<String>,
    }

    #[test]
    fn a_text_that_cannot_stand_on_a_page_makes_the_answer_unreadable() {
        let told = |text: &str| serde_json::from_str::<Told>(text);
        let good = told(r#"{"id":"nœud-1 (Zürich)","name":null}"#).unwrap();
        assert_eq!((good.id.as_str(), good.name), ("nœud-1 (Zürich)", None));
        assert!(told(r#"{"id":"n1"}"#).is_ok());
        let long = "x".repeat(LONGEST + 1);
        for bad in [long.as_str(), "n1\\u0000", "n1\\u202e2n", "n1\\n"] {
            assert!(told(&format!(r#"{{"id":"{bad}"}}"#)).is_err(), "{bad}");
            assert!(told(&format!(r#"{{"id":"n1","name":"{bad}"}}"#)).is_err());
        }
    }
}
