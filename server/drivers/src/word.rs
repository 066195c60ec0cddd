//! Short texts of a backend that become ids, names and addresses.
//!
//! Whoever answers may write anything: a text of a megabyte, or one that reorders what stands
//! beside it on a page. Cut or cleaned, two ids could become one; so such an answer is unreadable
//! as a whole.

use std::collections::BTreeSet;

use quorate_domain::letters::steers;
use serde::{Deserialize, Deserializer, de::Error};

/// The most bytes of an id, a name, an address or a version.
const LONGEST: usize = 512;

/// The most letters of a sentence of a backend's.
pub(crate) const SENTENCE: usize = 300;

/// Whether `text` can stand on a page.
pub(crate) fn is_word(text: &str) -> bool {
    text.len() <= LONGEST && !text.chars().any(steers)
}

/// As much of `text` as fits a line of `most` letters, without what steers.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let shown = line.chars().filter(|letter| !steers(*letter));
    shown.take(most).collect()
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

/// For `deserialize_with`: a sentence. Nothing is known by it, so it is cut to one line rather
/// than held against the answer.
pub(crate) fn sentence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(one_line(&String::deserialize(deserializer)?, SENTENCE))
}

/// As [`sentence`], where none may be told; goes with `default`.
pub(crate) fn maybe_sentence<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Sentence(#[serde(deserialize_with = "sentence")] String);
    Ok(Option::<Sentence>::deserialize(deserializer)?.map(|Sentence(text)| text))
}

/// A line of a list of members.
pub(crate) trait Listed {
    type Id<'a>: Ord
    where
        Self: 'a;

    fn listed_as(&self) -> Self::Id<'_>;
}

impl Listed for String {
    type Id<'a> = &'a str;

    fn listed_as(&self) -> &str {
        self
    }
}

/// For `deserialize_with`: a list of members with each of them once. One that was there twice
/// would count twice, and the cluster seem to stand more than it does.
pub(crate) fn each_once<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Listed,
{
    let lines = Vec::<T>::deserialize(deserializer)?;
    let mut seen = BTreeSet::new();
    let once = lines.iter().all(|line| seen.insert(line.listed_as()));
    drop(seen);
    if once {
        Ok(lines)
    } else {
        Err(D::Error::custom("a member is listed twice"))
    }
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

    #[test]
    fn a_list_with_a_member_twice_is_unreadable() {
        #[derive(Deserialize)]
        struct Told(#[serde(deserialize_with = "each_once")] Vec<String>);
        let told = |text: &str| serde_json::from_str::<Told>(text).map(|Told(list)| list);
        assert_eq!(told(r#"["b","a"]"#).unwrap(), ["b", "a"]);
        assert!(told("[]").unwrap().is_empty());
        assert!(told(r#"["a","b","a"]"#).is_err());
    }

    #[test]
    fn a_sentence_is_cut_to_one_line_that_steers_nothing() {
        #[derive(Deserialize)]
        struct Told {
            #[serde(default, deserialize_with = "maybe_sentence")]
            note: Option<String>,
        }
        let told = |text: &str| serde_json::from_str::<Told>(text).unwrap().note;
        assert_eq!(told("{}"), None);
        assert_eq!(told(r#"{"note":null}"#), None);
        let bad = r#"{"note":"\u001b[31mit is\n  \u202elost"}"#;
        assert_eq!(told(bad).as_deref(), Some("[31mit is lost"));
        let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(9_000));
        assert_eq!(told(&long).map(|note| note.len()), Some(SENTENCE));
    }
}
