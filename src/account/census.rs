//! How many users of a portal are how far, counted from what the store keeps of each.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{AccountError, Accounts, PortalTag, Sight};
use crate::clock::UnixMillis;
use crate::store::Space;
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
        self.each(now, portal, Space::Factor, |_, _: IgnoredAny| counts.enrolled += 1).await?;
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
        let mut after: Option<Opaque> = None;
        loop {
            let (records, end) = self.some(now, space, (portal, after, PAGE)).await?;
            records.into_iter().for_each(|(sub, record)| meet(sub, record));
            match end {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }
}
