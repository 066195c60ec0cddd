//! What names a person in an entry, sealed under a key of that person: once the key is destroyed
//! nobody can read it, and the entry's bytes, hashes and proofs are what they were.
//!
//! A part is written `KEY.BOX`. KEY begins the digest of the key itself, so that no second key can
//! open it to another name: SHA-256 of the line `quorate person key` and the key's 32 bytes, the
//! first 24 bytes of it as base64url. BOX is base64 of a nonce of 12 bytes and of what
//! ChaCha20-Poly1305 (RFC 8439) makes of a small JSON object. Since shape 3 of entries a box opens
//! for its own entry and person alone: the further data are the line `quorate sealed part`, KEY, the
//! entry's number and its id, each with a line end. Earlier boxes have no further data.

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use quorate_domain::audit::{Actor, ERASED, Entry};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const HEAD: &[u8] = b"quorate person key\n";
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
            subject: speaks.then(|| std::mem::replace(&mut entry.actor.subject, key.id.clone())),
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
                let subject = std::mem::replace(&mut given.by.subject, key.id.clone());
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

/// The key of one person. It is never printed but by [`People::text`].
#[derive(Clone)]
pub struct PersonKey {
    id: String,
    bytes: [u8; 32],
    key: LessSafeKey,
}

impl std::fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonKey({})", self.id)
    }
}

impl PersonKey {
    /// # Errors
    /// `NoRandom`.
    pub fn fresh() -> Result<Self, PersonalError> {
        let mut bytes = [0; 32];
        let random = SystemRandom::new();
        random
            .fill(&mut bytes)
            .map_err(|_| PersonalError::NoRandom)?;
        Self::of_bytes(&bytes)
    }

    /// # Errors
    /// `NoKey` if these are not 32 bytes.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, PersonalError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| PersonalError::NoKey)?;
        let mut hasher = Sha256::new();
        hasher.update(HEAD);
        hasher.update(bytes);
        let digest: [u8; 32] = hasher.finalize().into();
        let id = URL_SAFE_NO_PAD.encode(digest.get(..24).unwrap_or_default());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| PersonalError::NoKey)?;
        Ok(Self {
            id,
            bytes,
            key: LessSafeKey::new(key),
        })
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key itself, for the place it is kept in.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The part as entries carry it.
    ///
    /// # Errors
    /// `NoRandom`, `CannotSeal`.
    pub fn seal(&self, personal: &Personal, to: &Binding) -> Result<String, PersonalError> {
        let mut nonce = [0; NONCE_LEN];
        let random = SystemRandom::new();
        random
            .fill(&mut nonce)
            .map_err(|_| PersonalError::NoRandom)?;
        let mut text = serde_json::to_vec(personal).map_err(|_| PersonalError::CannotSeal)?;
        let nonce_given = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce_given, Aad::from(to.data(&self.id)), &mut text)
            .map_err(|_| PersonalError::CannotSeal)?;
        let mut part = self.id.clone();
        part.push('.');
        STANDARD.encode_string([nonce.as_slice(), &text].concat(), &mut part);
        Ok(part)
    }

    /// What a box of this key holds; `None` if it is none, or another entry's.
    #[must_use]
    pub fn open(&self, sealed: &str, of: &Binding) -> Option<Personal> {
        let mut bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let further = Aad::from(of.data(&self.id));
        let text = self.key.open_in_place(nonce, further, text).ok()?;
        serde_json::from_slice(text).ok()
    }
}

/// Key and box of a part.
#[must_use]
pub fn split(part: &str) -> Option<(&str, &str)> {
    part.split_once('.').filter(|(id, _)| id.len() == 32)
}

/// The keys of people that still exist, by their ids.
#[derive(Clone, Debug, Default)]
pub struct People(BTreeMap<String, PersonKey>);

impl People {
    pub fn add(&mut self, key: PersonKey) {
        self.0.insert(key.id.clone(), key);
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
        let wanted = self.0.values().filter(|key| wanted(&key.id));
        let line = |key: &PersonKey| format!("{} {}\n", key.id, STANDARD.encode(key.bytes));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entry() -> Entry {
        let stored = r#"{"seq":7,"time":"2026-11-21T14:00:00.000Z","kind":"access","action":"account_created","actor":{"issuer":"local","subject":"0193","name":"ada","means":"password"},"source":{"peer":"10.0.0.7","user_agent":"browser","request_id":"r","session":"s"},"text":"Account bob was created.","sent":{"account":"bob"}}"#;
        serde_json::from_str(stored).unwrap()
    }

    fn key(seed: u8) -> PersonKey {
        PersonKey::of_bytes(&[seed; 32]).unwrap()
    }

    fn sealed(mut entry: Entry, actor: &PersonKey, account: &PersonKey) -> Entry {
        let about = Personal::of_account(&mut entry, "bob");
        let own = Personal::of_actor(&mut entry, actor);
        let to = Binding::of(&entry);
        entry.sealed = vec![
            actor.seal(&own, &to).unwrap(),
            account.seal(&about, &to).unwrap(),
        ];
        entry
    }

    #[test]
    fn what_names_people_is_unreadable_without_their_keys_and_comes_back_with_them() {
        let stored = sealed(entry(), &key(1), &key(2));
        let text = serde_json::to_string(&stored).unwrap();
        for word in ["ada", "bob", "10.0.0.7", "browser"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
        assert!(text.contains("0193") && text.contains("Account (name) was created."));
        let mut people = People::default();
        people.add(key(1));
        people.add(key(2));
        let mut opened = stored.clone();
        people.open(&mut opened);
        assert_eq!(opened, entry());

        let mut people = People::default();
        people.add(key(2));
        let mut erased = stored;
        people.open(&mut erased);
        assert_eq!(erased.actor.name, ERASED);
        assert_eq!((erased.source.peer, erased.sealed.len()), (None, 1));
        assert_eq!(erased.text, "Account bob was created.");
    }

    #[test]
    fn a_text_that_names_two_people_names_neither_under_the_others_key() {
        let mut told = entry();
        told.text = "The session of bob ended: ada came with it.".to_owned();
        let stored = sealed(told.clone(), &key(1), &key(2));
        assert_eq!(
            stored.text,
            "The session of (name) ended: (name) came with it."
        );
        for (keys, text) in [
            (vec![1, 2], told.text.as_str()),
            (vec![1], "The session of (name) ended: ada came with it."),
            (vec![2], "The session of bob ended: (name) came with it."),
            (vec![], stored.text.as_str()),
        ] {
            let mut people = People::default();
            keys.iter().for_each(|seed| people.add(key(*seed)));
            let mut opened = stored.clone();
            people.open(&mut opened);
            assert_eq!(opened.text, text, "{keys:?}");
        }
        let about = Personal::of_account(&mut told, "bob");
        assert!(!serde_json::to_string(&about).unwrap().contains("ada"));
    }

    #[test]
    fn a_subject_that_is_a_name_is_sealed_with_it() {
        let mut entry = entry();
        entry.actor.subject = "ada@example.com".to_owned();
        let personal = Personal::of_actor(&mut entry, &key(1));
        assert_eq!(entry.actor.subject, key(1).id());
        assert_eq!(personal.subject.as_deref(), Some("ada@example.com"));
    }

    #[test]
    fn names_are_masked_where_they_stand_for_themselves() {
        for (text, name, expected) in [
            ("ada signed in.", "ada", Some("(name) signed in.")),
            ("adamant ada's ada", "ada", Some("adamant (name)'s (name)")),
            ("Canada", "ada", None),
            ("anything", "", None),
        ] {
            assert_eq!(masked(text, name).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_box_opens_for_its_own_entry_alone_and_one_of_before_for_any() {
        let mut first = entry();
        (first.schema, first.id) = (Some(3), Some("0193-first".to_owned()));
        let stored = sealed(first.clone(), &key(1), &key(2));
        let mut people = People::default();
        people.add(key(1));
        people.add(key(2));
        let mut opened = stored.clone();
        people.open(&mut opened);
        assert_eq!(opened, first);
        type Change = fn(&mut Entry);
        let changes: [Change; 4] = [
            |entry| entry.seq = 8,
            |entry| entry.id = Some("0193-other".to_owned()),
            |entry| entry.id = None,
            |entry| entry.schema = Some(2),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut moved = stored.clone();
            change(&mut moved);
            people.open(&mut moved);
            assert_eq!(moved.sealed, stored.sealed, "change {number}");
            assert_eq!(moved.actor.name, ERASED);
        }
        // Under another's key it does not open either, whatever it says of itself.
        let (_, own) = split(&stored.sealed[0]).unwrap();
        assert_eq!(key(2).open(own, &Binding::of(&stored)), None);

        let before = sealed(entry(), &key(1), &key(2));
        let mut moved = before.clone();
        moved.seq = 8;
        people.open(&mut moved);
        assert_eq!(moved.actor.name, "ada");
    }

    #[test]
    fn no_other_key_opens_a_part_and_no_bit_of_it_is_without_meaning() {
        let any = Binding::default();
        let part = key(1).seal(&Personal::default(), &any).unwrap();
        let (id, sealed) = split(&part).unwrap();
        assert_eq!(id, key(1).id());
        assert_eq!(key(1).open(sealed, &any), Some(Personal::default()));
        assert_eq!(key(2).open(sealed, &any), None);
        for at in 0..sealed.len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(key(1).open(&changed, &any), None, "character {at}");
        }
        assert_ne!(key(1).seal(&Personal::default(), &any).unwrap(), part);
    }

    #[test]
    fn a_list_of_keys_is_read_in_one_way_only() {
        let mut people = People::default();
        people.add(key(1));
        people.add(key(2));
        let text = people.text(|_| true);
        assert_eq!(People::parse(&text).unwrap().text(|_| true), text);
        let lines: Vec<&str> = text.lines().collect();
        let swapped = format!("{}\n{}\n", lines[1], lines[0]);
        let twice = format!("{0}\n{0}\n", lines[0]);
        let others = format!(
            "{} {}\n",
            key(1).id(),
            lines[0].split_once(' ').unwrap().1.replace('A', "B")
        );
        for wrong in [
            swapped,
            twice,
            others,
            text.trim_end().to_owned(),
            "x".to_owned(),
        ] {
            assert!(People::parse(&wrong).is_none(), "{wrong}");
        }
    }
}
