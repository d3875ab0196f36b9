//! What all connections of one store share: which store it is, how its records are sealed, what
//! its servers were seen to be, and how fresh what this process knows of them is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::connection::{Connection, Way};
use super::facts::{self, Facts};
use super::refusal::OpenError;
use super::schema::refusal;
use super::server::{ASK, History, Server};
use crate::clock::{self, UnixMillis};
use crate::store::StoreError;
use crate::store::freshness::GOOD_FOR;
use crate::store::records::{Codec, IDENTITY, STATE};
use crate::store::stamp::{Stamp, StampKeys};

/// Of one store in one process.
pub(super) struct Core {
    pub(super) way: Way,
    pub(super) codec: Codec,
    pub(super) store: [u8; 16],
    pub(super) keys: StampKeys,
    pub(super) closed: AtomicBool,
    pub(super) moment: Moment,
    seen: Mutex<Seen>,
    failovers: AtomicU64,
}

/// What was last seen of the servers.
#[derive(Default)]
struct Seen {
    history: Option<History>,
    written: u64,
    /// When the last look began that came back.
    beat: Option<Instant>,
    server: String,
    /// Why the server is not safe to use.
    fault: Option<&'static str>,
    warnings: Vec<String>,
}

impl Core {
    /// `said` is what the server says that the store was opened on.
    pub(super) fn new(
        way: Way,
        codec: Codec,
        store: [u8; 16],
        keys: StampKeys,
        now: UnixMillis,
        (connection, said): (&Connection, &Server),
    ) -> Self {
        let seen = Seen {
            history: said.history,
            written: said.written,
            server: connection.server.to_string(),
            ..Seen::default()
        };
        let (closed, moment) = (AtomicBool::new(false), Moment::starting(now));
        let (seen, failovers) = (Mutex::new(seen), AtomicU64::new(0));
        Self { way, codec, store, keys, closed, moment, seen, failovers }
    }

    /// Fails once the store was closed, or while its server may lose what it answers.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is closed".to_owned()));
        }
        match self.seen.lock().fault {
            Some(fault) => Err(StoreError::Unavailable(fault.to_owned())),
            None => Ok(()),
        }
    }

    /// Whether a connection may be used: its server is safe, has this store, and whatever took
    /// over was noticed before any code is taken there.
    pub(super) async fn admit(
        &self,
        connection: &Connection,
        said: &Server,
    ) -> Result<(), OpenError> {
        let config = &self.way.config;
        if let Some(why) = said.fault(config.require_sync_replication) {
            let server = connection.server.to_string();
            return Err(OpenError::Unsafe { server, why: why.to_owned() });
        }
        let refused = |error: tokio_postgres::Error| refusal(&error, &config.place);
        let identity = facts::stored(&connection.client, IDENTITY).await.map_err(refused)?;
        let identity =
            identity.ok_or_else(|| OpenError::Missing { place: config.place.clone() })?;
        match Stamp::read(&identity, &self.keys) {
            Ok(stamp) if stamp.store == self.store => {}
            Ok(_) | Err(_) => {
                return Err(OpenError::Foreign { server: connection.server.to_string() });
            }
        }
        self.notice(connection, said).await
    }

    // The history may be another than the store knows, or than this process has seen, or have
    // lost its end: each time what others were answered may be gone, codes included.
    async fn notice(&self, connection: &Connection, said: &Server) -> Result<(), OpenError> {
        let Some(history) = said.history else { return Ok(()) };
        let server = &*connection.server;
        let refused = |error: tokio_postgres::Error| refusal(&error, &self.way.config.place);
        let stored = facts::stored(&connection.client, STATE).await.map_err(refused)?;
        let known = Facts::decode(&self.codec, &stored.ok_or_else(gone)?)?;
        let (seen, written) = {
            let seen = self.seen.lock();
            (seen.history.unwrap_or(history), seen.written)
        };
        if history.is_before(seen) || history.is_before(known.history) {
            let why = "it was left behind when another server took over; make it follow that one";
            return Err(OpenError::Unsafe { server: server.to_owned(), why: why.to_owned() });
        }
        // Asked once more: what was said may be older than what was seen meanwhile.
        let is_behind = history == seen
            && said.written < written
            && Server::ask(&connection.client, ASK, server).await?.written < written;
        if known.history != history || is_behind {
            self.burn(connection, history).await?;
        }
        let mut seen = self.seen.lock();
        if seen.history.replace(history) != Some(history) {
            seen.written = 0;
            self.failovers.fetch_add(1, Ordering::SeqCst);
            tracing::warn!(server, "another server of the store took over");
        }
        seen.written = if is_behind { said.written } else { seen.written.max(said.written) };
        seen.server = server.to_owned();
        seen.fault = None;
        Ok(())
    }

    /// Raises the floor, durably, before the connection is used.
    async fn burn(&self, connection: &Connection, history: History) -> Result<(), OpenError> {
        let client = &connection.client;
        let refused = |error: tokio_postgres::Error| refusal(&error, &self.way.config.place);
        client.batch_execute("BEGIN").await.map_err(refused)?;
        let lock = self.lock(STATE);
        client.execute("SELECT pg_advisory_xact_lock($1)", &[&lock]).await.map_err(refused)?;
        let stored = facts::stored(client, STATE).await.map_err(refused)?;
        let known = Facts::decode(&self.codec, &stored.ok_or_else(gone)?)?;
        let facts = Facts { history, ..known.burned(self.moment.latest()) };
        let version = facts::next_version(client).await.map_err(refused)?;
        let stored = facts.encode(&self.codec, version)?;
        facts::keep(client, STATE, &stored).await.map_err(refused)?;
        let warnings = connection.warnings();
        client.batch_execute("COMMIT").await.map_err(refused)?;
        if connection.warnings() != warnings {
            return Err(OpenError::Unconfirmed(connection.server.to_string()));
        }
        tracing::warn!(floor = facts.floor, "codes up to now count as spent");
        Ok(())
    }

    /// The number of the lock that keeps writers of one address apart. It is keyed, so that
    /// nobody who chooses an address chooses what it collides with.
    pub(super) fn lock(&self, address: &[u8]) -> i64 {
        let [_, _, _, _, _, _, _, _, low @ ..] = self.codec.mark(address, u64::MAX).to_be_bytes();
        i64::from_be_bytes(low)
    }

    /// Takes note of a look at the store that began at `began` and came back.
    pub(super) fn beaten(&self, began: Instant, said: &Server) {
        let fault = said.fault(self.way.config.require_sync_replication);
        let mut seen = self.seen.lock();
        seen.beat = Some(began);
        seen.written = seen.written.max(said.written);
        if let Some(fault) = fault.filter(|_| seen.fault.is_none()) {
            tracing::error!(fault, "the store takes no writes any more");
        }
        seen.fault = fault;
    }

    /// Takes note of what operators ought to mend.
    pub(super) fn warned(&self, warnings: Vec<String>) {
        let mut seen = self.seen.lock();
        for warning in warnings.iter().filter(|it| !seen.warnings.contains(*it)) {
            tracing::warn!(warning, "the store ought to be looked after");
        }
        seen.warnings = warnings;
    }

    /// How long ago everything was told that is on disk.
    pub(super) fn lag(&self) -> Option<Duration> {
        self.seen.lock().beat.map(|began| clock::steady().saturating_duration_since(began))
    }

    /// Whether what is read now is certainly what the server that takes writes has: a look at it
    /// was confirmed a moment ago.
    pub(super) fn is_fresh(&self) -> bool {
        self.lag().is_some_and(|lag| lag < GOOD_FOR)
    }

    pub(super) fn failovers(&self) -> u64 {
        self.failovers.load(Ordering::SeqCst)
    }

    /// The server that was last seen, and what is to be mended.
    pub(super) fn server(&self) -> (String, Vec<String>) {
        let seen = self.seen.lock();
        (seen.server.clone(), seen.warnings.clone())
    }
}

fn gone() -> StoreError {
    StoreError::Corrupt("what the store says of itself is gone".to_owned())
}

/// The time of day, without a clock: what callers said, and what has passed since.
pub(super) struct Moment {
    start: UnixMillis,
    began: Instant,
    latest: AtomicU64,
}

impl Moment {
    fn starting(now: UnixMillis) -> Self {
        Self { start: now, began: clock::steady(), latest: AtomicU64::new(now.0) }
    }

    /// A caller says that it is `now`.
    pub(super) fn told(&self, now: UnixMillis) {
        self.latest.fetch_max(now.0, Ordering::Relaxed);
    }

    /// The latest that it can be. Whoever burns codes burns rather one too many.
    fn latest(&self) -> UnixMillis {
        let passed = clock::steady().saturating_duration_since(self.began);
        self.start.plus(passed).max(UnixMillis(self.latest.load(Ordering::Relaxed)))
    }
}
