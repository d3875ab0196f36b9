//! How many users of a portal are something. They are counted while people are served and that
//! changes, since a million of them take longer than a start may; until then nothing is said.

use std::collections::HashMap;

use parking_lot::Mutex;
use prometheus::{IntGauge, IntGaugeVec};

use crate::user::Opaque;

/// One number of one portal.
#[derive(Debug)]
pub(in crate::telemetry) struct Tally {
    portal: String,
    family: IntGaugeVec,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// They are being counted: what became of everybody who changed meanwhile. Whether the count
    /// met them before or after does not matter, then.
    Counting(HashMap<Opaque, bool>),
    /// They were counted, and each change moves the number.
    Counted(IntGauge),
}

impl Tally {
    pub(in crate::telemetry) fn new(family: &IntGaugeVec, portal: &str) -> Self {
        let state = Mutex::new(State::Counting(HashMap::new()));
        Self { portal: portal.to_owned(), family: family.clone(), state }
    }

    /// Says that the users are counted from now on.
    pub(in crate::telemetry) fn begin(&self) {
        *self.state.lock() = State::Counting(HashMap::new());
    }

    /// Says whom the count met, in the order of their identifiers.
    pub(in crate::telemetry) fn counted(&self, met: &[Opaque]) {
        let Ok(gauge) = self.family.get_metric_with_label_values(&[&self.portal]) else { return };
        let mut state = self.state.lock();
        let changed = match &*state {
            State::Counting(changed) => changed.iter(),
            State::Counted(_) => return,
        };
        let mut number = i64::try_from(met.len()).unwrap_or(i64::MAX);
        for (user, is_one) in changed {
            let was_met = met.binary_search(user).is_ok();
            number += i64::from(*is_one) - i64::from(was_met);
        }
        gauge.set(number);
        *state = State::Counted(gauge);
    }

    /// Notes that somebody became one of them, or ceased to be.
    pub(in crate::telemetry) fn changed(&self, user: Opaque, is_one: bool) {
        match &mut *self.state.lock() {
            State::Counting(changed) => _ = changed.insert(user, is_one),
            State::Counted(gauge) if is_one => gauge.inc(),
            State::Counted(gauge) => gauge.dec(),
        }
    }

    /// The number, once it is known.
    pub(in crate::telemetry) fn known(&self) -> Option<u64> {
        match &*self.state.lock() {
            State::Counting(_) => None,
            State::Counted(gauge) => Some(u64::try_from(gauge.get()).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Opts;
    use prometheus::core::Collector as _;

    use super::*;

    fn tally() -> Tally {
        Tally::new(&IntGaugeVec::new(Opts::new("users", "Users."), &["portal"]).unwrap(), "wiki")
    }

    fn user(number: u8) -> Opaque {
        Opaque([number; 16])
    }

    #[test]
    fn nothing_is_said_before_the_count_is_over() {
        let tally = tally();
        tally.changed(user(1), true);
        assert_eq!(tally.known(), None);
        let series: usize = tally.family.collect().iter().map(|it| it.get_metric().len()).sum();
        assert_eq!(series, 0);
        tally.counted(&[]);
        assert_eq!(tally.known(), Some(1));
    }

    #[test]
    fn whoever_changes_during_the_count_is_counted_once_whether_it_met_them_or_not() {
        for met in [vec![user(1), user(3), user(5)], vec![user(2), user(4), user(5)]] {
            let tally = tally();
            tally.changed(user(1), true);
            tally.changed(user(2), true);
            tally.changed(user(3), false);
            tally.changed(user(4), true);
            tally.changed(user(4), false);
            tally.counted(&met);
            assert_eq!(tally.known(), Some(3), "{met:?}");
        }
    }

    #[test]
    fn after_the_count_each_change_moves_the_number() {
        let tally = tally();
        tally.counted(&[user(1), user(2)]);
        tally.changed(user(3), true);
        tally.changed(user(1), false);
        tally.changed(user(2), false);
        assert_eq!(tally.known(), Some(1));
        tally.begin();
        assert_eq!(tally.known(), None);
    }
}
