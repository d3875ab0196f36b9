//! Logins under way. From the moment a password goes to the portal until it is clear whose
//! the portal session is afterwards, no proof counts in it (ID-5).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::user::Opaque;

/// The portal cookies in which somebody signs in now.
#[derive(Default)]
pub(super) struct Logins {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Read first, so that the request's way takes the lock only while somebody signs in.
    under_way: AtomicUsize,
    turns: Mutex<HashMap<Opaque, Arc<tokio::sync::Mutex<()>>>>,
}

impl Logins {
    /// Waits until no other login uses one of these cookies, then holds them back.
    pub(super) async fn suspend(&self, parts: &[Opaque]) -> Suspension {
        let parts: BTreeSet<Opaque> = parts.iter().copied().collect();
        self.shared.under_way.fetch_add(1, Ordering::SeqCst);
        let mut suspension =
            Suspension { shared: Arc::clone(&self.shared), parts, turns: Vec::new() };
        // In the order of the set, so that two logins never wait for each other.
        for part in suspension.parts.clone() {
            let turn = Arc::clone(self.shared.turns().entry(part).or_default());
            suspension.turns.push(turn.lock_owned().await);
        }
        suspension
    }

    /// Whether a login is under way with one of these cookies.
    pub(super) fn any_suspended(&self, parts: &[Opaque]) -> bool {
        if self.shared.under_way.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let turns = self.shared.turns();
        parts.iter().any(|part| turns.contains_key(part))
    }
}

impl Shared {
    fn turns(&self) -> MutexGuard<'_, HashMap<Opaque, Arc<tokio::sync::Mutex<()>>>> {
        // The map is whole after a panic elsewhere: each change to it is one call.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds cookies back until it is dropped. Whoever holds it settles first, then drops.
#[must_use]
pub struct Suspension {
    shared: Arc<Shared>,
    parts: BTreeSet<Opaque>,
    turns: Vec<OwnedMutexGuard<()>>,
}

impl Drop for Suspension {
    fn drop(&mut self) {
        self.turns.clear();
        let mut turns = self.shared.turns();
        for part in &self.parts {
            // Somebody who waits for the turn holds it too: then it stays.
            if turns.get(part).is_some_and(|turn| Arc::strong_count(turn) == 1) {
                turns.remove(part);
            }
        }
        drop(turns);
        self.shared.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Logins;
    use crate::user::Opaque;

    #[tokio::test]
    async fn a_cookie_is_held_back_while_a_login_uses_it() {
        let logins = Logins::default();
        let (one, two, three) = (Opaque([1; 16]), Opaque([2; 16]), Opaque([3; 16]));
        assert!(!logins.any_suspended(&[one]));
        let suspension = logins.suspend(&[one, two]).await;
        assert!(logins.any_suspended(&[one]) && logins.any_suspended(&[three, two]));
        assert!(!logins.any_suspended(&[three]));
        drop(suspension);
        assert!(!logins.any_suspended(&[one, two]));
    }

    #[tokio::test(start_paused = true)]
    async fn logins_with_one_cookie_go_one_after_the_other() {
        let logins = Logins::default();
        let (one, two) = (Opaque([1; 16]), Opaque([2; 16]));
        let first = logins.suspend(&[two, one]).await;
        let parts = [one];
        let waiting = logins.suspend(&parts);
        tokio::pin!(waiting);
        let early = tokio::time::timeout(Duration::from_secs(5), &mut waiting).await;
        assert!(early.is_err(), "two logins held one cookie");
        drop(first);
        let second = waiting.await;
        assert!(logins.any_suspended(&[one]) && !logins.any_suspended(&[two]));
        drop(second);
        assert!(!logins.any_suspended(&[one]));
    }
}
