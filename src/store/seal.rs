//! Authenticated encryption of records. A record opens only at the place where it was sealed:
//! moved to another key, given another version or another expiry, it is damaged.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const NONCE: usize = 24;

/// Where and what a record is: bound to its bytes as associated data.
#[derive(Clone, Copy)]
pub(in crate::store) struct Place<'a> {
    /// The format of the stored bytes.
    pub format: u8,
    /// What the payload is: value, register, counter.
    pub kind: u8,
    /// The table's number followed by the key's identifier.
    pub address: &'a [u8],
    /// The write it comes from.
    pub version: u64,
    /// When it expires, as stored.
    pub expires_at: u64,
}

impl Place<'_> {
    // The one part of variable length comes last, so no two places read the same.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(18 + self.address.len());
        data.extend([self.format, self.kind]);
        data.extend(self.version.to_be_bytes());
        data.extend(self.expires_at.to_be_bytes());
        data.extend(self.address);
        data
    }
}

/// Why bytes were not sealed or opened.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(in crate::store) enum SealError {
    /// The system gave no random bytes for a nonce.
    #[error("the system gives no random bytes")]
    Randomness,
    /// The cipher does not take so long a text.
    #[error("the text is too long to be sealed")]
    Length,
    /// The bytes are not what was sealed at this place with this key.
    #[error("the seal is broken")]
    Broken,
}

/// The key of one store's records.
pub(in crate::store) struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl Sealer {
    /// Seals with `key`.
    pub(in crate::store) fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        Self { cipher: XChaCha20Poly1305::new((&**key).into()) }
    }

    /// A fresh nonce and the sealed text. Nonces of 192 random bits never meet.
    pub(in crate::store) fn seal(
        &self,
        place: Place<'_>,
        text: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Randomness)?;
        let payload = Payload { msg: text, aad: &place.associated_data() };
        let sealed =
            self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Length)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The text that was sealed at `place`.
    pub(in crate::store) fn open(
        &self,
        place: Place<'_>,
        bytes: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(SealError::Broken)?;
        let payload = Payload { msg: sealed, aad: &place.associated_data() };
        let text =
            self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::Broken)?;
        Ok(Zeroizing::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> =
        Place { format: 1, kind: 1, address: b"\x01user", version: 7, expires_at: 99 };

    fn sealer() -> Sealer {
        Sealer::new(&Zeroizing::new([9; 32]))
    }

    #[test]
    fn a_text_opens_where_it_was_sealed() {
        let sealed = sealer().seal(PLACE, b"text").unwrap();
        assert_eq!(sealer().open(PLACE, &sealed).unwrap().as_slice(), b"text");
        assert!(!sealed.windows(4).any(|window| window == b"text"));
    }

    #[test]
    fn a_text_opens_nowhere_else_and_under_no_other_key() {
        let sealed = sealer().seal(PLACE, b"text").unwrap();
        for place in [
            Place { format: 2, ..PLACE },
            Place { kind: 2, ..PLACE },
            Place { address: b"\x02user", ..PLACE },
            Place { address: b"\x01uses", ..PLACE },
            Place { version: 8, ..PLACE },
            Place { expires_at: 100, ..PLACE },
        ] {
            assert_eq!(sealer().open(place, &sealed).unwrap_err(), SealError::Broken);
        }
        let other = Sealer::new(&Zeroizing::new([8; 32]));
        assert_eq!(other.open(PLACE, &sealed).unwrap_err(), SealError::Broken);
    }

    #[test]
    fn each_flipped_bit_and_each_cut_breaks_the_seal() {
        let sealed = sealer().seal(PLACE, b"text").unwrap();
        for index in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[index] ^= 1;
            assert_eq!(sealer().open(PLACE, &damaged).unwrap_err(), SealError::Broken);
            assert_eq!(sealer().open(PLACE, &sealed[..index]).unwrap_err(), SealError::Broken);
        }
    }

    #[test]
    fn the_same_text_never_looks_the_same() {
        assert_ne!(sealer().seal(PLACE, b"text").unwrap(), sealer().seal(PLACE, b"text").unwrap());
    }
}
