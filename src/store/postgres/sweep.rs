//! Removing what has expired, on all gateways at once if need be: each takes rows that no other
//! has in hand. And what every gateway has long heard of goes out of the table of changes.

use super::fault::{in_words, reading};
use super::pool::Lease;
use super::read::within_time;
use super::transaction::{Desk, PATIENCE};
use crate::clock::UnixMillis;
use crate::store::StoreError;

/// Records that one step removes, so that no lock is held for long.
const STEP: usize = 500;

/// The row is looked at again once it is locked: who renewed it was faster.
const SWEEP: &str = "
    WITH due AS (
        SELECT space, id FROM portcullis.record
        WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM portcullis.record AS record USING due
    WHERE record.space = due.space AND record.id = due.id AND record.expires_at <= $1";

/// What was on disk ten minutes ago was seen by whoever follows the changes, or that one reads
/// everything again. A change counts from when it could be seen, not from when it was written:
/// a commit may wait for its standby for hours.
const TRIM: &str = "
    WITH due AS (
        SELECT one, horizon FROM portcullis.store
        WHERE horizon_at < now() - interval '10 minutes' FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM portcullis.change USING due
        WHERE change.xid < pg_snapshot_xmax(due.horizon)
            AND pg_visible_in_snapshot(change.xid, due.horizon)
    )
    UPDATE portcullis.store AS store
    SET horizon = pg_current_snapshot(), horizon_at = now() FROM due WHERE store.one = due.one";

impl Desk<'_> {
    /// Removes up to `budget` records that expired up to `deadline`; gives how many.
    pub(super) async fn sweep(
        &self,
        deadline: UnixMillis,
        budget: usize,
    ) -> Result<usize, StoreError> {
        self.core.check()?;
        let mut swept = 0;
        while swept < budget {
            let wanted = (budget - swept).min(STEP);
            let step = within_time(PATIENCE, self.sweep_some(deadline, wanted)).await?;
            swept += step;
            if step < wanted {
                break;
            }
        }
        within_time(PATIENCE, self.trim()).await?;
        Ok(swept)
    }

    async fn sweep_some(&self, deadline: UnixMillis, wanted: usize) -> Result<usize, StoreError> {
        let deadline = i64::try_from(deadline.0).unwrap_or(i64::MAX);
        let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
        let lease = self.pool.lease().await?;
        let client = &lease.line()?.connection.client;
        let removed = client.execute(SWEEP, &[&deadline, &limit]).await;
        given_back(lease, removed)
    }

    async fn trim(&self) -> Result<(), StoreError> {
        let lease = self.pool.lease().await?;
        let client = &lease.line()?.connection.client;
        let trimmed = client.execute(TRIM, &[]).await;
        given_back(lease, trimmed).map(|_| ())
    }
}

fn given_back(lease: Lease, done: Result<u64, tokio_postgres::Error>) -> Result<usize, StoreError> {
    match done {
        Ok(rows) => {
            lease.give_back();
            Ok(usize::try_from(rows).unwrap_or(usize::MAX))
        }
        Err(error) if error.as_db_error().is_some() => Err(reading(&error)),
        // What is swept or not makes no difference to anybody.
        Err(error) => Err(StoreError::Unavailable(in_words(&error))),
    }
}
