//! When a user of a portal was seen, and what the user was told on the way to the day nobody
//! gets in without a second factor. A reset takes none of it away, so it renews no date.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::record::{read, write};
use super::{AccountError, AccountId, Accounts, PortalTag};
use crate::clock::UnixMillis;
use crate::net::language::Language;
use crate::policy::Standing;
use crate::store::{Expect, Key, MAX_WRITES, Space, StoreError, Version, Write};
use crate::user::UserName;

/// A user who is seen again within this time is not written down again.
const FRESH: Duration = Duration::from_secs(3600);
/// How often a change is tried that another one came before.
const MOST_TRIES: usize = 16;
const WATCHED: &[u8] = b"watched";
/// Portals that are read at once.
const PAGE: usize = 1000;

/// What is known of a user from sign-ins alone, enrolled or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sight {
    /// The user's name, for the desk.
    pub user: UserName,
    /// The first sign-in that was seen.
    pub first: UnixMillis,
    /// The last one, to the hour.
    pub last: UnixMillis,
    /// The longest time in milliseconds without one while the user had no second factor; before
    /// the first sign-in it counts from when the portal was first fronted.
    pub quiet: u64,
    /// When the user was last shown the date.
    pub reminded: Option<UnixMillis>,
    /// Since when the user is held for want of a second factor.
    pub held: Option<UnixMillis>,
    /// Since when the user would have been held, had the portal not been reporting alone.
    pub reported: Option<UnixMillis>,
    /// What the user would rather read, as the browser said at the last sign-in that did.
    #[serde(default)]
    pub language: Option<Language>,
}

/// What became of a user on the way, noted once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Was shown the date.
    Reminded,
    /// Was held for want of a second factor.
    Held,
    /// Would have been held.
    Reported,
}

impl Sight {
    fn begun(user: &UserName, now: UnixMillis, quiet: u64) -> Self {
        Self {
            user: user.clone(),
            first: now,
            last: now,
            quiet,
            reminded: None,
            held: None,
            reported: None,
            language: None,
        }
    }

    /// Whether nobody signed in as this user, who has no second factor, for as long as `limit`.
    pub fn was_quiet_for(&self, limit: Duration) -> bool {
        Duration::from_millis(self.quiet) >= limit
    }

    /// Whether a notice is due, where the next follows after `reminder`.
    pub fn is_notice_due(&self, now: UnixMillis, reminder: Duration) -> bool {
        self.reminded.is_none_or(|told| told.plus(reminder) <= now)
    }

    fn place(&mut self, mark: Mark) -> &mut Option<UnixMillis> {
        match mark {
            Mark::Reminded => &mut self.reminded,
            Mark::Held => &mut self.held,
            Mark::Reported => &mut self.reported,
        }
    }
}

impl Accounts {
    /// Notes since when `portal` is fronted, once.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn watch(
        &self,
        now: UnixMillis,
        portal: PortalTag,
    ) -> Result<UnixMillis, AccountError> {
        let key = watched_key(portal);
        if let Some(found) = self.store.get(now, &key).await? {
            return Ok(read(&found.value)?);
        }
        let first = Write::put(key.clone(), write(&now)?, None).expecting(Expect::Absent);
        match self.store.commit(now, vec![first]).await {
            Ok(_) => Ok(now),
            Err(StoreError::Conflict { .. }) => {
                let found = self.store.get(now, &key).await?;
                found.map_or(Ok(now), |found| Ok(read(&found.value)?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The same for many portals, of which most were there before or all are new.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn watch_all(
        &self,
        now: UnixMillis,
        portals: &[PortalTag],
    ) -> Result<(), AccountError> {
        let known = self.watched(now).await?;
        let new: Vec<PortalTag> =
            portals.iter().filter(|portal| !known.contains(&portal.0)).copied().collect();
        for some in new.chunks(MAX_WRITES) {
            let first = |portal: &PortalTag| {
                let put = Write::put(watched_key(*portal), write(&now)?, None);
                Ok(put.expecting(Expect::Absent))
            };
            let writes = some.iter().map(first).collect::<Result<_, StoreError>>()?;
            match self.store.commit(now, writes).await {
                Ok(_) => {}
                // Another gateway noted some of them meanwhile.
                Err(StoreError::Conflict { .. }) => {
                    for portal in some {
                        self.watch(now, *portal).await?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The portals that are fronted, or were once.
    async fn watched(&self, now: UnixMillis) -> Result<HashSet<[u8; 8]>, AccountError> {
        let mut known = HashSet::new();
        let mut after: Option<Bytes> = None;
        loop {
            let page = self.store.scan(now, Space::Config, WATCHED, after.as_deref(), PAGE).await?;
            let tag = |key: &Key| <[u8; 8]>::try_from(key.id.strip_prefix(WATCHED)?).ok();
            known.extend(page.iter().filter_map(|(key, _)| tag(key)));
            match page.last() {
                Some((key, _)) if page.len() == PAGE => after = Some(key.id.clone()),
                Some(_) | None => return Ok(known),
            }
        }
    }

    /// Notes that `user`, who stands so, signed in, and what language was `wished` for. Says
    /// whether it was the first time that was seen.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn seen(
        &self,
        now: UnixMillis,
        account: AccountId,
        user: &UserName,
        standing: Standing,
        wished: Option<Language>,
    ) -> Result<bool, AccountError> {
        let watched = self.watch(now, account.portal).await?;
        let has_none = standing == Standing::NotEnrolled;
        let counted = |quiet: u64| if has_none { quiet } else { 0 };
        let change = |found: Option<Sight>| match found {
            None => {
                let begun = Sight::begun(user, now, counted(millis(now.since(watched))));
                Some(Sight { language: wished, ..begun })
            }
            Some(there) => {
                let language = wished.or(there.language);
                if there.last.plus(FRESH) > now && language == there.language {
                    return None;
                }
                let quiet = counted(there.quiet.max(millis(now.since(there.last))));
                Some(Sight { last: now, quiet, language, ..there })
            }
        };
        let before = self.changed(now, account, change).await?;
        Ok(before.is_none())
    }

    /// What is known of the user.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn sight(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<Sight>, AccountError> {
        Ok(self.found(now, account).await?.map(|(sight, _)| sight))
    }

    /// Notes what became of a user: a notice with each time, the others with the first. Says
    /// whether it was the first time.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn mark(
        &self,
        now: UnixMillis,
        account: AccountId,
        mark: Mark,
    ) -> Result<bool, AccountError> {
        let change = |found: Option<Sight>| {
            let mut sight = found?;
            let place = sight.place(mark);
            if place.is_some() && mark != Mark::Reminded {
                return None;
            }
            *place = Some(now);
            Some(sight)
        };
        let before = self.changed(now, account, change).await?;
        Ok(before.is_some_and(|mut before| before.place(mark).is_none()))
    }

    /// Forgets since when the user was held for want of the second factor that a reset takes
    /// away: whoever lacks the next one is held from then on.
    ///
    /// # Errors
    /// When it is not on disk.
    pub(super) async fn let_go(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<(), AccountError> {
        let change = |found: Option<Sight>| {
            found.filter(|sight| sight.held.is_some()).map(|sight| Sight { held: None, ..sight })
        };
        self.changed(now, account, change).await.map(|_| ())
    }

    /// Changes what is known, unless there is nothing to change. Gives what it was.
    async fn changed(
        &self,
        now: UnixMillis,
        account: AccountId,
        change: impl Fn(Option<Sight>) -> Option<Sight>,
    ) -> Result<Option<Sight>, AccountError> {
        let mut last = StoreError::Conflict { index: 0 };
        for _ in 0..MOST_TRIES {
            let found = self.found(now, account).await?;
            let expect = found.as_ref().map_or(Expect::Absent, |(_, version)| Expect::Is(*version));
            let before = found.map(|(sight, _)| sight);
            let Some(after) = change(before.clone()) else { return Ok(before) };
            let put = Write::put(account.key(Space::Sight), write(&after)?, None);
            match self.store.commit(now, vec![put.expecting(expect)]).await {
                Ok(_) => return Ok(before),
                Err(error @ StoreError::Conflict { .. }) => last = error,
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.into())
    }

    async fn found(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<(Sight, Version)>, AccountError> {
        let Some(found) = self.store.get(now, &account.key(Space::Sight)).await? else {
            return Ok(None);
        };
        Ok(Some((read(&found.value)?, found.version)))
    }
}

fn watched_key(portal: PortalTag) -> Key {
    Key::new(Space::Config, [WATCHED, &portal.0].concat())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
