//! Under which name this gateway keeps its log, where several share a store. Each has a log of
//! its own, and the store knows how far each goes; of one name there is one at a time.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use fs2::FileExt as _;
use sha2::{Digest as _, Sha256};

use super::OpenAuditError;
use super::files::FileError;
use crate::store::turn::{LEASE, Pinned, Turn, TurnName, Turns};
use crate::store::{AUDIT_HEAD, Key, Space, StoreError};

/// The name of a log, and that nobody else has it.
pub(super) struct LogName {
    turns: Turns,
    name: TurnName,
    turn: Turn,
    key: Key,
    /// Held for as long as the log is written to.
    _lock: Option<File>,
}

impl LogName {
    /// Takes the name `node`. A gateway that died a moment ago may have it still, and is waited
    /// for.
    ///
    /// # Errors
    /// When another one has it, or the file at `place` is written to by another process.
    pub(super) async fn take(
        node: &str,
        place: &Path,
        turns: &Turns,
    ) -> Result<Self, OpenAuditError> {
        let key = key_of(node, turns);
        let name = TurnName::Node(hashed(node));
        let lock = match turns.are_needed() {
            true => Some(locked(place)?),
            false => None,
        };
        let patience = LEASE + Duration::from_secs(5);
        let turn = turns.take(&[name], patience).await.map_err(|error| match error {
            StoreError::Unavailable(_) => OpenAuditError::NameTaken { node: node.to_owned() },
            error => error.into(),
        })?;
        Ok(Self { turns: turns.clone(), name, turn, key, _lock: lock })
    }

    /// Where the store keeps how far the log goes.
    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    /// The name for a transaction that depends on it. One that was lost while the store could
    /// not be reached is taken again, unless another gateway has it by now.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another one has it, or when the store is in doubt.
    pub(super) async fn pinned(&mut self, is_lost: bool) -> Result<Pinned<'_>, StoreError> {
        if is_lost {
            let taken = self.turns.take(&[self.name], Duration::ZERO).await;
            self.turn = taken.map_err(|error| match error {
                StoreError::Unavailable(_) => StoreError::Conflict { index: 0 },
                error => error,
            })?;
        }
        self.turn.pinned().await
    }

    /// Lets another one have the name.
    pub(super) async fn give_back(self) {
        self.turn.give_back().await;
    }
}

/// One gateway that has the store alone needs no name.
fn key_of(node: &str, turns: &Turns) -> Key {
    let node = match turns.are_needed() {
        true => format!("/{node}"),
        false => String::new(),
    };
    Key::new(Space::Config, [AUDIT_HEAD, node.as_bytes()].concat())
}

fn hashed(node: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(node.as_bytes()).into();
    let mut half = [0; 16];
    half.copy_from_slice(digest.split_at(16).0);
    half
}

/// Of two gateways on one machine that share a store, only one may write to a file.
fn locked(place: &Path) -> Result<File, FileError> {
    super::files::prepare(place)?;
    let mut name = place.as_os_str().to_owned();
    name.push(".lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(name);
    let lock = lock.map_err(FileError::at(place))?;
    lock.try_lock_exclusive().map_err(|_| FileError::InUse { path: place.to_owned() })?;
    Ok(lock)
}
