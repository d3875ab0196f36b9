//! Stage 3: how much one client may ask of what is costly: logins and our own forms. A table
//! of fixed size, so that no number of addresses makes it grow (DOS-4).

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::UnixMillis;

/// Places in the table; two clients may share one, and then share its allowance.
const PLACES: usize = 4096;
/// Costly requests of one client in a minute. Many users may sit behind one address.
const PER_MINUTE: u64 = 1200;
const MINUTE: u64 = 60_000;

/// Counts costly requests by client.
pub struct Admission {
    hasher: RandomState,
    /// Minute in the upper 40 bits, count in the lower 24.
    places: Vec<AtomicU64>,
}

/// The client has to wait this many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled(pub u64);

impl Default for Admission {
    fn default() -> Self {
        let places = std::iter::repeat_with(AtomicU64::default).take(PLACES).collect();
        Self { hasher: RandomState::new(), places }
    }
}

impl Admission {
    /// Counts one costly request.
    ///
    /// # Errors
    /// [`Throttled`] when the client has used up its minute.
    pub fn admit(&self, now: UnixMillis, client: Option<IpAddr>) -> Result<(), Throttled> {
        let hash = usize::try_from(self.hasher.hash_one(network(client)) % (PLACES as u64));
        let place = hash.ok().and_then(|place| self.places.get(place));
        let (Some(place), minute) = (place, now.0 / MINUTE) else {
            return Err(Throttled(60));
        };
        let counted = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |kept| {
            let count = if kept >> 24 == minute & 0xff_ffff_ffff { kept & 0xff_ffff } else { 0 };
            Some(((minute & 0xff_ffff_ffff) << 24) | (count + 1).min(0xff_ffff))
        });
        let before = counted.unwrap_or_default();
        let count = if before >> 24 == minute & 0xff_ffff_ffff { before & 0xff_ffff } else { 0 };
        let rest = (MINUTE - now.0 % MINUTE) / 1000 + 1;
        if count < PER_MINUTE { Ok(()) } else { Err(Throttled(rest)) }
    }
}

/// One subscriber has a whole /64 of IPv6.
fn network(client: Option<IpAddr>) -> Option<u128> {
    client.map(|client| match client {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address) >> 64 | 1 << 127,
    })
}

#[cfg(test)]
mod tests {
    use super::{Admission, PER_MINUTE};
    use crate::clock::UnixMillis;

    #[test]
    fn a_client_has_an_allowance_for_each_minute() {
        let admission = Admission::default();
        let client = Some("192.0.2.1".parse().unwrap());
        let now = UnixMillis::from_seconds(1_800_000_005);
        for _ in 0..PER_MINUTE {
            assert!(admission.admit(now, client).is_ok());
        }
        let wait = admission.admit(now, client).unwrap_err().0;
        assert!((1..=60).contains(&wait), "{wait}");
        assert!(admission.admit(UnixMillis::from_seconds(1_800_000_070), client).is_ok());
    }

    #[test]
    fn one_subscriber_has_one_place_whatever_the_address() {
        let admission = Admission::default();
        let now = UnixMillis::from_seconds(1_800_000_005);
        let addresses = (0..=PER_MINUTE).map(|last| format!("2001:db8::{last:x}").parse().ok());
        let refused = addresses.filter(|client| admission.admit(now, *client).is_err()).count();
        assert_eq!(refused, 1);
    }
}
