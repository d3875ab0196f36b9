//! What ties the lines together: each carries the SHA-256 of the one before it. How far the
//! chain goes is also kept in the store, where no hand that reaches the files reaches it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex;

/// The SHA-256 of a line without its line break; shown as `sha256sum` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first line of all.
    pub(super) const NONE: Self = Self([0; 32]);

    /// The hash of a line.
    pub(super) fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }

    /// Whether this is what a line says of the one before it.
    pub(super) fn is(self, said: &str) -> bool {
        self.to_string() == said
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::text(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut hash = Self::NONE;
        let mut digits = text.as_bytes().chunks_exact(2);
        for (byte, pair) in hash.0.iter_mut().zip(&mut digits) {
            let pair = std::str::from_utf8(pair).map_err(|_| "no hexadecimal digits")?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| "no hexadecimal digits")?;
        }
        // What is too short or too long, or in capitals, is not what we write.
        if hash.is(&text) { Ok(hash) } else { Err("no SHA-256 in hexadecimal digits") }
    }
}

/// How far the chain goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// The number of the last line; nought before the first one.
    pub(super) seq: u64,
    /// The hash of the last line.
    pub(super) hash: Hash,
    /// The number of the first line of the file that is written to.
    pub(super) first: u64,
}

impl Head {
    /// Nothing was ever written.
    pub(super) const START: Self = Self { seq: 0, hash: Hash::NONE, first: 1 };

    /// After one more line.
    pub(super) fn after(self, line: &[u8]) -> Self {
        Self { seq: self.seq.saturating_add(1), hash: Hash::of(line), first: self.first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_as_sha256sum_shows_it() {
        let hash = Hash::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(Hash::try_from(text.to_owned()), Ok(hash));
        for wrong in ["", "ba", &text.to_uppercase(), &format!("{text}00"), &"zz".repeat(32)] {
            assert!(Hash::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_head_is_kept_and_read() {
        let head = Head { seq: 12, hash: Hash::of(b"x"), first: 3 };
        let kept = serde_json::to_vec(&head).unwrap();
        assert_eq!(serde_json::from_slice::<Head>(&kept).unwrap(), head);
    }
}
