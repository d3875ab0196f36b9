//! Every session that stands, in memory for the request's way and in the store for good. A
//! session exists only while its record says so; memory is never asked about what it has
//! not read or written itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use papaya::{Compute, HashMap, Operation};

use super::index;
use super::logins::{Logins, Suspension};
use super::record::{Level, SessionRecord};
use super::{GUEST_LIFETIME, ROTATION_GRACE};
use crate::clock::UnixMillis;
use crate::store::{Expect, Store, StoreError, Version, Write};
use crate::user::Opaque;

/// The sessions of all portals, by the portal session they are bound to.
pub struct Sessions {
    store: Arc<dyn Store>,
    known: HashMap<Opaque, Known>,
    /// Sessions from sign-in to end, with when they end by themselves: what a stream that
    /// outlasts several portal sessions hangs on.
    roots: HashMap<Opaque, UnixMillis>,
    logins: Logins,
}

/// A record with the write it comes from. Nothing means that an end could not be written:
/// then nothing takes its place.
#[derive(Clone)]
struct Known {
    record: Arc<SessionRecord>,
    version: Option<Version>,
}

impl Sessions {
    /// All sessions of `store` that stand at `now`.
    ///
    /// # Errors
    /// When the store or one of the records is in doubt.
    pub async fn load(store: Arc<dyn Store>, now: UnixMillis) -> Result<Self, StoreError> {
        let records = index::all(&*store, now).await?;
        let (known, roots, logins) = (HashMap::new(), HashMap::new(), Logins::default());
        let sessions = Self { store, known, roots, logins };
        for (record, version) in records {
            sessions.remember(&Arc::new(record), &[version]);
        }
        Ok(sessions)
    }

    /// The session bound to this portal session, from memory alone: no store, and no lock,
    /// whoever signs in meanwhile. Nothing also means "not read yet".
    pub fn known(&self, now: UnixMillis, bind: Opaque) -> Option<Arc<SessionRecord>> {
        let known = self.known.pin();
        let before = &known.get(&bind)?.record;
        if self.logins.any_suspended(&before.parts) {
            return None;
        }
        // Read once more: a login that ended between the two looks has changed the record
        // before it let go, and the first look may still have met the old one.
        let record = &known.get(&bind)?.record;
        record.stands(now).then(|| Arc::clone(record))
    }

    /// Whether the session that began with this sign-in is still not over.
    pub fn goes_on(&self, now: UnixMillis, root: Opaque) -> bool {
        self.roots.pin().get(&root).is_some_and(|ends| now < *ends)
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
        self.read(now, bind).await?;
        Ok(self.known(now, bind))
    }

    /// Whether somebody has signed in with one of these cookies, be it long over.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn was_signed_in(
        &self,
        now: UnixMillis,
        parts: &[Opaque],
    ) -> Result<bool, StoreError> {
        // Before the store: a login that is settled while it is read has let go afterwards.
        if self.logins.any_suspended(parts) {
            return Ok(true);
        }
        for part in parts {
            if !index::with_part(&*self.store, now, *part).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(self.logins.any_suspended(parts))
    }

    /// Holds back every session that shares a cookie with this portal session while a login
    /// in it is under way. Logins in one portal session go one after the other, so that the
    /// last one settled here is the last one that the portal saw.
    pub async fn suspend(self: &Arc<Self>, parts: &[Opaque]) -> Suspension {
        self.logins.suspend(parts).await
    }

    /// Ends every session that shares a cookie with `parts`, but for the one at `except`.
    ///
    /// # Errors
    /// When an end is not on disk.
    pub async fn end_sharing(
        &self,
        now: UnixMillis,
        parts: &[Opaque],
        except: Option<Opaque>,
    ) -> Result<(), StoreError> {
        let mut binds = BTreeSet::new();
        for part in parts {
            binds.extend(index::with_part(&*self.store, now, *part).await?);
        }
        for bind in binds.into_iter().filter(|bind| Some(*bind) != except) {
            if let Some(record) = self.read(now, bind).await? {
                self.end(now, &record).await?;
            }
        }
        Ok(())
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
        if new.bind == old.bind {
            return index::writes_if(unchanged, new);
        }
        let mut writes = index::writes_if(unchanged, &ended(now, old))?;
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
    pub fn replaced(
        &self,
        now: UnixMillis,
        old: &SessionRecord,
        new: &Arc<SessionRecord>,
        versions: &[Version],
    ) {
        if new.bind != old.bind {
            self.remember(&Arc::new(ended(now, old)), versions);
        }
        self.remember(new, versions);
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
        let writes = index::writes_if(expected, &record)?;
        match self.store.commit(now, writes).await {
            Ok(versions) => {
                let record = Arc::new(record);
                self.remember(&record, &versions);
                Ok(record)
            }
            Err(StoreError::Conflict { index }) => {
                let (there, version) = index::at(&*self.store, now, record.bind)
                    .await?
                    .filter(|(there, _)| joins(there))
                    .ok_or(StoreError::Conflict { index })?;
                let there = Arc::new(there);
                self.remember(&there, &[version]);
                Ok(there)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes note of a record whose writes are on disk under `versions`. What was written
    /// later stays: notes may come in another order than writes.
    pub fn remember(&self, record: &Arc<SessionRecord>, versions: &[Version]) {
        self.note(Known { record: Arc::clone(record), version: versions.iter().max().copied() });
    }

    fn note(&self, new: Known) {
        let record = Arc::clone(&new.record);
        let newer = |old: &Known| {
            new.version.is_none() || (old.version.is_some() && old.version < new.version)
        };
        let known = self.known.pin();
        let noted = known.compute(record.bind, |old| match old {
            Some((_, old)) if !newer(old) => Operation::Abort(()),
            _ => Operation::Insert(new.clone()),
        });
        if matches!(noted, Compute::Aborted(())) {
            return;
        }
        let roots = self.roots.pin();
        if record.level == Level::Ended {
            roots.remove(&record.root);
        } else {
            roots.update_or_insert(record.root, |ends| (*ends).max(record.ends), record.ends);
        }
    }

    /// Makes `record` the session of its portal session, in place of whatever was there.
    ///
    /// # Errors
    /// When it is not on disk; then there is no such session.
    pub async fn begin(
        &self,
        now: UnixMillis,
        record: SessionRecord,
    ) -> Result<Arc<SessionRecord>, StoreError> {
        let versions = self.store.commit(now, index::writes(&record)?).await?;
        let record = Arc::new(record);
        self.remember(&record, &versions);
        Ok(record)
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
                self.remember(&there, &[*version]);
                return Ok(there);
            }
            let expected = index::as_found(new.map(|(_, version)| version));
            writes.extend(index::writes_if(expected, &record)?);
            match self.store.commit(now, writes).await {
                Ok(versions) => {
                    self.remember(&Arc::new(fading), &versions);
                    self.remember(&record, &versions);
                    return Ok(record);
                }
                Err(StoreError::Conflict { .. }) => {}
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
    /// When the end is not on disk. In this process the session is over all the same.
    pub async fn end(&self, now: UnixMillis, record: &SessionRecord) -> Result<(), StoreError> {
        let ended = Arc::new(ended(now, record));
        let written = self.store.commit(now, index::writes(&ended)?).await;
        let version = written.as_ref().ok().and_then(|versions| versions.iter().max()).copied();
        self.note(Known { record: ended, version });
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

    /// How many sessions of `portal` stand, for the metrics.
    pub fn count(&self, now: UnixMillis, portal: &str) -> usize {
        let known = self.known.pin();
        let here = |known: &&Known| known.record.portal == portal && known.record.stands(now);
        known.values().filter(here).count()
    }

    /// Forgets what is over, so that memory holds only what stands.
    pub fn sweep(&self, now: UnixMillis) {
        self.known.pin().retain(|_, known| now < known.record.ends);
        self.roots.pin().retain(|_, ends| now < *ends);
    }

    /// Lets every stream end within a second, whatever its session. Whose session goes on all
    /// the same is taken note of again when it moves.
    pub(super) fn let_streams_go(&self) {
        self.roots.pin().clear();
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    fn counts(&self, now: UnixMillis, record: &SessionRecord) -> bool {
        record.stands(now) && !self.logins.any_suspended(&record.parts)
    }

    async fn read(
        &self,
        now: UnixMillis,
        bind: Opaque,
    ) -> Result<Option<Arc<SessionRecord>>, StoreError> {
        if let Some(known) = self.known.pin().get(&bind) {
            let record = Arc::clone(&known.record);
            return Ok((now < record.ends).then_some(record));
        }
        let Some((record, version)) = index::at(&*self.store, now, bind).await? else {
            return Ok(None);
        };
        let record = Arc::new(record);
        self.remember(&record, &[version]);
        // What was written meanwhile is newer than what was read.
        let known = self.known.pin();
        Ok(known.get(&bind).map(|known| Arc::clone(&known.record)))
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
