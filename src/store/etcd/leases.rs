//! Leases: what etcd removes by itself once it is over. One lease serves all records that expire
//! in the same while, for one per record would cost more than the record. It only clears away;
//! whether a record still counts is judged by its own expiry.

use std::collections::HashMap;
use std::time::Duration;

use etcd_client::{PutOptions, Txn, TxnOp};
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;

use super::layout::Listed;
use super::members::Trouble;
use super::vault::Vault;
use crate::clock::{Stopwatch, UnixMillis};
use crate::store::StoreError;

/// How long after its expiry a record is kept at least.
const GRACE: Duration = Duration::from_secs(600);
/// How much longer a lease is granted than that, for the seconds that pass while it is used.
const SPARE: Duration = Duration::from_secs(300);
/// Whiles, each for records that live at most so long.
const WHILES: [(Duration, Duration); 3] = [
    (Duration::from_secs(2 * 3600), NARROW),
    (Duration::from_secs(2 * 86_400), Duration::from_secs(2 * 3600)),
    (Duration::MAX, Duration::from_secs(86_400)),
];
/// The shortest while.
pub(super) const NARROW: Duration = Duration::from_secs(600);
/// The longest that etcd grants, in seconds.
const LONGEST: u64 = 9_000_000_000;
/// Leases that are remembered before those are forgotten that are over.
const REMEMBERED: usize = 4096;

/// The leases that this process was granted.
#[derive(Default)]
pub(super) struct Leases {
    granted: Mutex<HashMap<(UnixMillis, UnixMillis), Granted>>,
    granting: AsyncMutex<()>,
}

#[derive(Clone, Copy)]
struct Granted {
    lease: i64,
    since: Stopwatch,
    lasts: Duration,
}

impl Granted {
    fn remaining(&self) -> Duration {
        self.lasts.saturating_sub(self.since.elapsed())
    }
}

impl Leases {
    /// The lease for what expires at `at`. It ends no sooner than ten minutes later, whatever any
    /// clock says: how long it still lasts is measured here.
    pub(super) async fn lease(
        &self,
        vault: &Vault,
        now: UnixMillis,
        at: UnixMillis,
    ) -> Result<i64, Trouble> {
        let needed = at.since(now).saturating_add(GRACE);
        let bucket = bucket(now, at);
        if let Some(lease) = self.known(bucket, needed) {
            return Ok(lease);
        }
        let _one_at_a_time = self.granting.lock().await;
        if let Some(lease) = self.known(bucket, needed) {
            return Ok(lease);
        }
        let lasts = bucket.1.since(now).saturating_add(GRACE).saturating_add(SPARE);
        let lasts = Duration::from_secs(lasts.as_secs().min(LONGEST));
        let since = Stopwatch::start();
        let lease = grant(vault, bucket, lasts).await?;
        let mut granted = self.granted.lock();
        if granted.len() >= REMEMBERED {
            granted.retain(|_, lease| !lease.remaining().is_zero());
        }
        granted.insert(bucket, Granted { lease, since, lasts });
        Ok(lease)
    }

    /// Forgets them all: one was ended by somebody else, or another cluster serves.
    pub(super) fn forget(&self) {
        self.granted.lock().clear();
    }

    fn known(&self, bucket: (UnixMillis, UnixMillis), needed: Duration) -> Option<i64> {
        let granted = self.granted.lock().get(&bucket).copied();
        granted.filter(|granted| granted.remaining() >= needed).map(|granted| granted.lease)
    }
}

/// What hangs on a lease, as addresses. Nothing where it is over.
pub(super) async fn hanging(vault: &Vault, lease: i64) -> Result<Vec<Vec<u8>>, StoreError> {
    let options = etcd_client::LeaseTimeToLiveOptions::new().with_keys();
    let asking = vault.members.ask(|client| {
        let options = options.clone();
        async move { client.lease_client().time_to_live(lease, Some(options)).await }
    });
    let answer = asking.await?;
    let ours = answer.keys().iter().filter_map(|key| vault.layout.address(key));
    Ok(ours.map(<[u8]>::to_vec).collect())
}

async fn grant(
    vault: &Vault,
    (after, until): (UnixMillis, UnixMillis),
    lasts: Duration,
) -> Result<i64, Trouble> {
    let seconds = i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX);
    // Granted twice, the one that nobody heard of ends by itself.
    let granting = vault.members.ask(|client| async move {
        client.lease_client().grant(seconds, None).await.map(|granted| granted.id())
    });
    let lease = granting.await.map_err(Trouble::Final)?;
    let key = vault.layout.listed(Listed { after, until, lease });
    let listing = TxnOp::put(key, [], Some(PutOptions::new().with_lease(lease)));
    let tx = Txn::new().when([vault.is_still_itself()]).and_then([listing]);
    match vault.members.write(tx).await?.succeeded() {
        true => Ok(lease),
        false => Err(Trouble::Final(vault.lost())),
    }
}

/// The while in which `at` lies: after the first moment, and not after the second.
fn bucket(now: UnixMillis, at: UnixMillis) -> (UnixMillis, UnixMillis) {
    let life = at.since(now);
    let width = WHILES.iter().find(|(most, _)| life <= *most).map_or(NARROW, |(_, width)| *width);
    let width_ms = u64::try_from(width.as_millis()).unwrap_or(u64::MAX);
    let until = UnixMillis(at.0.div_ceil(width_ms).saturating_mul(width_ms));
    (until.minus(width), until)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    #[test]
    fn what_expires_together_hangs_on_one_lease() {
        for (life, width) in [(1, 600), (7200, 600), (7201, 7200), (200_000, 86_400)] {
            let at = NOW.plus(Duration::from_secs(life));
            let (after, until) = bucket(NOW, at);
            assert!(after < at && at <= until);
            assert_eq!(until.since(after), Duration::from_secs(width));
            assert_eq!(bucket(NOW, until).1, until);
        }
    }

    #[test]
    fn what_is_over_already_has_a_while_too() {
        let (after, until) = bucket(NOW, NOW);
        assert!(after < NOW && NOW <= until);
        assert_eq!(bucket(NOW, UnixMillis(0)), (UnixMillis(0), UnixMillis(0)));
    }

    #[test]
    fn a_lease_is_used_only_while_it_lasts_long_enough() {
        let leases = Leases::default();
        let bucket = bucket(NOW, NOW);
        let lasts = Duration::from_secs(1000);
        let granted = Granted { lease: 7, since: Stopwatch::start(), lasts };
        leases.granted.lock().insert(bucket, granted);
        assert_eq!(leases.known(bucket, Duration::from_secs(900)), Some(7));
        assert_eq!(leases.known(bucket, Duration::from_secs(1001)), None);
        leases.forget();
        assert_eq!(leases.known(bucket, Duration::ZERO), None);
    }
}
