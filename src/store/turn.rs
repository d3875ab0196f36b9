//! Turns: what one gateway at a time may do, where several share a store. A turn is a record
//! with an end, renewed while it is held: whoever dies with it holds it for seconds more.
//! Whether it is still held is judged in the transaction that matters, never before it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::task::AbortHandle;

use super::{Expect, Key, Op, Space, Store, StoreError, Version, Write};
use crate::clock::{Clock, UnixMillis};
use crate::random;

/// How long a turn is held without being renewed.
pub const LEASE: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(4);
/// The shortest and the longest pause before it is tried again, in milliseconds.
const PAUSE: (u64, u64) = (15, 60);

/// Hands out turns. In a store that no other gateway has there are none to be had, and nobody
/// waits: what goes on in one process takes its own turns.
#[derive(Clone)]
pub struct Turns {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    are_needed: bool,
}

/// A turn, or several at once. It is given back by [`Turn::give_back`], or soon after it was
/// dropped.
#[must_use]
pub struct Turn {
    held: Option<Arc<Held>>,
    renewing: Option<AbortHandle>,
}

struct Held {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    keys: Vec<Key>,
    /// What stands in the records, so that ours are known from all others.
    id: [u8; 16],
    /// The present records; nothing where nobody knows which those are.
    versions: Mutex<Option<Vec<Version>>>,
}

/// A turn that is not renewed meanwhile, so that a transaction can depend on it.
pub struct Pinned<'a> {
    writes: Vec<(Key, Version)>,
    _held: Option<MutexGuard<'a, Option<Vec<Version>>>>,
}

impl Turns {
    /// Turns in `store`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let are_needed = store.is_shared();
        Self { store, clock, are_needed }
    }

    /// Whether gateways share the store.
    pub const fn are_needed(&self) -> bool {
        self.are_needed
    }

    /// Waits up to `patience` until nobody has any of these turns, and takes all of them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when somebody has one for so long, or when the store is in
    /// doubt.
    pub async fn take(&self, names: &[TurnName], patience: Duration) -> Result<Turn, StoreError> {
        if !self.are_needed || names.is_empty() {
            return Ok(Turn { held: None, renewing: None });
        }
        let id = random::bytes().map_err(|_| StoreError::Invalid("a turn has no name"))?;
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        let keys = names.iter().map(TurnName::key).collect();
        let held = Arc::new(Held { store, clock, keys, id, versions: Mutex::new(None) });
        // Whatever becomes of the waiting, what may have been taken is given back.
        let mut turn = Turn { held: Some(Arc::clone(&held)), renewing: None };
        let mut waited = Duration::ZERO;
        loop {
            match held.take().await {
                Ok(()) => break,
                Err(StoreError::Conflict { .. }) if waited < patience => {}
                Err(StoreError::Conflict { .. }) => {
                    turn.held = None;
                    let busy = "somebody else has the turn for too long";
                    return Err(StoreError::Unavailable(busy.to_owned()));
                }
                Err(error) => return Err(error),
            }
            let pause = pause()?;
            tokio::time::sleep(pause).await;
            waited += pause;
        }
        turn.renewing = Some(tokio::spawn(held.renewed()).abort_handle());
        Ok(turn)
    }

    /// Whether somebody has one of these turns, by the store itself.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn is_any_held(
        &self,
        now: UnixMillis,
        names: &[TurnName],
    ) -> Result<bool, StoreError> {
        if self.are_needed {
            for name in names {
                if self.store.get(now, &name.key()).await?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Takes these turns away from whoever has them, who learns it when it matters.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn break_open(&self, now: UnixMillis, names: &[TurnName]) -> Result<(), StoreError> {
        if !self.are_needed || names.is_empty() {
            return Ok(());
        }
        let gone = names.iter().map(|name| Write::delete(name.key())).collect();
        self.store.commit(now, gone).await.map(drop)
    }

    /// What lets a transaction happen only while nobody has any of these turns.
    pub fn free(&self, names: &[TurnName]) -> Vec<Write> {
        let names = if self.are_needed { names } else { &[] };
        let free =
            |name: &TurnName| Write { key: name.key(), expect: Expect::Absent, op: Op::Check };
        names.iter().map(free).collect()
    }
}

/// What a turn is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnName {
    /// A login with this portal cookie.
    Login([u8; 16]),
    /// A change of the factor of this user at this portal.
    Change([u8; 8], [u8; 16]),
    /// Being the gateway of this name, hashed.
    Node([u8; 16]),
}

impl TurnName {
    fn key(&self) -> Key {
        let id = match self {
            Self::Login(part) => [b"login", &part[..]].concat(),
            Self::Change(portal, user) => [b"change", &portal[..], &user[..]].concat(),
            Self::Node(name) => [b"node", &name[..]].concat(),
        };
        Key::new(Space::Turn, id)
    }
}

impl Turn {
    /// The turn as it is held now, and not renewed until this is dropped.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is lost, or when the store is in doubt.
    pub async fn pinned(&self) -> Result<Pinned<'_>, StoreError> {
        let Some(held) = &self.held else { return Ok(Pinned::of_nothing()) };
        let guard = held.certain().await?;
        let versions = guard.iter().flatten().copied();
        let writes = held.keys.iter().cloned().zip(versions).collect();
        Ok(Pinned { writes, _held: Some(guard) })
    }

    /// Lets others have it, before anybody is answered.
    pub async fn give_back(mut self) {
        if let Some(held) = self.held.take() {
            held.give_back(self.renewing.take()).await;
        }
    }

    /// Notes that a transaction gave it back.
    pub fn was_given_back(mut self) {
        self.held = None;
        if let Some(renewing) = self.renewing.take() {
            renewing.abort();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (held, renewing) = (self.held.take(), self.renewing.take());
        match (held, tokio::runtime::Handle::try_current()) {
            (Some(held), Ok(runtime)) => {
                runtime.spawn(async move { held.give_back(renewing).await });
            }
            (_, Ok(_) | Err(_)) => {
                if let Some(renewing) = renewing {
                    renewing.abort();
                }
            }
        }
    }
}

impl Pinned<'_> {
    /// Of a turn that nobody needs.
    pub const fn of_nothing() -> Self {
        Self { writes: Vec::new(), _held: None }
    }

    /// What lets a transaction happen only while the turn is ours.
    pub fn checks(&self) -> Vec<Write> {
        self.writes(Op::Check)
    }

    /// The same, and gives it back with what the transaction does.
    pub fn gives_back(&self) -> Vec<Write> {
        self.writes(Op::Delete)
    }

    fn writes(&self, op: Op) -> Vec<Write> {
        let write = |(key, version): &(Key, Version)| Write {
            key: key.clone(),
            expect: Expect::Is(*version),
            op: op.clone(),
        };
        self.writes.iter().map(write).collect()
    }
}

impl Held {
    async fn take(&self) -> Result<(), StoreError> {
        let mut versions = self.versions.lock().await;
        let expected = self.keys.iter().map(|_| Expect::Absent);
        *versions = Some(self.put(expected).await?);
        Ok(())
    }

    async fn put(
        &self,
        expected: impl Iterator<Item = Expect>,
    ) -> Result<Vec<Version>, StoreError> {
        let now = self.clock.now();
        let until = Some(now.plus(LEASE));
        let put = |(key, expect): (&Key, Expect)| {
            Write::put(key.clone(), self.id.to_vec(), until).expecting(expect)
        };
        self.store.commit(now, self.keys.iter().zip(expected).map(put).collect()).await
    }

    /// The versions of our records. Where nobody knows them they are read.
    async fn certain(&self) -> Result<MutexGuard<'_, Option<Vec<Version>>>, StoreError> {
        let mut versions = self.versions.lock().await;
        if versions.is_none() {
            let mut found = Vec::new();
            for key in &self.keys {
                let ours = self.ours(key).await?;
                found.push(ours.ok_or(StoreError::Conflict { index: 0 })?);
            }
            *versions = Some(found);
        }
        Ok(versions)
    }

    async fn ours(&self, key: &Key) -> Result<Option<Version>, StoreError> {
        let found = self.store.get(self.clock.now(), key).await?;
        let found = found.filter(|record| record.value == self.id[..]);
        Ok(found.map(|record| record.version))
    }

    /// Renews the turn for as long as it is held.
    async fn renewed(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            if matches!(self.renew().await, Err(StoreError::Conflict { .. })) {
                tracing::warn!("a turn was lost before it was given back");
                return;
            }
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let mut versions = self.certain().await?;
        // Until it is known what came of it, nobody knows the versions.
        let before = versions.take().unwrap_or_default();
        *versions = Some(self.put(before.iter().copied().map(Expect::Is)).await?);
        Ok(())
    }

    async fn give_back(&self, renewing: Option<AbortHandle>) {
        // Whoever renews it is stopped between two times, so that it does not come back.
        let _not_renewed = self.versions.lock().await;
        if let Some(renewing) = renewing {
            renewing.abort();
        }
        for key in &self.keys {
            let given = match self.ours(key).await {
                Ok(Some(version)) => {
                    let delete = Write::delete(key.clone()).expecting(Expect::Is(version));
                    self.store.commit(self.clock.now(), vec![delete]).await.map(drop)
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = given {
                tracing::warn!(%error, "a turn was not given back; it ends by itself");
            }
        }
    }
}

/// A pause whose length nobody can foresee, so that those who wait do not meet again.
fn pause() -> Result<Duration, StoreError> {
    let (shortest, longest) = PAUSE;
    let [random] = random::bytes::<1>().map_err(|_| StoreError::Invalid("nothing is random"))?;
    let spread = u64::from(random) * (longest - shortest) / 255;
    Ok(Duration::from_millis(shortest + spread))
}

#[cfg(test)]
mod tests;
