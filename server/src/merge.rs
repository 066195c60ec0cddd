//! The difference of two JSON documents as an RFC 7396 merge patch.

use serde_json::{Map, Value};

/// What only says how old something is. It moves by itself, so it alone is sent seldom.
const AGES: [&str; 4] = ["age_ms", "last_contact_ms", "restarted_ms", "observed_at"];

/// The patch that makes `new` of `old`; `None` if there is nothing to change.
///
/// A field that became null is removed, which readers take for the same.
#[must_use]
pub fn patch(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let patch = patch_object(old, new);
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        _ => (old != new).then(|| new.clone()),
    }
}

fn patch_object(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (name, value) in new {
        let before = old.get(name).unwrap_or(&Value::Null);
        if let Some(change) = self::patch(before, value) {
            patch.insert(name.clone(), change);
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    patch
}

/// Whether the two differ in nothing but ages.
#[must_use]
pub fn same_but_ages(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.len() == new.len()
                && new.iter().all(|(name, value)| {
                    old.get(name).is_some_and(|before| {
                        AGES.contains(&name.as_str()) || same_but_ages(before, value)
                    })
                })
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len()
                && old
                    .iter()
                    .zip(new)
                    .all(|(old, new)| same_but_ages(old, new))
        }
        _ => old == new,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn applying_the_patch_gives_the_new_document() {
        let cases = [
            (
                json!({"a": 1, "b": {"c": 2}}),
                json!({"a": 1, "b": {"c": 3, "d": [1]}}),
            ),
            (json!({"a": {"b": 1}}), json!({"a": "text"})),
            (json!({"a": "text"}), json!({"a": {"b": 1}})),
            (json!({"a": 1, "gone": 2}), json!({"a": 1})),
            (
                json!({"list": [1, {"x": null}]}),
                json!({"list": [{"x": null}]}),
            ),
            (json!({}), json!({"a": {"b": {"c": 1}}})),
        ];
        for (old, new) in cases {
            let mut document = old.clone();
            json_patch::merge(
                &mut document,
                &patch(&old, &new).unwrap_or_else(|| json!({})),
            );
            assert_eq!(document, new, "from {old}");
        }
    }

    #[test]
    fn equal_documents_have_no_patch() {
        assert_eq!(patch(&json!({"a": [1]}), &json!({"a": [1]})), None);
    }

    #[test]
    fn ages_alone_are_no_difference() {
        let old = json!({"members": [{"id": "a", "age_ms": 1}]});
        assert!(same_but_ages(
            &old,
            &json!({"members": [{"id": "a", "age_ms": 9}]})
        ));
        assert!(!same_but_ages(
            &old,
            &json!({"members": [{"id": "b", "age_ms": 1}]})
        ));
        assert!(!same_but_ages(&old, &json!({"members": []})));
    }
}
