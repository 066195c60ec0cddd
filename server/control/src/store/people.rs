//! The keys under which the log seals what names people, in the log's own file. A row that is
//! deleted is the end of what was sealed under its key.

use quorate_audit::personal::{People, PersonKey, PersonalError};
use quorate_domain::audit::Actor;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqliteExecutor};

use super::removals;

/// Whom a key is of. Somebody who goes by another name later has another key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Person {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) name: String,
}

impl Person {
    pub(crate) fn of(actor: &Actor) -> Self {
        Self {
            issuer: actor.issuer.clone(),
            subject: actor.subject.clone(),
            name: actor.name.clone(),
        }
    }

    /// Somebody of whom only a name is known: as it was typed at the sign-in, or an account's.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            issuer: "none".to_owned(),
            subject: "unauthenticated".to_owned(),
            name: name.to_owned(),
        }
    }
}

/// The key, made where there is none.
pub(crate) async fn key_of(
    connection: &mut SqliteConnection,
    person: &Person,
) -> sqlx::Result<PersonKey> {
    let found: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT key FROM people WHERE issuer = ? AND subject = ? AND name = ?")
            .bind(&person.issuer)
            .bind(&person.subject)
            .bind(&person.name)
            .fetch_optional(&mut *connection)
            .await?;
    if let Some(bytes) = found {
        return PersonKey::of_bytes(&bytes).map_err(unusable);
    }
    let key = PersonKey::fresh().map_err(unusable)?;
    sqlx::query("INSERT INTO people (id, issuer, subject, name, key) VALUES (?, ?, ?, ?, ?)")
        .bind(key.id())
        .bind(&person.issuer)
        .bind(&person.subject)
        .bind(&person.name)
        .bind(key.bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(key)
}

fn unusable(error: PersonalError) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Every key there is.
pub(crate) async fn all(read: impl SqliteExecutor<'_>) -> sqlx::Result<People> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT key FROM people")
        .fetch_all(read)
        .await?;
    gathered(&rows)
}

/// Those of these ids that there are.
pub(crate) async fn some(read: impl SqliteExecutor<'_>, ids: &[&str]) -> sqlx::Result<People> {
    if ids.is_empty() {
        return Ok(People::default());
    }
    let mut query = QueryBuilder::<Sqlite>::new("SELECT key FROM people WHERE id IN (");
    let mut separated = query.separated(", ");
    for id in ids {
        separated.push_bind((*id).to_owned());
    }
    query.push(")");
    gathered(&query.build_query_scalar().fetch_all(read).await?)
}

fn gathered(rows: &[Vec<u8>]) -> sqlx::Result<People> {
    let mut people = People::default();
    for bytes in rows {
        people.add(PersonKey::of_bytes(bytes).map_err(unusable)?);
    }
    Ok(people)
}

/// Who is to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// By the stable id, of all issuers; what is under nobody's id is many people's.
    Subject(String),
    Name(String),
}

/// Ids of the keys of somebody: those of the subject, under any name, and those under the same
/// names, or under the subject as a name, of whom nothing else is known.
pub(crate) async fn ids(read: impl SqliteExecutor<'_>, whom: &Whom) -> sqlx::Result<Vec<String>> {
    let (statement, word) = match whom {
        Whom::Subject(subject) => (
            "SELECT id FROM people WHERE (subject = ?1 AND issuer <> 'none') OR (issuer = 'none'
                 AND (name = ?1 OR name IN (SELECT name FROM people WHERE subject = ?1 AND issuer <> 'none')))
             ORDER BY id",
            subject,
        ),
        Whom::Name(name) => ("SELECT id FROM people WHERE name = ?1 ORDER BY id", name),
    };
    sqlx::query_scalar(statement)
        .bind(word)
        .fetch_all(read)
        .await
}

/// Whose keys these are, in the order in which they were made.
pub(crate) async fn named(
    read: impl SqliteExecutor<'_>,
    ids: &[String],
) -> sqlx::Result<Vec<Person>> {
    let mut query =
        QueryBuilder::<Sqlite>::new("SELECT issuer, subject, name FROM people WHERE id IN (");
    let mut separated = query.separated(", ");
    for id in ids {
        separated.push_bind(id);
    }
    query.push(") ORDER BY rowid");
    let rows: Vec<(String, String, String)> = query.build_query_as().fetch_all(read).await?;
    let person = |(issuer, subject, name)| Person {
        issuer,
        subject,
        name,
    };
    Ok(rows.into_iter().map(person).collect())
}

/// How many entries have something that is sealed under one of these keys. Reads all of the log.
pub(crate) async fn entries_under(
    read: impl SqliteExecutor<'_>,
    ids: &[String],
) -> sqlx::Result<u64> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM entries WHERE ");
    under(&mut query, ids);
    let count: i64 = query.build_query_scalar().fetch_one(read).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The first of them that somebody holds, if there is one. Reads what is held.
pub(crate) async fn held_under(
    connection: &mut SqliteConnection,
    ids: &[String],
) -> sqlx::Result<Option<u64>> {
    if removals::holds(&mut *connection).await?.is_empty() {
        return Ok(None);
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT MIN(seq) FROM entries WHERE EXISTS
             (SELECT 1 FROM holds WHERE (\"from\" IS NULL OR time >= \"from\")
                  AND (\"to\" IS NULL OR time < \"to\")) AND ",
    );
    under(&mut query, ids);
    let first: Option<i64> = query.build_query_scalar().fetch_one(connection).await?;
    Ok(first.and_then(|seq| u64::try_from(seq).ok()))
}

/// An id stands in an entry where something is sealed under it, and nowhere else.
fn under(query: &mut QueryBuilder<Sqlite>, ids: &[String]) {
    query.push("(FALSE");
    for id in ids {
        query.push(" OR instr(bytes, ");
        query.push_bind(id.clone().into_bytes());
        query.push(") > 0");
    }
    query.push(")");
}

/// Destroys keys.
pub(crate) async fn forget(connection: &mut SqliteConnection, ids: &[String]) -> sqlx::Result<()> {
    for id in ids {
        sqlx::query("DELETE FROM people WHERE id = ?")
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
