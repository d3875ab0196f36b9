//! A store that several houses share, as one of them reaches it: what changes is heard when
//! a test says so, and the way there may break.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};

use crate::clock::{Clock, MovableClock, UnixMillis};
use crate::store::sled::SledStore;
use crate::store::{
    Copied, CounterRule, CounterState, Event, Health, Key, Record, Space, Store, StoreError,
    Version, Write,
};

/// One house's way to the store that all share.
pub(crate) struct Link {
    inner: Arc<SledStore>,
    clock: Arc<MovableClock>,
    untold: Mutex<broadcast::Receiver<Event>>,
    events: broadcast::Sender<Event>,
    is_broken: AtomicBool,
    /// Commits after which the way breaks.
    commits_left: AtomicU64,
}

impl Link {
    pub(crate) fn to(inner: &Arc<SledStore>, clock: &Arc<MovableClock>) -> Self {
        let (events, _) = broadcast::channel(1024);
        Self {
            inner: Arc::clone(inner),
            clock: Arc::clone(clock),
            untold: Mutex::new(inner.watch()),
            events,
            is_broken: AtomicBool::new(false),
            commits_left: AtomicU64::new(u64::MAX),
        }
    }

    /// Tells of everything that changed until now, and that this was all.
    pub(crate) fn tells(&self) {
        self.tells_without_beat();
        let _nobody_listens = self.events.send(Event::Beat { as_of: self.clock.steady() });
    }

    /// The same, but nobody says that it was all.
    pub(crate) fn tells_without_beat(&self) {
        let mut untold = self.untold.lock().unwrap();
        while let Ok(event) = untold.try_recv() {
            let _nobody_listens = self.events.send(event);
        }
    }

    /// Something may have been missed.
    pub(crate) fn misses_something(&self) {
        while self.untold.lock().unwrap().try_recv().is_ok() {}
        let _nobody_listens = self.events.send(Event::Resync);
    }

    /// Whether the store can be reached.
    pub(crate) fn is_up(&self, is_up: bool) {
        self.is_broken.store(!is_up, Ordering::SeqCst);
        self.commits_left.store(u64::MAX, Ordering::SeqCst);
    }

    /// From so many commits on the store takes no more of them.
    pub(crate) fn breaks_after(&self, commits: u64) {
        self.commits_left.store(commits, Ordering::SeqCst);
    }

    fn way(&self) -> Result<&SledStore, StoreError> {
        match self.is_broken.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("the way is broken".to_owned())),
            false => Ok(&self.inner),
        }
    }
}

#[async_trait]
impl Store for Link {
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError> {
        self.way()?.get(now, key).await
    }

    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError> {
        let one_less = |left: u64| left.checked_sub(1);
        let left = self.commits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        left.map_err(|_| StoreError::Unavailable("it takes no more".to_owned()))?;
        self.way()?.commit(now, tx).await
    }

    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError> {
        self.way()?.hit(now, key, rule).await
    }

    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError> {
        self.way()?.counter(now, key).await
    }

    async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError> {
        self.way()?.scan(now, space, prefix, after, limit).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn watch(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    async fn sweep(
        &self,
        now: UnixMillis,
        grace: Duration,
        budget: usize,
    ) -> Result<usize, StoreError> {
        self.way()?.sweep(now, grace, budget).await
    }

    async fn copy(&self, spaces: &[Space], out: mpsc::Sender<Copied>) -> Result<(), StoreError> {
        self.way()?.copy(spaces, out).await
    }

    async fn health(&self) -> Health {
        self.inner.health().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}
