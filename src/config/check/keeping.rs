//! Where things are kept: the store, and the key that seals it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

#[cfg(feature = "etcd")]
use crate::config::EtcdConfig;
use crate::config::fault::Findings;
use crate::config::file::{Engine, KeysFile, StoreFile};
use crate::config::key_path::KeyPath;
use crate::config::secret::{Secret, SecretSource};
use crate::config::surroundings::Surroundings;
use crate::config::{MasterKey, PostgresConfig, PostgresTls, StoreConfig};

/// Length of the master key.
const MASTER_KEY: usize = 32;

/// The engine and where it keeps things.
pub(super) fn store(
    written: Option<StoreFile>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<StoreConfig> {
    let written = findings.required(at, written, "add store: { path: data/store }")?;
    match written.engine.unwrap_or(Engine::Sled) {
        Engine::Sled => {
            misplaced(written.url.is_some(), &at.key("url"), "sled", findings);
            let replication = written.require_sync_replication.is_some();
            misplaced(replication, &at.key("require_sync_replication"), "sled", findings);
            folder(written.path, &at.key("path"), around, findings)
        }
        Engine::Postgres => {
            misplaced(written.path.is_some(), &at.key("path"), "postgres", findings);
            let is_sync = written.require_sync_replication.unwrap_or(true);
            postgres(written.url, is_sync, &at.key("url"), around, findings)
        }
        #[cfg(feature = "etcd")]
        Engine::Etcd => {
            misplaced(written.path.is_some(), &at.key("path"), "etcd", findings);
            let replication = written.require_sync_replication.is_some();
            misplaced(replication, &at.key("require_sync_replication"), "etcd", findings);
            etcd(written.url, &at.key("url"), around, findings)
        }
        #[cfg(not(feature = "etcd"))]
        Engine::Etcd => {
            let mend = "use a build with the feature etcd, or the engine postgres";
            findings.fault(&at.key("engine"), "is etcd, which this build does not have", mend);
            None
        }
    }
}

/// A key that another engine takes: whoever wrote it expects something that does not come.
fn misplaced(is_written: bool, at: &KeyPath, engine: &str, findings: &mut Findings) {
    if is_written {
        let what = format!("is nothing that the engine {engine} takes");
        findings.fault(at, what, "remove it, or name the engine that it is for");
    }
}

fn folder(
    written: Option<PathBuf>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<StoreConfig> {
    let path = findings.required(at, written, "name the folder of the store")?;
    if path.as_os_str().is_empty() {
        findings.fault(at, "is empty", "name the folder of the store");
        return None;
    }
    let path = around.locate(&path);
    around.leave_out(&path);
    if path.exists() && !path.is_dir() {
        findings.fault(at, format!("{} is not a folder", path.display()), "name a folder");
        return None;
    }
    Some(StoreConfig::Sled { path })
}

fn postgres(
    written: Option<SecretSource>,
    require_sync_replication: bool,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<StoreConfig> {
    let form = "write postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?sslmode=verify-full";
    let url = url(written, form, at, around, findings)?;
    match PostgresConfig::parse(&url, require_sync_replication) {
        Ok(mut config) => {
            if let PostgresTls::Verified { roots: Some(roots) } = &mut config.tls {
                *roots = around.locate(roots);
            }
            Some(StoreConfig::Postgres(config))
        }
        Err(error) => {
            findings.fault(at, error.to_string(), form);
            None
        }
    }
}

#[cfg(feature = "etcd")]
fn etcd(
    written: Option<SecretSource>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<StoreConfig> {
    let form = "write https://USER:PASSWORD@HOST:PORT,HOST:PORT/PREFIX?ca=FILE";
    let url = url(written, form, at, around, findings)?;
    match EtcdConfig::parse(&url) {
        Ok(mut config) => {
            config.authorities = config.authorities.map(|file| around.locate(&file));
            Some(StoreConfig::Etcd(config))
        }
        Err(error) => {
            findings.fault(at, error.to_string(), form);
            None
        }
    }
}

/// The url, which may hold a password.
fn url(
    written: Option<SecretSource>,
    form: &str,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Zeroizing<String>> {
    let source = findings.required(at, written, "say where the url is: file:PATH or env:NAME")?;
    let url = match source.fetch(around) {
        Ok(url) => url,
        Err(error) => {
            findings.note(at, error.to_string());
            return None;
        }
    };
    let Ok(url) = std::str::from_utf8(url.reveal().trim_ascii()) else {
        findings.fault(at, "is no text", form);
        return None;
    };
    Some(Zeroizing::new(url.to_owned()))
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
    let (Some(folder), Some(MasterKey::File(key))) = (store.and_then(StoreConfig::folder), key)
    else {
        return;
    };
    if plain(key).starts_with(plain(folder)) {
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
