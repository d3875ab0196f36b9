//! What Portcullis remembers, as bytes in and bytes out. Every method is atomic and,
//! where it writes, returns only when the write is on disk. What the bytes mean is
//! decided above, in [`crate::account`] and [`crate::session`]; how they are kept is
//! an engine's matter, and all engines pass one conformance suite.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{broadcast, mpsc};

use crate::clock::UnixMillis;

pub mod backup;
mod copied;
pub mod counter;
#[cfg(feature = "etcd")]
pub mod etcd;
pub mod freshness;
mod judge;
pub mod keyring;
mod new;
mod open;
pub mod postgres;
mod records;
pub mod seal;
pub mod sled;
mod stamp;
pub mod turn;

#[cfg(test)]
mod conformance;
#[cfg(test)]
#[path = "../../tests/engines/place.rs"]
mod place;

pub use copied::{Copied, Leaf, Sort};
pub use counter::{CounterRule, CounterState};
pub use new::NewStore;
pub use open::{OpenError, open};

/// The longest value an engine has to take, in bytes.
pub const MAX_VALUE: usize = 4096;
/// The longest key identifier, in bytes.
pub const MAX_ID: usize = 128;
/// The most writes in one [`Store::commit`]: an enrolment behind a guard at a portal with as many
/// cookies as a session may have, and all who are told of it; and for each of the cookies and the
/// user, that nobody else has the turn.
pub const MAX_WRITES: usize = 36;
/// The record of [`Space::Config`] that holds the keys of session cookies. No copy of the store
/// has it: whoever puts one back starts with new keys, so that no cookie from before counts.
pub const SESSION_KEYS: &[u8] = b"session-signing-keys";
/// What the records of [`Space::Config`] begin with that say how far an audit log goes.
pub const AUDIT_HEAD: &[u8] = b"audit-head";

/// Which table a key lives in: a fixed set that every engine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Space {
    /// A user's authenticators at one portal.
    Factor = 1,
    /// A user's recovery codes, hashed.
    Recovery = 2,
    /// The last time step that an authenticator spent (RFC 6238 section 5.2).
    Step = 3,
    /// Wrong codes, and how long the user has to wait.
    Counter = 4,
    /// Sessions, by the portal session they are bound to.
    Session = 5,
    /// What was ended before its time.
    Revoke = 6,
    /// Signing keys, the replay floor and other facts of the whole installation.
    Config = 7,
    /// Enrolments that are not confirmed yet; an hour old at most.
    Pending = 8,
    /// When a user of a portal was seen first and last, and what the user was told.
    Sight = 9,
    /// Mails that wait for their server.
    Outbox = 10,
    /// Devices that a user had remembered.
    Device = 11,
    /// Invitations to enrol, hashed.
    Invite = 12,
    /// Requests for a reset, open and decided.
    Request = 13,
    /// Tokens of the admin API, hashed.
    Token = 14,
    /// Events that wait for their webhook.
    Hook = 15,
    /// Who does something that nobody may do at the same time: a login in one portal session, a
    /// change of one user's factor. Only stores that gateways share have them.
    Turn = 16,
}

impl Space {
    /// All of them, by their numbers.
    pub const ALL: [Self; 16] = [
        Self::Factor,
        Self::Recovery,
        Self::Step,
        Self::Counter,
        Self::Session,
        Self::Revoke,
        Self::Config,
        Self::Pending,
        Self::Sight,
        Self::Outbox,
        Self::Device,
        Self::Invite,
        Self::Request,
        Self::Token,
        Self::Hook,
        Self::Turn,
    ];

    /// What its records are, in a few words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Factor => "users with a second factor",
            Self::Recovery => "sets of recovery codes",
            Self::Step => "codes that were spent",
            Self::Counter => "counts of wrong codes",
            Self::Session => "entries of sessions",
            Self::Revoke => "ends of sessions",
            Self::Config => "facts of the installation",
            Self::Pending => "enrolments under way",
            Self::Sight => "users who were seen",
            Self::Outbox => "mails that wait",
            Self::Device => "remembered devices",
            Self::Invite => "invitations",
            Self::Request => "entries of reset requests",
            Self::Token => "tokens of the API",
            Self::Hook => "events that wait for their webhook",
            Self::Turn => "turns that somebody has",
        }
    }

    /// Whether changes in this space are told to [`Store::watch`]. Of a turn nobody is told: whoever
    /// depends on one asks in the transaction that does.
    pub const fn watched(self) -> bool {
        matches!(self, Self::Factor | Self::Session | Self::Revoke | Self::Config | Self::Token)
    }
}

/// The name of one record. The identifier is a keyed hash: no name or address of a
/// person stands in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The table.
    pub space: Space,
    /// The identifier in that table, 1 to [`MAX_ID`] bytes.
    pub id: Bytes,
}

impl Key {
    /// The key `id` in `space`.
    pub fn new(space: Space, id: impl Into<Bytes>) -> Self {
        Self { space, id: id.into() }
    }

    /// Whether changes of this record are told to [`Store::watch`]. How far an audit log goes
    /// changes all the time and concerns its own gateway alone.
    pub fn is_watched(&self) -> bool {
        let is_head = self.space == Space::Config && self.id.starts_with(AUDIT_HEAD);
        self.space.watched() && !is_head
    }

    /// Whether other gateways have to hear of such a change. A session that is new changes nothing
    /// that anybody could have kept, and there are too many of them.
    fn is_told(&self, is_new: bool, is_gone: bool) -> bool {
        self.is_watched() && !(self.space == Space::Session && is_new && !is_gone)
    }
}

/// Which write of a record this is. A later write of the same record has a greater version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub(in crate::store) u64);

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The bytes that were written.
    pub value: Bytes,
    /// The write that they came from.
    pub version: Version,
    /// From when on the record counts as absent.
    pub expires_at: Option<UnixMillis>,
}

/// What a write expects to find. An expired record counts as absent, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing is there.
    Absent,
    /// The record is still the one that was read.
    Is(Version),
    /// Whatever is there.
    Any,
}

/// What a write does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Replaces the record.
    Put { value: Bytes, expires_at: Option<UnixMillis> },
    /// Removes the record; removing nothing is no fault.
    Delete,
    /// Only compares.
    Check,
    /// Moves a register forward: [`StoreError::Refused`] unless `to` is above its value and
    /// above the replay floor. This is what makes a code count once.
    Raise { to: u64, keep_until: UnixMillis },
}

/// One write of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which record.
    pub key: Key,
    /// What has to be there for the transaction to happen.
    pub expect: Expect,
    /// What happens to it.
    pub op: Op,
}

impl Write {
    /// Puts `value` whatever is there.
    pub fn put(key: Key, value: impl Into<Bytes>, expires_at: Option<UnixMillis>) -> Self {
        Self { key, expect: Expect::Any, op: Op::Put { value: value.into(), expires_at } }
    }

    /// Removes the record whatever it is.
    pub fn delete(key: Key) -> Self {
        Self { key, expect: Expect::Any, op: Op::Delete }
    }

    /// Raises the register at `key`.
    pub fn raise(key: Key, to: u64, keep_until: UnixMillis) -> Self {
        Self { key, expect: Expect::Any, op: Op::Raise { to, keep_until } }
    }

    /// Makes the transaction depend on `expect`.
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

/// What whoever watches is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record of a watched space changed. Expiry is no change. Told at least once, those of
    /// one record in their order. In a store that gateways share, a record of
    /// [`Space::Session`] that is new need not be told: whoever misses one reads the store.
    Changed {
        /// Which.
        key: Key,
        /// Whether it is gone.
        deleted: bool,
    },
    /// Everything that any gateway was told is on disk before `as_of` was told before this.
    /// Only stores that gateways share say so, at least every 250 ms while they can.
    Beat {
        /// A moment of this process's own clock.
        as_of: Instant,
    },
    /// Something may not have been told: whoever keeps anything reads it again.
    Resync,
}

/// How an engine fares.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether it takes writes now.
    pub writable: bool,
    /// Its name, as the metrics carry it.
    pub engine: &'static str,
    /// How many records it holds, expired ones that no sweep has met included.
    pub records: u64,
    /// Its size on disk, in bytes.
    pub bytes: u64,
    /// Where it lies.
    pub place: String,
    /// The format that it is written in.
    pub format: u16,
    /// When a write counts as done, in words.
    pub durability: &'static str,
    /// What the store that gateways share says of itself; nothing where one gateway has it alone.
    pub shared: Option<Shared>,
}

/// What can be said at any time, without asking anybody, of a store that gateways share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// How long ago everything was told that is on disk; nothing before the first beat.
    pub lag: Option<Duration>,
    /// How often another server took over since this process began.
    pub failovers: u64,
}

impl Pulse {
    /// Without a beat for so long a gateway cannot decide.
    const SILENT: Duration = Duration::from_secs(1);

    /// Whether the other gateways were heard of lately enough to decide anything.
    fn beats(&self) -> Result<(), StoreError> {
        match self.lag {
            Some(lag) if lag < Self::SILENT => Ok(()),
            Some(_) | None => Err(StoreError::Unavailable(
                "nothing was heard of the other gateways for a second".to_owned(),
            )),
        }
    }
}

/// How a store fares that gateways share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// The server that is asked now, without user or password.
    pub server: String,
    /// How many others have each write before it counts as done.
    pub replicas_in_sync: u32,
    /// How long ago everything was told that is on disk; nothing before the first beat.
    pub lag: Option<Duration>,
    /// How often another server took over since this process began.
    pub failovers: u64,
    /// What operators ought to mend, a sentence each.
    pub warnings: Vec<String>,
}

/// Why the store did not do what was asked. Only [`StoreError::Conflict`] and
/// [`StoreError::Refused`] are answers; every other kind refuses the request.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// An expectation did not hold; nothing was written.
    #[error("write {index} met a record that it did not expect")]
    Conflict { index: usize },
    /// A register already stands at or above the value; nothing was written.
    #[error("write {index} does not raise a register that stands at {current}")]
    Refused { index: usize, current: u64 },
    /// Certainly not written; may be tried again.
    #[error("the store takes no requests now: {0}")]
    Unavailable(String),
    /// Sent, and nobody knows whether it was written: whoever decides by it refuses, as for
    /// [`StoreError::Unavailable`]. Only a store that lies on other machines says so.
    #[error("nobody knows whether the store wrote it: {0}")]
    Indeterminate(String),
    /// The disk has no room. Not written.
    #[error("the disk of the store is full")]
    Full,
    /// A record does not open under its seal: damaged, moved or swapped.
    #[error("a record of the store is damaged: {0}")]
    Corrupt(String),
    /// The request was not of the engine's form.
    #[error("the request to the store is not well-formed: {0}")]
    Invalid(&'static str),
    /// The engine found itself in doubt and has shut; only a restart helps.
    #[error("the store has shut itself: {0}")]
    Fatal(String),
}

impl StoreError {
    /// Every word that [`StoreError::kind`] gives.
    pub const KINDS: [&'static str; 8] = [
        "conflict",
        "refused",
        "unavailable",
        "indeterminate",
        "full",
        "corrupt",
        "invalid",
        "fatal",
    ];

    /// The word that stands in `portcullis_store_errors_total{kind}`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "conflict",
            Self::Refused { .. } => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Indeterminate(_) => "indeterminate",
            Self::Full => "full",
            Self::Corrupt(_) => "corrupt",
            Self::Invalid(_) => "invalid",
            Self::Fatal(_) => "fatal",
        }
    }
}

/// An engine. `now` is the caller's clock, used for expiry alone.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The record as of the last commit, or nothing when there is none or it has expired.
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError>;

    /// All writes or none, at most [`MAX_WRITES`], each of another key. Gives the new
    /// version of each record in the order of the writes.
    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError>;

    /// Counts one failure in one durable step and says what follows from it.
    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError>;

    /// Reads a counter without counting.
    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError>;

    /// Up to `limit` (at most 1000) records whose identifier starts with `prefix`, in
    /// order, those after `after` where it is given. Expired ones are left out.
    async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError>;

    /// Whether other gateways write to it too. Then what a process remembers of it counts only
    /// for a moment after the last [`Event::Beat`].
    fn is_shared(&self) -> bool;

    /// Changes in watched spaces from now on. A receiver that lags is told so and has to
    /// read again what it keeps.
    fn watch(&self) -> broadcast::Receiver<Event>;

    /// Removes up to `budget` records that expired more than `grace` ago; gives how many.
    async fn sweep(
        &self,
        now: UnixMillis,
        grace: Duration,
        budget: usize,
    ) -> Result<usize, StoreError>;

    /// Gives every record of `spaces` to `out`, expired ones too, in steps that make up the store
    /// as it is when this ends. Writes go on meanwhile. One copy is made at a time.
    async fn copy(&self, spaces: &[Space], out: mpsc::Sender<Copied>) -> Result<(), StoreError>;

    /// How the engine fares. It may count all records: whoever only wants to know whether it
    /// decides asks [`Store::ready`].
    async fn health(&self) -> Health;

    /// Whether it can answer and write now, as far as it knows without much work.
    async fn ready(&self) -> Result<(), StoreError> {
        match self.health().await.writable {
            true => Ok(()),
            false => Err(StoreError::Unavailable("it takes no writes".to_owned())),
        }
    }

    /// What is known of a store that gateways share; nothing where one gateway has it alone.
    fn pulse(&self) -> Option<Pulse> {
        None
    }

    /// Writes all that is left, marks the store as cleanly closed, and refuses from then on.
    async fn close(&self) -> Result<(), StoreError>;
}
