//! A store whose power fails after some commits, as a crash in the middle would have it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};

use crate::clock::UnixMillis;
use crate::store::sled::SledStore;
use crate::store::{
    Copied, CounterRule, CounterState, Event, Health, Key, Record, Space, Store, StoreError,
    Version, Write,
};

/// How many commits there still are.
pub(in crate::account) struct Fuse(AtomicUsize);

impl Default for Fuse {
    fn default() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }
}

impl Fuse {
    pub(in crate::account) fn blows_after(&self, commits: usize) {
        self.0.store(commits, Ordering::SeqCst);
    }

    pub(in crate::account) fn is_mended(&self) {
        self.blows_after(usize::MAX);
    }

    fn holds(&self) -> Result<(), StoreError> {
        let one_less = |left: usize| (left > 0).then(|| left - 1);
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        left.map(|_| ()).map_err(|_| StoreError::Unavailable("the power is gone".to_owned()))
    }
}

/// A store behind a fuse.
pub(in crate::account) struct Brittle {
    inner: SledStore,
    fuse: Arc<Fuse>,
}

impl Brittle {
    pub(in crate::account) fn new(inner: SledStore, fuse: Arc<Fuse>) -> Self {
        Self { inner, fuse }
    }
}

#[async_trait]
impl Store for Brittle {
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.get(now, key).await
    }

    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError> {
        self.fuse.holds()?;
        self.inner.commit(now, tx).await
    }

    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError> {
        self.inner.hit(now, key, rule).await
    }

    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError> {
        self.inner.counter(now, key).await
    }

    async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError> {
        self.inner.scan(now, space, prefix, after, limit).await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn watch(&self) -> broadcast::Receiver<Event> {
        self.inner.watch()
    }

    async fn sweep(
        &self,
        now: UnixMillis,
        grace: Duration,
        budget: usize,
    ) -> Result<usize, StoreError> {
        self.inner.sweep(now, grace, budget).await
    }

    async fn copy(&self, spaces: &[Space], out: mpsc::Sender<Copied>) -> Result<(), StoreError> {
        self.inner.copy(spaces, out).await
    }

    async fn health(&self) -> Health {
        self.inner.health().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}
