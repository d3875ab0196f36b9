//! What those who watch are told, and by whom: a write of this gateway when it is answered, every
//! other by the feed. The feed sees our own writes too, so each of them is noted until both met.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::store::Event;

/// Events that a watcher may lag behind before it has to read everything again.
const EVENTS: usize = 4096;

/// Where events go.
pub(super) struct Told {
    /// Our own writes by their numbers, with whether they were told.
    own: Mutex<BTreeMap<u64, bool>>,
    events: broadcast::Sender<Event>,
}

impl Told {
    pub(super) fn new() -> Self {
        Self { own: Mutex::default(), events: broadcast::channel(EVENTS).0 }
    }

    pub(super) fn watch(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// A write of ours is about to be sent. Unless it is answered, the feed tells of it.
    pub(super) fn sending(&self, number: u64) -> Sending<'_> {
        self.own.lock().insert(number, false);
        Sending { told: self, number }
    }

    /// The feed met the write `number`.
    pub(super) fn met(&self, number: u64, events: Vec<Event>) {
        let mut own = self.own.lock();
        match own.get_mut(&number) {
            Some(true) => {
                own.remove(&number);
                return;
            }
            Some(is_told) => *is_told = true,
            None => {}
        }
        self.tell(events);
    }

    /// Whatever happened so far may not have been told.
    pub(super) fn resync(&self) {
        self.own.lock().clear();
        self.tell(vec![Event::Resync]);
    }

    pub(super) fn tell(&self, events: Vec<Event>) {
        // Nobody has to watch.
        events.into_iter().for_each(|event| drop(self.events.send(event)));
    }
}

/// A write of ours whose answer is awaited.
pub(super) struct Sending<'a> {
    told: &'a Told,
    number: u64,
}

impl Sending<'_> {
    /// It is on disk.
    pub(super) fn answered(self, events: Vec<Event>) {
        let mut own = self.told.own.lock();
        match own.get_mut(&self.number) {
            // The feed was faster.
            Some(true) => {
                own.remove(&self.number);
            }
            Some(is_told) => {
                *is_told = true;
                self.told.tell(events);
            }
            None => self.told.tell(events),
        }
    }
}

impl Drop for Sending<'_> {
    // Not answered: whether it is on disk is seen by the feed.
    fn drop(&mut self) {
        let mut own = self.told.own.lock();
        if own.get(&self.number) == Some(&false) {
            own.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Key, Space};

    fn events(id: &'static str) -> Vec<Event> {
        let key = Key::new(Space::Factor, id.as_bytes());
        vec![Event::Changed { key, deleted: false }]
    }

    #[test]
    fn a_write_is_told_once_whoever_meets_it_first() {
        let told = Told::new();
        let mut watch = told.watch();
        told.sending(1).answered(events("a"));
        told.met(1, events("a"));
        let second = told.sending(2);
        told.met(2, events("b"));
        second.answered(events("b"));
        told.met(3, events("c"));
        for id in ["a", "b", "c"] {
            assert_eq!(watch.try_recv().ok(), events(id).pop());
        }
        assert!(watch.try_recv().is_err());
        assert!(told.own.lock().is_empty());
    }

    #[test]
    fn a_write_without_an_answer_is_told_by_the_feed() {
        let told = Told::new();
        let mut watch = told.watch();
        drop(told.sending(1));
        assert!(watch.try_recv().is_err());
        told.met(1, events("a"));
        assert_eq!(watch.try_recv().ok(), events("a").pop());
    }

    #[test]
    fn a_write_that_is_answered_after_a_resync_is_told_all_the_same() {
        let told = Told::new();
        let sending = told.sending(1);
        told.resync();
        let mut watch = told.watch();
        sending.answered(events("a"));
        assert_eq!(watch.try_recv().ok(), events("a").pop());
    }
}
