//! Keyed hashes (HMAC-SHA256) over lists of texts, for identifiers and form tokens.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

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

#[cfg(test)]
mod tests {
    use super::MacKey;

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
