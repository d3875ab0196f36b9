//! Every session that stands, in memory for the request's way and in the store for good. A
//! session exists only while its record says so; memory is never asked about what it has
//! not read or written itself, nor longer than it is known to be what the store says.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::index;
use super::logins::{Logins, Suspension, turn_names};
use super::memory::Memory;
use super::record::{Level, SessionRecord};
use super::{GUEST_LIFETIME, ROTATION_GRACE};
use crate::clock::{Clock, Stopwatch, UnixMillis};
use crate::store::freshness::{Freshness, STREAMS_GO_ON_FOR};
use crate::store::turn::Turns;
use crate::store::{Expect, Store, StoreError, Version, Write};
use crate::user::Opaque;

/// How often a record is read that changes while it is read.
const TRIES: usize = 8;

/// The sessions of all portals, by the portal session they are bound to.
pub struct Sessions {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    memory: Memory,
    logins: Logins,
    freshness: Arc<Freshness>,
    turns: Turns,
    /// Ends that could not be written down yet, in a store that gateways share.
    owed: Mutex<Vec<SessionRecord>>,
}

impl Sessions {
    /// The sessions of `store`. Those that stand are remembered, unless other gateways have a
    /// part in them: then each is read when somebody comes with it.
    ///
    /// # Errors
    /// When the store or one of the records is in doubt.
    pub async fn load(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let freshness = Arc::new(Freshness::of(&*store, Arc::clone(&clock)));
        let turns = Turns::new(Arc::clone(&store), Arc::clone(&clock));
        let (memory, logins, owed) = (Memory::new(), Logins::default(), Mutex::default());
        let sessions = Self { store, clock, memory, logins, freshness, turns, owed };
        if !sessions.is_shared() {
            let now = sessions.clock.now();
            let mut after = None;
            loop {
                let (some, last) = index::some(&*sessions.store, now, after).await?;
                for (record, version) in some {
                    sessions.memory.note(&Arc::new(record), Some(version));
                }
                after = last;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(sessions)
    }

    /// The session bound to this portal session, from memory alone: no store, and no lock,
    /// whoever signs in meanwhile. Nothing also means "not read yet", and "not known for
    /// certain now".
    pub fn known(&self, now: UnixMillis, bind: Opaque) -> Option<Arc<SessionRecord>> {
        if self.freshness.counts() { self.remembered(now, bind) } else { None }
    }

    /// Whether the session that began with this sign-in is still not over, as far as is known
    /// for certain.
    pub fn goes_on(&self, now: UnixMillis, root: Opaque) -> bool {
        self.memory.goes_on(now, root) && self.freshness.carries_streams()
    }

    /// The same for a request that was judged `since` then. While nobody hears from the store
    /// it may end as it began, and a stream ends within a second.
    pub fn carries(&self, now: UnixMillis, root: Opaque, since: Stopwatch) -> bool {
        let is_young = || since.elapsed() < STREAMS_GO_ON_FOR;
        self.memory.goes_on(now, root) && (self.freshness.carries_streams() || is_young())
    }

    /// Whether memory may know nothing of a session that carries a request although it goes on:
    /// nothing is heard of the store, or all was forgotten after the request was judged, `since`
    /// then.
    pub fn is_in_doubt(&self, since: Stopwatch) -> bool {
        self.is_shared()
            && (self.memory.forgot_all_since(since) || !self.freshness.carries_streams())
    }

    /// The session bound to this portal session, wherever it is kept.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn find(
        &self,
        now: UnixMillis,
        bind: Opaque,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        if !(self.freshness.counts() && self.memory.at(bind).is_some()) {
            self.read(now, bind).await?;
        }
        Ok(self.remembered(now, bind))
    }

    /// The same by the store's own word, where gateways share it: what somebody brings may be
    /// newer than what is remembered, and nobody is refused for that.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn look(
        &self,
        now: UnixMillis,
        bind: Opaque,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        if !self.is_shared() {
            return self.find(now, bind).await;
        }
        self.read(now, bind).await?;
        Ok(self.remembered(now, bind))
    }

    /// How far the store was followed.
    pub fn freshness(&self) -> &Arc<Freshness> {
        &self.freshness
    }

    /// Turns in the same store.
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Whether other gateways have a part in these sessions.
    pub fn is_shared(&self) -> bool {
        self.freshness.is_shared()
    }

    /// The writes that put `new` in the place of `old`, if `old` still stands when they are
    /// committed. A session that moves ends where it was.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it does not stand now, or when the store is in doubt.
    pub async fn replacement(
        &self,
        now: UnixMillis,
        old: &SessionRecord,
        new: &SessionRecord,
    ) -> Result<Vec<Write>, StoreError> {
        if !self.counts(now, old) {
            return Err(StoreError::Conflict { index: 0 });
        }
        let unchanged = index::unchanged(&*self.store, now, old).await?;
        let mut writes = self.turns.free(&turn_names(&new.parts));
        if new.bind == old.bind {
            writes.extend(index::writes_if(unchanged, new)?);
            return Ok(writes);
        }
        writes.extend(index::writes_if(unchanged, &ended(now, old))?);
        writes.extend(index::writes(new)?);
        Ok(writes)
    }

    /// What lets a transaction happen only if `record` stands, unchanged, when it is committed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it does not stand now, or when the store is in doubt.
    pub async fn standing(
        &self,
        now: UnixMillis,
        record: &SessionRecord,
    ) -> Result<Write, StoreError> {
        if !self.counts(now, record) {
            return Err(StoreError::Conflict { index: 0 });
        }
        index::check(&*self.store, now, record).await
    }

    /// Takes note of a replacement whose writes are on disk under `versions`.
    pub async fn replaced(
        &self,
        now: UnixMillis,
        old: &SessionRecord,
        new: &Arc<SessionRecord>,
        versions: &[Version],
    ) {
        if new.bind != old.bind {
            self.remember(now, &Arc::new(ended(now, old)), versions).await;
        }
        self.remember(now, new, versions).await;
    }

    /// The session at `record`'s place if it is one that `record` would only repeat, else
    /// `record` itself from now on. Whoever comes with the same portal session at the same
    /// moment gets the same.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn begin_or_join(
        &self,
        now: UnixMillis,
        record: SessionRecord,
    ) -> Result<Arc<SessionRecord>, StoreError> {
        let joins = |there: &SessionRecord| {
            there.level == record.level && there.sub == record.sub && there.stands(now)
        };
        if let Some(there) = self.find(now, record.bind).await?.filter(|there| joins(there)) {
            return Ok(there);
        }
        let before = index::at(&*self.store, now, record.bind).await?;
        let expected = index::as_found(before.map(|(_, version)| version));
        let mut writes = index::writes_if(expected, &record)?;
        writes.extend(self.turns.free(&turn_names(&record.parts)));
        match self.store.commit(now, writes).await {
            Ok(versions) => {
                let record = Arc::new(record);
                self.remember(now, &record, &versions).await;
                Ok(record)
            }
            Err(StoreError::Conflict { index }) => {
                let (there, version) = index::at(&*self.store, now, record.bind)
                    .await?
                    .filter(|(there, _)| joins(there))
                    .ok_or(StoreError::Conflict { index })?;
                let there = Arc::new(there);
                self.remember(now, &there, &[version]).await;
                Ok(there)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes note of a record whose writes are on disk under `versions`. Where gateways share
    /// the store it is read there: another one may have changed it since.
    async fn remember(&self, now: UnixMillis, record: &Arc<SessionRecord>, versions: &[Version]) {
        if !self.is_shared() {
            return self.memory.note(record, versions.iter().max().copied());
        }
        if self.read(now, record.bind).await.is_err() {
            // Whoever comes with it asks the store.
            self.memory.forget(record.bind);
        }
    }

    /// Makes `record` the session of its portal session, in place of whatever was there.
    ///
    /// Where gateways share the store, nobody may sign in with these cookies at the same time.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody does, or when it is not on disk; then there is no
    /// such session.
    pub async fn begin(
        &self,
        now: UnixMillis,
        record: SessionRecord,
    ) -> Result<Arc<SessionRecord>, StoreError> {
        let mut writes = index::writes(&record)?;
        writes.extend(self.turns.free(&turn_names(&record.parts)));
        let versions = self.store.commit(now, writes).await?;
        Ok(self.begun(now, record, &versions).await)
    }

    /// The same after a login that was held back until now, if it has its turn still.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the turn is lost, or when it is not on disk; then there is
    /// no such session.
    pub async fn begin_held(
        &self,
        now: UnixMillis,
        record: SessionRecord,
        held: &Suspension,
    ) -> Result<Arc<SessionRecord>, StoreError> {
        let versions = self.put_held(now, &record, Some(held)).await?;
        Ok(self.begun(now, record, &versions).await)
    }

    async fn begun(
        &self,
        now: UnixMillis,
        record: SessionRecord,
        versions: &[Version],
    ) -> Arc<SessionRecord> {
        let record = Arc::new(record);
        self.remember(now, &record, versions).await;
        record
    }

    /// Moves a session to the portal session `record` is bound to. The old one counts a few
    /// seconds more, for requests that were under way; each of them may move it too, where a
    /// portal gives its session a new name in every answer.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it does not stand any more, or when it is not on disk.
    pub async fn rebind(
        &self,
        now: UnixMillis,
        old: &SessionRecord,
        record: SessionRecord,
    ) -> Result<Arc<SessionRecord>, StoreError> {
        // A page asks for many things at once, and each answer may bring a portal session of its
        // own, or all of them the same. Each conflict means that one of them has moved.
        const MOST_AT_ONCE: usize = 64;
        let record = Arc::new(record);
        for _ in 0..MOST_AT_ONCE {
            let new = index::at(&*self.store, now, record.bind).await?;
            let repeats = |there: &SessionRecord| {
                *there == SessionRecord { sid: there.sid, ..(*record).clone() } && there.stands(now)
            };
            let (fading, mut writes) = self.fading(now, old).await?;
            if let Some((there, version)) = new.as_ref().filter(|(there, _)| repeats(there)) {
                let there = Arc::new(there.clone());
                self.remember(now, &there, &[*version]).await;
                return Ok(there);
            }
            let expected = index::as_found(new.map(|(_, version)| version));
            writes.extend(index::writes_if(expected, &record)?);
            let turns = turn_names(&record.parts);
            writes.extend(self.turns.free(&turns));
            match self.store.commit(now, writes).await {
                Ok(versions) => {
                    self.remember(now, &Arc::new(fading), &versions).await;
                    self.remember(now, &record, &versions).await;
                    return Ok(record);
                }
                Err(StoreError::Conflict { index }) => {
                    if self.turns.is_any_held(now, &turns).await? {
                        return Err(StoreError::Conflict { index });
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict { index: 0 })
    }

    /// `old` with a few seconds left, and the writes that say so if it still stands when they
    /// are committed. It may fade already, and then gets no longer.
    async fn fading(
        &self,
        now: UnixMillis,
        old: &SessionRecord,
    ) -> Result<(SessionRecord, Vec<Write>), StoreError> {
        let found = index::at(&*self.store, now, old.bind).await?;
        let same = |there: &SessionRecord| {
            *old == SessionRecord { ends: old.ends, ..there.clone() } && self.counts(now, there)
        };
        let found = found.filter(|(there, _)| same(there));
        let (there, version) = found.ok_or(StoreError::Conflict { index: 0 })?;
        let fading = SessionRecord { ends: there.ends.min(now.plus(ROTATION_GRACE)), ..there };
        let writes = index::writes_if(Expect::Is(version), &fading)?;
        Ok((fading, writes))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the end is not on disk. In this process the session is over all the same, and
    /// where gateways share the store it is tried again until it is over everywhere.
    pub async fn end(&self, now: UnixMillis, record: &SessionRecord) -> Result<(), StoreError> {
        let ended = Arc::new(ended(now, record));
        let written = self.store.commit(now, index::writes(&ended)?).await;
        let version = written.as_ref().ok().and_then(|versions| versions.iter().max()).copied();
        self.memory.note(&ended, version);
        if written.is_err() && self.is_shared() {
            self.owe((*ended).clone());
        }
        written.map(|_| ())
    }

    /// The sessions of one user that stand at `now`.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn of_user(
        &self,
        now: UnixMillis,
        sub: Opaque,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let mut records = index::of_user(&*self.store, now, sub).await?;
        records.retain(|record| record.stands(now));
        Ok(records)
    }

    /// How many sessions of each portal stand, for the metrics; of a portal that is not named,
    /// none. Where gateways share the store, those that this one has seen.
    pub fn count(&self, now: UnixMillis) -> HashMap<String, usize> {
        self.memory.count(|record| record.stands(now))
    }

    /// Forgets what is over, so that memory holds only what stands.
    pub fn sweep(&self, now: UnixMillis) {
        self.memory.sweep(now);
    }

    /// Lets every stream end within a second, whatever its session. Whose session goes on all
    /// the same is taken note of again when it moves.
    pub(super) fn let_streams_go(&self) {
        self.memory.let_streams_go();
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn owed(&self) -> MutexGuard<'_, Vec<SessionRecord>> {
        self.owed.lock()
    }

    pub(super) fn logins(&self) -> &Logins {
        &self.logins
    }

    pub(super) fn clock_now(&self) -> UnixMillis {
        self.clock.now()
    }

    fn counts(&self, now: UnixMillis, record: &SessionRecord) -> bool {
        record.stands(now) && !self.logins.any_suspended(&record.parts)
    }

    /// The session at this portal session as it is remembered, if it stands.
    fn remembered(&self, now: UnixMillis, bind: Opaque) -> Option<Arc<SessionRecord>> {
        // Looked at once more: a login that ended between the two looks has changed the record
        // before it let go, and the first look may still have met the old one.
        let free = |record: &SessionRecord| !self.logins.any_suspended(&record.parts);
        self.memory.twice(bind, free).filter(|record| record.stands(now))
    }

    /// Reads the record at this portal session, and remembers it.
    pub(super) async fn read(&self, now: UnixMillis, bind: Opaque) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let mark = self.memory.mark(bind);
            match index::at(&*self.store, now, bind).await? {
                // What was written meanwhile is newer than what was read, and stays.
                Some((record, version)) => self.memory.note(&Arc::new(record), Some(version)),
                None if self.is_shared() => self.memory.forget(bind),
                None => {}
            }
            if self.memory.mark(bind) == mark {
                return Ok(());
            }
        }
        self.memory.forget(bind);
        Err(StoreError::Unavailable("a session changes faster than it can be read".to_owned()))
    }
}

/// The record of an end. It outlives every token that could still speak of the portal session
/// as a guest's.
fn ended(now: UnixMillis, record: &SessionRecord) -> SessionRecord {
    let ends = record.ends.max(now.plus(GUEST_LIFETIME));
    SessionRecord { level: Level::Ended, ends, ..record.clone() }
}

#[cfg(test)]
mod tests;
