//! Opening the store, and refusing to. An empty, foreign, old, thinned or damaged store is
//! told from the right one here, before anyone is taken for not enrolled.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::sled::Db;

use super::committer::Expiries;
use super::disk::{Disk, Settings};
use super::head::{Head, sync_folder};
use super::refusal::OpenError;
use super::state::State;
use super::stock::Stock;
use super::view::{View, in_doubt, unwinding};
use crate::clock::UnixMillis;
use crate::store::StoreError;
use crate::store::keyring::Keyring;
use crate::store::records::{Codec, FORMAT, IDENTITY, STATE};
use crate::store::stamp::{BadStamp, Stamp, StampKeys};

/// How far the clock may stand behind the last write: NTP steps that much, an attack more.
const CLOCK_SLACK: Duration = Duration::from_secs(60);
/// One time step ahead of the clock, the furthest a code can have been spent.
const AHEAD: u64 = 30;
/// sled takes a gigabyte unless told.
const CACHE: u64 = 16 << 20;

/// Where a store lies.
struct Place {
    folder: PathBuf,
    head: PathBuf,
}

/// Opens the store in `folder`, or makes it where neither folder nor `HEAD` exists.
pub(super) fn open(
    folder: &Path,
    keyring: &Keyring,
    now: UnixMillis,
    settings: Settings,
) -> Result<(Disk, Expiries), OpenError> {
    let head =
        Head::path(folder).ok_or_else(|| OpenError::Unusable { folder: folder.to_owned() })?;
    let place = Place { folder: folder.to_owned(), head };
    place.prepare(keyring)?;
    let db = place.open_database()?;
    place.restrict().map_err(OpenError::io(&place.folder))?;
    // Read again: only now does sled's lock keep other processes away.
    let head = place
        .read_head(keyring)?
        .ok_or_else(|| OpenError::HeadDamaged { head: place.head.clone() })?;
    let stamp = head.newest();
    let codec = Codec::new(keyring, &stamp.store);
    let is_new = place.recognise(&db, stamp, keyring)?;
    let state =
        if is_new { State::default() } else { place.read_state(&db, &codec, stamp, now)? };
    let expiries = place.take_stock(&db, &codec, &state)?;
    let view = Arc::new(View::new((*db).clone(), codec, state.records));
    let path = place.folder.join("db");
    let file = File::open(&path).map_err(OpenError::io(&path))?;
    let mut disk = Disk { db, file, folder: folder.to_owned(), head, view, state, settings };
    if is_new {
        place.write_identity(&disk.db, stamp, keyring)?;
    }
    place.begin(&mut disk, now)?;
    Ok((disk, expiries))
}

impl Place {
    // HEAD is made before the folder: a crash between the two leaves a HEAD that has seen no
    // transaction, which no store that was ever used has.
    fn prepare(&self, keyring: &Keyring) -> Result<(), OpenError> {
        let filled = self.is_filled()?;
        match self.read_head(keyring)? {
            None if filled => {
                return Err(OpenError::HeadMissing {
                    folder: self.folder.clone(),
                    head: self.head.clone(),
                });
            }
            Some(head) if !filled && head.newest().sequence > 0 => return Err(self.missing()),
            Some(_) => {}
            None => self.create_head(keyring)?,
        }
        if !self.folder.exists() {
            let made = DirBuilder::new().mode(0o700).create(&self.folder);
            made.or_else(unless_it_exists).map_err(OpenError::io(&self.folder))?;
        }
        let mode = fs::metadata(&self.folder).map_err(OpenError::io(&self.folder))?.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(OpenError::Exposed { folder: self.folder.clone(), mode });
        }
        Ok(())
    }

    // sled would make a missing `db` anew, so a folder without it counts as empty.
    fn is_filled(&self) -> Result<bool, OpenError> {
        match fs::read_dir(&self.folder) {
            Ok(mut entries) => Ok(entries.next().is_some()
                && (self.folder.join("db").exists() || !self.head.exists())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(OpenError::io(&self.folder)(error)),
        }
    }

    fn create_head(&self, keyring: &Keyring) -> Result<(), OpenError> {
        if let Some(parent) = self.folder.parent().filter(|it| !it.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
            made.map_err(OpenError::io(parent))?;
        }
        let mut store = [0; 16];
        getrandom::fill(&mut store).map_err(|_| OpenError::Randomness)?;
        // Another process may start for the first time too; the lock decides between them.
        Head::create(&self.head, &StampKeys::new(keyring), store)
            .or_else(unless_it_exists)
            .map_err(OpenError::io(&self.head))
    }

    fn read_head(&self, keyring: &Keyring) -> Result<Option<Head>, OpenError> {
        let read = Head::open(&self.head, StampKeys::new(keyring));
        match read.map_err(OpenError::io(&self.head))? {
            None => Ok(None),
            Some(Ok(head)) => Ok(Some(head)),
            Some(Err(BadStamp::Damaged)) => Err(OpenError::HeadDamaged { head: self.head.clone() }),
            Some(Err(bad)) => Err(self.bad_stamp(bad)),
        }
    }

    fn open_database(&self) -> Result<Db, OpenError> {
        let config = ::sled::Config::default().path(&self.folder).cache_capacity(CACHE);
        let opened = unwinding(|| Ok(config.open()));
        match opened.map_err(|error| self.damaged(&error))? {
            Ok(db) => Ok(db),
            Err(::sled::Error::Io(error)) if error.to_string().contains("acquire lock") => {
                Err(OpenError::Locked { folder: self.folder.clone() })
            }
            Err(error) => Err(self.damaged(&in_doubt(error))),
        }
    }

    // sled makes its files as the umask has it.
    fn restrict(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let mode = if entry.file_type()?.is_dir() { 0o700 } else { 0o600 };
            match fs::set_permissions(entry.path(), Permissions::from_mode(mode)) {
                // sled clears its snapshots away in the background.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Whether the database is new; fails where it is not the one of `stamp`.
    fn recognise(&self, db: &Db, stamp: Stamp, keyring: &Keyring) -> Result<bool, OpenError> {
        let identity = self.read(|| db.get(IDENTITY))?;
        let Some(identity) = identity else {
            let is_empty = self.read(|| db.first())?.is_none();
            return if is_empty && stamp.sequence == 0 { Ok(true) } else { Err(self.missing()) };
        };
        match Stamp::read(&identity, &StampKeys::new(keyring)) {
            Ok(Stamp { store, .. }) if store == stamp.store => Ok(false),
            Ok(_) => {
                Err(OpenError::Foreign { folder: self.folder.clone(), head: self.head.clone() })
            }
            Err(bad) => Err(self.bad_stamp(bad)),
        }
    }

    fn read_state(
        &self,
        db: &Db,
        codec: &Codec,
        stamp: Stamp,
        now: UnixMillis,
    ) -> Result<State, OpenError> {
        let unreadable =
            || self.damaged(&StoreError::Corrupt("what it says of itself does not open".into()));
        let (folder, head) = (self.folder.clone(), self.head.clone());
        let stored = self.read(|| db.get(STATE))?;
        let entry = match stored {
            Some(stored) => codec.decode(STATE, &stored).map_err(|_| unreadable())?,
            // Identity and state are written in turn when the store is made.
            None if stamp.sequence == 0 => return Ok(State::default()),
            None => return Err(unreadable()),
        };
        let state = State::from_bytes(&entry.payload).ok_or_else(unreadable)?;
        if state.sequence < stamp.sequence {
            let (have, want) = (state.sequence, stamp.sequence);
            return Err(OpenError::RolledBack { folder, head, have, want });
        }
        if now.plus(CLOCK_SLACK) < state.latest {
            let (now, latest) = (now.0, state.latest.0);
            return Err(OpenError::ClockBehind { folder, now, latest });
        }
        Ok(state)
    }

    /// Counts what is there against what should be.
    fn take_stock(&self, db: &Db, codec: &Codec, state: &State) -> Result<Expiries, OpenError> {
        let stock = Stock::take(db, codec).map_err(|error| self.damaged(&error))?;
        let Stock { found, expiries } = stock;
        if (found.records, found.fingerprint) == (state.records, state.fingerprint) {
            return Ok(expiries);
        }
        Err(OpenError::Incomplete {
            folder: self.folder.clone(),
            head: self.head.clone(),
            expected: state.records,
            found: found.records,
        })
    }

    fn write_identity(&self, db: &Db, stamp: Stamp, keyring: &Keyring) -> Result<(), OpenError> {
        let identity = stamp.to_bytes(&StampKeys::new(keyring));
        self.read(|| db.insert(IDENTITY, identity).and_then(|_| db.flush()))?;
        let synced = self.sync_all();
        synced.map_err(OpenError::io(&self.folder))
    }

    fn sync_all(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            File::open(entry?.path())?.sync_all()?;
        }
        File::open(&self.folder)?.sync_all()?;
        sync_folder(&self.folder)
    }

    // After an end out of order nobody knows which codes were spent without their answer, so
    // all up to now are held for spent. It costs a user a minute and a half at most.
    fn begin(&self, disk: &mut Disk, now: UnixMillis) -> Result<(), OpenError> {
        let mut state = disk.state;
        if state.sequence > 0 && !state.closed {
            state.floor = state.floor.max(now.seconds().saturating_add(AHEAD));
        }
        state.closed = false;
        state.sequence = state.sequence.saturating_add(1);
        state.latest = state.latest.max(now);
        disk.record(std::collections::BTreeMap::new(), state).map_err(|error| self.damaged(&error))
    }

    fn read<T>(&self, work: impl FnOnce() -> ::sled::Result<T>) -> Result<T, OpenError> {
        unwinding(|| work().map_err(in_doubt)).map_err(|error| self.damaged(&error))
    }

    fn missing(&self) -> OpenError {
        OpenError::Missing { folder: self.folder.clone(), head: self.head.clone() }
    }

    fn damaged(&self, error: &StoreError) -> OpenError {
        OpenError::Damaged { folder: self.folder.clone(), what: error.to_string() }
    }

    fn bad_stamp(&self, bad: BadStamp) -> OpenError {
        let folder = self.folder.clone();
        match bad {
            BadStamp::Newer(found) => OpenError::Newer { folder, found, known: FORMAT.into() },
            BadStamp::OtherKey => OpenError::OtherKey { folder },
            BadStamp::Damaged => {
                self.damaged(&StoreError::Corrupt("its identity does not open".into()))
            }
        }
    }
}

fn unless_it_exists(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}
