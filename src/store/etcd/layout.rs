//! Where in etcd what lies: records by their address behind our prefix, and beside them, where no
//! record can lie, what the store keeps of itself.

use crate::clock::UnixMillis;
use crate::store::records::{IDENTITY, META};

/// Where the replay floor stands.
pub(super) const FLOOR: &[u8] = b"\0floor";
/// Written so that there is something to be told, when nothing else is.
pub(super) const PULSE: &[u8] = b"\0pulse";
/// Written with each removal that has to be told: what etcd or a sweep removes has it not.
pub(super) const GONE: &[u8] = b"\0gone";
/// How far the etcd had come at some time.
pub(super) const MARK: &[u8] = b"\0mark";
/// Stands there until an import is whole.
pub(super) const DRAFT: &[u8] = b"\0draft";
/// What all leases begin with.
const LEASE: &[u8] = b"\0lease";

/// The keys of one store.
#[derive(Clone)]
pub(super) struct Layout {
    prefix: Vec<u8>,
    identity: &'static [u8],
}

/// A lease as it is written down, so that every gateway finds what hangs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// What hangs on it expires after this.
    pub(super) after: UnixMillis,
    /// And not after this.
    pub(super) until: UnixMillis,
    /// Its number in etcd.
    pub(super) lease: i64,
}

impl Layout {
    pub(super) fn new(prefix: Vec<u8>) -> Self {
        Self { prefix, identity: IDENTITY }
    }

    /// The same for a store that is not whole yet: what it is lies where no gateway looks for it.
    pub(super) fn draft(self) -> Self {
        Self { identity: DRAFT, ..self }
    }

    /// The same for a store that is whole.
    pub(super) fn whole(self) -> Self {
        Self { identity: IDENTITY, ..self }
    }

    /// The key at `address`.
    pub(super) fn key(&self, address: &[u8]) -> Vec<u8> {
        [&self.prefix, address].concat()
    }

    /// The address that `key` stands for, if it is one of ours.
    pub(super) fn address<'a>(&self, key: &'a [u8]) -> Option<&'a [u8]> {
        key.strip_prefix(self.prefix.as_slice())
    }

    /// The first key of all, and the first that is none of ours.
    pub(super) fn all(&self) -> (Vec<u8>, Vec<u8>) {
        (self.key(&[META]), self.key(&[u8::MAX]))
    }

    /// The same for records alone.
    pub(super) fn records(&self) -> (Vec<u8>, Vec<u8>) {
        (self.key(&[META.saturating_add(1)]), self.key(&[u8::MAX]))
    }

    /// The key of the store's identity.
    pub(super) fn identity(&self) -> Vec<u8> {
        self.key(self.identity)
    }

    /// Where `listed` is written down.
    pub(super) fn listed(&self, listed: Listed) -> Vec<u8> {
        let (after, until) = (listed.after.0.to_be_bytes(), listed.until.0.to_be_bytes());
        let lease = listed.lease.to_be_bytes();
        self.key(&[LEASE, &after, &until, &lease].concat())
    }

    /// Where all leases are written down on which something may have expired by `deadline`.
    pub(super) fn listed_until(&self, deadline: UnixMillis) -> (Vec<u8>, Vec<u8>) {
        let end = deadline.0.saturating_add(1).to_be_bytes();
        (self.key(LEASE), self.key(&[LEASE, &end].concat()))
    }

    /// What was written down under `key`.
    pub(super) fn read_listed(&self, key: &[u8]) -> Option<Listed> {
        let rest = self.address(key)?.strip_prefix(LEASE)?;
        let (after, rest) = rest.split_first_chunk::<8>()?;
        let (until, rest) = rest.split_first_chunk::<8>()?;
        let (lease, rest) = rest.split_first_chunk::<8>()?;
        let moment = |bytes: &[u8; 8]| UnixMillis(u64::from_be_bytes(*bytes));
        let (after, until) = (moment(after), moment(until));
        rest.is_empty().then(|| Listed { after, until, lease: i64::from_be_bytes(*lease) })
    }
}

/// The key that follows `key` with nothing in between.
pub(super) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The first key behind all that begin with `prefix`.
pub(super) fn behind(mut prefix: Vec<u8>) -> Vec<u8> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            return prefix;
        }
    }
    // etcd's own way to say "to the end".
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_back_to_its_address_and_a_foreign_one_to_none() {
        let layout = Layout::new(b"/portcullis/".to_vec());
        assert_eq!(layout.address(&layout.key(b"\x01ann")), Some(&b"\x01ann"[..]));
        assert_eq!(layout.address(b"/portculli"), None);
    }

    #[test]
    fn a_lease_is_found_by_when_things_expire() {
        let layout = Layout::new(b"/p/".to_vec());
        let at = |after| Listed { after: UnixMillis(after), until: UnixMillis(900), lease: -7 };
        let key = layout.listed(at(600));
        assert_eq!(layout.read_listed(&key), Some(at(600)));
        assert_eq!(layout.read_listed(&key[..key.len() - 1]), None);
        let (from, to) = layout.listed_until(UnixMillis(600));
        assert!(from <= key && key < to);
        assert!(layout.listed(at(601)) >= to);
    }

    #[test]
    fn the_key_behind_a_prefix_is_the_next_that_begins_otherwise() {
        assert_eq!(behind(b"/p/\x01".to_vec()), b"/p/\x02");
        assert_eq!(behind(vec![b'a', 255, 255]), b"b");
        assert_eq!(behind(vec![255]), [0]);
    }
}
