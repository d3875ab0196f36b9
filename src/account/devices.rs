//! Remembered devices: a browser in which a user gave a code may stand in for the code for a
//! while. What the browser keeps is random and works once; the store keeps its hash.

mod record;
mod take;

use std::time::Duration;

use super::{AccountError, AccountId, Accounts, Verified};
use crate::clock::UnixMillis;
use crate::notify::Addressee;
use crate::random;
use crate::store::{Expect, Key, MAX_WRITES, Op, Space, StoreError, Version, Write};
use crate::user::{Opaque, UserName};

pub use record::DeviceSecret;
use record::{DeviceRecord, read_device, write_device};
pub use take::Taken;

/// The most devices of one user at one portal; one more takes the place of the oldest.
pub const MOST_DEVICES: usize = 10;

/// The most that are read: ten, and a few more while some are written at once.
const MOST_AT_ONCE: usize = 1000;

/// A remembered device as the user and the desk see it.
#[derive(Clone, Debug)]
pub struct Device {
    /// Names it among the user's devices. It opens nothing.
    pub series: Opaque,
    /// The user's name at the portal.
    pub user: UserName,
    /// What the browser said it was, in a few words. Nobody vouches for it.
    pub browser: String,
    /// The network it was remembered from, or last used from.
    pub network: String,
    /// When a code was given on it.
    pub made: UnixMillis,
    /// When it last stood in for a code.
    pub used: UnixMillis,
    /// From when on it is forgotten, whatever happens.
    pub expires: UnixMillis,
}

impl Device {
    /// When it is forgotten, where the portal remembers devices for `lifetime`: one that ops
    /// made shorter counts at once.
    pub fn until(&self, lifetime: Option<Duration>) -> UnixMillis {
        lifetime.map_or(self.expires, |lifetime| self.expires.min(self.made.plus(lifetime)))
    }
}

/// How a device looks in the request that it came with.
#[derive(Clone, Debug)]
pub struct Looks {
    /// What the browser says it is, in a few words.
    pub browser: String,
    /// The network it comes from.
    pub network: String,
}

/// A secret as a browser shows it in place of a code.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The secret.
    pub secret: &'a DeviceSecret,
    /// How the device looks now.
    pub looks: &'a Looks,
    /// The user whom it is to let in, and who is told of a copy.
    pub owner: &'a Addressee<'a>,
}

/// What a browser is to keep, and for how long.
pub struct Remembered {
    /// The secret; it works once.
    pub secret: DeviceSecret,
    /// How long it may be kept.
    pub for_how_long: Duration,
}

impl Accounts {
    /// Remembers the device in which `verified` was proven, for `lifetime` from now.
    /// `before` is what the same browser was remembered by until now. Nothing where a
    /// recovery code was given, or where the authenticator is gone meanwhile.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn remember_device(
        &self,
        now: UnixMillis,
        account: AccountId,
        verified: &Verified,
        looks: Looks,
        lifetime: Duration,
        before: Option<&DeviceSecret>,
    ) -> Result<Option<Remembered>, AccountError> {
        let (Some(authenticator), Some((factor, version))) =
            (verified.authenticator, self.factor(now, account).await?)
        else {
            return Ok(None);
        };
        if !factor.has(authenticator) {
            return Ok(None);
        }
        let secret = DeviceSecret::begin()?;
        let record = DeviceRecord {
            user: verified.session.user.clone(),
            authenticator,
            token: secret.hash(),
            before: None,
            made: now,
            used: now,
            expires: now.plus(lifetime),
            browser: looks.browser,
            network: looks.network,
        };
        let put = write_device(account, secret.series(), &record)?.expecting(Expect::Absent);
        let mut writes = vec![put, unchanged_factor(account, version)];
        writes.extend(self.end_of_own(now, account, before).await?);
        match self.store.commit(now, writes).await {
            Ok(_) => {}
            Err(StoreError::Conflict { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        self.make_room(now, account).await?;
        Ok(Some(Remembered { secret, for_how_long: lifetime }))
    }

    /// The devices of a user that still count, the newest first; for the user's own page and
    /// for the desk. Those whose authenticator is gone are left out: they open nothing.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn devices(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Vec<Device>, AccountError> {
        let Some((factor, _)) = self.factor(now, account).await? else {
            return Ok(Vec::new());
        };
        let mut devices = Vec::new();
        for (series, record, _) in self.kept_devices(now, account).await? {
            if factor.has(record.authenticator) {
                devices.push(record.shown(series));
            }
        }
        devices.sort_by_key(|device| std::cmp::Reverse((device.made, device.series)));
        Ok(devices)
    }

    /// Ends one device at once; whether there was one. Sessions that it proved go on.
    ///
    /// # Errors
    /// When the end is not on disk.
    pub async fn end_device(
        &self,
        now: UnixMillis,
        account: AccountId,
        series: Opaque,
    ) -> Result<bool, AccountError> {
        let key = device_key(account, series);
        let found = self.store.get(now, &key).await?.is_some();
        self.store.commit(now, vec![Write::delete(key)]).await?;
        Ok(found)
    }

    /// Ends all devices of a user at once; how many there were. Sessions that they proved go
    /// on.
    ///
    /// # Errors
    /// When an end is not on disk.
    pub async fn end_devices(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<usize, AccountError> {
        let kept = self.kept_devices(now, account).await?;
        let count = kept.len();
        self.end_each(now, account, kept.into_iter().map(|(series, ..)| series).collect()).await?;
        Ok(count)
    }

    /// The end of what the same browser was remembered by, if that is what it shows: somebody
    /// else's device is not ended by whoever names it.
    async fn end_of_own(
        &self,
        now: UnixMillis,
        account: AccountId,
        before: Option<&DeviceSecret>,
    ) -> Result<Option<Write>, AccountError> {
        let Some(before) = before else { return Ok(None) };
        let key = device_key(account, before.series());
        let Some(found) = self.store.get(now, &key).await? else { return Ok(None) };
        let is_own = read_device(&found.value)?.token == before.hash();
        Ok(is_own.then(|| Write::delete(key)))
    }

    /// Ends the oldest devices beyond the most that there may be. It looks after the newest
    /// was written, so that of several written at once the last to look sees them all.
    async fn make_room(&self, now: UnixMillis, account: AccountId) -> Result<(), AccountError> {
        let mut kept = self.kept_devices(now, account).await?;
        kept.sort_by_key(|(series, record, _)| std::cmp::Reverse((record.made, *series)));
        let surplus = kept.into_iter().skip(MOST_DEVICES).map(|(series, ..)| series);
        self.end_each(now, account, surplus.collect()).await
    }

    async fn end_each(
        &self,
        now: UnixMillis,
        account: AccountId,
        all: Vec<Opaque>,
    ) -> Result<(), AccountError> {
        for some in all.chunks(MAX_WRITES) {
            let ends = some.iter().map(|series| Write::delete(device_key(account, *series)));
            self.store.commit(now, ends.collect()).await?;
        }
        Ok(())
    }

    async fn kept_devices(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Vec<(Opaque, DeviceRecord, Version)>, AccountError> {
        let prefix = account.key(Space::Device).id;
        let found = self.store.scan(now, Space::Device, &prefix, None, MOST_AT_ONCE).await?;
        let mut kept = Vec::new();
        for (key, found) in found {
            let series = key.id.strip_prefix(prefix.as_ref()).and_then(|id| id.try_into().ok());
            let series = series.ok_or_else(|| {
                StoreError::Corrupt("a remembered device has no name of ours".to_owned())
            })?;
            kept.push((Opaque(series), read_device(&found.value)?, found.version));
        }
        Ok(kept)
    }
}

/// Where a device is kept. Whoever comes with another user's device finds nothing here.
fn device_key(account: AccountId, series: Opaque) -> Key {
    account.key_with(Space::Device, b"", series)
}

/// What makes a commit depend on the factor being what it was.
fn unchanged_factor(account: AccountId, version: Version) -> Write {
    Write { key: account.key(Space::Factor), expect: Expect::Is(version), op: Op::Check }
}

/// A new random identifier.
fn fresh() -> Result<Opaque, AccountError> {
    Ok(Opaque(random::bytes()?))
}

#[cfg(test)]
mod tests;
