//! What names a person in an entry, sealed under a key of that person: once the key is destroyed
//! nobody can read it, and the entry's bytes, hashes and proofs are what they were.
//!
//! A part is written `KEY.BOX`. KEY begins the digest of the key itself, so that no second key can
//! open it to another name: SHA-256 of the line `quorate person key` and the key's 32 bytes, the
//! first 24 bytes of it as base64url. BOX is base64 of a nonce of 12 bytes and of what
//! ChaCha20-Poly1305 (RFC 8439) makes of a small JSON object. Since shape 3 of entries a box opens
//! for its own entry and person alone: the further data are the line `quorate sealed part`, KEY, the
//! entry's number and its id, each with a line end. Earlier boxes have no further data.

use quorate_domain::audit::{Actor, Entry};
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod key;
mod people;

pub use key::{PersonKey, split};
pub use people::People;

const BOX_HEAD: &str = "quorate sealed part";
/// The first shape of entries whose boxes are bound to them.
const BOUND: u16 = 3;
/// Where what was sent names whom it is about: an account, or a condition of reading and exporting.
const PLACES: [&str; 3] = ["/account", "/actor", "/filter/actor"];
/// Stands in a text for a name that is sealed.
const MASK: &str = "(name)";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonalError {
    #[error("no random numbers are to be had")]
    NoRandom,
    #[error("this is no person's key")]
    NoKey,
    #[error("it cannot be sealed")]
    CannotSeal,
}

/// The entry that a box belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// Number and id; `None` for entries of the shapes before boxes were bound.
    place: Option<(u64, String)>,
}

impl Binding {
    #[must_use]
    pub fn new(schema: Option<u16>, seq: u64, id: &str) -> Self {
        let bound = schema.is_some_and(|schema| schema >= BOUND);
        Self {
            place: bound.then(|| (seq, id.to_owned())),
        }
    }

    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let id = entry.id.as_deref().unwrap_or_default();
        Self::new(entry.schema, entry.seq, id)
    }

    /// The further data of a box under this key.
    fn data(&self, key: &str) -> Vec<u8> {
        match &self.place {
            Some((seq, id)) => format!("{BOX_HEAD}\n{key}\n{seq}\n{id}\n").into_bytes(),
            None => Vec::new(),
        }
    }
}

/// What a part holds; only what there was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Personal {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whose account it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Which of the approvals `name` and `subject` belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<usize>,
}

impl Personal {
    /// Takes out of the entry what names its actor. `key` stands for a subject that is a name.
    pub fn of_actor(entry: &mut Entry, key: &PersonKey) -> Self {
        let name = std::mem::take(&mut entry.actor.name);
        let speaks = entry.actor.subject == name || entry.actor.subject.contains('@');
        let masked = masked(&entry.text, &name);
        Self {
            subject: speaks
                .then(|| std::mem::replace(&mut entry.actor.subject, key.id().to_owned())),
            peer: entry.source.peer.take(),
            client: entry.source.client.take(),
            user_agent: entry.source.user_agent.take(),
            text: masked.map(|masked| std::mem::replace(&mut entry.text, masked)),
            name: Some(name),
            ..Self::default()
        }
    }

    /// Takes out of the entry what names the account it is about. The text that is sealed with it
    /// does not name the actor: who erases one of them does not leave them under the other's key.
    pub fn of_account(entry: &mut Entry, name: &str) -> Self {
        let text = masked(&entry.text, name).map(|without| {
            let told = std::mem::replace(&mut entry.text, without);
            masked(&told, &entry.actor.name).unwrap_or(told)
        });
        let mut account = None;
        for place in PLACES {
            if let Some(told) = entry.sent.pointer_mut(place)
                && told.as_str() == Some(name)
            {
                *told = Value::Null;
                account = Some(name.to_owned());
            }
        }
        Self {
            text,
            account,
            ..Self::default()
        }
    }

    /// Takes out of the entry what names who gave this one of its approvals.
    pub fn of_approval(entry: &mut Entry, number: usize, key: &PersonKey) -> Self {
        let mut personal = Self {
            approval: Some(number),
            ..Self::default()
        };
        if let Some(given) = entry.approvals.get_mut(number) {
            let name = std::mem::take(&mut given.by.name);
            if given.by.subject == name || given.by.subject.contains('@') {
                let subject = std::mem::replace(&mut given.by.subject, key.id().to_owned());
                personal.subject = Some(subject);
            }
            personal.name = Some(name);
        }
        personal
    }

    /// The actor's part comes before that of the account.
    fn back_into(self, entry: &mut Entry) {
        let own = self.name.is_some();
        let actor = match self.approval {
            None => Some(&mut entry.actor),
            Some(number) => entry.approvals.get_mut(number).map(|given| &mut given.by),
        };
        let put = |to: &mut String, from: Option<String>| {
            if let Some(text) = from {
                *to = text;
            }
        };
        if let Some(actor) = actor {
            put(&mut actor.subject, self.subject);
            put(&mut actor.name, self.name);
        }
        let text = match own {
            true => self.text,
            false => self.text.map(|text| with_actor(&text, &entry.actor)),
        };
        put(&mut entry.text, text);
        let source = &mut entry.source;
        for (to, from) in [
            (&mut source.peer, self.peer),
            (&mut source.client, self.client),
            (&mut source.user_agent, self.user_agent),
        ] {
            if from.is_some() {
                *to = from;
            }
        }
        let Some(account) = self.account else {
            return;
        };
        for place in PLACES {
            if let Some(told) = entry.sent.pointer_mut(place)
                && told.is_null()
            {
                *told = Value::String(account.clone());
            }
        }
    }
}

/// The text of an account's part with the actor named again, where their own part is open.
fn with_actor(text: &str, actor: &Actor) -> String {
    match actor.name.is_empty() {
        true => text.to_owned(),
        false => text.replace(MASK, &actor.name),
    }
}

/// The text with every `name` that stands for itself taken out; `None` if there is none.
fn masked(text: &str, name: &str) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let (mut kept, mut rest, mut found) = (String::new(), text, false);
    while let Some(at) = rest.find(name) {
        let (before, from) = rest.split_at(at);
        let (own, after) = from.split_at(name.len());
        let alone = ends(before.chars().next_back().or(kept.chars().next_back()))
            && ends(after.chars().next());
        kept.push_str(before);
        kept.push_str(if alone { MASK } else { own });
        found |= alone;
        rest = after;
    }
    kept.push_str(rest);
    found.then_some(kept)
}

#[cfg(test)]
mod tests;
