//! How a record lies in any engine: its address, its sealed bytes, and its mark in the
//! fingerprint of a whole set. A record that does not open is damaged, never absent.

use bytes::Bytes;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::keyring::{Keyring, first_half, mac};
use super::seal::{Place, SealError, Sealer};
use super::{Key, Record, Space, StoreError, Version};
use crate::clock::UnixMillis;
use crate::hex;

/// The format of the store that this program writes.
pub(in crate::store) const FORMAT: u8 = 1;
/// Where a store says which store it is. No [`Space`] has the number 0.
pub(in crate::store) const IDENTITY: &[u8] = b"\0identity";
/// Where a store keeps what it knows of itself.
pub(in crate::store) const STATE: &[u8] = b"\0state";
/// The first byte of everything that is no user's record.
pub(in crate::store) const META: u8 = 0;

// Format, kind, version and expiry; the seal covers them, so they may stand in the open.
const HEADER: usize = 18;
const NEVER: u64 = u64::MAX;

/// What a payload is. An operation for one kind never touches another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::store) enum Kind {
    Value = 1,
    Register = 2,
    Counter = 3,
    State = 4,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Value, Self::Register, Self::Counter, Self::State]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// A record, opened.
pub(in crate::store) struct Entry {
    pub(in crate::store) kind: Kind,
    pub(in crate::store) version: u64,
    pub(in crate::store) expires_at: Option<UnixMillis>,
    pub(in crate::store) payload: Zeroizing<Vec<u8>>,
}

impl Entry {
    pub(in crate::store) fn is_live(&self, now: UnixMillis) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }

    pub(in crate::store) fn into_record(self) -> Record {
        Record {
            value: Bytes::copy_from_slice(&self.payload),
            version: Version(self.version),
            expires_at: self.expires_at,
        }
    }
}

/// What of a stored record can be read without opening it; to be believed only afterwards.
#[derive(Clone, Copy)]
pub(in crate::store) struct Header {
    format: u8,
    kind: u8,
    pub(in crate::store) version: u64,
    expires_at: u64,
}

impl Header {
    pub(in crate::store) fn read(stored: &[u8]) -> Option<(Self, &[u8])> {
        let ([format, kind, numbers @ ..], sealed) = stored.split_first_chunk::<HEADER>()?;
        let (version, expires_at) = numbers.split_first_chunk::<8>()?;
        let expires_at = expires_at.first_chunk::<8>()?;
        let header = Self {
            format: *format,
            kind: *kind,
            version: u64::from_be_bytes(*version),
            expires_at: u64::from_be_bytes(*expires_at),
        };
        Some((header, sealed))
    }

    pub(in crate::store) fn expires_at(&self) -> Option<UnixMillis> {
        (self.expires_at != NEVER).then_some(UnixMillis(self.expires_at))
    }

    fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let fields = [self.format, self.kind]
            .into_iter()
            .chain(self.version.to_be_bytes())
            .chain(self.expires_at.to_be_bytes());
        for (to, from) in bytes.iter_mut().zip(fields) {
            *to = from;
        }
        bytes
    }

    fn place<'a>(&self, address: &'a [u8]) -> Place<'a> {
        Place {
            format: self.format,
            kind: self.kind,
            address,
            version: self.version,
            expires_at: self.expires_at,
        }
    }
}

/// Seals, opens and marks the records of one store.
pub(in crate::store) struct Codec {
    sealer: Sealer,
    marker: Hmac<Sha256>,
}

impl Codec {
    /// The codec of the store `store_id`. Its keys are of this store alone, so that a record
    /// of another store under the same master key does not open.
    pub(in crate::store) fn new(keyring: &Keyring, store_id: &[u8; 16]) -> Self {
        let store = hex::text(store_id);
        Self {
            sealer: Sealer::new(&keyring.derive(&format!("store {store} seal"))),
            marker: mac(&keyring.derive(&format!("store {store} fingerprint"))),
        }
    }

    /// The bytes that keep `entry` at `address`.
    pub(in crate::store) fn encode(
        &self,
        address: &[u8],
        entry: &Entry,
    ) -> Result<Vec<u8>, StoreError> {
        let header = Header {
            format: FORMAT,
            kind: entry.kind as u8,
            version: entry.version,
            expires_at: entry.expires_at.map_or(NEVER, |at| at.0),
        };
        let sealed = self.sealer.seal(header.place(address), &entry.payload);
        match sealed {
            Ok(sealed) => Ok([header.bytes().as_slice(), &sealed].concat()),
            Err(error @ SealError::Randomness) => Err(StoreError::Unavailable(error.to_string())),
            Err(SealError::Length | SealError::Broken) => {
                Err(StoreError::Invalid("the value is too long to be sealed"))
            }
        }
    }

    /// The entry that `stored` keeps at `address`.
    pub(in crate::store) fn decode(
        &self,
        address: &[u8],
        stored: &[u8],
    ) -> Result<Entry, StoreError> {
        let corrupt = || StoreError::Corrupt(format!("record {}", hex::text(address)));
        let (header, sealed) = Header::read(stored).ok_or_else(corrupt)?;
        let payload = self.sealer.open(header.place(address), sealed).map_err(|_| corrupt())?;
        // Only what this program sealed opens, so these can only fail for another format.
        let kind = Kind::from_byte(header.kind).ok_or_else(corrupt)?;
        if header.format != FORMAT {
            return Err(corrupt());
        }
        let expires_at = header.expires_at();
        Ok(Entry { kind, version: header.version, expires_at, payload })
    }

    /// The share of one record in the fingerprint.
    pub(in crate::store) fn mark(&self, address: &[u8], version: u64) -> u128 {
        let mut mac = self.marker.clone();
        mac.update(&version.to_be_bytes());
        mac.update(address);
        u128::from_be_bytes(first_half(mac))
    }
}

/// Where `key` lies.
pub(in crate::store) fn address(key: &Key) -> Vec<u8> {
    within(key.space, &key.id)
}

/// Where the identifiers of `space` lie that start with `prefix`.
pub(in crate::store) fn within(space: Space, prefix: &[u8]) -> Vec<u8> {
    [&[space as u8], prefix].concat()
}

/// The key that lies at `address`.
pub(in crate::store) fn key_of(address: &[u8]) -> Result<Key, StoreError> {
    let found = address.split_first().and_then(|(number, id)| {
        let space = Space::ALL.into_iter().find(|space| *space as u8 == *number)?;
        Some(Key::new(space, Bytes::copy_from_slice(id)))
    });
    found.ok_or_else(|| StoreError::Corrupt("a record lies in no space".to_owned()))
}
