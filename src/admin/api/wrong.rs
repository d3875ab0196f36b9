//! How many wrong tokens one client may send. A table of fixed size, so that no number of
//! addresses makes it grow, and no number of guesses floods the log.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::UnixMillis;

/// Places in the table; two clients may share one, and then share its allowance.
const PLACES: usize = 1024;
/// Wrong tokens of one client in a minute. A program with an old one tries again and again.
const PER_MINUTE: u64 = 20;
const MINUTE: u64 = 60_000;
/// The count is in the lower 16 bits, its minute above.
const COUNT_BITS: u32 = 16;
const MOST: u64 = 0xffff;

/// Counts wrong tokens by client.
pub(in crate::admin) struct WrongTokens {
    hasher: RandomState,
    places: Vec<AtomicU64>,
}

/// The client has to wait this many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) struct Wait(pub(in crate::admin) u64);

impl Default for WrongTokens {
    fn default() -> Self {
        let places = std::iter::repeat_with(AtomicU64::default).take(PLACES).collect();
        Self { hasher: RandomState::new(), places }
    }
}

impl WrongTokens {
    /// Counts one wrong token.
    pub(in crate::admin) fn note(
        &self,
        now: UnixMillis,
        client: Option<IpAddr>,
    ) -> Result<(), Wait> {
        let (place, wait) = (self.place(client).ok_or(wait(now))?, wait(now));
        let this_minute = (now.0 / MINUTE) << COUNT_BITS;
        let next = |kept| Some(this_minute | (counted(now, kept) + 1).min(MOST));
        let before = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if counted(now, before.unwrap_or(u64::MAX)) < PER_MINUTE { Ok(()) } else { Err(wait) }
    }

    /// Whether the next one would be too many: for what costs us something to look at.
    pub(in crate::admin) fn may_try(
        &self,
        now: UnixMillis,
        client: Option<IpAddr>,
    ) -> Result<(), Wait> {
        let place = self.place(client).ok_or(wait(now))?;
        let before = counted(now, place.load(Ordering::Relaxed));
        if before < PER_MINUTE { Ok(()) } else { Err(wait(now)) }
    }

    fn place(&self, client: Option<IpAddr>) -> Option<&AtomicU64> {
        let hash = self.hasher.hash_one(client.map(network)) % (PLACES as u64);
        usize::try_from(hash).ok().and_then(|place| self.places.get(place))
    }
}

/// How many of this minute there were.
const fn counted(now: UnixMillis, kept: u64) -> u64 {
    if kept >> COUNT_BITS == now.0 / MINUTE { kept & MOST } else { 0 }
}

/// To the end of the minute.
const fn wait(now: UnixMillis) -> Wait {
    Wait((MINUTE - now.0 % MINUTE).div_ceil(1000))
}

/// One subscriber has a whole /64 of IPv6.
fn network(client: IpAddr) -> u128 {
    match client {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address) >> 64 | 1 << 127,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_guesses_has_to_wait() {
        let wrong = WrongTokens::default();
        let now = UnixMillis::from_seconds(1_800_000_005);
        let client = Some("192.0.2.1".parse().unwrap());
        for _ in 0..PER_MINUTE {
            assert_eq!(wrong.note(now, client), Ok(()));
        }
        assert_eq!(wrong.may_try(now, client), Err(Wait(55)));
        assert_eq!(wrong.note(now, client), Err(Wait(55)));
        assert_eq!(wrong.note(UnixMillis::from_seconds(1_800_000_060), client), Ok(()));
    }

    #[test]
    fn no_number_of_guesses_or_addresses_overflows_it() {
        let wrong = WrongTokens::default();
        let now = UnixMillis::from_seconds(1_800_000_005);
        for guess in 0..70_000_u32 {
            let _counted = wrong.note(now, None);
            let _counted = wrong.note(now, Some(std::net::Ipv4Addr::from(guess).into()));
        }
        assert!(wrong.note(now, None).is_err());
        assert_eq!(wrong.places.len(), PLACES);
    }
}
