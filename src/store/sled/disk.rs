//! The way of a batch to the disk: sled, `fdatasync`, `HEAD`, and only then the readers. A
//! step that fails leaves the store in doubt, and it is never tried again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ::sled::{Batch, Db, IVec};
use zeroize::Zeroizing;

use super::head::Head;
use super::state::State;
use super::view::{View, in_doubt, unwinding};
use crate::store::StoreError;
use crate::store::records::{Entry, Kind, STATE};

/// What tests set otherwise.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    /// Room that has to be left on the disk. sled moves records about as it writes, so a disk
    /// that is full to the brim would stop it half-way; this is refused before.
    pub(super) spare: u64,
    /// How many requests may wait.
    pub(super) queue: usize,
    /// Makes the database file durable.
    pub(super) sync: fn(&File) -> io::Result<()>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { spare: 32 << 20, queue: 4096, sync: File::sync_data }
    }
}

/// One changed address: what stands there and what comes.
pub(super) struct Change {
    pub(super) before: Option<IVec>,
    pub(super) after: Option<Vec<u8>>,
}

/// The database and all that makes it durable.
pub(super) struct Disk {
    pub(super) db: Db,
    pub(super) file: File,
    pub(super) folder: PathBuf,
    pub(super) head: Head,
    pub(super) view: Arc<View>,
    pub(super) state: State,
    pub(super) settings: Settings,
}

impl Disk {
    /// What stands at `address` after the last batch.
    pub(super) fn read(&self, address: &[u8]) -> Result<Option<IVec>, StoreError> {
        unwinding(|| self.db.get(address).map_err(in_doubt)).inspect_err(|it| self.view.doubt(it))
    }

    /// Refuses where the disk has no room for `changes`.
    pub(super) fn has_room(&self, changes: &BTreeMap<Vec<u8>, Change>) -> Result<(), StoreError> {
        let bytes = changes
            .iter()
            .map(|(address, change)| address.len() + change.after.as_ref().map_or(0, Vec::len))
            .sum::<usize>();
        let wanted = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(self.settings.spare);
        let available = fs2::available_space(&self.folder).map_err(|error| {
            StoreError::Unavailable(format!("its disk does not answer: {error}"))
        })?;
        if available < wanted { Err(StoreError::Full) } else { Ok(()) }
    }

    /// Applies `changes` as one, together with `state`. When this returns they outlast a power
    /// cut; when it fails with [`StoreError::Fatal`] nobody knows whether they do.
    pub(super) fn record(
        &mut self,
        changes: BTreeMap<Vec<u8>, Change>,
        state: State,
    ) -> Result<(), StoreError> {
        self.view.check()?;
        let mut batch = Batch::default();
        batch.insert(STATE, self.sealed(state)?);
        let mut before = BTreeMap::new();
        for (address, change) in changes {
            match change.after {
                Some(stored) => batch.insert(address.as_slice(), stored),
                None => batch.remove(address.as_slice()),
            }
            before.insert(address, change.before);
        }
        self.view.hide(before);
        self.make_durable(batch, state.sequence)?;
        self.view.show(state.records);
        self.state = state;
        Ok(())
    }

    fn sealed(&self, state: State) -> Result<Vec<u8>, StoreError> {
        let payload = Zeroizing::new(state.to_bytes());
        let entry = Entry { kind: Kind::State, version: state.sequence, expires_at: None, payload };
        self.view.codec().encode(STATE, &entry)
    }

    // sled's flush writes the pages but not what makes them reachable after a power cut: on
    // Linux it calls sync_file_range. The database is synced before HEAD, so that HEAD never
    // names what the database lacks.
    fn make_durable(&mut self, batch: Batch, sequence: u64) -> Result<(), StoreError> {
        unwinding(|| {
            self.db.apply_batch(batch).map_err(in_doubt)?;
            self.db.flush().map_err(in_doubt)
        })?;
        (self.settings.sync)(&self.file)
            .map_err(|error| StoreError::Fatal(format!("the disk did not sync: {error}")))?;
        self.head
            .advance(sequence)
            .map_err(|error| StoreError::Fatal(format!("HEAD was not written: {error}")))
    }
}
