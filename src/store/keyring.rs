//! The master key and the keys that come from it. Each purpose has a key of its own, named by
//! a label, so that no two purposes ever share one; none is shown, all are wiped.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::config::MasterKey;

/// Longer than any well-formed key file, so that a wrong path does not fill the memory.
const LONGEST_FILE: u64 = 1024;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file cannot be read.
    #[error("cannot read the master key {}: {source}; let the user that runs Portcullis read it", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// There is no file, and none can be made.
    #[error("cannot make the master key {}: {source}; let the user that runs Portcullis write to its folder, or put a key there yourself", .path.display())]
    Unmakeable { path: PathBuf, source: io::Error },
    /// Others than the owner can get at the file.
    #[error("the master key {} has mode {mode:04o}, so others than its owner can get at it; run `chmod 600 {}` and consider the key known", .path.display(), .path.display())]
    Exposed { path: PathBuf, mode: u32 },
    /// The file holds something else.
    #[error("the master key {} is not 32 bytes in base64; put the right file back, or remove it if nothing was ever stored under it", .path.display())]
    Malformed { path: PathBuf },
    /// The environment or the credential holds something else.
    #[error(
        "the given master key is not 32 bytes in base64; make one with `openssl rand -base64 32`"
    )]
    MalformedGiven,
    /// The system gave no random bytes for a new key.
    #[error(
        "the system gives no random bytes for a master key: {0}; try again when it has started up"
    )]
    Randomness(String),
}

/// All keys of an installation.
pub struct Keyring {
    master: Zeroizing<[u8; 32]>,
    identifiers: Zeroizing<[u8; 32]>,
}

impl Keyring {
    /// Loads the master key, and makes its file on first start.
    pub fn load(source: &MasterKey) -> Result<Self, KeyringError> {
        let master = match source {
            MasterKey::File(path) if matches!(path.try_exists(), Ok(false)) => make(path)?,
            MasterKey::File(_) | MasterKey::Given(_) => read(source)?,
        };
        let identifiers = expand(&master, "identifier");
        Ok(Self { master, identifiers })
    }

    /// Loads the master key that there is, and makes none.
    pub fn existing(source: &MasterKey) -> Result<Self, KeyringError> {
        let master = read(source)?;
        let identifiers = expand(&master, "identifier");
        Ok(Self { master, identifiers })
    }

    /// Whether the key at `source` is the one that this ring was made from. None is made.
    pub fn is_of(&self, source: &MasterKey) -> bool {
        read(source).is_ok_and(|master| bool::from(master.ct_eq(&*self.master)))
    }

    /// The key for the purpose `label` (HKDF-SHA256, RFC 5869).
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        expand(&self.master, label)
    }

    /// A keyed hash of `parts` that stands for them in the store: it names no person to whoever
    /// reads the disk. Lengths are hashed too, so `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn id(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = mac(&self.identifiers);
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        first_half(mac)
    }
}

/// An HMAC-SHA256 under a derived key.
pub(in crate::store) fn mac(key: &Zeroizing<[u8; 32]>) -> Hmac<Sha256> {
    // RFC 2104 pads a short key with zeros to the block length: done here, it cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key.iter()) {
        *to = *from;
    }
    Hmac::new((&*block).into())
}

/// The first 128 bits of a finished HMAC.
pub(in crate::store) fn first_half(mac: Hmac<Sha256>) -> [u8; 16] {
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(whole) {
        *to = from;
    }
    half
}

fn expand(master: &Zeroizing<[u8; 32]>, label: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let hkdf = Hkdf::<Sha256>::new(Some(b"portcullis v1"), master.as_slice());
    // RFC 5869 gives up to 255 blocks of 32 bytes; this asks for one.
    #[allow(clippy::expect_used, reason = "one block is never too many")]
    hkdf.expand(label.as_bytes(), key.as_mut_slice()).expect("one block of HKDF-SHA256");
    key
}

fn read(source: &MasterKey) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    match source {
        MasterKey::File(path) => from_file(path),
        MasterKey::Given(secret) => {
            let given = <[u8; 32]>::try_from(secret.reveal());
            Ok(Zeroizing::new(given.map_err(|_| KeyringError::MalformedGiven)?))
        }
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let unreadable = |source| KeyringError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    // The mode of the opened file, not of what the path may name a moment later.
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyringError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(Vec::new());
    file.take(LONGEST_FILE).read_to_end(&mut text).map_err(unreadable)?;
    decode(&text).ok_or_else(|| KeyringError::Malformed { path: path.to_owned() })
}

fn decode(text: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(STANDARD.decode(text.trim_ascii()).ok()?);
    let key: &[u8; 32] = bytes.as_slice().try_into().ok()?;
    Some(Zeroizing::new(*key))
}

fn make(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice())
        .map_err(|error| KeyringError::Randomness(error.to_string()))?;
    keep(path, &Zeroizing::new(STANDARD.encode(key.as_slice()) + "\n"))
        .map_err(|source| KeyringError::Unmakeable { path: path.to_owned(), source })?;
    Ok(key)
}

// A key that a crash could lose would lose the store with it: file and folder are synced
// before anything is sealed.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
