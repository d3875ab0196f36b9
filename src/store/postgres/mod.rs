//! The store in a PostgreSQL database that several gateways share. Its servers are never trusted
//! by themselves: every record is sealed, what they answer counts only while they are proven to
//! be the ones that take writes, and what they may have forgotten burns all codes up to now.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use self::copy::Turn;
use self::core::Core;
use self::feed::Feed;
use self::pool::Pool;
use self::queue::Queue;
use self::told::Told;
use self::transaction::{Change, Desk};
use super::judge::{self, Outcome, check_key, check_scan, check_transaction};
use super::keyring::Keyring;
use super::records::Entry;
use super::{
    Copied, CounterRule, CounterState, Event, Health, Key, Op, Pulse, Record, Space, Store,
    StoreError, Version, Write,
};
use crate::clock::UnixMillis;
use crate::config::PostgresConfig;

mod connection;
mod copy;
mod core;
mod facts;
mod fault;
mod feed;
mod health;
mod new;
mod open;
mod pool;
mod queue;
mod read;
mod refusal;
mod schema;
mod server;
mod sql;
mod sweep;
mod tls;
mod told;
mod transaction;

#[cfg(test)]
mod tests;

pub use new::NewStore;
pub use refusal::OpenError;
pub use schema::{GRANTS, SCHEMA};

/// The store in one database.
pub struct PostgresStore {
    core: Arc<Core>,
    pool: Arc<Pool>,
    told: Arc<Told>,
    queue: Queue,
    copying: Turn,
    feed: JoinHandle<()>,
}

impl PostgresStore {
    /// Opens the store of `config`, and makes it where the database holds none.
    ///
    /// # Errors
    /// When it cannot be reached, is not safe to use, or is not the right one.
    pub async fn open(
        config: &PostgresConfig,
        keyring: &Keyring,
        now: UnixMillis,
    ) -> Result<Self, OpenError> {
        let core = Arc::new(open::open(config, keyring, now).await?);
        let pool = Arc::new(Pool::new(&core)?);
        let told = Arc::new(Told::new());
        let feed = Feed::begin(Arc::clone(&core), Arc::clone(&pool), Arc::clone(&told)).await?;
        let feed = tokio::spawn(feed.run());
        let (queue, copying) = (Queue::default(), Turn::default());
        Ok(Self { core, pool, told, queue, copying, feed })
    }

    fn desk(&self) -> Desk<'_> {
        Desk { core: &self.core, pool: &self.pool, told: &self.told, queue: &self.queue }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError> {
        check_key(key)?;
        let entry = self.desk().entry(now, key).await?;
        Ok(entry.filter(|entry| entry.is_live(now)).map(Entry::into_record))
    }

    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError> {
        check_transaction(&tx)?;
        let keys: Vec<_> = tx.iter().map(|write| &write.key).collect();
        let raises = tx.iter().any(|write| matches!(write.op, Op::Raise { .. }));
        let decide = |terms, entries: &[Option<Entry>]| {
            let (mut versions, mut plan) = (Vec::new(), Vec::new());
            for (index, (write, found)) in tx.iter().zip(entries).enumerate() {
                let judged = judge::judge(terms, index, write, found.as_ref())?;
                versions.push(judged.version);
                plan.push(match judged.outcome {
                    Outcome::Stays => None,
                    Outcome::Goes => Some(Change::Gone),
                    Outcome::Becomes(entry) => Some(Change::Kept(entry)),
                });
            }
            Ok((versions, plan))
        };
        self.desk().transact(now, &keys, raises, decide).await
    }

    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError> {
        check_key(key)?;
        let decide = |terms, entries: &[Option<Entry>]| {
            let found = entries.first().and_then(Option::as_ref);
            let (state, after) = judge::hit(terms, found, &rule)?;
            Ok((state, vec![after.map(Change::Kept)]))
        };
        self.desk().transact(now, &[key], false, decide).await
    }

    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError> {
        check_key(key)?;
        let entry = self.desk().entry(now, key).await?.filter(|entry| entry.is_live(now));
        Ok(judge::counter(entry.as_ref())?.at(now))
    }

    async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError> {
        check_scan(limit)?;
        self.core.check()?;
        self.desk().scan(now, space, prefix, after, limit).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn watch(&self) -> broadcast::Receiver<Event> {
        self.told.watch()
    }

    async fn sweep(
        &self,
        now: UnixMillis,
        grace: Duration,
        budget: usize,
    ) -> Result<usize, StoreError> {
        self.core.moment.told(now);
        self.desk().sweep(now.minus(grace), budget).await
    }

    async fn copy(&self, spaces: &[Space], out: mpsc::Sender<Copied>) -> Result<(), StoreError> {
        copy::copy(&self.core, &self.copying, spaces, &out).await
    }

    async fn health(&self) -> Health {
        self.desk().health().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.core.check()?;
        self.pulse().map_or(Ok(()), |pulse| pulse.beats())
    }

    fn pulse(&self) -> Option<Pulse> {
        Some(Pulse { lag: self.core.lag(), failovers: self.core.failovers() })
    }

    async fn close(&self) -> Result<(), StoreError> {
        if self.core.closed.swap(true, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is closed".to_owned()));
        }
        self.feed.abort();
        self.pool.close();
        Ok(())
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.feed.abort();
    }
}
