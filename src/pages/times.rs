//! Times as people read them.

use std::time::Duration;

use crate::clock::UnixMillis;

/// Whole seconds of a wait, rounded up: nobody is told to come back too early.
pub fn seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// `24 November 2026, 14:05 UTC`.
pub(super) fn moment(at: UnixMillis) -> String {
    at.in_words()
}

#[cfg(test)]
mod tests {
    use super::moment;
    use crate::clock::UnixMillis;

    #[test]
    fn a_moment_is_readable() {
        assert_eq!(moment(UnixMillis::from_seconds(1_795_529_100)), "24 November 2026, 14:05 UTC");
        assert_eq!(moment(UnixMillis(u64::MAX)), "");
    }
}
