//! Times as people read them.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;

use crate::clock::UnixMillis;

/// Whole seconds of a wait, rounded up: nobody is told to come back too early.
pub fn seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// `24 November 2026, 14:05 UTC`.
pub(super) fn moment(at: UnixMillis) -> String {
    let seconds = i64::try_from(at.seconds()).unwrap_or(i64::MAX);
    let moment = OffsetDateTime::from_unix_timestamp(seconds);
    let format =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    moment.ok().and_then(|moment| moment.format(format).ok()).unwrap_or_default()
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
