//! Tests of the sled engine: the suite of all engines, and what can go wrong with its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::new::await_release;
use super::*;
use crate::config::{MasterKey, Secret};
use crate::store::conformance::{Engine, NOW, conformance};
use crate::store::{Expect, MAX_WRITES, Write};

mod copy;
mod damage;
mod doubt;
mod kill;
mod refusals;

/// A keyring whose master key is 32 times `byte`.
pub(in crate::store) fn keyring(byte: u8) -> Keyring {
    Keyring::load(&MasterKey::Given(Secret::new(vec![byte; 32]))).unwrap()
}

/// A folder in which a store comes to lie.
pub(super) struct Home(TempDir);

impl Home {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("store")
    }

    fn head(&self) -> PathBuf {
        self.0.path().join("store.head")
    }

    /// The folder once nobody holds on to what is in it. A process that another test starts just
    /// now has our files too until it is itself, the lock of a store that was closed included.
    fn released(&self) -> PathBuf {
        let folder = self.folder();
        if folder.join("db").exists() {
            await_release(&folder).unwrap();
        }
        folder
    }

    fn try_open(&self) -> Result<SledStore, OpenError> {
        SledStore::open(&self.released(), &keyring(1), NOW)
    }

    fn open(&self) -> SledStore {
        self.try_open().unwrap()
    }

    /// The database beneath the store.
    fn raw(&self) -> ::sled::Db {
        ::sled::open(self.released()).unwrap()
    }

    /// What the refusal says.
    fn refusal(&self) -> String {
        match self.try_open() {
            Ok(_) => panic!("the store opened"),
            Err(error) => error.to_string(),
        }
    }

    /// A copy of folder and `HEAD`.
    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(&self.folder(), &copy.folder());
        fs::copy(self.head(), copy.head()).unwrap();
        copy
    }
}

impl Engine for Home {
    type Store = SledStore;

    async fn open(&self) -> SledStore {
        Self::open(self)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn user(number: u32) -> Key {
    Key::new(Space::Factor, number.to_be_bytes().to_vec())
}

fn secret(number: u32) -> Vec<u8> {
    format!("secret of {number} ").repeat(12).into_bytes()
}

async fn enrol(store: &SledStore, users: std::ops::Range<u32>) {
    for part in users.collect::<Vec<_>>().chunks(MAX_WRITES) {
        let tx = part.iter().map(|number| Write::put(user(*number), secret(*number), None));
        store.commit(NOW, tx.collect()).await.unwrap();
    }
}

conformance!(Home::new());
