//! What happened, for good: every sign-in step, change and refusal, and every deed of the desk
//! and of ops, as one line each. No line holds a secret. `docs/audit.md` lists the events.

mod book;
mod budget;
mod chain;
mod entry;
mod event;
mod files;
mod line;
mod name;
mod read;
mod syslog;
mod verify;
mod writer;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use arc_swap::ArcSwapOption;
use tokio::sync::oneshot;

pub use entry::{By, Detail, Entry};
pub use event::Event;
pub use files::FileError;
pub use read::{Lately, Page, Wanted, verify_files};
pub use verify::{Broken, Whole, Wrong};

use crate::clock::UnixMillis;
use crate::config::telemetry::AuditLog;
use crate::store::turn::Turns;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use book::{Book, Opened};
use budget::Budget;
use line::Draft;
use name::LogName;
use read::Reader;
use syslog::Feed;
use writer::{Order, Writer};

/// Entries that wait for the writer.
const QUEUE: usize = 4096;

/// Why nothing was written down, or cannot be read. What had to be refuses with it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AuditError {
    /// The log cannot be written.
    #[error("the audit log cannot be written: {0}")]
    Unwritable(String),
    /// The log cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Unreadable(String),
    /// There is none.
    #[error("there is no audit log; name one as telemetry.audit")]
    Nowhere,
    /// Another gateway has taken the name that the log is kept under.
    #[error(
        "another gateway that shares the store has the same name; give each its own, as telemetry.node, and restart"
    )]
    NameTaken,
}

/// Why the log cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum OpenAuditError {
    /// Its files.
    #[error(transparent)]
    File(#[from] FileError),
    /// What the store knows of it.
    #[error("the store does not say how far the audit log goes: {0}")]
    Store(#[from] StoreError),
    /// Another gateway keeps its log under the same name.
    #[error(
        "another gateway that shares the store is called {node} too, or cannot be reached; give each a name of its own, as telemetry.node"
    )]
    NameTaken {
        /// Which.
        node: String,
    },
    /// The system starts nothing that could write it.
    #[error("nothing can be started that writes the audit log: {0}")]
    Thread(std::io::Error),
}

/// Takes what happened. Without a log named in the configuration it goes nowhere.
#[derive(Clone, Default)]
pub struct Audit(Option<Arc<Log>>);

struct Log {
    orders: SyncSender<Order>,
    shared: Arc<Shared>,
    reader: Reader,
}

/// What the writer and those who tell it share.
struct Shared {
    /// Why the last lines are not on disk.
    fault: ArcSwapOption<AuditError>,
    /// Lines that went missing since the last one.
    lost: AtomicU64,
    budget: Budget,
    metrics: Arc<Metrics>,
}

impl Audit {
    /// Nobody is told.
    pub const fn nowhere() -> Self {
        Self(None)
    }

    /// Opens the log that the configuration names, and begins to write. Where it is not what the
    /// store says was written, that is the first thing it says.
    ///
    /// # Errors
    /// When its files, its name or the store's word on it cannot be used.
    pub async fn open(
        (named, node): (Option<&AuditLog>, &str),
        store: Arc<dyn Store>,
        turns: &Turns,
        now: UnixMillis,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenAuditError> {
        let Some(named) = named else { return Ok(Self::nowhere()) };
        let name = LogName::take(node, &named.path, turns).await?;
        let kept = writer::kept(&*store, now, name.key()).await?;
        let (place, longest) = (named.path.clone(), named.rotate);
        let opening = tokio::task::spawn_blocking(move || Book::open(&place, kept, longest));
        let broken_off = |_| OpenAuditError::Thread(std::io::Error::other("it was broken off"));
        let Opened { book, broken } = opening.await.map_err(broken_off)??;
        let (orders, taken) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::new(Arc::clone(&metrics)));
        let reader = Reader { place: named.path.clone(), end: book.end() };
        let to = named.syslog.clone();
        let feed = to.map(|to| Feed::begin(to, metrics)).transpose();
        let writer = Writer {
            book,
            orders: taken,
            store,
            name: Some(name),
            runtime: tokio::runtime::Handle::current(),
            shared: Arc::clone(&shared),
            feed: feed.map_err(OpenAuditError::Thread)?,
            waiting: VecDeque::new(),
            now,
        };
        let thread = std::thread::Builder::new().name("audit".to_owned());
        thread.spawn(move || writer.run()).map_err(OpenAuditError::Thread)?;
        let audit = Self(Some(Arc::new(Log { orders, shared, reader })));
        if let Some(broken) = broken {
            audit.begin_anew(now, &broken);
        }
        Ok(audit)
    }

    fn begin_anew(&self, now: UnixMillis, broken: &Broken) {
        let Broken { file, line, what } = broken;
        tracing::error!(
            file = %file.display(), line, %what,
            "the audit log is not what was written; it was put away, and begins anew"
        );
        if let Some(log) = &self.0 {
            log.shared.metrics.audit_broken();
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let entry = Entry::new(Event::ChainBroken, By::Gateway);
        let entry = entry.with(Detail::Refusal, what.as_str()).with(Detail::Name, name);
        self.mention(now, entry.with(Detail::Count, line.to_string()));
    }

    /// Whether what happens now could be written down. Whoever changes something asks first, so
    /// that nothing is changed that nobody could read of.
    ///
    /// # Errors
    /// When it could not.
    pub fn ready(&self) -> Result<(), AuditError> {
        let fault = self.0.as_ref().and_then(|log| log.shared.fault.load_full());
        fault.map_or(Ok(()), |fault| Err((*fault).clone()))
    }

    /// Writes it down; it is on disk when this returns.
    ///
    /// # Errors
    /// When it is not on disk. It is written as soon as that can be done again.
    pub async fn note(&self, now: UnixMillis, entry: Entry<'_>) -> Result<(), AuditError> {
        let Some(log) = &self.0 else { return Ok(()) };
        let (told, outcome) = oneshot::channel();
        let draft = Draft::of(now, &entry);
        if log.orders.try_send(Order::Line { now, draft, told: Some(told) }).is_err() {
            log.shared.lose();
            return Err(AuditError::Unwritable("too much waits to be written".to_owned()));
        }
        let ended = |_| AuditError::Unwritable("its writer has ended".to_owned());
        outcome.await.map_err(ended)?
    }

    /// Writes it down soon, for whoever cannot wait: nothing was changed by what happened.
    pub fn mention(&self, now: UnixMillis, entry: Entry<'_>) {
        let Some(log) = &self.0 else { return };
        if entry.event.is_cheap() && !log.shared.budget.takes(now) {
            return log.shared.lose();
        }
        let draft = Draft::of(now, &entry);
        if log.orders.try_send(Order::Line { now, draft, told: None }).is_err() {
            log.shared.lose();
        }
    }

    /// Writes all that is left. Afterwards nothing is written any more.
    pub async fn close(&self) {
        let Some(log) = &self.0 else { return };
        let (told, ended) = oneshot::channel();
        // A full queue is being emptied; a writer that is gone needs no end.
        let mut order = Order::End(told);
        while let Err(std::sync::mpsc::TrySendError::Full(back)) = log.orders.try_send(order) {
            order = back;
            tokio::task::yield_now().await;
        }
        let _gone = ended.await;
    }

    /// The number of the last line.
    ///
    /// # Errors
    /// Where there is no log.
    pub fn last(&self) -> Result<u64, AuditError> {
        self.reader().map(Reader::last)
    }

    /// Lines of the log. It waits for the disk.
    ///
    /// # Errors
    /// Where there is no log, or it cannot be read.
    pub fn page(&self, wanted: &Wanted<'_>) -> Result<Page, AuditError> {
        self.reader()?.page(wanted)
    }

    /// What happened to a user of a portal, the newest first, as far as the last 20,000 lines
    /// tell. It waits for the disk.
    ///
    /// # Errors
    /// Where there is no log, or it cannot be read.
    pub fn lately(&self, portal: &str, user: &str) -> Result<Lately, AuditError> {
        self.reader()?.lately(portal, user)
    }

    /// Whether the log is as it was written, from the line after `after` on: that it is not is
    /// an answer too. It reads all of it.
    ///
    /// # Errors
    /// Where there is no log, or it cannot be read.
    pub fn verify(&self, after: u64) -> Result<Result<Whole, Broken>, AuditError> {
        self.reader()?.verify(after)
    }

    fn reader(&self) -> Result<&Reader, AuditError> {
        self.0.as_ref().map(|log| &log.reader).ok_or(AuditError::Nowhere)
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "Audit(…)" } else { "Audit(nowhere)" })
    }
}

impl Shared {
    fn new(metrics: Arc<Metrics>) -> Self {
        let (fault, lost) = (ArcSwapOption::empty(), AtomicU64::default());
        Self { fault, lost, budget: Budget::default(), metrics }
    }

    /// Counts a line that will never be there.
    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.metrics.audit_lost();
    }

    /// Notes whether the last lines are on disk, and tells ops once of each change.
    fn says(&self, fault: Option<&AuditError>) {
        let before = self.fault.swap(fault.cloned().map(Arc::new));
        if fault.is_some() {
            self.metrics.audit_failure();
        }
        match (before, fault) {
            (None, Some(error)) => {
                tracing::error!(%error, "what would change something is refused until it can be");
            }
            (Some(_), None) => tracing::info!("the audit log can be written again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests;
