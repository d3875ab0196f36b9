//! Where things are kept: the store, and the key that seals it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::config::fault::Findings;
use crate::config::file::{Engine, KeysFile, StoreFile};
use crate::config::key_path::KeyPath;
use crate::config::secret::{Secret, SecretSource};
use crate::config::surroundings::Surroundings;
use crate::config::{MasterKey, StoreConfig};

/// Length of the master key.
const MASTER_KEY: usize = 32;

/// The store's folder.
pub(super) fn store(
    written: Option<StoreFile>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<StoreConfig> {
    let written = findings.required(at, written, "add store: { path: data/store }")?;
    match written.engine.unwrap_or(Engine::Sled) {
        Engine::Sled => {}
    }
    let at = at.key("path");
    let path = findings.required(&at, written.path, "name the folder of the store")?;
    if path.as_os_str().is_empty() {
        findings.fault(&at, "is empty", "name the folder of the store");
        return None;
    }
    let path = around.locate(&path);
    around.leave_out(&path);
    if path.exists() && !path.is_dir() {
        findings.fault(&at, format!("{} is not a folder", path.display()), "name a folder");
        return None;
    }
    Some(StoreConfig { path })
}

/// The master key, or where it will be made.
pub(super) fn master_key(
    written: Option<KeysFile>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<MasterKey> {
    let mend = "add keys: { master: file:secrets/master.key }";
    let written = findings.required(at, written, mend)?;
    let at = at.key("master");
    let source = findings.required(&at, written.master, "write file:PATH")?;
    if let SecretSource::File(path) = &source {
        let path = around.locate(path);
        // Only a file that is certainly absent is made new on the first start: one that
        // cannot be looked at may be the key of a store that is in use.
        if !matches!(path.try_exists(), Ok(false)) {
            decode(&source, &at, around, findings)?;
            warn_if_open(&path, &at, findings);
        }
        around.leave_out(&path);
        return Some(MasterKey::File(path));
    }
    decode(&source, &at, around, findings).map(MasterKey::Given)
}

fn decode(
    source: &SecretSource,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    let text = match source.fetch(around) {
        Ok(text) => text,
        Err(error) => {
            findings.note(at, error.to_string());
            return None;
        }
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.reveal().len()));
    let decoded = STANDARD.decode_vec(text.reveal().trim_ascii(), &mut bytes);
    if decoded.is_err() || bytes.len() != MASTER_KEY {
        let what = format!("is not {MASTER_KEY} bytes in base64");
        findings.fault(at, what, "restore the key; a new store may take: openssl rand -base64 32");
        return None;
    }
    Some(Secret::new(std::mem::take(&mut *bytes)))
}

/// A key beside what it seals is copied and stolen together with it.
pub(super) fn stand_apart(
    store: Option<&StoreConfig>,
    key: Option<&MasterKey>,
    findings: &mut Findings,
) {
    let (Some(store), Some(MasterKey::File(key))) = (store, key) else {
        return;
    };
    if plain(key).starts_with(plain(&store.path)) {
        findings.warn(
            &KeyPath::root().key("keys").key("master"),
            "is inside the store's folder, so whoever copies the store has its key",
            "keep it elsewhere",
        );
    }
}

/// The path without links where it exists, and without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let mut plain = PathBuf::new();
    for component in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    plain
}

/// A secret as its source has it, with a warning where others can read it there.
pub(super) fn fetched(
    source: &SecretSource,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    let secret = source.fetch(around).map_err(|error| findings.note(at, error.to_string())).ok()?;
    if let SecretSource::File(path) = source {
        warn_if_open(&around.locate(path), at, findings);
    }
    Some(secret)
}

/// Warns about a key that other users of the machine can read.
pub(super) fn warn_if_open(path: &Path, at: &KeyPath, findings: &mut Findings) {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        let what = format!("{} is open to other users of this machine", path.display());
        findings.warn(at, what, "take their rights away: chmod 600");
    }
}
