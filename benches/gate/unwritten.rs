//! A store that says of some writes that they are done and does not keep them, so that a crowd can
//! be signed in within moments. What a proven visitor asks for is never in the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use portcullis::clock::UnixMillis;
use portcullis::store::{
    Copied, CounterRule, CounterState, Event, Health, Key, Record, Space, Store, StoreError,
    Version, Write,
};
use tokio::sync::{Mutex, broadcast, mpsc};

/// A store that can be told to keep nothing for a while.
pub(super) struct Unwritten {
    store: Arc<dyn Store>,
    keeps_nothing: AtomicBool,
    last: Mutex<Vec<Version>>,
}

impl Unwritten {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, keeps_nothing: AtomicBool::new(false), last: Mutex::default() }
    }

    pub(super) fn keep_nothing(&self, nothing: bool) {
        self.keeps_nothing.store(nothing, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Unwritten {
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError> {
        self.store.get(now, key).await
    }

    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError> {
        let mut last = self.last.lock().await;
        if !self.keeps_nothing.load(Ordering::SeqCst) {
            *last = self.store.commit(now, tx).await?;
        }
        Ok(last.clone())
    }

    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError> {
        self.store.hit(now, key, rule).await
    }

    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError> {
        self.store.counter(now, key).await
    }

    async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError> {
        self.store.scan(now, space, prefix, after, limit).await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn watch(&self) -> broadcast::Receiver<Event> {
        self.store.watch()
    }

    async fn sweep(
        &self,
        now: UnixMillis,
        grace: Duration,
        budget: usize,
    ) -> Result<usize, StoreError> {
        self.store.sweep(now, grace, budget).await
    }

    async fn copy(&self, spaces: &[Space], out: mpsc::Sender<Copied>) -> Result<(), StoreError> {
        self.store.copy(spaces, out).await
    }

    async fn health(&self) -> Health {
        self.store.health().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}
