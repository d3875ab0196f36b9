//! Which users of a portal are how far, by what the store keeps of each.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{AccountError, Accounts, PortalTag, Sight};
use crate::clock::UnixMillis;
use crate::store::Space;
use crate::telemetry::rollout::Met;
use crate::user::Opaque;

const PAGE: usize = 1000;

impl Accounts {
    /// The users of `portal` who have an authenticator, in the order of their identifiers.
    ///
    /// # Errors
    /// When the store or a record is in doubt.
    pub async fn all_enrolled(
        &self,
        now: UnixMillis,
        portal: PortalTag,
    ) -> Result<Vec<Opaque>, AccountError> {
        let mut enrolled = Vec::new();
        self.each(now, portal, Space::Factor, |sub, _: IgnoredAny| enrolled.push(sub)).await?;
        Ok(enrolled)
    }

    /// The users of `portal` who signed in, and what became of them.
    ///
    /// # Errors
    /// When the store or a record is in doubt.
    pub async fn all_seen(&self, now: UnixMillis, portal: PortalTag) -> Result<Met, AccountError> {
        let mut met = Met::default();
        self.each(now, portal, Space::Sight, |sub, sight: Sight| {
            met.seen.push(sub);
            met.reminded.extend(sight.reminded.map(|_| sub));
            met.reported.extend(sight.reported.map(|_| sub));
        })
        .await?;
        Ok(met)
    }

    /// Shows every record of `portal` in one table, a page of them at a time, in their order.
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
