//! The keys that still exist, opening what they can, and their list in a bundle.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use quorate_domain::audit::{ERASED, Entry};

use super::{Binding, PersonKey, split};

/// The keys of people that still exist, by their ids.
#[derive(Clone, Debug, Default)]
pub struct People(BTreeMap<String, PersonKey>);

impl People {
    pub fn add(&mut self, key: PersonKey) {
        self.0.insert(key.id().to_owned(), key);
    }

    #[must_use]
    pub fn key(&self, id: &str) -> Option<&PersonKey> {
        self.0.get(id)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts what is sealed back in its places, as far as there are keys. Parts without one stay,
    /// and stand for somebody who was erased.
    pub fn open(&self, entry: &mut Entry) {
        self.open_with(&Self::default(), entry);
    }

    /// The same, with the keys of `more` too.
    pub fn open_with(&self, more: &Self, entry: &mut Entry) {
        let mut left = Vec::new();
        let binding = Binding::of(entry);
        for part in std::mem::take(&mut entry.sealed) {
            let opened = split(&part).and_then(|(id, sealed)| {
                let key = self.key(id).or_else(|| more.key(id))?;
                key.open(sealed, &binding)
            });
            match opened {
                Some(personal) => personal.back_into(entry),
                None => left.push(part),
            }
        }
        let approvers = entry.approvals.iter_mut().map(|given| &mut given.by);
        for actor in approvers.chain([&mut entry.actor]) {
            if !left.is_empty() && actor.name.is_empty() {
                ERASED.clone_into(&mut actor.name);
            }
        }
        entry.sealed = left;
    }

    /// As a bundle lists them: id and base64 of the key, one a line, in the order of the ids.
    #[must_use]
    pub fn text(&self, wanted: impl Fn(&str) -> bool) -> String {
        let wanted = self.0.values().filter(|key| wanted(key.id()));
        let line = |key: &PersonKey| format!("{} {}\n", key.id(), STANDARD.encode(key.bytes()));
        wanted.map(line).collect()
    }

    /// Only in the one way to write it; no key under another's id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut people = Self::default();
        for line in text.lines() {
            let (_, key) = line.split_once(' ')?;
            people.add(PersonKey::of_bytes(&STANDARD.decode(key).ok()?).ok()?);
        }
        (people.text(|_| true) == text).then_some(people)
    }
}
