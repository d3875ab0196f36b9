//! The store on etcd, for several gateways. Built with the feature `etcd`. Every answer comes from
//! a quorum, every write is a transaction that etcd decides, and records are sealed as they are
//! everywhere: etcd learns no secret, and what it gives back is checked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use etcd_client::GetOptions;
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;

use self::health::Counted;
use self::vault::Vault;
use super::judge::{self, check_key, check_scan, check_transaction};
use super::keyring::Keyring;
use super::records::{Entry, address, key_of, within};
use super::{
    Copied, CounterRule, CounterState, Event, Health, Key, Pulse, Record, Space, Store, StoreError,
    Version, Write,
};
use crate::clock::UnixMillis;
use crate::config::EtcdConfig;

mod copy;
mod feed;
mod health;
mod layout;
mod leases;
mod locks;
mod mark;
mod members;
mod new;
mod open;
mod refusal;
mod sweep;
mod transact;
mod vault;

#[cfg(test)]
mod tests;

pub use new::NewStore;
pub use refusal::OpenError;

/// Records that one question asks for.
const PAGE: usize = 256;

/// The store behind one prefix of an etcd.
pub struct EtcdStore {
    vault: Arc<Vault>,
    place: String,
    counted: Counted,
    tasks: [AbortHandle; 2],
}

impl EtcdStore {
    /// Opens the store of `config`, and makes it where nothing lies.
    ///
    /// # Errors
    /// When nobody answers there, or what lies there is not the right store.
    pub async fn open(
        config: &EtcdConfig,
        keyring: &Keyring,
        now: UnixMillis,
    ) -> Result<Self, OpenError> {
        let vault = Arc::new(open::open(config, keyring, now).await?);
        let tasks = [
            tokio::spawn(feed::follow(Arc::clone(&vault))).abort_handle(),
            tokio::spawn(feed::beat(Arc::clone(&vault))).abort_handle(),
        ];
        Ok(Self { vault, place: config.place.clone(), counted: Counted::default(), tasks })
    }

    async fn entry(&self, now: UnixMillis, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.vault.check()?;
        check_key(key)?;
        let address = address(key);
        let look = self.vault.look(std::slice::from_ref(&address)).await?;
        let entry = self.vault.open(&address, look.found.first().and_then(Option::as_ref))?;
        Ok(entry.filter(|entry| entry.is_live(now)))
    }

    fn end(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError> {
        Ok(self.entry(now, key).await?.map(Entry::into_record))
    }

    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError> {
        self.vault.check()?;
        check_transaction(&tx)?;
        self.vault.commit(now, &tx).await
    }

    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError> {
        self.vault.check()?;
        check_key(key)?;
        self.vault.hit(now, key, &rule).await
    }

    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError> {
        Ok(judge::counter(self.entry(now, key).await?.as_ref())?.at(now))
    }

    async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError> {
        self.vault.check()?;
        check_scan(limit)?;
        let layout = &self.vault.layout;
        let first = layout.key(&within(space, prefix));
        let end = layout::behind(first.clone());
        let mut from = match after {
            Some(after) => layout::after(layout.key(&within(space, after))).max(first),
            None => first,
        };
        let mut found = Vec::new();
        // etcd takes a range that ends before it begins for an empty one.
        while found.len() < limit && from < end {
            let options = GetOptions::new().with_limit(i64::try_from(PAGE).unwrap_or(i64::MAX));
            let page = self.vault.range(from, end.clone(), options).await?.found;
            let Some(last) = page.last() else { break };
            from = layout::after(last.key().to_vec());
            let is_last = page.len() < PAGE;
            for kv in page {
                let address = layout.address(kv.key()).unwrap_or_default();
                let entry = self.vault.codec.decode(address, kv.value())?;
                if entry.is_live(now) && found.len() < limit {
                    found.push((key_of(address)?, entry.into_record()));
                }
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn watch(&self) -> broadcast::Receiver<Event> {
        self.vault.events.subscribe()
    }

    async fn sweep(
        &self,
        now: UnixMillis,
        grace: Duration,
        budget: usize,
    ) -> Result<usize, StoreError> {
        self.vault.check()?;
        self.vault.sweep(now, now.minus(grace), budget).await
    }

    async fn copy(&self, spaces: &[Space], out: mpsc::Sender<Copied>) -> Result<(), StoreError> {
        self.vault.check()?;
        copy::copy(&self.vault, spaces, &out).await
    }

    async fn health(&self) -> Health {
        health::health(&self.vault, &self.counted, &self.place).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.vault.check()?;
        self.pulse().map_or(Ok(()), |pulse| pulse.beats())
    }

    fn pulse(&self) -> Option<Pulse> {
        Some(Pulse { lag: self.vault.lag(), failovers: self.vault.failovers() })
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.vault.check()?;
        self.vault.refuse(StoreError::Unavailable("it is closed".to_owned()));
        self.end();
        Ok(())
    }
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        self.end();
    }
}
