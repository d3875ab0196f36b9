//! Tokens of the admin API that were made by command: kept in the store as hashes, and in memory
//! so that no guess costs a look into the store. A change is on disk before memory has it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::clock::{Seldom, UnixMillis};
use crate::config::desk::{Role, Staff, StaffKind, TokenHash};
use crate::mac::MacKey;
use crate::random::{self, NoRandomness};
use crate::store::freshness::Freshness;
use crate::store::{Expect, Key, Space, Store, StoreError, Version, Write};

/// What every such token begins with, so that whoever finds one knows what it is.
pub const PREFIX: &str = "portcullis_desk_";
/// The most tokens at one time: each request is compared with all of them.
pub const MOST: usize = 100;
const HOUR: u64 = 3_600_000;
/// How often an end is tried that meets another change.
const TRIES: usize = 8;

/// All tokens that were made and not ended.
pub struct Tokens {
    store: Arc<dyn Store>,
    /// Makes the identifiers of their records.
    ids: MacKey,
    /// One change at a time, so that memory never has what the store has not.
    changing: Mutex<()>,
    known: ArcSwap<Vec<Arc<Issued>>>,
    caught_up: Seldom,
}

/// A token that was made.
#[derive(Debug)]
pub struct Issued {
    /// Whose it is, and what it may do where.
    pub staff: Staff,
    /// What its secret hashes to.
    pub hash: TokenHash,
    /// When it was made.
    pub made: UnixMillis,
    /// By whom: the name of a token, or of somebody at the console.
    pub made_by: String,
    /// From when on it is worth nothing; nothing means until it is ended.
    pub expires: Option<UnixMillis>,
    /// The hour in which it was used last.
    pub used: Option<UnixMillis>,
    version: Version,
}

/// What a token is to be.
#[derive(Debug)]
pub struct Wish {
    /// Its name; by [`crate::config::desk::is_token_name`].
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where; nothing means at every portal.
    pub portals: Option<Vec<String>>,
    /// For how long.
    pub lifetime: Option<Duration>,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeFault {
    /// Names tell tokens apart.
    #[error("there is a token of this name already")]
    NameTaken,
    /// There is no room for another.
    #[error("there are {MOST} tokens already; end one that nobody needs")]
    TooMany,
    /// Nothing to draw it from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The store is in doubt.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredToken {
    name: String,
    role: Role,
    portals: Option<Vec<String>>,
    hash: [u8; 32],
    made: UnixMillis,
    made_by: String,
    expires: Option<UnixMillis>,
    used: Option<UnixMillis>,
}

impl Tokens {
    /// Reads what stands in `store`. `ids` is a key for this purpose alone.
    ///
    /// # Errors
    /// When the store or a record is in doubt.
    pub async fn load(
        store: Arc<dyn Store>,
        ids: MacKey,
        now: UnixMillis,
    ) -> Result<Self, StoreError> {
        let known = ArcSwap::from_pointee(Vec::new());
        let (changing, caught_up) = (Mutex::new(()), Seldom::default());
        let tokens = Self { store, ids, changing, known, caught_up };
        tokens.reload(now).await?;
        Ok(tokens)
    }

    /// Reads the store once more. Where several gateways share one, this belongs to each change
    /// of [`Space::Token`] that [`Store::watch`] tells of.
    ///
    /// # Errors
    /// When the store or a record is in doubt; what was known then counts no longer.
    pub async fn reload(&self, now: UnixMillis) -> Result<(), StoreError> {
        let _alone = self.changing.lock().await;
        self.reload_alone(now).await
    }

    async fn reload_alone(&self, now: UnixMillis) -> Result<(), StoreError> {
        let read = self.read(now).await;
        let (known, outcome) = match read {
            Ok(known) => (known, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        self.known.store(Arc::new(known));
        outcome
    }

    async fn read(&self, now: UnixMillis) -> Result<Vec<Arc<Issued>>, StoreError> {
        let records = self.store.scan(now, Space::Token, &[], None, 1000).await?;
        let each = records.iter().map(|(_, record)| {
            let stored = serde_json::from_slice(&record.value)
                .map_err(|error| StoreError::Corrupt(format!("a token: {error}")))?;
            Ok(Arc::new(Issued::of(stored, record.version)))
        });
        each.collect()
    }

    /// Makes sure that what is known is what the store says, where it may be older: another
    /// gateway may have ended a token.
    ///
    /// # Errors
    /// When the store or a record is in doubt.
    pub async fn confirm(&self, now: UnixMillis, how_far: &Freshness) -> Result<(), StoreError> {
        if how_far.counts() { Ok(()) } else { self.reload(now).await }
    }

    /// Reads the store once more because of a token that nobody here knows, at most once a
    /// second: guesses cost nothing. Says whether it did.
    ///
    /// # Errors
    /// When the store or a record is in doubt.
    pub async fn catch_up(&self, now: UnixMillis) -> Result<bool, StoreError> {
        if !self.store.is_shared() || !self.caught_up.is_due(now) {
            return Ok(false);
        }
        self.reload(now).await.map(|()| true)
    }

    /// Those that count now, in no order.
    pub fn all(&self, now: UnixMillis) -> Vec<Arc<Issued>> {
        let known = self.known.load();
        known.iter().filter(|token| token.counts(now)).map(Arc::clone).collect()
    }

    /// The one of this name, where it counts now.
    pub fn named(&self, now: UnixMillis, name: &str) -> Option<Arc<Issued>> {
        self.all(now).into_iter().find(|token| token.staff.name == name)
    }

    /// Makes a token and gives its secret, which nobody can tell again: 256 random bits.
    ///
    /// # Errors
    /// [`MakeFault`]; nothing was made then.
    pub async fn make(
        &self,
        now: UnixMillis,
        wish: Wish,
        made_by: &str,
    ) -> Result<(Zeroizing<String>, Arc<Issued>), MakeFault> {
        let _alone = self.changing.lock().await;
        if self.all(now).len() >= MOST {
            return Err(MakeFault::TooMany);
        }
        let random = Zeroizing::new(random::bytes::<32>()?);
        let random = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
        let secret = Zeroizing::new(format!("{PREFIX}{}", *random));
        let stored = StoredToken {
            name: wish.name,
            role: wish.role,
            portals: wish.portals,
            hash: TokenHash::of(secret.as_bytes()).bytes(),
            made: now,
            made_by: made_by.to_owned(),
            expires: wish.lifetime.map(|lifetime| now.plus(lifetime)),
            used: None,
        };
        match self.put(now, stored, Expect::Absent).await {
            Ok(issued) => Ok((secret, issued)),
            Err(StoreError::Conflict { .. }) => Err(MakeFault::NameTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a token: the next request that carries it is refused. Gives whether it stood.
    ///
    /// # Errors
    /// When its end is not on disk.
    pub async fn end(&self, now: UnixMillis, token: &Issued) -> Result<bool, StoreError> {
        let _alone = self.changing.lock().await;
        for _ in 0..TRIES {
            let Some(current) = self.current(now, token) else { return Ok(false) };
            let expected = Expect::Is(current.version);
            let write = Write::delete(self.key(&current.staff.name)).expecting(expected);
            match self.store.commit(now, vec![write]).await {
                Ok(_) => {
                    self.swap(&current.staff.name, None);
                    return Ok(true);
                }
                // Somebody else ended it, or it has expired since; or another gateway noted
                // that it was used.
                Err(StoreError::Conflict { .. }) => self.reload_alone(now).await?,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict { index: 0 })
    }

    /// Notes that a token is used, at most once an hour.
    ///
    /// # Errors
    /// When that is not on disk. The token counts all the same.
    pub async fn used(&self, now: UnixMillis, token: &Issued) -> Result<(), StoreError> {
        let hour = Some(UnixMillis(now.0 - now.0 % HOUR));
        if token.used >= hour {
            return Ok(());
        }
        let _alone = self.changing.lock().await;
        let Some(current) = self.current(now, token).filter(|token| token.used < hour) else {
            return Ok(());
        };
        let stored = StoredToken { used: hour, ..current.stored() };
        match self.put(now, stored, Expect::Is(current.version)).await {
            // Whoever was quicker has noted it, or ended the token.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What is known of this very token now.
    fn current(&self, now: UnixMillis, token: &Issued) -> Option<Arc<Issued>> {
        let current = self.named(now, &token.staff.name)?;
        bool::from(current.hash.is(&token.hash)).then_some(current)
    }

    async fn put(
        &self,
        now: UnixMillis,
        stored: StoredToken,
        expect: Expect,
    ) -> Result<Arc<Issued>, StoreError> {
        let value = serde_json::to_vec(&stored)
            .map_err(|_| StoreError::Invalid("a token cannot be written"))?;
        let write = Write::put(self.key(&stored.name), value, stored.expires).expecting(expect);
        let versions = self.store.commit(now, vec![write]).await?;
        let version = versions.first().ok_or(StoreError::Invalid("a write has no version"))?;
        let issued = Arc::new(Issued::of(stored, *version));
        self.swap(&issued.staff.name, Some(Arc::clone(&issued)));
        Ok(issued)
    }

    fn swap(&self, name: &str, put: Option<Arc<Issued>>) {
        let known = self.known.load();
        let others = known.iter().filter(|token| token.staff.name != name).map(Arc::clone);
        let all: Vec<Arc<Issued>> = others.chain(put).collect();
        self.known.store(Arc::new(all));
    }

    fn key(&self, name: &str) -> Key {
        Key::new(Space::Token, self.ids.hash([name.as_bytes()]).to_vec())
    }
}

impl Issued {
    fn of(stored: StoredToken, version: Version) -> Self {
        let StoredToken { name, role, portals, hash, made, made_by, expires, used } = stored;
        let staff = Staff { name, kind: StaffKind::Token, role, portals };
        Self { staff, hash: TokenHash::kept(hash), made, made_by, expires, used, version }
    }

    fn stored(&self) -> StoredToken {
        let Staff { name, role, portals, .. } = self.staff.clone();
        let (hash, made, made_by) = (self.hash.bytes(), self.made, self.made_by.clone());
        StoredToken {
            name,
            role,
            portals,
            hash,
            made,
            made_by,
            expires: self.expires,
            used: self.used,
        }
    }

    fn counts(&self, now: UnixMillis) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

#[cfg(test)]
mod tests;
