//! Where a portal's rollout stands: how many users have enrolled, may still wait, or are held,
//! and how that came about day by day.

use std::collections::{BTreeMap, HashMap};

use super::{AccountError, Accounts, FactorRecord, PortalTag, Sight};
use crate::clock::UnixMillis;
use crate::policy::{Enforcement, Stage};
use crate::store::Space;
use crate::user::Opaque;

const DAY_MILLIS: u64 = 24 * 3600 * 1000;

/// Where a rollout stands at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Users who have signed in, or have enrolled.
    pub seen: u64,
    /// Users who have an authenticator.
    pub enrolled: u64,
    /// Users without one who may go on for now.
    pub waiting: u64,
    /// Users without one who do not get in.
    pub blocked: u64,
    /// Since when the first of them was turned away.
    pub blocked_since: Option<UnixMillis>,
    /// Users without one who were told of the date.
    pub reminded: u64,
    /// Users without one who were let through because the portal reports alone.
    pub reported: u64,
    /// What happened on each day, in the days since 1970 of UTC; days without are left out.
    pub days: BTreeMap<u64, Day>,
}

/// What happened on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Users who were seen for the first time.
    pub seen: u64,
    /// Users who enrolled, and still have what they enrolled.
    pub enrolled: u64,
}

impl Rollout {
    fn on(&mut self, at: UnixMillis) -> &mut Day {
        self.days.entry(at.0 / DAY_MILLIS).or_default()
    }

    fn meet(&mut self, now: UnixMillis, enforcement: &Enforcement, sight: &Sight) {
        match enforcement.stage(Some(sight.user.as_str()), now) {
            Stage::Required => {
                self.blocked += 1;
                let earliest = self.blocked_since.into_iter().chain(sight.held).min();
                self.blocked_since = earliest;
            }
            Stage::Announced(_) | Stage::Report | Stage::Off => self.waiting += 1,
        }
        self.reminded += u64::from(sight.reminded.is_some());
        self.reported += u64::from(sight.reported.is_some());
    }
}

impl Accounts {
    /// Where the rollout of `portal` stands under `enforcement`.
    ///
    /// # Errors
    /// When the store or a record is in doubt.
    pub async fn rollout(
        &self,
        now: UnixMillis,
        portal: PortalTag,
        enforcement: &Enforcement,
    ) -> Result<Rollout, AccountError> {
        let mut rollout = Rollout::default();
        let mut enrolled: HashMap<Opaque, UnixMillis> = HashMap::new();
        self.each(now, portal, Space::Factor, |sub, factor: FactorRecord| {
            let first = factor.authenticators.iter().map(|one| one.added).min();
            enrolled.insert(sub, first.unwrap_or(now));
        })
        .await?;
        for at in enrolled.values() {
            rollout.enrolled += 1;
            rollout.on(*at).enrolled += 1;
        }
        self.each(now, portal, Space::Sight, |sub, sight: Sight| {
            rollout.seen += 1;
            rollout.on(sight.first).seen += 1;
            if enrolled.remove(&sub).is_none() {
                rollout.meet(now, enforcement, &sight);
            }
        })
        .await?;
        // Whoever enrolled before sign-ins were noted was seen when enrolling.
        for at in enrolled.values() {
            rollout.seen += 1;
            rollout.on(*at).seen += 1;
        }
        Ok(rollout)
    }
}
