//! The keys that sign sessions: made on first start, kept in the store under its seal, never
//! in a file or in the configuration. Another key may take over at any moment; those before it
//! verify until no session of theirs can be left, unless they have to end at once.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::GUEST_LIFETIME;
use super::kept_ring::{exchanged, kept_or_made};
use super::read_token::ReadTokens;
use crate::clock::{Seldom, UnixMillis};
use crate::random;
use crate::store::{Key, SESSION_KEYS, Space, Store, StoreError};

/// The most keys in a ring: each rotation adds one, and a record has to stay small.
const MOST_KEYS: usize = 16;

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
    /// So many keys still verify that there is no room for another.
    #[error(
        "there were so many rotations that {MOST_KEYS} keys still verify; wait until the oldest ends, or end all of them by --emergency"
    )]
    TooMany,
}

impl From<KeyRingError> for StoreError {
    fn from(error: KeyRingError) -> Self {
        match error {
            KeyRingError::Store(error) => error,
            KeyRingError::Malformed => Self::Corrupt(error.to_string()),
            KeyRingError::Random(_) | KeyRingError::TooMany => Self::Unavailable(error.to_string()),
        }
    }
}

/// How another key takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Nobody notices: what the keys before signed counts for as long as a session may last.
    Calm {
        /// The longest life of a session.
        lifetime: Duration,
    },
    /// What the keys before signed counts for nothing from now on.
    Emergency,
}

/// What a rotation of the session keys came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Names the key that signs now.
    pub kid: String,
    /// The keys that still verify, with when each ends.
    pub previous: Vec<(String, UnixMillis)>,
}

/// The signing key and those that still verify, as they stand now. It has no `Debug`.
pub struct KeyRing {
    ring: ArcSwap<Ring>,
    /// Held by whoever changes the ring, so that what is put into memory last is what was
    /// written last. No request waits for it.
    changing: Mutex<()>,
    caught_up: Seldom,
}

impl KeyRing {
    /// Reads the ring, making the first key when there is none.
    ///
    /// # Errors
    /// When the store or the record is in doubt. Then nobody's session can be judged.
    pub async fn load_or_make(store: &dyn Store, now: UnixMillis) -> Result<Self, KeyRingError> {
        let first = || Written::first()?.to_bytes();
        Self::read(&kept_or_made(store, now, SESSION_KEYS, first).await?)
    }

    /// Lets a new key take over, on disk before this process uses it. The ring that each
    /// request finds is whole: one key signs, and what any key before signed meets its own.
    ///
    /// # Errors
    /// When nothing was changed, or nobody knows whether it was.
    pub async fn rotate(
        &self,
        store: &dyn Store,
        now: UnixMillis,
        how: Rotation,
    ) -> Result<Rotated, KeyRingError> {
        let _alone = self.changing.lock().await;
        let change = |bytes: &[u8]| Ok(Some(Written::read(bytes)?.rotated(now, how)?.to_bytes()?));
        let ring = Ring::read(&exchanged(store, now, SESSION_KEYS, change).await?)?;
        let rotated = ring.told();
        self.ring.store(Arc::new(ring));
        Ok(rotated)
    }

    /// Takes up what stands in the store, where another gateway may have rotated, and drops
    /// the keys that have ended. Where gateways share a store, this is what a change in it has
    /// to lead to at once.
    ///
    /// # Errors
    /// When the store or the record is in doubt. Then the ring stays as it is.
    pub async fn refresh(&self, store: &dyn Store, now: UnixMillis) -> Result<(), KeyRingError> {
        let _alone = self.changing.lock().await;
        let change = |bytes: &[u8]| Written::read(bytes)?.without_ended(now);
        let ring = Ring::read(&exchanged(store, now, SESSION_KEYS, change).await?)?;
        // One that is the same keeps what it has verified.
        if self.ring.load().digest != ring.digest {
            self.ring.store(Arc::new(ring));
        }
        Ok(())
    }

    /// Makes sure that the ring is the one in the store at this moment, where what is remembered
    /// of it may be older.
    ///
    /// # Errors
    /// When the store or the record is in doubt.
    pub async fn confirm(&self, store: &dyn Store, now: UnixMillis) -> Result<(), KeyRingError> {
        let found = store.get(now, &Key::new(Space::Config, SESSION_KEYS)).await?;
        let found = found.ok_or(KeyRingError::Malformed)?;
        if self.ring.load().digest == digest(&found.value) {
            return Ok(());
        }
        self.refresh(store, now).await
    }

    /// Takes up what stands in the store because of a key that nobody here knows, at most once
    /// a second: tokens that are none of ours cost nothing. Says whether it did.
    ///
    /// # Errors
    /// When the store or the record is in doubt. Then the ring stays as it is.
    pub async fn catch_up(&self, store: &dyn Store, now: UnixMillis) -> Result<bool, KeyRingError> {
        if !self.caught_up.is_due(now) {
            return Ok(false);
        }
        self.refresh(store, now).await.map(|()| true)
    }

    /// Whether the record of this key is the ring's.
    pub fn is_at(key: &Key) -> bool {
        key.space == Space::Config && key.id == SESSION_KEYS
    }

    /// The ring of this moment. No lock is waited for.
    pub(super) fn present(&self) -> Guard<Arc<Ring>> {
        self.ring.load()
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, KeyRingError> {
        let ring = Ring::read(bytes)?;
        let (ring, changing) = (ArcSwap::from_pointee(ring), Mutex::default());
        Ok(Self { ring, changing, caught_up: Seldom::default() })
    }
}

/// One state of the ring.
pub(super) struct Ring {
    active: String,
    signing: EncodingKey,
    verifying: Vec<Verifying>,
    /// Of the record that it was read from.
    digest: [u8; 32],
    /// What these keys have signed, as far as it was verified.
    read_tokens: ReadTokens,
}

struct Verifying {
    kid: String,
    key: DecodingKey,
    /// From when on it verifies nothing; the key that signs has no such moment.
    until: Option<UnixMillis>,
}

impl Ring {
    /// The key that signs, and its name.
    pub(super) fn signing(&self) -> (&str, &EncodingKey) {
        (&self.active, &self.signing)
    }

    /// The key of that name, unless it has ended. Names are compared, never used to find a
    /// file or an address (RFC 8725 section 3.10).
    pub(super) fn verifying(&self, now: UnixMillis, kid: &str) -> Option<&DecodingKey> {
        let named = self.verifying.iter().find(|key| key.kid == kid)?;
        named.until.is_none_or(|until| now < until).then_some(&named.key)
    }

    /// What these keys were seen to have signed.
    pub(super) const fn read_tokens(&self) -> &ReadTokens {
        &self.read_tokens
    }

    fn told(&self) -> Rotated {
        let ending = |key: &Verifying| Some((key.kid.clone(), key.until?));
        let previous = self.verifying.iter().filter_map(ending).collect();
        Rotated { kid: self.active.clone(), previous }
    }

    fn read(bytes: &[u8]) -> Result<Self, KeyRingError> {
        let written = Written::read(bytes)?;
        let mut signing = None;
        let mut verifying = Vec::new();
        for WrittenKey { kid, secret, until } in &written.keys {
            let mut secret = URL_SAFE_NO_PAD.decode(secret).map_err(|_| KeyRingError::Malformed)?;
            if secret.len() < 32 {
                return Err(KeyRingError::Malformed);
            }
            let is_active = *kid == written.active;
            if is_active {
                signing = Some(EncodingKey::from_secret(&secret));
            }
            let until = until.filter(|_| !is_active);
            let key = DecodingKey::from_secret(&secret);
            verifying.push(Verifying { kid: kid.clone(), key, until });
            secret.zeroize();
        }
        let signing = signing.ok_or(KeyRingError::Malformed)?;
        let (digest, read_tokens) = (digest(bytes), ReadTokens::new());
        Ok(Self { active: written.active.clone(), signing, verifying, digest, read_tokens })
    }
}

fn digest(record: &[u8]) -> [u8; 32] {
    Sha256::digest(record).into()
}

/// The ring as it stands in the store.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Written {
    active: String,
    keys: Vec<WrittenKey>,
}

#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    kid: String,
    secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[zeroize(skip)]
    until: Option<UnixMillis>,
}

impl WrittenKey {
    fn fresh() -> Result<Self, KeyRingError> {
        let kid = URL_SAFE_NO_PAD.encode(random::bytes::<6>()?);
        let secret = URL_SAFE_NO_PAD.encode(random::bytes::<32>()?);
        Ok(Self { kid, secret, until: None })
    }

    fn verifies(&self, now: UnixMillis) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Written {
    fn first() -> Result<Self, KeyRingError> {
        let key = WrittenKey::fresh()?;
        Ok(Self { active: key.kid.clone(), keys: vec![key] })
    }

    fn read(bytes: &[u8]) -> Result<Self, KeyRingError> {
        serde_json::from_slice(bytes).map_err(|_| KeyRingError::Malformed)
    }

    fn to_bytes(&self) -> Result<Bytes, KeyRingError> {
        Ok(serde_json::to_vec(self).map_err(|_| KeyRingError::Malformed)?.into())
    }

    fn rotated(&self, now: UnixMillis, how: Rotation) -> Result<Self, KeyRingError> {
        let mut rotated = Self::first()?;
        if let Rotation::Calm { lifetime } = how {
            // A session lasts that long from its sign-in, and its token may have been made just now.
            let last = now.plus(lifetime.max(GUEST_LIFETIME));
            let kept = self.keys.iter().filter(|key| key.verifies(now)).cloned();
            rotated.keys.extend(kept.map(|mut key| {
                key.until.get_or_insert(last);
                key
            }));
        }
        if rotated.keys.len() > MOST_KEYS { Err(KeyRingError::TooMany) } else { Ok(rotated) }
    }

    /// The ring without what has ended; nothing where nothing has.
    fn without_ended(&self, now: UnixMillis) -> Result<Option<Bytes>, KeyRingError> {
        let stays = |key: &&WrittenKey| key.kid == self.active || key.verifies(now);
        let keys: Vec<WrittenKey> = self.keys.iter().filter(stays).cloned().collect();
        if keys.len() == self.keys.len() {
            return Ok(None);
        }
        Self { active: self.active.clone(), keys }.to_bytes().map(Some)
    }
}

#[cfg(test)]
mod tests;
