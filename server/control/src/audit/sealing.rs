//! What names people, sealed before an entry is written and opened where one is read.

use std::collections::BTreeMap;

use quorate_audit::personal::{self, Binding, PersonKey, Personal, PersonalError};
use quorate_domain::audit::{Entry, Means};
use sqlx::{SqliteConnection, SqlitePool};

use crate::store::{
    entries,
    people::{self, Person},
};

/// Keys kept at hand; beyond it, they are read again.
const AT_HAND_MOST: usize = 4_096;

/// The writer's keys.
#[derive(Default)]
pub(super) struct Ring(BTreeMap<Person, PersonKey>);

impl Ring {
    /// Keys may have been destroyed, or not been stored after all.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    async fn key(
        &mut self,
        connection: &mut SqliteConnection,
        person: Person,
    ) -> sqlx::Result<PersonKey> {
        if let Some(key) = self.0.get(&person) {
            return Ok(key.clone());
        }
        let key = people::key_of(connection, &person).await?;
        if self.0.len() >= AT_HAND_MOST {
            self.0.clear();
        }
        self.0.insert(person, key.clone());
        Ok(key)
    }

    /// The entry as it is stored. `about` is whose account it is about, by name.
    pub(super) async fn sealed(
        &mut self,
        connection: &mut SqliteConnection,
        mut entry: Entry,
        about: Option<&str>,
    ) -> sqlx::Result<Entry> {
        let mut parts = Vec::new();
        let binding = Binding::of(&entry);
        let seal =
            |key: &PersonKey, personal: &Personal| key.seal(personal, &binding).map_err(unsealed);
        let actor = Person::of(&entry.actor);
        // First, since it is whose account this is that the text is about.
        let account = about.map(|name| (name, Personal::of_account(&mut entry, name)));
        if entry.actor.means != Means::Console {
            let key = self.key(connection, actor).await?;
            let own = Personal::of_actor(&mut entry, &key);
            parts.push(seal(&key, &own)?);
        }
        if let Some((name, personal)) = account {
            let key = self.key(connection, Person::named(name)).await?;
            parts.push(seal(&key, &personal)?);
        }
        for number in 0..entry.approvals.len() {
            let Some(by) = entry
                .approvals
                .get(number)
                .map(|given| Person::of(&given.by))
            else {
                continue;
            };
            let key = self.key(connection, by).await?;
            let personal = Personal::of_approval(&mut entry, number, &key);
            parts.push(seal(&key, &personal)?);
        }
        entry.sealed = parts;
        Ok(entry)
    }
}

fn unsealed(error: PersonalError) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

/// The entries as their bytes tell them, opened as far as there are keys.
pub(super) async fn opened(read: &SqlitePool, rows: &[Vec<u8>]) -> sqlx::Result<Vec<Entry>> {
    let mut all = rows
        .iter()
        .map(|bytes| entries::read_back(bytes))
        .collect::<sqlx::Result<Vec<_>>>()?;
    let parts = all.iter().flat_map(|entry| &entry.sealed);
    let mut ids: Vec<&str> = parts
        .filter_map(|part| personal::split(part))
        .map(|(id, _)| id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let people = people::some(read, &ids).await?;
    for entry in &mut all {
        people.open(entry);
    }
    Ok(all)
}

/// One of them.
pub(super) async fn opened_one(read: &SqlitePool, bytes: Vec<u8>) -> sqlx::Result<Entry> {
    let mut one = opened(read, &[bytes]).await?;
    one.pop().ok_or(sqlx::Error::RowNotFound)
}
