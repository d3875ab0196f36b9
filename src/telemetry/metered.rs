//! A store whose calls are timed and whose errors are counted.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};

use super::label::StoreOp;
use super::metrics::{Metrics, MetricsError};
use crate::clock::{Stopwatch, UnixMillis};
use crate::store::{
    Copied, CounterRule, CounterState, Event, Health, Key, Pulse, Record, Space, Store, StoreError,
    Version, Write,
};

/// Passes every call on to `store`.
pub struct Metered {
    store: Arc<dyn Store>,
    /// The engine's name in the metrics.
    engine: &'static str,
    metrics: Arc<Metrics>,
}

impl Metered {
    /// Measures `store`, which is on `engine`.
    ///
    /// # Errors
    /// When another store is measured already.
    pub fn new(
        store: Arc<dyn Store>,
        engine: &'static str,
        metrics: Arc<Metrics>,
    ) -> Result<Self, MetricsError> {
        metrics.expect_store_errors(engine, &StoreError::KINDS);
        if store.is_shared() {
            metrics.follow(Arc::clone(&store), engine)?;
        }
        Ok(Self { store, engine, metrics })
    }

    async fn timed<T>(
        &self,
        op: StoreOp,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let watch = Stopwatch::start();
        let result = call.await;
        self.metrics.store_call(self.engine, op, watch.elapsed());
        if let Err(error) = &result {
            self.metrics.store_error(self.engine, error.kind());
        }
        result
    }
}

#[async_trait]
impl Store for Metered {
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError> {
        self.timed(StoreOp::Get, self.store.get(now, key)).await
    }

    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError> {
        self.timed(StoreOp::Commit, self.store.commit(now, tx)).await
    }

    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError> {
        self.timed(StoreOp::Hit, self.store.hit(now, key, rule)).await
    }

    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError> {
        self.timed(StoreOp::Counter, self.store.counter(now, key)).await
    }

    async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError> {
        self.timed(StoreOp::Scan, self.store.scan(now, space, prefix, after, limit)).await
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
        self.timed(StoreOp::Sweep, self.store.sweep(now, grace, budget)).await
    }

    async fn copy(&self, spaces: &[Space], out: mpsc::Sender<Copied>) -> Result<(), StoreError> {
        self.store.copy(spaces, out).await
    }

    async fn health(&self) -> Health {
        self.store.health().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.store.ready().await
    }

    fn pulse(&self) -> Option<Pulse> {
        self.store.pulse()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}

#[cfg(test)]
mod tests {
    use crate::store::StoreError;

    #[test]
    fn every_kind_of_error_is_there_from_the_start() {
        let every = [
            StoreError::Conflict { index: 0 },
            StoreError::Refused { index: 0, current: 0 },
            StoreError::Unavailable(String::new()),
            StoreError::Indeterminate(String::new()),
            StoreError::Full,
            StoreError::Corrupt(String::new()),
            StoreError::Invalid(""),
            StoreError::Fatal(String::new()),
        ];
        assert_eq!(every.map(|error| error.kind()), StoreError::KINDS);
    }
}
