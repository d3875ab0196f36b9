//! How many users of a portal are how far, counted from what the store keeps of each.

use serde::de::DeserializeOwned;

use super::record::read;
use super::{AccountError, Accounts, FactorRecord, PortalTag, Sight};
use crate::clock::UnixMillis;
use crate::store::{Key, Record, Space};
use crate::telemetry::rollout::UserCounts;
use crate::user::Opaque;

const PAGE: usize = 1000;

impl Accounts {
    /// Counts the users of `portal`.
    ///
    /// # Errors
    /// When the store or a record is in doubt.
    pub async fn counts(
        &self,
        now: UnixMillis,
        portal: PortalTag,
    ) -> Result<UserCounts, AccountError> {
        let mut counts = UserCounts::default();
        self.each(now, portal, Space::Factor, |_, _: FactorRecord| counts.enrolled += 1).await?;
        self.each(now, portal, Space::Sight, |_, sight: Sight| {
            counts.seen += 1;
            counts.reminded += u64::from(sight.reminded.is_some());
            counts.reported += u64::from(sight.reported.is_some());
        })
        .await?;
        Ok(counts)
    }

    /// Shows every record of `portal` in one table, a page of them at a time.
    ///
    /// # Errors
    /// When the store or a record is in doubt.
    pub(super) async fn each<T: DeserializeOwned>(
        &self,
        now: UnixMillis,
        portal: PortalTag,
        space: Space,
        mut meet: impl FnMut(Opaque, T),
    ) -> Result<(), AccountError> {
        let mut after: Option<Key> = None;
        loop {
            let last = after.as_ref().map(|key| key.id.as_ref());
            let page = self.store.scan(now, space, &portal.0, last, PAGE).await?;
            let full = page.len() == PAGE;
            for (key, record) in &page {
                meet(user_of(key, portal), decoded(record)?);
            }
            match page.into_iter().last() {
                Some((key, _)) if full => after = Some(key),
                Some(_) | None => return Ok(()),
            }
        }
    }
}

/// The user whose record lies at `key`.
fn user_of(key: &Key, portal: PortalTag) -> Opaque {
    let mut sub = [0; 16];
    let rest = key.id.get(portal.0.len()..portal.0.len() + sub.len());
    if let Some(rest) = rest {
        sub.copy_from_slice(rest);
    }
    Opaque(sub)
}

fn decoded<T: DeserializeOwned>(record: &Record) -> Result<T, AccountError> {
    Ok(read(&record.value)?)
}
