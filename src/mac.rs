//! Keyed hashes (HMAC-SHA256) over lists of texts, for identifiers and form tokens.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

/// A key for one purpose. It has no `Debug`.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Takes 32 random bytes. HMAC pads a short key with zeros (RFC 2104 section 2), so a
    /// whole block always fits.
    pub fn new(key: &[u8; 32]) -> Self {
        let mut block = [0; 64];
        let (head, _) = block.split_at_mut(key.len());
        head.copy_from_slice(key);
        Self(Hmac::new(&block.into()))
    }

    /// The hash of `parts`, each with its length before it, so that no two lists look alike.
    pub fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Whether `tag` is the hash of `parts`, compared in constant time.
    pub fn verify<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>, tag: &[u8]) -> bool {
        self.over(parts).verify_slice(tag).is_ok()
    }

    fn over<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

/// So many bytes are compared in one step.
const BLOCK: usize = 64;

/// Whether two texts are the same, in a time that tells nothing but their lengths. Many bytes are
/// compared in one step, since this is asked of every request.
pub fn same(one: &[u8], other: &[u8]) -> Choice {
    if one.len() != other.len() {
        return Choice::from(0);
    }
    let ((one, rest), (other, end)) = (one.as_chunks::<BLOCK>(), other.as_chunks::<BLOCK>());
    let blocks = one.iter().zip(other).map(|(one, other)| is_same(one, other));
    blocks.fold(is_same(&padded(rest), &padded(end)), |all, same| all & same)
}

/// A block is compared in one step; a compiler that gave it an early end would gain nothing.
fn is_same(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> Choice {
    let ((one, _), (other, _)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let number = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    let differ = one.iter().zip(other).map(|(one, other)| number(one) ^ number(other));
    differ.fold(0, |all, differ| all | differ).ct_eq(&0)
}

/// What is too short for a block, with nothing after it.
fn padded(end: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    if let Some(start) = block.get_mut(..end.len()) {
        start.copy_from_slice(end);
    }
    block
}

/// The HMAC-SHA256 of one text, as others compute it too, under a key of up to 64 bytes (RFC 2104
/// section 2); nothing where the key is longer.
pub fn over_text(key: &[u8], text: &[u8]) -> Option<[u8; 32]> {
    let mut block = Zeroizing::new([0; 64]);
    block.get_mut(..key.len())?.copy_from_slice(key);
    let mut mac: Hmac<Sha256> = Hmac::new((&*block).into());
    mac.update(text);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::{MacKey, over_text, same};

    #[test]
    fn the_same_is_told_from_what_differs_anywhere() {
        let text: [u8; 149] = std::array::from_fn(|at| at as u8);
        assert!(bool::from(same(&text, &text)) && bool::from(same(b"", b"")));
        for at in 0..text.len() {
            let mut other = text;
            other[at] ^= 1;
            assert!(!bool::from(same(&text, &other)), "byte {at}");
            assert!(!bool::from(same(&text, &text[..at])), "the first {at} bytes");
            assert!(bool::from(same(&text[at..], &text[at..])), "the bytes from {at}");
        }
    }

    #[test]
    fn one_text_is_hashed_as_others_do() {
        // RFC 4231 section 4.3.
        let hash = over_text(b"Jefe", b"what do ya want for nothing?").unwrap();
        assert_eq!(hash[..8], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]);
        assert!(over_text(&[1; 65], b"").is_none());
    }

    #[test]
    fn lists_that_read_alike_have_other_hashes() {
        let key = MacKey::new(&[1; 32]);
        let hash = key.hash([&b"ab"[..], b"c"]);
        assert_ne!(hash, key.hash([&b"a"[..], b"bc"]));
        assert_ne!(hash, key.hash([&b"abc"[..]]));
        assert_ne!(hash, MacKey::new(&[2; 32]).hash([&b"ab"[..], b"c"]));
        assert!(key.verify([&b"ab"[..], b"c"], &hash));
        assert!(!key.verify([&b"ab"[..], b"c"], &hash[..16]));
        assert!(!key.verify([&b"ab"[..], b"d"], &hash));
    }
}
