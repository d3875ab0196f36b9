//! Logins under way. From the moment a password goes to the portal until it is clear whose
//! the portal session is afterwards, no proof counts in it (ID-5).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use papaya::HashSet;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::store::StoreError;
use crate::store::turn::{Pinned, Turn, TurnName};
use crate::user::Opaque;

/// The portal cookies in which somebody signs in now.
#[derive(Default)]
pub(super) struct Logins {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The keys of `turns` once more, for the request's way, which takes no lock: it must not
    /// wait for whoever signs in elsewhere. Changed only by those who hold the lock of `turns`,
    /// so that the two never differ for longer than one of them is changed.
    held: HashSet<Opaque>,
    turns: Mutex<HashMap<Opaque, Arc<tokio::sync::Mutex<()>>>>,
}

impl Logins {
    /// Waits until no other login uses one of these cookies, then holds them back.
    pub(super) async fn suspend(&self, parts: &[Opaque]) -> Suspension {
        let parts: BTreeSet<Opaque> = parts.iter().copied().collect();
        let parts: Vec<Opaque> = parts.into_iter().collect();
        let shared = Arc::clone(&self.shared);
        let mut suspension = Suspension { shared, parts, turns: Vec::new(), everywhere: None };
        // In one order, so that two logins never wait for each other.
        for part in suspension.parts.clone() {
            let turn = self.shared.turn(part);
            suspension.turns.push(turn.lock_owned().await);
        }
        suspension
    }

    /// Whether a login is under way with one of these cookies. Waits for nobody. Whoever sees
    /// that a login is over also sees everything that it settled: it lets go after that, and
    /// the set hands on what was written before.
    pub(super) fn any_suspended(&self, parts: &[Opaque]) -> bool {
        let held = self.shared.held.pin();
        parts.iter().any(|part| held.contains(part))
    }
}

impl Shared {
    /// The turn of a cookie, which is held back from here on.
    fn turn(&self, part: Opaque) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock();
        self.held.pin().insert(part);
        Arc::clone(turns.entry(part).or_default())
    }
}

/// The turns of logins with these portal cookies.
pub(super) fn turn_names(parts: &[Opaque]) -> Vec<TurnName> {
    parts.iter().map(|part| TurnName::Login(part.0)).collect()
}

/// Holds cookies back until it is dropped. Whoever holds it settles first, then lets go.
#[must_use]
pub struct Suspension {
    shared: Arc<Shared>,
    parts: Vec<Opaque>,
    turns: Vec<OwnedMutexGuard<()>>,
    /// The same at all gateways, where several share the store.
    everywhere: Option<Turn>,
}

impl Suspension {
    /// The cookies, each once.
    pub(super) fn parts(&self) -> &[Opaque] {
        &self.parts
    }

    pub(super) fn holds(&mut self, turn: Turn) {
        self.everywhere = Some(turn);
    }

    /// The turn at all gateways, for a transaction that depends on it.
    pub(super) async fn pinned(&self) -> Result<Pinned<'_>, StoreError> {
        match &self.everywhere {
            Some(turn) => turn.pinned().await,
            None => Ok(Pinned::of_nothing()),
        }
    }

    /// Lets go, at all gateways before anybody is answered: what follows may be asked of
    /// another one.
    pub async fn let_go(mut self) {
        if let Some(turn) = self.everywhere.take() {
            turn.give_back().await;
        }
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        self.turns.clear();
        let mut turns = self.shared.turns.lock();
        for part in &self.parts {
            // Somebody who waits for the turn holds it too: then it stays.
            if turns.get(part).is_some_and(|turn| Arc::strong_count(turn) == 1) {
                turns.remove(part);
                self.shared.held.pin().remove(part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Logins;
    use crate::user::Opaque;

    const LONG: Duration = Duration::from_secs(10);

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

    #[tokio::test(start_paused = true)]
    async fn a_login_that_was_given_up_in_the_queue_leaves_nothing_behind() {
        let logins = Logins::default();
        let (one, two) = (Opaque([1; 16]), Opaque([2; 16]));
        let first = logins.suspend(&[one]).await;
        let parts = [one, two];
        assert!(tokio::time::timeout(LONG, logins.suspend(&parts)).await.is_err());
        assert!(logins.any_suspended(&[one]) && !logins.any_suspended(&[two]));
        drop(first);
        assert!(!logins.any_suspended(&[one, two]));
        assert!(logins.shared.turns.lock().is_empty());
    }

    /// The request's way: it goes on although somebody else holds the lock for good.
    #[tokio::test]
    async fn whoever_asks_waits_for_no_lock() {
        let logins = Arc::new(Logins::default());
        let _suspension = logins.suspend(&[Opaque([1; 16])]).await;
        let locked = logins.shared.turns.lock();
        let (answer, answered) = std::sync::mpsc::channel();
        let asking = Arc::clone(&logins);
        let asker = std::thread::spawn(move || {
            let found = [1, 2].map(|cookie| asking.any_suspended(&[Opaque([cookie; 16])]));
            answer.send(found).unwrap();
        });
        assert_eq!(answered.recv_timeout(LONG), Ok([true, false]));
        drop(locked);
        asker.join().unwrap();
    }
}
