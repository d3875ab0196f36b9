//! Making an export while the store is in use: read, sealed and given on piece by piece, so that
//! neither many users nor somebody who reads slowly fill the memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::format::{ExportKey, Writer};
use super::{BackupError, COPIED, LAST_EXPORT, is_copied};
use crate::clock::UnixMillis;
use crate::store::keyring::Keyring;
use crate::store::{Health, Key, Space, Store, StoreError, Write};

/// How much is given on at once, in bytes.
const PIECE: usize = 64 * 1024;
/// Pieces that wait to be taken.
const WAITING: usize = 4;
/// Records that wait to be sealed.
const STEPS: usize = 256;
/// How long a piece waits. Nobody who is gone or very slow holds up the next export.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most records that a scan gives.
const PAGE: usize = 1000;

/// Makes exports of one store, and says how it stands.
#[derive(Clone)]
pub struct Backup {
    store: Arc<dyn Store>,
    key: Arc<ExportKey>,
}

/// How the store stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// How the engine fares.
    pub health: Health,
    /// How many records count in each space.
    pub records: Vec<(Space, u64)>,
    /// When the last export was complete.
    pub last_export: Option<UnixMillis>,
}

/// The record of the last export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastExport {
    at: UnixMillis,
}

impl Backup {
    /// Exports of `store`, sealed under a key of its own.
    pub fn new(store: Arc<dyn Store>, keyring: &Keyring) -> Self {
        Self { store, key: Arc::new(ExportKey::new(keyring)) }
    }

    /// Begins an export: gives where its pieces come from, in order. It is whole when they end
    /// without an error. One is made at a time.
    pub fn export(&self, now: UnixMillis) -> mpsc::Receiver<Result<Bytes, BackupError>> {
        let (out, pieces) = mpsc::channel(WAITING);
        let backup = self.clone();
        tokio::spawn(async move {
            if let Err(error) = backup.write(now, &out).await {
                tracing::error!(%error, "an export of the store was broken off");
                let _nobody_there = tokio::time::timeout(PATIENCE, out.send(Err(error))).await;
            }
        });
        pieces
    }

    async fn write(
        &self,
        now: UnixMillis,
        out: &mpsc::Sender<Result<Bytes, BackupError>>,
    ) -> Result<(), BackupError> {
        let (give, mut steps) = mpsc::channel(STEPS);
        let store = Arc::clone(&self.store);
        let copying = tokio::spawn(async move { store.copy(&COPIED, give).await });
        let (mut writer, mut piece) = Writer::begin(&self.key, now)?;
        while let Some(step) = steps.recv().await {
            if is_copied(step.key()) {
                piece.extend(writer.step(&step)?);
            }
            if piece.len() >= PIECE {
                send(out, std::mem::take(&mut piece)).await?;
            }
        }
        let broken_off = |_| StoreError::Unavailable("the copy was broken off".to_owned());
        copying.await.map_err(broken_off)??;
        let (end, counts) = writer.end()?;
        piece.extend(end);
        self.note(now).await?;
        send(out, piece).await?;
        tracing::info!(records = counts.total(), "the store was exported");
        Ok(())
    }

    async fn note(&self, now: UnixMillis) -> Result<(), StoreError> {
        let malformed = |_| StoreError::Invalid("the time of an export cannot be written");
        let value = serde_json::to_vec(&LastExport { at: now }).map_err(malformed)?;
        let key = Key::new(Space::Config, LAST_EXPORT);
        self.store.commit(now, vec![Write::put(key, value, None)]).await.map(|_| ())
    }

    /// How the store stands. It reads all of it.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn status(&self, now: UnixMillis) -> Result<Status, StoreError> {
        let mut records = Vec::new();
        for space in Space::ALL {
            records.push((space, self.count(now, space).await?));
        }
        let last = self.store.get(now, &Key::new(Space::Config, LAST_EXPORT)).await?;
        let malformed = |_| StoreError::Corrupt("the time of the last export".to_owned());
        let last = last.map(|record| serde_json::from_slice::<LastExport>(&record.value));
        let last_export = last.transpose().map_err(malformed)?.map(|last| last.at);
        Ok(Status { health: self.store.health().await, records, last_export })
    }

    async fn count(&self, now: UnixMillis, space: Space) -> Result<u64, StoreError> {
        let (mut count, mut after): (u64, Option<Bytes>) = (0, None);
        loop {
            let page = self.store.scan(now, space, &[], after.as_deref(), PAGE).await?;
            count = count.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
            if page.len() < PAGE {
                return Ok(count);
            }
            after = page.into_iter().last().map(|(key, _)| key.id);
        }
    }
}

async fn send(
    out: &mpsc::Sender<Result<Bytes, BackupError>>,
    piece: Vec<u8>,
) -> Result<(), BackupError> {
    match tokio::time::timeout(PATIENCE, out.send(Ok(piece.into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(BackupError::NobodyThere),
    }
}
