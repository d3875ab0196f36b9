//! Wrong codes and the waits they earn, as a pure rule: state and time in, state out.
//! Engines keep the state; nothing here reads a clock or a store.

use std::time::Duration;

use crate::clock::UnixMillis;

/// How attempts are slowed down. The counter is cumulative: only a success removes it, time
/// does not (NIST SP 800-63B-4 section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterRule {
    /// The failure with this number is the first that brings a wait.
    pub free: u32,
    /// The first wait; each further failure doubles it.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
    /// The failure with this number disables the authenticator until it is bound again.
    pub cap: u32,
}

impl Default for CounterRule {
    fn default() -> Self {
        Self {
            free: 5,
            first_wait: Duration::from_secs(30),
            longest_wait: Duration::from_secs(3600),
            cap: 50,
        }
    }
}

impl CounterRule {
    /// The wait that failure number `failures` brings.
    fn wait(&self, failures: u32) -> Option<Duration> {
        let first = self.free.max(1);
        let doublings = failures.checked_sub(first)?;
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        Some(self.first_wait.saturating_mul(factor).min(self.longest_wait))
    }
}

/// What the counter says about one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct CounterState {
    /// Attempts since the last success, the present one included.
    pub failures: u32,
    /// Until when further attempts are turned away.
    pub locked_until: Option<UnixMillis>,
    /// Whether the cap was met; only binding anew helps.
    pub disabled: bool,
    /// Whether this attempt may be checked. A [`CounterState`] that was only read says
    /// whether an attempt now would be.
    pub admitted: bool,
}

impl CounterState {
    /// Nobody has failed yet.
    pub const FRESH: Self =
        Self { failures: 0, locked_until: None, disabled: false, admitted: true };

    /// The state as it reads at `now`: a wait that has passed is no wait.
    pub fn at(self, now: UnixMillis) -> Self {
        let locked_until = self.locked_until.filter(|until| now < *until);
        Self { locked_until, admitted: locked_until.is_none() && !self.disabled, ..self }
    }

    /// The state after an attempt at `now`, counted before its code is checked, so that a
    /// crash or a race never gives a free guess. An attempt that is turned away is not counted.
    pub fn hit(self, now: UnixMillis, rule: &CounterRule) -> Self {
        let before = self.at(now);
        if !before.admitted {
            return before;
        }
        let failures = before.failures.saturating_add(1);
        Self {
            failures,
            locked_until: rule.wait(failures).map(|wait| now.plus(wait)),
            disabled: failures >= rule.cap,
            admitted: true,
        }
    }

    pub(in crate::store) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(13);
        bytes.extend(self.failures.to_be_bytes());
        bytes.extend(self.locked_until.map_or(0, |until| until.0).to_be_bytes());
        bytes.push(u8::from(self.disabled));
        bytes
    }

    pub(in crate::store) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (failures, rest) = bytes.split_first_chunk::<4>()?;
        let (until, rest) = rest.split_first_chunk::<8>()?;
        let disabled = match rest {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        let until = u64::from_be_bytes(*until);
        Some(Self {
            failures: u32::from_be_bytes(*failures),
            locked_until: (until != 0).then_some(UnixMillis(until)),
            disabled,
            admitted: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn fail(times: u32, now: &mut UnixMillis) -> CounterState {
        let mut state = CounterState::FRESH;
        for _ in 0..times {
            *now = state.locked_until.unwrap_or(*now);
            state = state.hit(*now, &CounterRule::default());
            assert!(state.admitted);
        }
        state
    }

    #[test]
    fn four_failures_bring_no_wait() {
        assert_eq!(fail(4, &mut START.clone()).locked_until, None);
    }

    #[test]
    fn waits_double_from_the_fifth_failure_up_to_an_hour() {
        for (failures, seconds) in
            [(5, 30), (6, 60), (7, 120), (11, 1920), (12, 3600), (13, 3600), (49, 3600)]
        {
            let mut now = START;
            let state = fail(failures, &mut now);
            assert_eq!(state.locked_until, Some(now.plus(Duration::from_secs(seconds))));
            assert!(!state.disabled);
        }
    }

    #[test]
    fn an_attempt_during_a_wait_is_neither_admitted_nor_counted() {
        let mut now = START;
        let locked = fail(5, &mut now);
        let early = now.plus(Duration::from_millis(29_999));
        let turned_away = locked.hit(early, &CounterRule::default());
        assert_eq!(turned_away, CounterState { admitted: false, ..locked });
        assert!(locked.hit(early.plus(Duration::from_millis(1)), &CounterRule::default()).admitted);
    }

    #[test]
    fn the_cap_disables_for_good() {
        let mut now = START;
        let state = fail(50, &mut now);
        assert!(state.disabled);
        let much_later = now.plus(Duration::from_secs(10 * 365 * 86_400));
        assert!(!state.hit(much_later, &CounterRule::default()).admitted);
        assert_eq!(state.hit(much_later, &CounterRule::default()).failures, 50);
    }

    #[test]
    fn a_state_outlives_its_bytes_and_foreign_bytes_are_no_state() {
        let state = fail(50, &mut START.clone());
        let read = CounterState::from_bytes(&state.to_bytes());
        assert_eq!(read, Some(CounterState { admitted: false, ..state }));
        assert_eq!(CounterState::from_bytes(&[0; 12]), None);
        assert_eq!(CounterState::from_bytes(&[2; 13]), None);
    }
}
