//! Up to which moment this process has followed a store that gateways share. What it remembers
//! counts only for a moment after that; a store that it has alone it need not follow.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Store;
use crate::clock::Clock;

/// How old may be what is remembered of a shared store: what another gateway ended counts here
/// for no longer than this, and for no longer than a second with all that is on its way.
pub const GOOD_FOR: Duration = Duration::from_millis(750);
/// How long streams go on without a word from the store.
pub const STREAMS_GO_ON_FOR: Duration = Duration::from_secs(1);

/// How far a store was followed.
pub struct Freshness(Option<Followed>);

struct Followed {
    clock: Arc<dyn Clock>,
    began: Instant,
    /// Microseconds from `began` to the moment up to which everything was followed; none of it
    /// where it is zero.
    up_to: AtomicU64,
}

impl Freshness {
    /// Of a store that was not followed yet. One that is not shared is always fresh.
    pub fn of(store: &dyn Store, clock: Arc<dyn Clock>) -> Self {
        let began = clock.steady();
        Self(store.is_shared().then(|| Followed { clock, began, up_to: AtomicU64::new(0) }))
    }

    /// Whether gateways share the store.
    pub const fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// Whether what is remembered counts now. No lock and no store; a look at the clock where
    /// the store is shared.
    pub fn counts(&self) -> bool {
        self.is_within(GOOD_FOR)
    }

    /// Whether streams that a session carries may go on.
    pub fn carries_streams(&self) -> bool {
        self.is_within(STREAMS_GO_ON_FOR)
    }

    /// Everything that was on disk before `as_of` has been taken note of.
    pub fn followed(&self, as_of: Instant) {
        let Some(followed) = &self.0 else { return };
        // One more, so that the first moment is not taken for none.
        let reached = micros(as_of.saturating_duration_since(followed.began)).saturating_add(1);
        followed.up_to.fetch_max(reached, Ordering::Release);
    }

    /// Something may have been missed: nothing counts until everything was read again.
    pub fn lost(&self) {
        if let Some(followed) = &self.0 {
            followed.up_to.store(0, Ordering::Release);
        }
    }

    /// Whether everything before `moment` has been taken note of.
    #[cfg(test)]
    pub(crate) fn has_followed(&self, moment: Instant) -> bool {
        let Some(followed) = &self.0 else { return true };
        let up_to = followed.up_to.load(Ordering::Acquire);
        up_to > micros(moment.saturating_duration_since(followed.began))
    }

    fn is_within(&self, limit: Duration) -> bool {
        let Some(followed) = &self.0 else { return true };
        let up_to = followed.up_to.load(Ordering::Acquire);
        let now = micros(followed.clock.steady().saturating_duration_since(followed.began));
        up_to > 0 && now.saturating_add(1).saturating_sub(up_to) < micros(limit)
    }
}

impl fmt::Debug for Freshness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Freshness(shared: {}, counts: {})", self.is_shared(), self.counts())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
