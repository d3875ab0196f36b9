//! Sweeps: removes what has expired before its lease does. The leases say where to look, so
//! nothing is searched through, however large the store is.

use etcd_client::GetOptions;

use super::layout::Listed;
use super::leases::{NARROW, hanging};
use super::mark;
use super::transact::Verdict;
use super::vault::Vault;
use crate::clock::UnixMillis;
use crate::store::StoreError;
use crate::store::records::{Entry, Header, META};

/// Leases that one sweep looks at.
const LEASES: i64 = 1000;
/// Records that one step looks at and removes: etcd takes 128 operations in one transaction.
const STEP: usize = 64;

impl Vault {
    /// Removes up to `budget` records that expired at `deadline` or before; gives how many.
    pub(super) async fn sweep(
        &self,
        now: UnixMillis,
        deadline: UnixMillis,
        budget: usize,
    ) -> Result<usize, StoreError> {
        mark::put(self).await?;
        let (from, to) = self.layout.listed_until(deadline);
        let options = GetOptions::new().with_keys_only().with_limit(LEASES);
        let listed = self.range(from, to, options).await?.found;
        let mut swept = 0;
        for listed in listed.iter().filter_map(|kv| self.layout.read_listed(kv.key())) {
            if !is_worth_a_look(listed, deadline) {
                continue;
            }
            let mut hanging = hanging(self, listed.lease).await?;
            hanging.retain(|address| address.first() != Some(&META));
            for step in hanging.chunks(STEP) {
                let rest = budget.saturating_sub(swept);
                if rest == 0 {
                    return Ok(swept);
                }
                swept += self.sweep_step(now, deadline, step, rest).await?;
            }
        }
        Ok(swept)
    }

    async fn sweep_step(
        &self,
        now: UnixMillis,
        deadline: UnixMillis,
        addresses: &[Vec<u8>],
        budget: usize,
    ) -> Result<usize, StoreError> {
        let due = self.due(deadline, addresses, budget).await?;
        if due.is_empty() {
            return Ok(0);
        }
        self.transact(now, &due, |_, found| {
            let still_due = found.iter().enumerate().filter(|(_, found)| is_over(found, deadline));
            let changes: Vec<_> = still_due.map(|(index, _)| (index, None)).collect();
            Ok(Verdict { answer: changes.len(), changes, events: Vec::new() })
        })
        .await
    }

    // A record that does not open is left where it is: it may not be what it says.
    async fn due(
        &self,
        deadline: UnixMillis,
        addresses: &[Vec<u8>],
        budget: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let look = self.look(addresses).await?;
        let found = addresses.iter().zip(&look.found);
        let due = found.filter(|(address, lying)| {
            let Some(lying) = lying else { return false };
            let expires_at = Header::read(&lying.bytes).and_then(|(header, _)| header.expires_at());
            expires_at.is_some_and(|at| at <= deadline)
                && self.codec.decode(address, &lying.bytes).is_ok()
        });
        Ok(due.map(|(address, _)| address.clone()).take(budget).collect())
    }
}

// What expires within a day is looked at once the day is over: its lease still holds it then, and
// until then all of it would be read each time.
fn is_worth_a_look(listed: Listed, deadline: UnixMillis) -> bool {
    listed.until <= deadline || listed.until.since(listed.after) <= NARROW
}

fn is_over(found: &Option<Entry>, deadline: UnixMillis) -> bool {
    found.as_ref().is_some_and(|entry| !entry.is_live(deadline))
}
