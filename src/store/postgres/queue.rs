//! Who of this gateway's own writers of one address comes next. They wait here rather than at the
//! server, where each of them would keep a connection from everybody else.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Mutex as Place, OwnedMutexGuard};

/// The addresses that somebody writes or wants to write, by their locks.
#[derive(Default)]
pub(super) struct Queue(Mutex<HashMap<i64, Arc<Place<()>>>>);

impl Queue {
    /// Waits for all of `locks`, which are in order.
    pub(super) async fn wait(&self, locks: &[i64]) -> Held<'_> {
        let mut held = Held { queue: self, places: Vec::with_capacity(locks.len()) };
        for lock in locks {
            let place = Arc::clone(self.0.lock().entry(*lock).or_default());
            let guard = Arc::clone(&place).lock_owned();
            // Noted before it is waited for: who gives up leaves nothing behind.
            held.places.push((*lock, None));
            drop(place);
            let guard = guard.await;
            if let Some((_, last)) = held.places.last_mut() {
                *last = Some(guard);
            }
        }
        held
    }
}

/// Some addresses, until it is dropped.
pub(super) struct Held<'a> {
    queue: &'a Queue,
    places: Vec<(i64, Option<OwnedMutexGuard<()>>)>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut places = self.queue.0.lock();
        for (lock, guard) in self.places.drain(..) {
            drop(guard);
            // Nobody else holds it or waits for it: both would have it in hand.
            if places.get(&lock).is_some_and(|place| Arc::strong_count(place) == 1) {
                places.remove(&lock);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_writer_of_an_address_waits_for_the_other_and_no_trace_stays() {
        let queue = Queue::default();
        let first = queue.wait(&[1, 2, 3]).await;
        assert!(queue.wait(&[4]).now_or_never().is_some());
        // Who gives up waiting is in nobody's way.
        assert!(queue.wait(&[0, 3]).now_or_never().is_none());
        assert!(queue.wait(&[0]).now_or_never().is_some());
        drop(first);
        assert!(queue.wait(&[0, 3]).now_or_never().is_some());
        assert!(queue.0.lock().is_empty());
    }
}
