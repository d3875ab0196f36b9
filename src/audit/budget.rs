//! How many refusals that anybody can cause are written down: lines are for good, and nobody
//! may fill a disk by guessing.

use parking_lot::Mutex;

use crate::clock::UnixMillis;

/// So many at once.
const AT_ONCE: u64 = 1000;
/// So many in a second for as long as it goes on.
const PER_SECOND: u64 = 20;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Left>);

#[derive(Clone, Copy, Debug)]
struct Left {
    /// In thousandths, so that each millisecond counts.
    thousandths: u64,
    at: UnixMillis,
}

impl Default for Budget {
    fn default() -> Self {
        Self(Mutex::new(Left { thousandths: AT_ONCE * 1000, at: UnixMillis(0) }))
    }
}

impl Budget {
    /// Whether there is room for one more.
    pub(super) fn takes(&self, now: UnixMillis) -> bool {
        // Two numbers that are written together: whole, whatever happened.
        let mut left = self.0.lock();
        let more = now.0.saturating_sub(left.at.0).saturating_mul(PER_SECOND);
        let thousandths = left.thousandths.saturating_add(more).min(AT_ONCE * 1000);
        let at = if now > left.at { now } else { left.at };
        let takes = thousandths >= 1000;
        *left = Left { thousandths: thousandths - if takes { 1000 } else { 0 }, at };
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_guesses_writes_more_than_the_budget() {
        let budget = Budget::default();
        let from = UnixMillis::from_seconds(1_800_000_000);
        let taken = (0..100_000).filter(|guess| budget.takes(UnixMillis(from.0 + guess / 10)));
        assert_eq!(taken.count(), 1000 + 199, "ten seconds");
    }
}
