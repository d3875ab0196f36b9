//! The keys that sign sessions: made on first start, kept in the store under its seal, never
//! in a file or in the configuration. Those that sign assertions are kept the same way.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::clock::UnixMillis;
use crate::random;
use crate::store::{Expect, Key, Space, Store, StoreError, Write};

/// Why the keys are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The store refused.
    #[error("the signing keys cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The record is not of our form.
    #[error("the record of the signing keys is not well-formed")]
    Malformed,
    /// There is no randomness to make one.
    #[error("no signing key can be made: {0}")]
    Random(#[from] random::NoRandomness),
}

/// The signing key and those that still verify.
pub struct KeyRing {
    active: String,
    signing: EncodingKey,
    verifying: Vec<(String, DecodingKey)>,
}

impl KeyRing {
    /// Reads the ring, making the first key when there is none.
    ///
    /// # Errors
    /// When the store or the record is in doubt. Then nobody's session can be judged.
    pub async fn load_or_make(store: &dyn Store, now: UnixMillis) -> Result<Self, KeyRingError> {
        let first = || serde_json::to_vec(&Written::first()?).map_err(|_| KeyRingError::Malformed);
        Self::read(&kept_or_made(store, now, b"session-signing-keys", first).await?)
    }

    /// The key that signs, and its name.
    pub fn signing(&self) -> (&str, &EncodingKey) {
        (&self.active, &self.signing)
    }

    /// The key of that name. Names are compared, never used to find a file or an address
    /// (RFC 8725 section 3.10).
    pub fn verifying(&self, kid: &str) -> Option<&DecodingKey> {
        self.verifying.iter().find(|(name, _)| name == kid).map(|(_, key)| key)
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, KeyRingError> {
        let written: Written =
            serde_json::from_slice(bytes).map_err(|_| KeyRingError::Malformed)?;
        let mut signing = None;
        let mut verifying = Vec::new();
        for WrittenKey { kid, secret } in &written.keys {
            let mut secret = URL_SAFE_NO_PAD.decode(secret).map_err(|_| KeyRingError::Malformed)?;
            if secret.len() < 32 {
                return Err(KeyRingError::Malformed);
            }
            if *kid == written.active {
                signing = Some(EncodingKey::from_secret(&secret));
            }
            verifying.push((kid.clone(), DecodingKey::from_secret(&secret)));
            secret.zeroize();
        }
        let signing = signing.ok_or(KeyRingError::Malformed)?;
        Ok(Self { active: written.active.clone(), signing, verifying })
    }
}

/// The ring that the store keeps under this name, or the one that `first` makes when there is
/// none. Whichever gateway is first, its ring is everybody's.
pub(super) async fn kept_or_made(
    store: &dyn Store,
    now: UnixMillis,
    name: &'static [u8],
    first: impl FnOnce() -> Result<Vec<u8>, KeyRingError>,
) -> Result<Bytes, KeyRingError> {
    let key = Key::new(Space::Config, name);
    if let Some(record) = store.get(now, &key).await? {
        return Ok(record.value);
    }
    let made = Bytes::from(first()?);
    let put = Write::put(key.clone(), made.clone(), None).expecting(Expect::Absent);
    match store.commit(now, vec![put]).await {
        Ok(_) => Ok(made),
        Err(StoreError::Conflict { .. }) => {
            let record = store.get(now, &key).await?.ok_or(KeyRingError::Malformed)?;
            Ok(record.value)
        }
        Err(error) => Err(error.into()),
    }
}

/// The ring as it stands in the store.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Written {
    active: String,
    keys: Vec<WrittenKey>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    kid: String,
    secret: String,
}

impl Written {
    fn first() -> Result<Self, KeyRingError> {
        let kid = URL_SAFE_NO_PAD.encode(random::bytes::<6>()?);
        let secret = URL_SAFE_NO_PAD.encode(random::bytes::<32>()?);
        Ok(Self { active: kid.clone(), keys: vec![WrittenKey { kid, secret }] })
    }
}

#[cfg(test)]
mod tests {
    use super::kept_or_made;
    use crate::site::house::{NOW, house};

    #[tokio::test]
    async fn gateways_that_start_at_once_agree_on_one_ring() {
        let house = house().await;
        let make = |ring: &'static [u8]| {
            kept_or_made(&*house.store, NOW, b"some ring", move || Ok(ring.to_vec()))
        };
        let (one, other) = tokio::join!(make(b"first"), make(b"second"));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one, other);
        assert_eq!(make(b"third").await.unwrap(), one);
    }
}
