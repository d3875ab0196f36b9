//! Taking an export in where no store is. It is read whole before anything is written, and what
//! is written lies aside until all of it is there.

use std::fs::File;
use std::io::{BufReader, Seek as _};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::format::{Counts, ExportKey, Reader};
use super::{BackupError, IMPORTED, is_behind};
use crate::clock::UnixMillis;
use crate::config::StoreConfig;
use crate::store::keyring::Keyring;
use crate::store::{Copied, Key, Leaf, NewStore, Sort, Space, Store, StoreError, Write};

/// Records that become durable together.
const AT_ONCE: usize = 256;

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When it was made.
    pub made: UnixMillis,
    /// What it holds.
    pub counts: Counts,
}

/// The record that a copy was taken in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    made: UnixMillis,
    at: UnixMillis,
    records: u64,
}

/// Reads an export from its beginning to its end, and hears how far it is, in bytes.
///
/// # Errors
/// When it is not whole, or not under this key.
pub fn read_whole(
    file: &File,
    keyring: &Keyring,
    far: &mut dyn FnMut(u64),
) -> Result<Taken, BackupError> {
    let key = ExportKey::new(keyring);
    let mut reader = Reader::open(&key, BufReader::new(file))?;
    while reader.step()?.is_some() {
        far(reader.so_far());
    }
    Ok(Taken { made: reader.made(), counts: reader.counts().clone() })
}

/// Takes an export into a new store where `config` says. Every code of a moment up to now counts as
/// spent there, and up to the moment at which a gateway first opens it.
///
/// # Errors
/// When the export is not whole, or there is a store already; then nothing was written.
pub async fn put_back(
    mut file: &File,
    config: &StoreConfig,
    keyring: &Keyring,
    now: UnixMillis,
    far: &mut dyn FnMut(u64),
) -> Result<Taken, BackupError> {
    let taken = read_whole(file, keyring, far)?;
    if is_behind(now, taken.made) {
        return Err(BackupError::ClockBehind { made: taken.made.in_words() });
    }
    let store = NewStore::begin(config, keyring, now, taken.made).await?;
    file.rewind()?;
    let key = ExportKey::new(keyring);
    let mut reader = Reader::open(&key, BufReader::new(file))?;
    let read_before = reader.so_far();
    let mut steps = Vec::with_capacity(AT_ONCE);
    while let Some(step) = reader.step()? {
        steps.push(step);
        if steps.len() == AT_ONCE {
            store.fill(now, std::mem::take(&mut steps)).await?;
            far(reader.so_far().saturating_sub(read_before));
        }
    }
    steps.push(note_of(&taken, now)?);
    store.fill(now, steps).await?;
    // The file may be another by now; the one that was read first is what was asked for.
    let (expected, found) = (taken.counts.total().saturating_add(1), store.records().await?);
    if *reader.counts() != taken.counts || reader.made() != taken.made || expected != found {
        return Err(BackupError::Miscounted { expected, found });
    }
    store.finish().await?;
    Ok(taken)
}

fn note_of(taken: &Taken, at: UnixMillis) -> Result<Copied, StoreError> {
    let note = Import { made: taken.made, at, records: taken.counts.total() };
    let malformed = |_| StoreError::Invalid("an import cannot be written down");
    let payload = Zeroizing::new(serde_json::to_vec(&note).map_err(malformed)?);
    let leaf = Leaf { sort: Sort::Value, payload, expires_at: None };
    Ok(Copied::New(Key::new(Space::Config, Bytes::from_static(IMPORTED)), leaf))
}

/// What was taken in and not told of yet: how many records, and of which moment.
///
/// # Errors
/// When the store is in doubt.
pub async fn imported(
    store: &dyn Store,
    now: UnixMillis,
) -> Result<Option<(u64, UnixMillis)>, StoreError> {
    let found = store.get(now, &Key::new(Space::Config, IMPORTED)).await?;
    let malformed = |_| StoreError::Corrupt("the note of an import".to_owned());
    let note = found.map(|record| serde_json::from_slice::<Import>(&record.value));
    let note = note.transpose().map_err(malformed)?;
    Ok(note.map(|note| (note.records, note.made)))
}

/// Takes note that it was told of.
///
/// # Errors
/// When that is not on disk.
pub async fn import_told(store: &dyn Store, now: UnixMillis) -> Result<(), StoreError> {
    let gone = Write::delete(Key::new(Space::Config, IMPORTED));
    store.commit(now, vec![gone]).await.map(|_| ())
}
