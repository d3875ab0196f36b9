//! What a transaction does to what it finds, as a pure rule that every engine asks: records and
//! time in, records out. So no engine decides anything that another decides otherwise.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::records::{Entry, Kind};
use super::{
    CounterRule, CounterState, Expect, Key, Leaf, MAX_ID, MAX_VALUE, MAX_WRITES, Op, Sort,
    StoreError, Version, Write,
};
use crate::clock::UnixMillis;

/// The most records that one scan gives.
pub(in crate::store) const MAX_SCAN: usize = 1000;

/// What holds for all writes of a transaction.
#[derive(Clone, Copy)]
pub(in crate::store) struct Terms {
    /// The caller's clock.
    pub(in crate::store) now: UnixMillis,
    /// The version that what is written gets; greater than that of anything that is there.
    pub(in crate::store) version: u64,
    /// No register goes to this number or below.
    pub(in crate::store) floor: u64,
}

/// What becomes of the record that a write names.
pub(in crate::store) enum Outcome {
    /// Nothing changes.
    Stays,
    /// It is removed.
    Goes,
    /// This takes its place.
    Becomes(Entry),
}

/// What one write does.
pub(in crate::store) struct Judged {
    /// What its caller is told.
    pub(in crate::store) version: Version,
    /// What becomes of the record.
    pub(in crate::store) outcome: Outcome,
}

/// Judges the write with number `index`, where `found` is what lies there, expired or not.
pub(in crate::store) fn judge(
    terms: Terms,
    index: usize,
    write: &Write,
    found: Option<&Entry>,
) -> Result<Judged, StoreError> {
    let live = found.filter(|entry| entry.is_live(terms.now));
    if !holds(write.expect, live) {
        return Err(StoreError::Conflict { index });
    }
    let outcome = match &write.op {
        Op::Check => {
            let version = Version(live.map_or(0, |entry| entry.version));
            return Ok(Judged { version, outcome: Outcome::Stays });
        }
        Op::Delete if found.is_none() => Outcome::Stays,
        Op::Delete => Outcome::Goes,
        Op::Put { value, expires_at } => Outcome::Becomes(put(terms, live, value, *expires_at)?),
        Op::Raise { to, keep_until } => {
            Outcome::Becomes(raised(terms, index, live, *to, *keep_until)?)
        }
    };
    Ok(Judged { version: Version(terms.version), outcome })
}

/// Counts an attempt: what its caller is told, and what takes the counter's place.
pub(in crate::store) fn hit(
    terms: Terms,
    found: Option<&Entry>,
    rule: &CounterRule,
) -> Result<(CounterState, Option<Entry>), StoreError> {
    let live = found.filter(|entry| entry.is_live(terms.now));
    let state = counter(live)?.hit(terms.now, rule);
    let after = state.admitted.then(|| Entry {
        kind: Kind::Counter,
        version: terms.version,
        expires_at: None,
        payload: Zeroizing::new(state.to_bytes()),
    });
    Ok((state, after))
}

/// The counter that `entry` keeps.
pub(in crate::store) fn counter(entry: Option<&Entry>) -> Result<CounterState, StoreError> {
    match entry {
        None => Ok(CounterState::FRESH),
        Some(entry) if entry.kind == Kind::Counter => CounterState::from_bytes(&entry.payload)
            .ok_or_else(|| StoreError::Corrupt("a counter".into())),
        Some(_) => Err(StoreError::Invalid("the record is no counter")),
    }
}

/// The record that a copy holds, as it lies in the store that takes it in.
pub(in crate::store) fn filled(version: u64, leaf: &Leaf) -> Entry {
    let kind = match leaf.sort {
        Sort::Value => Kind::Value,
        Sort::Counter => Kind::Counter,
    };
    Entry { kind, version, expires_at: leaf.expires_at, payload: leaf.payload.clone() }
}

/// What a copy holds of `entry`.
pub(in crate::store) fn leaf(entry: Entry) -> Result<Leaf, StoreError> {
    let sort = match entry.kind {
        Kind::Value => Sort::Value,
        Kind::Counter => Sort::Counter,
        Kind::Register | Kind::State => {
            return Err(StoreError::Invalid("a register is not copied"));
        }
    };
    Ok(Leaf { sort, payload: entry.payload, expires_at: entry.expires_at })
}

/// Whether a transaction has the form that every engine takes.
pub(in crate::store) fn check_transaction(tx: &[Write]) -> Result<(), StoreError> {
    if tx.is_empty() || tx.len() > MAX_WRITES {
        return Err(StoreError::Invalid("a transaction has no writes or too many"));
    }
    let mut keys = BTreeSet::new();
    for write in tx {
        check_key(&write.key)?;
        if !keys.insert(&write.key) {
            return Err(StoreError::Invalid("a transaction writes each key once"));
        }
        match &write.op {
            Op::Put { value, .. } if value.len() > MAX_VALUE => {
                return Err(StoreError::Invalid("a value has at most 4096 bytes"));
            }
            Op::Put { .. } | Op::Delete | Op::Check | Op::Raise { .. } => {}
        }
    }
    Ok(())
}

/// Whether a key has the form that every engine takes.
pub(in crate::store) fn check_key(key: &Key) -> Result<(), StoreError> {
    if key.id.is_empty() || key.id.len() > MAX_ID {
        return Err(StoreError::Invalid("an identifier has 1 to 128 bytes"));
    }
    Ok(())
}

/// Whether a scan asks for no more than every engine gives.
pub(in crate::store) fn check_scan(limit: usize) -> Result<(), StoreError> {
    if limit > MAX_SCAN {
        return Err(StoreError::Invalid("a scan gives at most 1000 records"));
    }
    Ok(())
}

fn holds(expect: Expect, found: Option<&Entry>) -> bool {
    match expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Is(version) => found.is_some_and(|entry| entry.version == version.0),
    }
}

fn put(
    terms: Terms,
    found: Option<&Entry>,
    value: &[u8],
    expires_at: Option<UnixMillis>,
) -> Result<Entry, StoreError> {
    // Overwriting a register could set it back, overwriting a counter could forget failures.
    if found.is_some_and(|entry| entry.kind != Kind::Value) {
        return Err(StoreError::Invalid(
            "a register or counter is not put, only raised or deleted",
        ));
    }
    let payload = Zeroizing::new(value.to_vec());
    Ok(Entry { kind: Kind::Value, version: terms.version, expires_at, payload })
}

fn raised(
    terms: Terms,
    index: usize,
    found: Option<&Entry>,
    to: u64,
    keep_until: UnixMillis,
) -> Result<Entry, StoreError> {
    let current = found.map(register).transpose()?;
    if to <= terms.floor || current.is_some_and(|current| to <= current) {
        let current = current.unwrap_or(0).max(terms.floor);
        return Err(StoreError::Refused { index, current });
    }
    // A register is never kept shorter than was asked before: it would forget a code.
    let expires_at = match found {
        Some(Entry { expires_at: None, .. }) => None,
        Some(Entry { expires_at: Some(at), .. }) => Some(keep_until.max(*at)),
        None => Some(keep_until),
    };
    let payload = Zeroizing::new(to.to_be_bytes().to_vec());
    Ok(Entry { kind: Kind::Register, version: terms.version, expires_at, payload })
}

fn register(entry: &Entry) -> Result<u64, StoreError> {
    if entry.kind != Kind::Register {
        return Err(StoreError::Invalid("the record is no register"));
    }
    let bytes = entry.payload.first_chunk::<8>();
    bytes.map(|it| u64::from_be_bytes(*it)).ok_or_else(|| StoreError::Corrupt("a register".into()))
}
