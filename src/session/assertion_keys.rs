//! The keys that sign assertions: Ed25519 (RFC 8032). The private half is kept in the store
//! under its seal and leaves this file as signatures alone; the public half is for everybody,
//! and portals hear of a new one a day before it signs.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::kept_ring::{exchanged, kept_or_made};
use super::keys::{KeyRingError, Rotation};
use crate::clock::UnixMillis;
use crate::random;
use crate::store::{Key, Space, Store};

/// What kind of token an assertion is, so that none of another kind is taken for one
/// (RFC 8725 section 3.11).
const TYPE: &str = "portcullis-assertion+jwt";
const NAME: &[u8] = b"assertion-signing-keys";
/// How long a key is published before it signs. A portal may keep what it read of our keys; most
/// keep it for minutes or an hour, some for a day.
const ANNOUNCED: Duration = Duration::from_secs(24 * 3600);
/// How long a key is published after its last signature, which counts for a minute.
const KEPT: Duration = Duration::from_secs(3600);

/// What a rotation of the assertion keys came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionsRotated {
    /// Names the key that signs now.
    pub kid: String,
    /// The key that signs from a later moment on.
    pub next: Option<(String, UnixMillis)>,
    /// The key before, with when it is published no longer.
    pub previous: Option<(String, UnixMillis)>,
}

/// The key that signs, and what portals verify with. It has no `Debug`.
pub struct AssertionKeys {
    keys: ArcSwap<Keys>,
    /// Held by whoever changes the ring, so that what is put into memory last is what was
    /// written last. No request waits for it.
    changing: Mutex<()>,
}

impl AssertionKeys {
    /// Reads the ring, making the first key when there is none.
    ///
    /// # Errors
    /// When the store or the record is in doubt.
    pub async fn load_or_make(store: &dyn Store, now: UnixMillis) -> Result<Self, KeyRingError> {
        let first = || Written::first()?.to_bytes();
        Self::read(&kept_or_made(store, now, NAME, first).await?)
    }

    /// Makes another key. Its time comes when portals had a day to hear of it; in an emergency
    /// at once, and the one before is published no longer.
    ///
    /// # Errors
    /// When nothing was changed, or nobody knows whether it was.
    pub async fn rotate(
        &self,
        store: &dyn Store,
        now: UnixMillis,
        how: Rotation,
    ) -> Result<AssertionsRotated, KeyRingError> {
        let _alone = self.changing.lock().await;
        let change = |bytes: &[u8]| Ok(Some(Written::read(bytes)?.rotated(now, how)?.to_bytes()?));
        let bytes = exchanged(store, now, NAME, change).await?;
        let told = Written::read(&bytes)?.told();
        self.keys.store(Arc::new(Keys::read(&bytes)?));
        Ok(told)
    }

    /// Takes up what stands in the store, and there drops what has ended: the private half of
    /// a key that signs no more before all.
    ///
    /// # Errors
    /// When the store or the record is in doubt. Then the ring stays as it is.
    pub async fn refresh(&self, store: &dyn Store, now: UnixMillis) -> Result<(), KeyRingError> {
        let _alone = self.changing.lock().await;
        let change = |bytes: &[u8]| Written::read(bytes)?.without_ended(now);
        let bytes = exchanged(store, now, NAME, change).await?;
        self.keys.store(Arc::new(Keys::read(&bytes)?));
        Ok(())
    }

    /// Whether the record of this key is the ring's.
    pub fn are_at(key: &Key) -> bool {
        key.space == Space::Config && key.id == NAME
    }

    /// The JSON Web Key Set (RFC 7517, RFC 8037): the present key, the next one where there is
    /// one, and the one before while assertions of it may still be under way.
    pub fn jwks(&self, now: UnixMillis) -> String {
        let keys = self.keys.load();
        let public = keys.published(now).into_iter().map(public_key);
        json!({ "keys": public.collect::<Vec<_>>() }).to_string()
    }

    /// A token that says `claims`.
    pub(super) fn sign(&self, now: UnixMillis, claims: &serde_json::Value) -> String {
        let keys = self.keys.load();
        let Signer { pair, head, .. } = keys.signer(now);
        let mut token = format!("{head}.{}", encoded(claims.to_string()));
        let signature = pair.sign(token.as_bytes());
        token.push('.');
        token.push_str(&encoded(signature));
        token
    }

    /// Whether the key that signs now signed `token`, going by the head that it has.
    pub(super) fn signs_like(&self, now: UnixMillis, token: &[u8]) -> bool {
        token.starts_with(self.keys.load().signer(now).head.as_bytes())
    }

    fn read(bytes: &[u8]) -> Result<Self, KeyRingError> {
        let keys = ArcSwap::from_pointee(Keys::read(bytes)?);
        Ok(Self { keys, changing: Mutex::default() })
    }
}

/// One state of the ring. Which key signs follows from the moment alone, so that gateways that
/// share a store change over together.
struct Keys {
    first: Signer,
    next: Option<(UnixMillis, Signer)>,
    previous: Option<(String, Option<UnixMillis>)>,
}

struct Signer {
    pair: Ed25519KeyPair,
    public: String,
    /// The head of every assertion, encoded.
    head: String,
}

impl Keys {
    fn read(bytes: &[u8]) -> Result<Self, KeyRingError> {
        let written = Written::read(bytes)?;
        let next = written.next.as_ref();
        let next =
            next.map(|next| Signer::read(&next.seed, &next.public).map(|key| (next.from, key)));
        if let Some(previous) = &written.previous {
            decoded(previous)?;
        }
        Ok(Self {
            first: Signer::read(&written.seed, &written.public)?,
            next: next.transpose()?,
            previous: written.previous.clone().map(|public| (public, written.previous_until)),
        })
    }

    fn signer(&self, now: UnixMillis) -> &Signer {
        match &self.next {
            Some((from, next)) if *from <= now => next,
            Some(_) | None => &self.first,
        }
    }

    /// The public halves that portals are told of.
    fn published(&self, now: UnixMillis) -> Vec<&str> {
        let mut published = vec![self.signer(now).public.as_str()];
        match &self.next {
            Some((from, _)) if from.plus(KEPT) <= now => {}
            Some((from, _)) if *from <= now => published.push(&self.first.public),
            Some((_, next)) => published.push(&next.public),
            None => {}
        }
        let previous = self.previous.as_ref();
        let previous = previous.filter(|(_, until)| until.is_none_or(|until| now < until));
        published.extend(previous.map(|(public, _)| public.as_str()));
        published
    }
}

impl Signer {
    fn read(seed: &str, public: &str) -> Result<Self, KeyRingError> {
        let seed = Zeroizing::new(decoded(seed)?);
        // Refused unless the two halves belong together.
        let pair = Ed25519KeyPair::from_seed_and_public_key(&*seed, &decoded(public)?);
        let pair = pair.map_err(|_| KeyRingError::Malformed)?;
        let head = json!({ "alg": "EdDSA", "typ": TYPE, "kid": name_of(public) });
        Ok(Self { pair, public: public.to_owned(), head: encoded(head.to_string()) })
    }
}

/// The ring as it stands in the store. Of a key that signs no more, nothing private is kept.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Written {
    seed: String,
    public: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[zeroize(skip)]
    previous_until: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Next>,
}

#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Next {
    seed: String,
    public: String,
    #[zeroize(skip)]
    from: UnixMillis,
}

impl Written {
    fn first() -> Result<Self, KeyRingError> {
        let seed = Zeroizing::new(random::bytes::<32>()?);
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed);
        let pair = pair.map_err(|_| KeyRingError::Malformed)?;
        let (seed, public) = (encoded(*seed), encoded(pair.public_key()));
        Ok(Self { seed, public, previous: None, previous_until: None, next: None })
    }

    fn read(bytes: &[u8]) -> Result<Self, KeyRingError> {
        serde_json::from_slice(bytes).map_err(|_| KeyRingError::Malformed)
    }

    fn to_bytes(&self) -> Result<Bytes, KeyRingError> {
        Ok(serde_json::to_vec(self).map_err(|_| KeyRingError::Malformed)?.into())
    }

    fn rotated(&self, now: UnixMillis, how: Rotation) -> Result<Self, KeyRingError> {
        let fresh = Self::first()?;
        if how == Rotation::Emergency {
            return Ok(fresh);
        }
        let mut rotated = self.at(now);
        // One that is announced already is new enough.
        rotated.next.get_or_insert_with(|| Next {
            seed: fresh.seed.clone(),
            public: fresh.public.clone(),
            from: now.plus(ANNOUNCED),
        });
        Ok(rotated)
    }

    /// The ring as it is at `now`: the next key in its place once its time has come.
    fn at(&self, now: UnixMillis) -> Self {
        let (previous, until) = (self.previous.clone(), self.previous_until);
        let is_over = until.is_some_and(|until| until <= now);
        let (seed, public, previous, previous_until, next) = match &self.next {
            Some(next) if next.from <= now => {
                let until = next.from.plus(KEPT);
                let previous = (now < until).then(|| self.public.clone());
                let until = previous.is_some().then_some(until);
                (next.seed.clone(), next.public.clone(), previous, until, None)
            }
            next if is_over => (self.seed.clone(), self.public.clone(), None, None, next.clone()),
            next => (self.seed.clone(), self.public.clone(), previous, until, next.clone()),
        };
        Self { seed, public, previous, previous_until, next }
    }

    /// The ring at `now`; nothing where it stands so already.
    fn without_ended(&self, now: UnixMillis) -> Result<Option<Bytes>, KeyRingError> {
        let (before, after) = (self.to_bytes()?, self.at(now).to_bytes()?);
        Ok((before != after).then_some(after))
    }

    fn told(&self) -> AssertionsRotated {
        let next = self.next.as_ref().map(|next| (name_of(&next.public), next.from));
        let previous = self.previous.as_deref().map(name_of).zip(self.previous_until);
        AssertionsRotated { kid: name_of(&self.public), next, previous }
    }
}

fn public_key(public: &str) -> serde_json::Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": public,
        "use": "sig",
        "alg": "EdDSA",
        "kid": name_of(public),
    })
}

/// A key is named by its thumbprint (RFC 7638, RFC 8037 section 2), which it cannot share.
fn name_of(public: &str) -> String {
    encoded(Sha256::digest(format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{public}\"}}")))
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(text: &str) -> Result<[u8; 32], KeyRingError> {
    let mut bytes = [0; 32];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
    match length {
        Ok(32) => Ok(bytes),
        Ok(_) | Err(_) => Err(KeyRingError::Malformed),
    }
}

#[cfg(test)]
mod tests;
