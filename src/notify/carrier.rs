//! What a worker has to know of the way that its news take: how they are handed over, and what
//! the other side can answer. The worker knows when; a carrier knows how.

use std::future::Future;

use super::queue::{Found, Waits};
use super::smtp::Stage;
use crate::clock::UnixMillis;
use crate::telemetry::metrics::Metrics;

/// Carries what waits to the other side.
pub(super) trait Carrier: Send + Sync + 'static {
    /// What it carries.
    type Waiting: Waits;
    /// The other side, ready to take more than one.
    type Line: Send;
    /// What one of them is called in the log.
    const WHAT: &'static str;
    /// Its article.
    const ARTICLE: &'static str;
    /// The key of the YAML that names the other side.
    const KEY: &'static str;
    /// Whether what met trouble is tried first when the other side is tried again. Otherwise it
    /// is put off, so that it holds up no other if the trouble was its own.
    const KEEPS_ITS_TURN: bool;

    /// Goes to the other side, up to where it takes something.
    fn reach(&self) -> impl Future<Output = Result<Self::Line, Trouble>> + Send;

    /// Hands one over at `now`.
    fn hand_over(
        &self,
        line: &mut Self::Line,
        now: UnixMillis,
        taken: &Found<Self::Waiting>,
    ) -> impl Future<Output = Result<(), Setback>> + Send;

    /// Says farewell.
    fn leave(&self, line: Self::Line) -> impl Future<Output = ()> + Send;

    /// Counts what became of one.
    fn count(&self, metrics: &Metrics, outcome: Outcome);

    /// Says how many wait.
    fn waiting(&self, metrics: &Metrics, count: usize);

    /// Of which portal it is, where it is of one.
    fn portal<'a>(&self, found: &'a Found<Self::Waiting>) -> Option<&'a str>;

    /// Says that one was given up, since nobody took it in time.
    fn given_up(&self, found: &Found<Self::Waiting>);
}

/// What became of something that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The other side took it.
    Sent,
    /// The other side did not take it now, or could not be reached.
    Retried,
    /// The other side will never take it.
    Refused,
    /// It waited for too long.
    Expired,
}

/// What came of something that was not taken.
pub(super) enum Setback {
    /// The other side will never take it.
    Refused(u16),
    /// The other side does not take it now, though it may take others.
    Later(u16),
    /// The other side takes nothing now.
    Trouble(Trouble),
    /// The other side wants nothing any more.
    Over(u16),
}

impl From<Trouble> for Setback {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// The other side takes nothing at all now.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It says nothing.
    #[error("does not answer in time")]
    Silent,
    /// There is no way to it, or the way broke.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// STARTTLS was asked for, and it has none.
    #[error("has no STARTTLS")]
    NoTls,
    /// It answered what it should not.
    #[error("answers {1} to {0}")]
    Answer(Stage, u16),
    /// It answered no SMTP.
    #[error("answers to {0} what is no SMTP, or lacks what is needed")]
    Unknown(Stage),
}
