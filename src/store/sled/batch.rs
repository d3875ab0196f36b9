//! Transactions that become durable together. Each meets what those before it left, and is
//! taken whole or not at all; nothing here reaches the disk.

use std::collections::BTreeMap;

use ::sled::IVec;
use zeroize::Zeroizing;

use super::disk::{Change, Disk};
use super::state::State;
use crate::clock::UnixMillis;
use crate::store::records::{Entry, Header, Kind, address};
use crate::store::{
    Copied, CounterRule, CounterState, Event, Expect, Key, Leaf, Op, Sort, StoreError, Version,
    Write,
};

/// The batch under way.
pub(super) struct Batch<'a> {
    disk: &'a Disk,
    /// What the store will be.
    pub(super) state: State,
    /// What changes, by address.
    pub(super) changes: BTreeMap<Vec<u8>, Change>,
    /// What will be told to those who watch.
    pub(super) events: Vec<Event>,
}

impl<'a> Batch<'a> {
    pub(super) fn on(disk: &'a Disk) -> Self {
        let state = State { closed: false, ..disk.state };
        Self { disk, state, changes: BTreeMap::new(), events: Vec::new() }
    }

    /// Takes up a transaction, or says why not and leaves everything as it was.
    pub(super) fn commit(
        &mut self,
        now: UnixMillis,
        tx: &[Write],
    ) -> Result<Vec<Version>, StoreError> {
        let version = self.state.sequence.saturating_add(1);
        let mut versions = Vec::with_capacity(tx.len());
        let mut effects = Vec::with_capacity(tx.len());
        let mut events = Vec::new();
        for (index, write) in tx.iter().enumerate() {
            let address = address(&write.key);
            let found = self.entry(&address)?.filter(|entry| entry.is_live(now));
            if !holds(write.expect, found.as_ref()) {
                return Err(StoreError::Conflict { index });
            }
            versions.push(match write.op {
                Op::Check => Version(found.as_ref().map_or(0, |entry| entry.version)),
                Op::Put { .. } | Op::Delete | Op::Raise { .. } => Version(version),
            });
            let after = match &write.op {
                Op::Check => continue,
                Op::Delete => None,
                Op::Put { value, expires_at } => {
                    Some(put(found.as_ref(), version, value, *expires_at)?)
                }
                Op::Raise { to, keep_until } => {
                    let register = Register { index, to: *to, keep_until: *keep_until };
                    Some(self.raised(found.as_ref(), version, register)?)
                }
            };
            let effect = self.effect(address, after.as_ref())?;
            if effect.changes() && write.key.space.watched() {
                let key = write.key.clone();
                events.push(Event::Changed { key, deleted: after.is_none() });
            }
            effects.push(effect);
        }
        self.take(now, version, effects);
        self.events.extend(events);
        Ok(versions)
    }

    /// Counts an attempt.
    pub(super) fn hit(
        &mut self,
        now: UnixMillis,
        key: &Key,
        rule: &CounterRule,
    ) -> Result<CounterState, StoreError> {
        let version = self.state.sequence.saturating_add(1);
        let address = address(key);
        let found = self.entry(&address)?.filter(|entry| entry.is_live(now));
        let state = counter(found.as_ref())?.hit(now, rule);
        if state.admitted {
            let payload = Zeroizing::new(state.to_bytes());
            let after = Entry { kind: Kind::Counter, version, expires_at: None, payload };
            let effect = self.effect(address, Some(&after))?;
            self.take(now, version, vec![effect]);
        }
        Ok(state)
    }

    /// Removes what lies at `addresses` and expired before `deadline`; gives how many. A
    /// record that does not open is left where it is: it may not be what it says.
    pub(super) fn sweep(
        &mut self,
        now: UnixMillis,
        deadline: UnixMillis,
        addresses: Vec<Vec<u8>>,
    ) -> Result<usize, StoreError> {
        let version = self.state.sequence.saturating_add(1);
        let mut effects = Vec::new();
        for address in addresses {
            match self.entry(&address) {
                Ok(Some(entry)) if !entry.is_live(deadline) => {
                    effects.push(self.effect(address, None)?);
                }
                Ok(_) | Err(StoreError::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let swept = effects.len();
        self.take(now, version, effects);
        Ok(swept)
    }

    /// Takes up steps of a copy. Each has to meet what those before it left, so that a copy with
    /// a step too few or too many is found out.
    pub(super) fn fill(
        &mut self,
        now: UnixMillis,
        floor: u64,
        steps: &[Copied],
    ) -> Result<(), StoreError> {
        for step in steps {
            let version = self.state.sequence.saturating_add(1);
            let address = address(step.key());
            let is_there = self.entry(&address)?.is_some();
            let (after, expects) = match step {
                Copied::New(_, leaf) => (Some(filled(version, leaf)), false),
                Copied::Again(_, leaf) => (Some(filled(version, leaf)), true),
                Copied::Gone(_) => (None, true),
            };
            if is_there != expects {
                return Err(StoreError::Invalid("the steps of the copy do not fit each other"));
            }
            let effect = self.effect(address, after.as_ref())?;
            self.take(now, version, vec![effect]);
        }
        self.state.floor = self.state.floor.max(floor);
        Ok(())
    }

    fn entry(&self, address: &[u8]) -> Result<Option<Entry>, StoreError> {
        let codec = self.disk.view.codec();
        match self.changes.get(address) {
            Some(change) => change.after.as_deref().map(|it| codec.decode(address, it)),
            None => self.disk.read(address)?.map(|it| codec.decode(address, &it)),
        }
        .transpose()
    }

    fn raised(
        &self,
        found: Option<&Entry>,
        version: u64,
        register: Register,
    ) -> Result<Entry, StoreError> {
        let current = match found {
            Some(entry) => Some(register_of(entry)?),
            None => None,
        };
        let floor = self.state.floor;
        if register.to <= floor || current.is_some_and(|current| register.to <= current) {
            let current = current.unwrap_or(0).max(floor);
            return Err(StoreError::Refused { index: register.index, current });
        }
        // A register is never kept shorter than was asked before: it would forget a code.
        let kept = match found {
            Some(Entry { expires_at: None, .. }) => None,
            Some(Entry { expires_at: Some(at), .. }) => Some(register.keep_until.max(*at)),
            None => Some(register.keep_until),
        };
        let payload = Zeroizing::new(register.to.to_be_bytes().to_vec());
        Ok(Entry { kind: Kind::Register, version, expires_at: kept, payload })
    }

    fn effect(&self, address: Vec<u8>, after: Option<&Entry>) -> Result<Effect, StoreError> {
        let codec = self.disk.view.codec();
        let version = |stored: &[u8]| Header::read(stored).map(|(header, _)| header.version);
        let (before, standing) = match self.changes.get(&address) {
            Some(change) => (change.before.clone(), change.after.as_deref().and_then(version)),
            None => {
                let stored = self.disk.read(&address)?;
                let standing = stored.as_deref().and_then(version);
                (stored, standing)
            }
        };
        Ok(Effect {
            removed: standing.map(|version| codec.mark(&address, version)),
            added: after.map(|entry| codec.mark(&address, entry.version)),
            after: after.map(|entry| codec.encode(&address, entry)).transpose()?,
            before,
            address,
        })
    }

    fn take(&mut self, now: UnixMillis, version: u64, effects: Vec<Effect>) {
        // Removing nothing changes nothing and needs no number.
        for effect in effects.into_iter().filter(Effect::changes) {
            if let Some(mark) = effect.removed {
                self.state.remove(mark);
            }
            if let Some(mark) = effect.added {
                self.state.add(mark);
            }
            let change = Change { before: effect.before, after: effect.after };
            self.changes.insert(effect.address, change);
            self.state.sequence = version;
            self.state.latest = self.state.latest.max(now);
        }
    }
}

/// What one write does, worked out before anything is taken up.
struct Effect {
    address: Vec<u8>,
    before: Option<IVec>,
    after: Option<Vec<u8>>,
    removed: Option<u128>,
    added: Option<u128>,
}

impl Effect {
    fn changes(&self) -> bool {
        self.removed.is_some() || self.added.is_some()
    }
}

struct Register {
    index: usize,
    to: u64,
    keep_until: UnixMillis,
}

/// The counter that `entry` keeps.
pub(super) fn counter(entry: Option<&Entry>) -> Result<CounterState, StoreError> {
    match entry {
        None => Ok(CounterState::FRESH),
        Some(entry) if entry.kind == Kind::Counter => CounterState::from_bytes(&entry.payload)
            .ok_or_else(|| StoreError::Corrupt("a counter".into())),
        Some(_) => Err(StoreError::Invalid("the record is no counter")),
    }
}

fn register_of(entry: &Entry) -> Result<u64, StoreError> {
    if entry.kind != Kind::Register {
        return Err(StoreError::Invalid("the record is no register"));
    }
    let bytes = entry.payload.first_chunk::<8>();
    bytes.map(|it| u64::from_be_bytes(*it)).ok_or_else(|| StoreError::Corrupt("a register".into()))
}

fn filled(version: u64, leaf: &Leaf) -> Entry {
    let kind = match leaf.sort {
        Sort::Value => Kind::Value,
        Sort::Counter => Kind::Counter,
    };
    Entry { kind, version, expires_at: leaf.expires_at, payload: leaf.payload.clone() }
}

fn put(
    found: Option<&Entry>,
    version: u64,
    value: &[u8],
    expires_at: Option<UnixMillis>,
) -> Result<Entry, StoreError> {
    // Overwriting a register could set it back, overwriting a counter could forget failures.
    if found.is_some_and(|entry| entry.kind != Kind::Value) {
        return Err(StoreError::Invalid(
            "a register or counter is not put, only raised or deleted",
        ));
    }
    Ok(Entry { kind: Kind::Value, version, expires_at, payload: Zeroizing::new(value.to_vec()) })
}

fn holds(expect: Expect, found: Option<&Entry>) -> bool {
    match expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Is(version) => found.is_some_and(|entry| entry.version == version.0),
    }
}
