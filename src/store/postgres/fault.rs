//! What PostgreSQL's errors mean for whoever asked: whether to try again, and whether anything
//! may have been written.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::store::StoreError;

/// Why a transaction did not end well.
pub(super) enum Failed {
    /// Another transaction was in the way; nothing was written.
    Again(String),
    /// This is the answer.
    Because(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Because(error)
    }
}

/// What went wrong before anything was sent that writes for good.
pub(super) fn before(error: &Error) -> Failed {
    match error.as_db_error() {
        Some(said) if is_passing(said) => Failed::Again(said.message().to_owned()),
        Some(said) if *said.code() == SqlState::DISK_FULL => StoreError::Full.into(),
        Some(_) | None => StoreError::Unavailable(in_words(error)).into(),
    }
}

/// What went wrong with the writes that are sent together with their COMMIT: an error of the
/// statement alone is certain, for then the COMMIT ends in nothing.
pub(super) fn writing(error: &Error) -> Failed {
    match error.as_db_error() {
        Some(said) if !ends_connection(said) => before(error),
        Some(_) | None => StoreError::Indeterminate(in_words(error)).into(),
    }
}

/// What went wrong with a COMMIT.
pub(super) fn committing(error: &Error) -> Failed {
    match error.as_db_error() {
        Some(said) if is_passing(said) => Failed::Again(said.message().to_owned()),
        Some(_) | None => StoreError::Indeterminate(in_words(error)).into(),
    }
}

/// What a read met.
pub(super) fn reading(error: &Error) -> StoreError {
    match before(error) {
        Failed::Again(why) => StoreError::Unavailable(why),
        Failed::Because(error) => error,
    }
}

/// Whether the role lacks a right, or what it has a right to is not there.
pub(super) fn is_about_rights(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        [
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::UNDEFINED_TABLE,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::UNDEFINED_COLUMN,
        ]
        .contains(code)
    })
}

/// The server's own words, without any value that was sent.
pub(super) fn in_words(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => {
            let mut words = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(deeper) = cause {
                words = format!("{words}: {deeper}");
                cause = deeper.source();
            }
            words
        }
    }
}

// Serialisation failures and deadlocks: the transaction was undone whole.
fn is_passing(said: &DbError) -> bool {
    [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(said.code())
}

// An administrator's shutdown may come while a COMMIT waits for its standby.
fn ends_connection(said: &DbError) -> bool {
    said.code().code().starts_with("57P") || said.code().code().starts_with("08")
}
