//! What happens to sessions while somebody signs in at their portal session: it is held back,
//! the portal sees one password after the other, and afterwards no session is left that was
//! there before.

use std::collections::BTreeSet;
use std::time::Duration;

use super::logins::{Suspension, turn_names};
use super::{SessionRecord, Sessions, index};
use crate::clock::UnixMillis;
use crate::store::turn::Pinned;
use crate::store::{StoreError, Version};
use crate::user::Opaque;

/// How long a login waits until another gateway is done with one in the same portal session.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it takes until no gateway counts on a session that ended, with what is on its way.
const UNTIL_ALL_KNOW: Duration = Duration::from_secs(1);

impl Sessions {
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
        if self.is_any_suspended(now, parts).await? {
            return Ok(true);
        }
        for part in parts {
            if !index::with_part(self.store(), now, *part).await?.is_empty() {
                return Ok(true);
            }
        }
        self.is_any_suspended(now, parts).await
    }

    /// Whether a login is under way with one of these cookies, at whichever gateway.
    async fn is_any_suspended(
        &self,
        now: UnixMillis,
        parts: &[Opaque],
    ) -> Result<bool, StoreError> {
        Ok(self.logins().any_suspended(parts)
            || self.turns().is_any_held(now, &turn_names(parts)).await?)
    }

    /// Holds back every session that shares a cookie with this portal session while a login
    /// in it is under way. Logins in one portal session go one after the other, at whichever
    /// gateway, so that the last one settled here is the last one that the portal saw.
    ///
    /// Other gateways cannot be told at once to hold something back. So where they share the
    /// store, what stands there ends before the password goes out, and the login waits until
    /// each of them has heard of it or asks the store.
    ///
    /// # Errors
    /// When somebody else has signed in there for too long, or when the store is in doubt.
    pub async fn suspend(&self, parts: &[Opaque]) -> Result<Suspension, StoreError> {
        let mut suspension = self.logins().suspend(parts).await;
        if self.is_shared() {
            let names = turn_names(suspension.parts());
            suspension.holds(self.turns().take(&names, PATIENCE).await?);
            if self.end_standing(suspension.parts()).await? {
                tokio::time::sleep(UNTIL_ALL_KNOW).await;
            }
        }
        Ok(suspension)
    }

    /// Ends the sessions that stand with one of these cookies; says whether there were any.
    async fn end_standing(&self, parts: &[Opaque]) -> Result<bool, StoreError> {
        let now = self.clock_now();
        let mut any = false;
        for bind in self.sharing(now, parts).await? {
            let found = index::at(self.store(), now, bind).await?;
            if let Some((record, _)) = found.filter(|(record, _)| record.stands(now)) {
                self.end(now, &record).await?;
                any = true;
            }
        }
        Ok(any)
    }

    /// Whether somebody other than `sub` is signed in with one of these cookies, or may be
    /// soon: what was said of the portal session before no longer counts then. Only where
    /// gateways share the store; else whoever signs in is seen here.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn is_somebody_elses(
        &self,
        now: UnixMillis,
        parts: &[Opaque],
        sub: Opaque,
    ) -> Result<bool, StoreError> {
        if !self.is_shared() {
            return Ok(false);
        }
        if self.is_any_suspended(now, parts).await? {
            return Ok(true);
        }
        for bind in self.sharing(now, parts).await? {
            let found = index::at(self.store(), now, bind).await?;
            if found.is_some_and(|(record, _)| record.stands(now) && record.sub != sub) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn sharing(
        &self,
        now: UnixMillis,
        parts: &[Opaque],
    ) -> Result<BTreeSet<Opaque>, StoreError> {
        let mut binds = BTreeSet::new();
        for part in parts {
            binds.extend(index::with_part(self.store(), now, *part).await?);
        }
        Ok(binds)
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
        let binds = self.sharing(now, parts).await?;
        for bind in binds.into_iter().filter(|bind| Some(*bind) != except) {
            if self.is_shared() || self.memory().at(bind).is_none() {
                self.read(now, bind).await?;
            }
            if let Some(record) = self.memory().at(bind).filter(|record| now < record.ends) {
                self.end(now, &record).await?;
            }
        }
        Ok(())
    }

    /// Notes that perhaps somebody is signed in at `record`'s portal session and nobody can say
    /// who. It ends all that stands there, whoever has a turn: of two who signed in at once
    /// nobody knows then whom the portal saw last.
    ///
    /// # Errors
    /// When that is not on disk.
    pub async fn doubt(
        &self,
        now: UnixMillis,
        record: SessionRecord,
        held: Option<&Suspension>,
    ) -> Result<(), StoreError> {
        self.end_sharing(now, &record.parts, Some(record.bind)).await?;
        match (self.put_held(now, &record, held).await, held) {
            (Err(StoreError::Conflict { .. }), Some(held)) => {
                // Whoever signs in there now learns that it was not alone.
                self.turns().break_open(now, &turn_names(held.parts())).await?;
                self.end_sharing(now, &record.parts, Some(record.bind)).await?;
                self.store().commit(now, index::writes(&record)?).await?;
            }
            (written, _) => drop(written?),
        }
        self.end(now, &record).await
    }

    /// Puts `record` at its places, if the turn is held still.
    pub(super) async fn put_held(
        &self,
        now: UnixMillis,
        record: &SessionRecord,
        held: Option<&Suspension>,
    ) -> Result<Vec<Version>, StoreError> {
        let turn = match held {
            Some(held) => held.pinned().await?,
            None => Pinned::of_nothing(),
        };
        let mut writes = index::writes(record)?;
        writes.extend(turn.checks());
        self.store().commit(now, writes).await
    }
}

#[cfg(test)]
mod tests;
