//! How a store says which it is, and under which master key: bytes that nobody makes without
//! that key. They stand in the open, so that another key is told from damage.

use hmac::Mac;
use zeroize::Zeroizing;

use super::keyring::{Keyring, first_half, mac};
use super::records::FORMAT;

const MAGIC: &[u8; 16] = b"portcullis store";
/// How long a stamp is, in bytes.
pub(in crate::store) const STAMP: usize = 82;

/// The keys that stamp and tell stamps.
pub(in crate::store) struct StampKeys {
    mac: Zeroizing<[u8; 32]>,
    /// Names the master key without telling it.
    name: [u8; 8],
}

impl StampKeys {
    pub(in crate::store) fn new(keyring: &Keyring) -> Self {
        let named = mac(&keyring.derive("store key name"));
        let mut name = [0; 8];
        for (to, from) in name.iter_mut().zip(first_half(named)) {
            *to = from;
        }
        Self { mac: keyring.derive("store head"), name }
    }
}

/// A store and a moment in its life, as stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Stamp {
    /// Which store.
    pub(in crate::store) store: [u8; 16],
    /// The last transaction that was answered.
    pub(in crate::store) sequence: u64,
}

/// Why bytes are no stamp of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum BadStamp {
    /// A later version of Portcullis wrote it.
    Newer(u16),
    /// It was made under another master key.
    OtherKey,
    /// It is torn or was tampered with.
    Damaged,
}

impl Stamp {
    pub(in crate::store) fn to_bytes(self, keys: &StampKeys) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(STAMP);
        bytes.extend(MAGIC);
        bytes.extend(u16::from(FORMAT).to_be_bytes());
        bytes.extend(keys.name);
        bytes.extend(self.store);
        bytes.extend(self.sequence.to_be_bytes());
        let mut mac = mac(&keys.mac);
        mac.update(&bytes);
        bytes.extend(mac.finalize().into_bytes());
        bytes
    }

    pub(in crate::store) fn read(bytes: &[u8], keys: &StampKeys) -> Result<Self, BadStamp> {
        Self::parse(bytes, keys).unwrap_or(Err(BadStamp::Damaged))
    }

    // Format and key name are looked at before the HMAC, for they decide what it should be.
    fn parse(bytes: &[u8], keys: &StampKeys) -> Option<Result<Self, BadStamp>> {
        let (magic, rest) = bytes.split_first_chunk::<16>()?;
        let (format, rest) = rest.split_first_chunk::<2>()?;
        let (name, rest) = rest.split_first_chunk::<8>()?;
        let (store, rest) = rest.split_first_chunk::<16>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (tag, _) = rest.split_first_chunk::<32>()?;
        let format = u16::from_be_bytes(*format);
        if magic != MAGIC {
            return None;
        }
        if format != u16::from(FORMAT) {
            return Some(Err(BadStamp::Newer(format)));
        }
        if *name != keys.name {
            return Some(Err(BadStamp::OtherKey));
        }
        let mut mac = mac(&keys.mac);
        mac.update(bytes.get(..STAMP - 32)?);
        mac.verify_slice(tag).ok()?;
        Some(Ok(Self { store: *store, sequence: u64::from_be_bytes(*sequence) }))
    }
}
