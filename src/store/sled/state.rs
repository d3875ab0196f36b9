//! What the store knows of itself: how far it is, what it holds, when it was last written.
//! Sealed and written with each batch, and compared with what is really there at each open.

use crate::clock::UnixMillis;

/// The state after a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The number of the last transaction.
    pub(super) sequence: u64,
    /// How many records there are.
    pub(super) records: u64,
    /// The sum of the marks of all records, modulo 2^128: it changes with each record that is
    /// lost, added or set back, whatever the order.
    pub(super) fingerprint: u128,
    /// The latest time that any transaction named.
    pub(super) latest: UnixMillis,
    /// Registers do not go to this number or below.
    pub(super) floor: u64,
    /// Whether the store was closed in order after this batch.
    pub(super) closed: bool,
}

impl State {
    /// Takes up a record with this mark.
    pub(super) fn add(&mut self, mark: u128) {
        self.records = self.records.saturating_add(1);
        self.fingerprint = self.fingerprint.wrapping_add(mark);
    }

    /// Takes up all the records of `other`.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.records = self.records.saturating_add(other.records);
        self.fingerprint = self.fingerprint.wrapping_add(other.fingerprint);
    }

    /// Lets go of a record with this mark.
    pub(super) fn remove(&mut self, mark: u128) {
        self.records = self.records.saturating_sub(1);
        self.fingerprint = self.fingerprint.wrapping_sub(mark);
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(49);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.records.to_be_bytes());
        bytes.extend(self.fingerprint.to_be_bytes());
        bytes.extend(self.latest.0.to_be_bytes());
        bytes.extend(self.floor.to_be_bytes());
        bytes.push(u8::from(self.closed));
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sequence, rest) = bytes.split_first_chunk::<8>()?;
        let (records, rest) = rest.split_first_chunk::<8>()?;
        let (fingerprint, rest) = rest.split_first_chunk::<16>()?;
        let (latest, rest) = rest.split_first_chunk::<8>()?;
        let (floor, rest) = rest.split_first_chunk::<8>()?;
        let [closed @ (0 | 1)] = rest else { return None };
        Some(Self {
            sequence: u64::from_be_bytes(*sequence),
            records: u64::from_be_bytes(*records),
            fingerprint: u128::from_be_bytes(*fingerprint),
            latest: UnixMillis(u64::from_be_bytes(*latest)),
            floor: u64::from_be_bytes(*floor),
            closed: *closed == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_outlives_its_bytes() {
        let state = State {
            sequence: 1,
            records: 2,
            fingerprint: u128::MAX - 3,
            latest: UnixMillis(4),
            floor: 5,
            closed: true,
        };
        assert_eq!(State::from_bytes(&state.to_bytes()), Some(state));
        assert_eq!(State::from_bytes(&[0; 48]), None);
        assert_eq!(State::from_bytes(&[7; 49]), None);
    }

    #[test]
    fn the_fingerprint_of_a_set_does_not_depend_on_the_order() {
        let mut one = State::default();
        let mut other = State::default();
        for mark in [u128::MAX, 5, 17] {
            one.add(mark);
        }
        for mark in [17, 9, u128::MAX, 5] {
            other.add(mark);
        }
        other.remove(9);
        assert_eq!(one, other);
    }
}
