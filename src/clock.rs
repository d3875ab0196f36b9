//! The one place that reads the time. Everything else is handed a [`Clock`], so
//! that tests move time instead of waiting for it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds left out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Whole seconds since the epoch, as RFC 6238 section 4.2 counts them.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The moment `later` after this one; stays at the end of time rather than wrap.
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(millis(later)))
    }

    /// The moment `earlier` before this one; stays at the epoch rather than wrap.
    pub fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(millis(earlier)))
    }

    /// How long after `start` this moment is; zero when it is before.
    pub fn since(self, start: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(start.0))
    }

    /// `24 November 2026, 14:05 UTC`: as people read it.
    pub fn in_words(self) -> String {
        let seconds = i64::try_from(self.seconds()).unwrap_or(i64::MAX);
        let format =
            format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
        let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
        moment.and_then(|moment| moment.format(format).ok()).unwrap_or_default()
    }

    /// `2026-11-24T14:05:00.123Z`: as RFC 3339 writes it, in UTC; nothing after the year 9999.
    pub fn rfc3339_millis(self) -> Option<String> {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000);
        moment.ok()?.format(format).ok()
    }

    /// `2026-11-24T14:05:00Z`: the same in whole seconds.
    pub fn rfc3339_seconds(self) -> Option<String> {
        let seconds = i64::try_from(self.seconds()).ok()?;
        OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
    }

    /// A moment as RFC 3339 writes it, with its zone; nothing before the epoch.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// A moment given in whole seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time of day now.
    fn now(&self) -> UnixMillis;

    /// A moment of this process's own clock, which only ever goes forward: how long ago
    /// something was, whatever happens to the time of day.
    fn steady(&self) -> Instant {
        steady()
    }
}

/// The same for whoever has no [`Clock`].
#[allow(clippy::disallowed_methods)]
pub fn steady() -> Instant {
    Instant::now()
}

/// The machine's own clock, which NTP keeps right: TOTP depends on it.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    // A clock before 1970 reads as zero: every session is then from the future and refused.
    fn now(&self) -> UnixMillis {
        UnixMillis(millis(since_epoch()))
    }
}

/// The machine's time of day since the epoch, as finely as it knows it; zero before that.
#[allow(clippy::disallowed_methods)]
pub fn since_epoch() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// Lets something be done at most once a second, whoever asks for it.
#[derive(Debug, Default)]
pub struct Seldom(AtomicU64);

impl Seldom {
    /// Whether it may be done now; then it may not be done again for a second. A clock that went
    /// back lets it be done.
    pub fn is_due(&self, now: UnixMillis) -> bool {
        let last = self.0.load(Ordering::Relaxed);
        let due = now.0 < last || now.0 - last >= 1000;
        due && self.0.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Measures how long something takes, whatever happens to the time of day.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    pub fn start() -> Self {
        Self(steady())
    }

    /// How long it has been.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// How long it has been, and one that was started just now: to look at the clock takes its
    /// time too.
    pub fn lap(self) -> (Duration, Self) {
        let next = Self::start();
        (next.0.saturating_duration_since(self.0), next)
    }
}

/// A clock that moves only when told to, for tests.
#[derive(Debug)]
pub struct MovableClock {
    now: AtomicU64,
    start: UnixMillis,
    began: Instant,
}

impl MovableClock {
    /// A clock that stands at `start`.
    pub fn at(start: UnixMillis) -> Self {
        Self { now: AtomicU64::new(start.0), start, began: steady() }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(millis(by), Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.now.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Instant {
        let on = self.now().since(self.start);
        self.began.checked_add(on).unwrap_or(self.began)
    }
}
