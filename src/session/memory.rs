//! What this process remembers of sessions: their records by portal session, and which
//! sign-ins are not over. Readers take no lock. Whether memory counts is decided above.

use std::collections::HashMap as Counts;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use papaya::{Compute, HashMap, Operation};
use parking_lot::Mutex;

use super::record::{Level, SessionRecord};
use crate::clock::{Stopwatch, UnixMillis};
use crate::store::Version;
use crate::user::Opaque;

/// Places at which changes are counted. Two portal sessions may share one: then a change of one
/// makes whoever just read the other read again.
const PLACES: usize = 4096;
/// How long it may take at most from what is remembered of a session to a request that it
/// carries: a look at the store.
const JUDGING: Duration = Duration::from_secs(5);

/// What is remembered.
pub(super) struct Memory {
    known: HashMap<Opaque, Known, ByItself>,
    /// Sessions from sign-in to end, with when they end by themselves: what a stream that
    /// outlasts several portal sessions hangs on.
    roots: HashMap<Opaque, UnixMillis, ByItself>,
    /// How many changes were told of, by portal session.
    told: Vec<AtomicU64>,
    /// Since everything was forgotten.
    forgotten: Mutex<Option<Stopwatch>>,
}

/// What a session is known by is random, or comes from a key that nobody outside has. It is a hash
/// already, and needs none against those who would choose it.
type ByItself = BuildHasherDefault<First>;

#[derive(Default)]
struct First(u64);

impl Hasher for First {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    // What comes before the bytes is how many there are.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A record with the write it comes from. Nothing means that an end could not be written:
/// then nothing takes its place.
#[derive(Clone)]
struct Known {
    record: Arc<SessionRecord>,
    version: Option<Version>,
}

/// How many changes of a portal session were told of when its record was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Memory {
    pub(super) fn new() -> Self {
        let told = std::iter::repeat_with(AtomicU64::default).take(PLACES).collect();
        let forgotten = Mutex::default();
        Self { known: HashMap::default(), roots: HashMap::default(), told, forgotten }
    }

    /// The record at this portal session, whatever it says.
    pub(super) fn at(&self, bind: Opaque) -> Option<Arc<SessionRecord>> {
        self.known.pin().get(&bind).map(|known| Arc::clone(&known.record))
    }

    /// Shows the record at this portal session twice, and gives it as it was the second time
    /// if `passes` says so of the first.
    pub(super) fn twice(
        &self,
        bind: Opaque,
        passes: impl FnOnce(&SessionRecord) -> bool,
    ) -> Option<Arc<SessionRecord>> {
        let known = self.known.pin();
        if !passes(&known.get(&bind)?.record) {
            return None;
        }
        known.get(&bind).map(|known| Arc::clone(&known.record))
    }

    /// Whether the session that began with this sign-in is still not over.
    pub(super) fn goes_on(&self, now: UnixMillis, root: Opaque) -> bool {
        self.roots.pin().get(&root).is_some_and(|ends| now < *ends)
    }

    /// Takes note of a record and the write it comes from. What was written later stays: notes
    /// may come in another order than writes.
    pub(super) fn note(&self, record: &Arc<SessionRecord>, version: Option<Version>) {
        let new = Known { record: Arc::clone(record), version };
        let newer = |old: &Known| {
            new.version.is_none() || (old.version.is_some() && old.version < new.version)
        };
        let known = self.known.pin();
        let noted = known.compute(record.bind, |old| match old {
            Some((_, old)) if !newer(old) => Operation::Abort(()),
            _ => Operation::Insert(new.clone()),
        });
        if !matches!(noted, Compute::Aborted(())) {
            self.note_root(record);
        }
    }

    /// Takes note of whether a session goes on, and of no more.
    pub(super) fn note_root(&self, record: &SessionRecord) {
        let roots = self.roots.pin();
        if record.level == Level::Ended {
            roots.remove(&record.root);
        } else {
            roots.update_or_insert(record.root, |ends| (*ends).max(record.ends), record.ends);
        }
    }

    /// The same for a session of which this process may know nothing: then it learns nothing.
    pub(super) fn note_root_if_known(&self, record: &SessionRecord) {
        let roots = self.roots.pin();
        if record.level == Level::Ended {
            roots.remove(&record.root);
        } else {
            roots.update(record.root, |ends| (*ends).max(record.ends));
        }
    }

    /// Forgets the record at a portal session: whoever needs it asks the store.
    pub(super) fn forget(&self, bind: Opaque) {
        self.known.pin().remove(&bind);
    }

    /// Forgets what is over.
    pub(super) fn sweep(&self, now: UnixMillis) {
        self.known.pin().retain(|_, known| now < known.record.ends);
        self.roots.pin().retain(|_, ends| now < *ends);
    }

    /// Lets every stream end.
    pub(super) fn let_streams_go(&self) {
        self.roots.pin().clear();
    }

    /// Lets the streams of one session end.
    pub(super) fn let_stream_go(&self, root: Opaque) {
        self.roots.pin().remove(&root);
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        // First, so that whoever misses something finds why.
        *self.forgotten.lock() = Some(Stopwatch::start());
        for place in &self.told {
            place.fetch_add(1, Ordering::SeqCst);
        }
        self.known.pin().clear();
        self.roots.pin().clear();
    }

    /// Whether everything was forgotten after a request was judged, `since` then, or shortly
    /// before.
    pub(super) fn forgot_all_since(&self, since: Stopwatch) -> bool {
        let forgotten = *self.forgotten.lock();
        let judged = since.elapsed().saturating_add(JUDGING);
        forgotten.is_some_and(|forgotten| forgotten.elapsed() <= judged)
    }

    /// How many records of each portal `counts` is true of.
    pub(super) fn count(&self, counts: impl Fn(&SessionRecord) -> bool) -> Counts<String, usize> {
        let mut found = Counts::new();
        for known in self.known.pin().values().filter(|known| counts(&known.record)) {
            match found.get_mut(&known.record.portal) {
                Some(number) => *number += 1,
                None => _ = found.insert(known.record.portal.clone(), 1),
            }
        }
        found
    }

    /// Counts a change that was told of, before it is looked at what is known of it.
    pub(super) fn was_told(&self, bind: Opaque) {
        if let Some(place) = self.place(bind) {
            place.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many changes there were. Whoever takes note of what was read asks before and after:
    /// a change between the two may be newer than what was read, and was not noted, since
    /// nothing was known.
    pub(super) fn mark(&self, bind: Opaque) -> Mark {
        Mark(self.place(bind).map_or(0, |place| place.load(Ordering::SeqCst)))
    }

    fn place(&self, bind: Opaque) -> Option<&AtomicU64> {
        let [one, two, ..] = bind.0;
        self.told.get(usize::from(u16::from_be_bytes([one, two])) % PLACES)
    }
}
