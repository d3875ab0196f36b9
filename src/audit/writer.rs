//! Takes what happened, in its order, and writes it down: the file first, then how far it goes
//! in the store, and only then whoever waits is told. What cannot be written waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::book::Book;
use super::chain::Head;
use super::line::Draft;
use super::name::LogName;
use super::syslog::Feed;
use super::{AuditError, Shared};
use crate::clock::UnixMillis;
use crate::store::{Key, Store, StoreError, Write};

/// Lines that are written at once.
const BATCH: usize = 256;
/// Lines that wait for a disk; further ones are lost, and counted.
const MOST_WAITING: usize = 10_000;
/// How soon it is tried again to write what could not be written.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Something for the writer to do.
pub(super) enum Order {
    /// To write a line, and to tell whoever waits for it.
    Line { now: UnixMillis, draft: Draft, told: Option<oneshot::Sender<Result<(), AuditError>>> },
    /// To write what is left, and to end.
    End(oneshot::Sender<()>),
}

/// The writer, a thread of its own: disks make nobody else wait.
pub(super) struct Writer {
    pub(super) book: Book,
    pub(super) orders: Receiver<Order>,
    pub(super) store: Arc<dyn Store>,
    /// Nothing once another gateway has it, or it was given back.
    pub(super) name: Option<LogName>,
    pub(super) runtime: Handle,
    pub(super) shared: Arc<Shared>,
    pub(super) feed: Option<Feed>,
    pub(super) waiting: VecDeque<Draft>,
    pub(super) now: UnixMillis,
}

/// Who waits for the lines of a batch.
type Waiters = Vec<oneshot::Sender<Result<(), AuditError>>>;

impl Writer {
    /// Works until it is told to end, or nobody is left who could tell it.
    pub(super) fn run(mut self) {
        loop {
            let order = match self.waiting.is_empty() {
                true => self.orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => self.orders.recv_timeout(TRY_AGAIN),
            };
            let mut waiters = Waiters::new();
            let mut end = match order {
                Ok(order) => self.take(order, &mut waiters),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            while end.is_none()
                && self.waiting.len() < BATCH
                && let Ok(order) = self.orders.try_recv()
            {
                end = self.take(order, &mut waiters);
            }
            let outcome = self.write();
            for waiter in waiters {
                // Who hung up meanwhile does not need to know.
                let _gone = waiter.send(outcome.clone());
            }
            if let Some(end) = end {
                if let Some(name) = self.name.take() {
                    self.runtime.block_on(name.give_back());
                }
                if !self.waiting.is_empty() {
                    let lines = self.waiting.len();
                    tracing::error!(lines, "the audit log ends without lines that wait for it");
                }
                let _gone = end.send(());
                return;
            }
        }
    }

    fn take(&mut self, order: Order, waiters: &mut Waiters) -> Option<oneshot::Sender<()>> {
        match order {
            Order::Line { now, draft, told } => {
                self.now = now;
                if self.waiting.len() < MOST_WAITING {
                    self.waiting.push_back(draft);
                    waiters.extend(told);
                } else {
                    // Whoever waits learns of it by this: what tells them is gone.
                    self.shared.lose();
                }
                None
            }
            Order::End(told) => Some(told),
        }
    }

    /// Writes all that waits.
    fn write(&mut self) -> Result<(), AuditError> {
        let outcome = loop {
            if self.name.is_none() {
                break Err(AuditError::NameTaken);
            }
            if self.waiting.is_empty() {
                break Ok(());
            }
            if let Err(error) = self.write_some() {
                break Err(AuditError::Unwritable(error.to_string()));
            }
        };
        self.shared.says(outcome.as_ref().err());
        outcome
    }

    fn write_some(&mut self) -> Result<(), super::files::FileError> {
        if let Some(first) = self.waiting.front_mut() {
            first.lost = first.lost.saturating_add(self.shared.lost.swap(0, Ordering::Relaxed));
        }
        let (mut head, mut lines) = (self.book.head(), Vec::new());
        for draft in self.waiting.iter().take(BATCH) {
            let line = draft.placed(head.seq.saturating_add(1), head.hash);
            head = head.after(line.as_bytes());
            lines.push(line);
        }
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        self.book.write(&text, head)?;
        self.waiting.drain(..lines.len());
        self.shared.metrics.audit_lines(lines.len());
        self.keep(self.book.head());
        if let Some(feed) = &self.feed {
            feed.send(lines, &self.shared.metrics);
        }
        Ok(())
    }

    /// A line that is on disk counts as written, whatever the store says: at the next start what
    /// goes beyond the store's word is judged by the chain alone.
    ///
    /// Where gateways share the store, each has a log of its own. Who finds its name taken by
    /// another one writes nothing more: of two under one name the store would know none.
    fn keep(&mut self, head: Head) {
        let Some(name) = &mut self.name else { return };
        let (store, now) = (&*self.store, self.now);
        let kept = self.runtime.block_on(async {
            match keep(store, now, head, name, false).await {
                Err(StoreError::Conflict { .. }) => keep(store, now, head, name, true).await,
                kept => kept,
            }
        });
        let Err(error) = kept else { return };
        if matches!(error, StoreError::Conflict { .. }) {
            self.name = None;
        }
        tracing::error!(%error, "how far the audit log goes could not be kept in the store");
        self.shared.metrics.audit_failure();
    }
}

/// How far the log goes, as the store knows it.
pub(super) async fn kept(
    store: &dyn Store,
    now: UnixMillis,
    key: &Key,
) -> Result<Option<Head>, StoreError> {
    let Some(record) = store.get(now, key).await? else { return Ok(None) };
    let malformed = |_| StoreError::Corrupt("how far the audit log goes".to_owned());
    serde_json::from_slice(&record.value).map(Some).map_err(malformed)
}

async fn keep(
    store: &dyn Store,
    now: UnixMillis,
    head: Head,
    name: &mut LogName,
    is_lost: bool,
) -> Result<(), StoreError> {
    let value = serde_json::to_vec(&head)
        .map_err(|_| StoreError::Invalid("how far the audit log goes cannot be written"))?;
    let mut writes = vec![Write::put(name.key().clone(), value, None)];
    let turn = name.pinned(is_lost).await?;
    writes.extend(turn.checks());
    store.commit(now, writes).await.map(drop)
}
