//! Why the log takes no entries, in words for people. As long as there is such a reason, nothing
//! is sent to a cluster; reading goes on.

use crate::ControlError;

/// What is wrong with the log itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(
        "the log ends at entry {have}, but was signed over {signed} entries: the newest are missing"
    )]
    Truncated { have: u64, signed: u64 },
    #[error("the first {size} entries are not those that were signed: the log was changed")]
    Changed { size: u64 },
    #[error("the file with the key that signs the log is gone; put audit.key back from its copy")]
    KeyGone,
    #[error("the log was signed by another key than audit.key holds; put the right one back")]
    OtherKey,
    #[error("{path} cannot be used: {why}")]
    KeyFile { path: String, why: String },
    #[error("\"{0}\" cannot be the log's name")]
    Origin(String),
    #[error("the log's file was replaced or removed while the console runs")]
    Replaced,
    #[error("the copy outside ({name}) does not agree with the log: {why}")]
    Outside { name: String, why: String },
}

impl From<Trouble> for sqlx::Error {
    fn from(trouble: Trouble) -> Self {
        Self::Configuration(Box::new(trouble))
    }
}

impl From<Trouble> for ControlError {
    fn from(trouble: Trouble) -> Self {
        Self::audit(trouble.into())
    }
}

/// SQLite's primary result codes that people can do something about.
const READ_ONLY: u32 = 8;
const INPUT_OUTPUT: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const NOT_A_DATABASE: u32 = 26;

/// What an error of the log means.
pub(crate) fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(cause) => match cause.downcast_ref::<Trouble>() {
            Some(trouble) => sentence(&trouble.to_string()),
            None => sentence(&cause.to_string()),
        },
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<u32>().ok());
            match code.map(|code| code & 0xff) {
                Some(FULL) => "The disk with the audit log is full.".to_owned(),
                Some(READ_ONLY) => "The audit log's file is read-only.".to_owned(),
                Some(INPUT_OUTPUT) => "The disk with the audit log reports errors.".to_owned(),
                Some(CORRUPT | NOT_A_DATABASE) => "The audit log's file is damaged.".to_owned(),
                _ => sentence(database.message()),
            }
        }
        sqlx::Error::PoolTimedOut => {
            "The disk with the audit log does not answer in time.".to_owned()
        }
        sqlx::Error::Io(error) => sentence(&error.to_string()),
        _ => "The audit log cannot be written.".to_owned(),
    }
}

fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first: String = rest
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", rest.as_str().trim_end_matches('.'))
}
