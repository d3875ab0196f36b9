//! One at a time, within this process: who writes a record waits for whoever writes it already.
//! Races with other gateways etcd decides; that it does so seldom is all that this is for.

use std::hash::{BuildHasher, Hasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// How many there are. Two records that share one wait for each other for nothing.
const LOCKS: usize = 256;

/// Locks that records share.
pub(super) struct Locks {
    locks: Vec<Mutex<()>>,
    hashes: RandomState,
}

impl Default for Locks {
    fn default() -> Self {
        let locks = (0..LOCKS).map(|_| Mutex::default()).collect();
        Self { locks, hashes: RandomState::new() }
    }
}

impl Locks {
    /// Waits until nobody writes any of `addresses`. All take them in one order, so nobody waits
    /// for somebody who waits.
    pub(super) async fn take(&self, addresses: &[Vec<u8>]) -> Vec<MutexGuard<'_, ()>> {
        let mut places: Vec<_> = addresses.iter().map(|address| self.place(address)).collect();
        places.sort_unstable();
        places.dedup();
        let mut taken = Vec::with_capacity(places.len());
        for lock in places.into_iter().filter_map(|place| self.locks.get(place)) {
            taken.push(lock.lock().await);
        }
        taken
    }

    fn place(&self, address: &[u8]) -> usize {
        let mut hasher = self.hashes.build_hasher();
        hasher.write(address);
        usize::try_from(hasher.finish()).unwrap_or_default() % LOCKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_is_written_by_one_at_a_time_and_several_are_taken_in_one_order() {
        let locks = Locks::default();
        let (ann, bob) = (b"ann".to_vec(), b"bob".to_vec());
        let taken = locks.take(&[ann.clone(), bob.clone(), ann.clone()]).await;
        assert!(locks.locks[locks.place(&ann)].try_lock().is_err());
        drop(taken);
        let both = [bob, ann];
        for _ in 0..100 {
            let (all, one) = (locks.take(&both), locks.take(&both[1..]));
            tokio::join!(async { drop(all.await) }, async { drop(one.await) });
        }
    }
}
