//! Numbered migrations, in order; a released one is never edited.

use sqlx::{Connection as _, SqliteConnection};

/// Of `quorate.db`.
pub(crate) const STORE: &[&str] = &[
    "CREATE TABLE probe (id INTEGER PRIMARY KEY, filling BLOB) STRICT;

     CREATE TABLE accounts (
         id TEXT PRIMARY KEY,
         name TEXT NOT NULL UNIQUE,
         grants TEXT NOT NULL,
         disabled INTEGER NOT NULL DEFAULT 0,
         password TEXT,
         created_at INTEGER NOT NULL,
         last_sign_in INTEGER,
         last_means TEXT
     ) STRICT;

     CREATE TABLE links (
         hash TEXT PRIMARY KEY,
         account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
         expires_at INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX links_by_account ON links (account);

     CREATE TABLE sessions (
         hash TEXT PRIMARY KEY,
         account TEXT,
         data TEXT NOT NULL,
         created_at INTEGER NOT NULL,
         last_seen INTEGER NOT NULL,
         expires_at INTEGER NOT NULL,
         peer TEXT,
         user_agent TEXT
     ) STRICT;
     CREATE INDEX sessions_by_account ON sessions (account);

     CREATE TABLE tokens (
         id TEXT PRIMARY KEY,
         name TEXT NOT NULL,
         hash TEXT NOT NULL UNIQUE,
         grants TEXT NOT NULL,
         creator TEXT NOT NULL,
         created_at INTEGER NOT NULL,
         expires_at INTEGER NOT NULL,
         last_used INTEGER,
         revoked_at INTEGER
     ) STRICT;
     CREATE UNIQUE INDEX one_live_token_a_name ON tokens (name) WHERE revoked_at IS NULL;

     CREATE TABLE changes (
         id TEXT PRIMARY KEY,
         cluster TEXT NOT NULL,
         final INTEGER NOT NULL,
         slot INTEGER NOT NULL,
         document TEXT NOT NULL,
         answer TEXT
     ) STRICT;
     CREATE INDEX changes_by_cluster ON changes (cluster, id);
     CREATE UNIQUE INDEX one_open_change_a_cluster ON changes (cluster, slot) WHERE final = 0;

     CREATE TABLE idempotency (
         actor TEXT NOT NULL,
         key TEXT NOT NULL,
         digest TEXT NOT NULL,
         change TEXT NOT NULL REFERENCES changes (id) ON DELETE CASCADE,
         PRIMARY KEY (actor, key)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX idempotency_by_change ON idempotency (change);

     CREATE TABLE events (
         id INTEGER PRIMARY KEY,
         cluster TEXT NOT NULL,
         document TEXT NOT NULL
     ) STRICT;
     CREATE INDEX events_by_cluster ON events (cluster, id);

     CREATE TABLE watched (
         cluster TEXT PRIMARY KEY,
         membership TEXT,
         seen TEXT
     ) STRICT;

     CREATE TABLE snapshots (
         id TEXT PRIMARY KEY,
         cluster TEXT NOT NULL,
         file TEXT,
         document TEXT NOT NULL
     ) STRICT;",
    "CREATE TABLE overrides (
         cluster TEXT NOT NULL,
         member TEXT NOT NULL,
         document TEXT NOT NULL,
         PRIMARY KEY (cluster, member)
     ) STRICT, WITHOUT ROWID;",
    // How a session began is the session's own: an account may have several.
    "ALTER TABLE accounts DROP COLUMN last_means;",
    // Where members answered last, for the time when no seed answers.
    "ALTER TABLE watched ADD COLUMN places TEXT;",
    // The way in for emergencies.
    "CREATE TABLE break_glass (
         hash TEXT PRIMARY KEY,
         reason TEXT NOT NULL,
         made_by TEXT NOT NULL,
         expires_at INTEGER NOT NULL,
         used_at INTEGER
     ) STRICT;",
    // Passkeys: by whom and for what each is good is decided elsewhere.
    "CREATE TABLE passkeys (
         id TEXT PRIMARY KEY,
         credential TEXT NOT NULL UNIQUE,
         person TEXT NOT NULL,
         name TEXT NOT NULL,
         key BLOB NOT NULL,
         counter INTEGER NOT NULL,
         created_at INTEGER NOT NULL,
         last_used INTEGER
     ) STRICT;
     CREATE INDEX passkeys_by_person ON passkeys (person);",
    // Beside a change that waits for approval: who asked, and for what it was decided on.
    "ALTER TABLE changes ADD COLUMN asking TEXT;",
];

/// Of `quorate-audit.db`. Entries are inserted, with the next number, and nothing else.
pub(crate) const AUDIT: &[&str] = &[
    "CREATE TABLE probe (id INTEGER PRIMARY KEY, filling BLOB) STRICT;

     CREATE TABLE entries (
         seq INTEGER PRIMARY KEY,
         bytes BLOB NOT NULL,
         time INTEGER NOT NULL,
         kind TEXT NOT NULL,
         action TEXT NOT NULL,
         actor TEXT NOT NULL,
         actor_name TEXT NOT NULL,
         cluster TEXT,
         change TEXT,
         intent_seq INTEGER,
         outcome TEXT
     ) STRICT;
     CREATE INDEX entries_by_intent ON entries (intent_seq) WHERE intent_seq IS NOT NULL;
     CREATE INDEX entries_by_change ON entries (change) WHERE change IS NOT NULL;
     CREATE INDEX entries_by_cluster ON entries (cluster, seq) WHERE cluster IS NOT NULL;
     CREATE INDEX entries_by_time ON entries (time);
     CREATE INDEX intents ON entries (seq) WHERE kind = 'intent';

     CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
     BEGIN SELECT RAISE(ABORT, 'audit entries never change'); END;
     CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries
     BEGIN SELECT RAISE(ABORT, 'audit entries are never removed'); END;
     CREATE TRIGGER entries_have_no_gaps BEFORE INSERT ON entries
     WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM entries)
     BEGIN SELECT RAISE(ABORT, 'audit entries have no gaps'); END;",
    // The hash tree over the entries: blocks of 256, signed checkpoints, the keys that signed.
    "CREATE TABLE blocks (number INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
     CREATE TABLE checkpoints (
         size INTEGER PRIMARY KEY,
         time INTEGER NOT NULL,
         keys TEXT NOT NULL,
         note TEXT NOT NULL
     ) STRICT;
     CREATE INDEX checkpoints_by_keys ON checkpoints (keys, size);
     CREATE TABLE keys (id TEXT NOT NULL UNIQUE, key TEXT NOT NULL) STRICT;
     CREATE TABLE copies (name TEXT PRIMARY KEY, size INTEGER NOT NULL, time INTEGER NOT NULL) STRICT;

     CREATE TRIGGER blocks_never_change BEFORE UPDATE ON blocks
     BEGIN SELECT RAISE(ABORT, 'block hashes never change'); END;
     CREATE TRIGGER blocks_are_never_removed BEFORE DELETE ON blocks
     BEGIN SELECT RAISE(ABORT, 'block hashes are never removed'); END;
     CREATE TRIGGER checkpoints_never_change BEFORE UPDATE ON checkpoints
     BEGIN SELECT RAISE(ABORT, 'checkpoints never change'); END;
     CREATE TRIGGER checkpoints_are_never_removed BEFORE DELETE ON checkpoints
     BEGIN SELECT RAISE(ABORT, 'checkpoints are never removed'); END;
     CREATE TRIGGER keys_never_change BEFORE UPDATE ON keys
     BEGIN SELECT RAISE(ABORT, 'keys never change'); END;
     CREATE TRIGGER keys_are_never_removed BEFORE DELETE ON keys
     BEGIN SELECT RAISE(ABORT, 'keys are never removed'); END;",
    // Keys of people, for what names them in entries; what is left of entries that were removed,
    // and what keeps others from it.
    "CREATE TABLE people (
         id TEXT PRIMARY KEY,
         issuer TEXT NOT NULL,
         subject TEXT NOT NULL,
         name TEXT NOT NULL,
         key BLOB NOT NULL,
         UNIQUE (issuer, subject, name)
     ) STRICT;
     CREATE INDEX people_by_subject ON people (subject);
     CREATE INDEX people_by_name ON people (name);
     CREATE TABLE removals (upto INTEGER PRIMARY KEY, entry INTEGER NOT NULL) STRICT;
     CREATE TABLE leaves (block INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
     CREATE TABLE holds (
         id TEXT PRIMARY KEY,
         \"from\" INTEGER,
         \"to\" INTEGER,
         reason TEXT NOT NULL,
         since INTEGER NOT NULL
     ) STRICT;

     CREATE TRIGGER people_never_change BEFORE UPDATE ON people
     BEGIN SELECT RAISE(ABORT, 'keys of people never change'); END;
     CREATE TRIGGER removals_never_change BEFORE UPDATE ON removals
     BEGIN SELECT RAISE(ABORT, 'removals never change'); END;
     CREATE TRIGGER removals_are_never_removed BEFORE DELETE ON removals
     BEGIN SELECT RAISE(ABORT, 'removals are never removed'); END;
     CREATE TRIGGER leaves_never_change BEFORE UPDATE ON leaves
     BEGIN SELECT RAISE(ABORT, 'hashes of removed entries never change'); END;
     CREATE TRIGGER leaves_are_never_removed BEFORE DELETE ON leaves
     BEGIN SELECT RAISE(ABORT, 'hashes of removed entries are never removed'); END;
     DROP TRIGGER IF EXISTS entries_are_never_removed;
     CREATE TRIGGER entries_are_removed_by_rule_alone BEFORE DELETE ON entries
     WHEN OLD.seq > (SELECT COALESCE(MAX(upto), 0) FROM removals)
         OR NOT EXISTS (SELECT 1 FROM leaves WHERE block = (OLD.seq - 1) / 256)
     BEGIN SELECT RAISE(ABORT, 'audit entries are never removed'); END;",
];

/// Brings the file up to date; each migration is one transaction with its number.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    migrations: &'static [&'static str],
) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let done: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?;
    let done = usize::try_from(done).unwrap_or(usize::MAX);
    if done > migrations.len() {
        return Err(sqlx::Error::Configuration(
            "the file was made by a newer version of the console".into(),
        ));
    }
    for (number, migration) in migrations.iter().enumerate().skip(done) {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
        let stamp = format!("PRAGMA user_version = {}", number + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}
