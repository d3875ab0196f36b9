//! Transactions that become durable together. Each meets what those before it left, and is
//! taken whole or not at all; nothing here reaches the disk.

use std::collections::BTreeMap;

use ::sled::IVec;

use super::disk::{Change, Disk};
use super::state::State;
use crate::clock::UnixMillis;
use crate::store::judge::{self, Outcome, Terms, filled, judge};
use crate::store::records::{Entry, Header, address};
use crate::store::{Copied, CounterRule, CounterState, Event, Key, StoreError, Version, Write};

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
        let terms = Terms { now, version, floor: self.state.floor };
        let mut versions = Vec::with_capacity(tx.len());
        let mut effects = Vec::with_capacity(tx.len());
        let mut events = Vec::new();
        for (index, write) in tx.iter().enumerate() {
            let address = address(&write.key);
            let judged = judge(terms, index, write, self.entry(&address)?.as_ref())?;
            versions.push(judged.version);
            let after = match judged.outcome {
                Outcome::Stays => continue,
                Outcome::Goes => None,
                Outcome::Becomes(entry) => Some(entry),
            };
            if write.key.is_watched() {
                let key = write.key.clone();
                events.push(Event::Changed { key, deleted: after.is_none() });
            }
            effects.push(self.effect(address, after.as_ref())?);
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
        let terms = Terms { now, version, floor: self.state.floor };
        let address = address(key);
        let (state, after) = judge::hit(terms, self.entry(&address)?.as_ref(), rule)?;
        if let Some(after) = after {
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
