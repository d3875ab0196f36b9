//! A store that is filled from a copy. It grows beside the place where it is to lie and is put
//! there whole in the end, so that no gateway ever opens a part of it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use fs2::FileExt;

use super::committer::Job;
use super::head::{Head, sync_folder};
use super::{OpenError, SledStore};
use crate::clock::UnixMillis;
use crate::store::keyring::Keyring;
use crate::store::{Copied, Store as _, StoreError};

/// One time step ahead of the clock, the furthest a code can have been spent.
const AHEAD: u64 = 30;

/// A store on its way to its place. Dropped before it is there, nothing of it is left.
pub struct NewStore {
    store: Option<SledStore>,
    beside: Place,
    place: Place,
    floor: u64,
}

/// A folder with its `HEAD`.
struct Place {
    folder: PathBuf,
    head: PathBuf,
}

impl Place {
    fn of(folder: PathBuf) -> Result<Self, OpenError> {
        match Head::path(&folder) {
            Some(head) => Ok(Self { folder, head }),
            None => Err(OpenError::Unusable { folder }),
        }
    }

    fn is_empty(&self) -> Result<bool, OpenError> {
        if self.head.exists() {
            return Ok(false);
        }
        match fs::read_dir(&self.folder) {
            Ok(mut entries) => Ok(entries.next().is_none()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(OpenError::io(&self.folder)(error)),
        }
    }
}

impl NewStore {
    /// Begins a store for `folder`, where none may be. No code of a moment up to `now` or up to
    /// `made`, when the copy was made, will count there.
    ///
    /// # Errors
    /// When there is a store already, or none can be made.
    pub fn begin(
        folder: &Path,
        keyring: &Keyring,
        now: UnixMillis,
        made: UnixMillis,
    ) -> Result<Self, OpenError> {
        let place = Place::of(folder.components().collect())?;
        let mut name = place.folder.file_name().unwrap_or_default().to_owned();
        name.push(".import");
        let beside = Place::of(place.folder.with_file_name(name))?;
        if !place.is_empty()? {
            return Err(OpenError::NotEmpty { folder: place.folder, head: place.head });
        }
        if beside.folder.exists() || beside.head.exists() {
            return Err(OpenError::HalfFilled { folder: beside.folder, head: beside.head });
        }
        let store = SledStore::open(&beside.folder, keyring, now)?;
        let floor = now.max(made).seconds().saturating_add(AHEAD);
        Ok(Self { store: Some(store), beside, place, floor })
    }

    /// Takes up steps of a copy, in their order; they are on disk when this returns.
    ///
    /// # Errors
    /// When they do not fit what came before, or the disk does not take them.
    pub async fn fill(&self, now: UnixMillis, steps: Vec<Copied>) -> Result<(), StoreError> {
        let floor = self.floor;
        let store = self.store.as_ref().ok_or(StoreError::Invalid("the store is filled"))?;
        store.ask(|answer| Job::Fill { now, steps, floor, answer }).await
    }

    /// How many records there are.
    pub async fn records(&self) -> u64 {
        match &self.store {
            Some(store) => store.health().await.records,
            None => 0,
        }
    }

    /// Puts the store into its place.
    ///
    /// # Errors
    /// When it cannot be put there; then nothing is.
    pub fn finish(mut self) -> Result<(), OpenError> {
        // It is not closed: so it counts as ended by a crash, and whoever opens it burns every
        // code up to that moment. The gateway that was copied may have taken some until then.
        drop(self.store.take());
        let (from, to) = (&self.beside, &self.place);
        await_release(&from.folder)?;
        fs::rename(&from.folder, &to.folder).map_err(OpenError::io(&to.folder))?;
        sync_folder(&to.folder).map_err(OpenError::io(&to.folder))?;
        // In between the store has no HEAD, and is refused.
        fs::rename(&from.head, &to.head).map_err(OpenError::io(&to.head))?;
        sync_folder(&to.head).map_err(OpenError::io(&to.head))
    }
}

/// A thread of sled's, or a child of ours that is about to begin, may hold on to the lock a moment
/// longer than the store: whoever opened it next would be told that it is in use.
pub(super) fn await_release(folder: &Path) -> Result<(), OpenError> {
    let locked = folder.join("db");
    let file = File::open(&locked).map_err(OpenError::io(&locked))?;
    file.lock_exclusive().and_then(|()| FileExt::unlock(&file)).map_err(OpenError::io(&locked))
}

impl Drop for NewStore {
    fn drop(&mut self) {
        drop(self.store.take());
        // What is left is said to be half-filled by the next import, with what to do.
        let _ = fs::remove_dir_all(&self.beside.folder);
        let _ = fs::remove_file(&self.beside.head);
    }
}
