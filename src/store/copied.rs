//! A record on its way from one store into another, as it is: neither read nor judged on the way.

use zeroize::Zeroizing;

use super::Key;
use crate::clock::UnixMillis;

/// One step of a copy. Taken in order, the steps make up the store as it was at one moment, that
/// at which the copy ended: what changed meanwhile comes again.
pub enum Copied {
    /// A record that did not come before.
    New(Key, Leaf),
    /// A record that came before and has changed since.
    Again(Key, Leaf),
    /// A record that came before and is gone.
    Gone(Key),
}

impl Copied {
    /// Which record.
    pub const fn key(&self) -> &Key {
        match self {
            Self::New(key, _) | Self::Again(key, _) | Self::Gone(key) => key,
        }
    }
}

/// What a record holds. It has no `Debug`.
pub struct Leaf {
    /// What the payload is.
    pub sort: Sort,
    /// The payload, unsealed.
    pub payload: Zeroizing<Vec<u8>>,
    /// From when on the record counts as absent.
    pub expires_at: Option<UnixMillis>,
}

/// Kinds of records that can be copied. A register is none of them: what it guards is burned up
/// to a moment wherever a copy is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Bytes that were put.
    Value,
    /// Wrong codes and waits.
    Counter,
}
