//! How many requests one token may send: so many a minute, all at once or one by one. The table
//! has a place for each token that there is, and no more.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::wrong::Wait;
use crate::clock::UnixMillis;
use crate::config::desk::{Staff, StaffKind};

const MINUTE: u64 = 60_000;
/// Places in the table. Tokens are few; where names came and went, it begins anew.
const PLACES: usize = 4096;

/// Counts the requests of each token, as the generic cell rate algorithm does: it keeps the one
/// moment at which all that was asked for would have been paid for.
#[derive(Default)]
pub(super) struct Pace {
    paid_at: Mutex<HashMap<(bool, String), u64>>,
}

impl Pace {
    /// Counts one request, where `per_minute` are allowed.
    pub(super) fn note(&self, now: UnixMillis, staff: &Staff, per_minute: u32) -> Result<(), Wait> {
        let each = (MINUTE / u64::from(per_minute.max(1))).max(1);
        let mut paid_at = self.paid_at.lock();
        if paid_at.len() >= PLACES {
            paid_at.clear();
        }
        let whose = (staff.kind == StaffKind::Token, staff.name.clone());
        let place = paid_at.entry(whose).or_insert(now.0);
        // Where the clock goes back, nobody waits longer than a minute.
        let paid = (*place).clamp(now.0, now.0.saturating_add(MINUTE));
        let then = paid.saturating_add(each);
        let early = then.saturating_sub(now.0).saturating_sub(MINUTE);
        if early > 0 {
            *place = paid;
            return Err(Wait(early.div_ceil(1000)));
        }
        *place = then;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::desk::Role;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn staff(name: &str, kind: StaffKind) -> Staff {
        Staff { name: name.to_owned(), kind, role: Role::Desk, portals: None }
    }

    fn at(seconds: u64) -> UnixMillis {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_token_has_its_requests_of_a_minute_and_then_one_by_one() {
        let (pace, desk) = (Pace::default(), staff("desk", StaffKind::Token));
        for _ in 0..600 {
            assert_eq!(pace.note(NOW, &desk, 600), Ok(()));
        }
        assert_eq!(pace.note(NOW, &desk, 600), Err(Wait(1)));
        for _ in 0..10 {
            assert_eq!(pace.note(at(1), &desk, 600), Ok(()));
        }
        assert_eq!(pace.note(at(1), &desk, 600), Err(Wait(1)));
        for _ in 0..600 {
            assert_eq!(pace.note(at(61), &desk, 600), Ok(()));
        }
        assert!(pace.note(at(61), &desk, 600).is_err());
    }

    #[test]
    fn a_busy_token_slows_no_other() {
        let (pace, desk) = (Pace::default(), staff("desk", StaffKind::Token));
        while pace.note(NOW, &desk, 60).is_ok() {}
        assert_eq!(pace.note(NOW, &staff("eyes", StaffKind::Token), 60), Ok(()));
        assert_eq!(pace.note(NOW, &staff("desk", StaffKind::Person), 60), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_shuts_nobody_out() {
        let (pace, desk) = (Pace::default(), staff("desk", StaffKind::Token));
        while pace.note(at(7200), &desk, 60).is_ok() {}
        assert!(pace.note(NOW, &desk, 60).is_err());
        assert_eq!(pace.note(at(2), &desk, 60), Ok(()));
    }
}
