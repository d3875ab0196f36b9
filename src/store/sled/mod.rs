//! The store in a folder of its own, on sled, for one gateway. sled is never trusted by
//! itself: what it gives back is checked, what it wrote is synced, where it fails all ends.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{broadcast, mpsc as channel, oneshot};
use tokio::task::spawn_blocking;

use self::committer::{Answer, Committer, Job};
use self::disk::Settings;
use self::view::View;
use super::judge::{self, check_key, check_scan, check_transaction};
use super::keyring::Keyring;
use super::records::{self, address, within};
use super::{
    Copied, CounterRule, CounterState, Event, Health, Key, Record, Space, Store, StoreError,
    Version, Write,
};
use crate::clock::UnixMillis;

mod batch;
mod committer;
mod copy;
mod disk;
mod head;
mod new;
mod open;
mod refusal;
mod state;
mod stock;
mod view;

#[cfg(test)]
pub(in crate::store) mod tests;

pub use new::NewStore;
pub use refusal::OpenError;

/// Events that a watcher may lag behind before it has to read everything again.
const EVENTS: usize = 4096;
/// Records that one step of a sweep removes, so that no login waits for a long one.
const SWEEP: usize = 256;

/// The store in one folder. Dropped without [`Store::close`], it counts as ended by a crash.
pub struct SledStore {
    jobs: Option<SyncSender<Job>>,
    view: Arc<View>,
    events: broadcast::Sender<Event>,
    committer: Option<JoinHandle<()>>,
    folder: PathBuf,
}

impl SledStore {
    /// Opens the store in `folder`, and makes it on first start. Blocks for a second or two
    /// per million records: all are counted.
    pub fn open(folder: &Path, keyring: &Keyring, now: UnixMillis) -> Result<Self, OpenError> {
        Self::open_with(folder, keyring, now, Settings::default())
    }

    fn open_with(
        folder: &Path,
        keyring: &Keyring,
        now: UnixMillis,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        // Rebuilding the path drops a trailing slash, which would put HEAD into the folder.
        let folder: PathBuf = folder.components().collect();
        let (disk, expiries) = open::open(&folder, keyring, now, settings)?;
        let view = Arc::clone(&disk.view);
        let (events, _) = broadcast::channel(EVENTS);
        let (jobs, waiting) = mpsc::sync_channel(settings.queue);
        let committer = Committer { disk, expiries, events: events.clone() };
        let committer = thread::Builder::new()
            .name("store".into())
            .spawn(move || committer.run(&waiting))
            .map_err(OpenError::io(&folder))?;
        Ok(Self { jobs: Some(jobs), view, events, committer: Some(committer), folder })
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, StoreError> {
        self.view.check()?;
        let (answer, outcome) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        match jobs.try_send(job(Answer(answer))) {
            Ok(()) => outcome.await.unwrap_or_else(|_| Err(self.why_ended())),
            Err(TrySendError::Full(_)) => {
                Err(StoreError::Unavailable("too many writes wait for the disk".into()))
            }
            Err(TrySendError::Disconnected(_)) => Err(self.why_ended()),
        }
    }

    fn why_ended(&self) -> StoreError {
        self.view.check().err().unwrap_or_else(ended)
    }
}

#[async_trait]
impl Store for SledStore {
    // Pages of sled are in memory or one short read away, so this does not leave the thread.
    async fn get(&self, now: UnixMillis, key: &Key) -> Result<Option<Record>, StoreError> {
        self.view.check()?;
        check_key(key)?;
        let entry = self.view.entry(&address(key))?;
        Ok(entry.filter(|entry| entry.is_live(now)).map(records::Entry::into_record))
    }

    async fn commit(&self, now: UnixMillis, tx: Vec<Write>) -> Result<Vec<Version>, StoreError> {
        check_transaction(&tx)?;
        self.ask(|answer| Job::Commit { now, tx, answer }).await
    }

    async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: CounterRule,
    ) -> Result<CounterState, StoreError> {
        check_key(key)?;
        self.ask(|answer| Job::Hit { now, key: key.clone(), rule, answer }).await
    }

    async fn counter(&self, now: UnixMillis, key: &Key) -> Result<CounterState, StoreError> {
        self.view.check()?;
        check_key(key)?;
        let entry = self.view.entry(&address(key))?.filter(|entry| entry.is_live(now));
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
        self.view.check()?;
        check_scan(limit)?;
        let prefix = within(space, prefix);
        let after = after.map(|after| within(space, after));
        let view = Arc::clone(&self.view);
        spawn_blocking(move || scan(&view, now, space, &prefix, after, limit))
            .await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    fn is_shared(&self) -> bool {
        false
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
        let mut swept = 0;
        loop {
            let budget = budget.saturating_sub(swept).min(SWEEP);
            let step = self.ask(|answer| Job::Sweep { now, grace, budget, answer }).await?;
            swept += step;
            if step < SWEEP {
                return Ok(swept);
            }
        }
    }

    async fn copy(&self, spaces: &[Space], out: channel::Sender<Copied>) -> Result<(), StoreError> {
        self.view.check()?;
        let (view, spaces) = (Arc::clone(&self.view), spaces.to_vec());
        let nobody = || StoreError::Unavailable("nobody takes the copy any more".to_owned());
        let copying = spawn_blocking(move || {
            let mut give = |copied| out.blocking_send(copied).map_err(|_| nobody());
            copy::copy(&view, &spaces, &mut give)
        });
        copying.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    async fn health(&self) -> Health {
        let folder = self.folder.clone();
        let bytes = spawn_blocking(move || size(&folder)).await.unwrap_or_default();
        Health {
            writable: self.view.check().is_ok(),
            engine: "sled",
            records: self.view.records(),
            bytes,
            place: self.folder.display().to_string(),
            format: records::FORMAT.into(),
            durability: "on this machine's disk, synced before it is answered",
            shared: None,
        }
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.view.check()?;
        let jobs = self.jobs.clone().ok_or_else(ended)?;
        let (answer, outcome) = oneshot::channel();
        // The queue may be full, and closing must not be turned away for that.
        let sent = spawn_blocking(move || jobs.send(Job::Close { answer: Answer(answer) })).await;
        match sent {
            Ok(Ok(())) => outcome.await.unwrap_or_else(|_| Err(self.why_ended())),
            Ok(Err(_)) | Err(_) => Err(self.why_ended()),
        }
    }
}

impl Drop for SledStore {
    // The lock on the folder is free when this returns, or a moment later: what holds on to it can
    // not be waited for here, since another gateway may take the lock at once and keep it.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(committer) = self.committer.take() {
            let _ = committer.join();
        }
        self.view.refuse(ended());
    }
}

fn ended() -> StoreError {
    StoreError::Fatal("its committer has ended".into())
}

fn scan(
    view: &View,
    now: UnixMillis,
    space: Space,
    prefix: &[u8],
    after: Option<Vec<u8>>,
    limit: usize,
) -> Result<Vec<(Key, Record)>, StoreError> {
    let mut found = Vec::new();
    // A cursor before the prefix adds nothing.
    let mut rest = after.filter(|after| after.as_slice() >= prefix);
    loop {
        let from = rest.as_deref().map_or(Bound::Included(prefix), Bound::Excluded);
        let page = view.page(from, prefix)?;
        for (address, stored) in page.found {
            if found.len() == limit {
                return Ok(found);
            }
            let entry = view.codec().decode(&address, &stored)?;
            if entry.is_live(now) {
                let id = address.get(1..).map(Bytes::copy_from_slice).unwrap_or_default();
                found.push((Key { space, id }, entry.into_record()));
            }
        }
        rest = page.rest;
        if rest.is_none() {
            return Ok(found);
        }
    }
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}
