//! One transaction: locks, reads and the number of the write in one round trip, then the common
//! rule judges, then all writes and the COMMIT in another. What becomes of it is always known,
//! or said not to be.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::core::Core;
use super::facts::Facts;
use super::fault::{Failed, before, committing, writing};
use super::pool::{Lease, Line, Pool};
use super::queue::Queue;
use super::sql::columns;
use super::told::Told;
use crate::clock::UnixMillis;
use crate::store::judge::Terms;
use crate::store::records::{Entry, Header, STATE, address};
use crate::store::{Event, Key, Space, StoreError};

/// From the first packet to the last.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How often a transaction that met another is tried.
const TRIES: u32 = 16;

/// What a transaction does to the record of a key.
pub(super) enum Change {
    /// It is removed.
    Gone,
    /// This takes its place.
    Kept(Entry),
}

/// What a transaction does, by the keys that were asked for, in their order; nothing where a
/// record stays.
pub(super) type Plan = Vec<Option<Change>>;

/// What a transaction works with.
pub(super) struct Desk<'a> {
    pub(super) core: &'a Core,
    pub(super) pool: &'a Pool,
    pub(super) told: &'a Told,
    pub(super) queue: &'a Queue,
}

/// What a transaction found.
struct Found {
    terms: Terms,
    entries: Vec<Option<Entry>>,
}

impl Desk<'_> {
    /// Reads what lies at `keys`, and does what `decide` makes of it, whole or not at all.
    pub(super) async fn transact<T>(
        &self,
        now: UnixMillis,
        keys: &[&Key],
        needs_floor: bool,
        decide: impl Fn(Terms, &[Option<Entry>]) -> Result<(T, Plan), StoreError>,
    ) -> Result<T, StoreError> {
        self.core.moment.told(now);
        let mut why = String::new();
        for attempt in 0..TRIES {
            let come = Come::default();
            let attempted = self.attempt(now, keys, needs_floor, &decide, &come);
            let outcome = timeout(PATIENCE, attempted).await.unwrap_or_else(|_| {
                if come.asked.load(Ordering::SeqCst) {
                    self.pool.distrust();
                }
                let silence = "no answer in time".to_owned();
                Err(Failed::Because(match come.sent.load(Ordering::SeqCst) {
                    true => StoreError::Indeterminate(silence),
                    false => StoreError::Unavailable(silence),
                }))
            });
            match outcome {
                Ok(value) => return Ok(value),
                Err(Failed::Because(error)) => return Err(error),
                Err(Failed::Again(reason)) => why = reason,
            }
            sleep(pause(attempt)?).await;
        }
        Err(StoreError::Unavailable(why))
    }

    async fn attempt<T>(
        &self,
        now: UnixMillis,
        keys: &[&Key],
        needs_floor: bool,
        decide: &impl Fn(Terms, &[Option<Entry>]) -> Result<(T, Plan), StoreError>,
        come: &Come,
    ) -> Result<T, Failed> {
        self.core.check()?;
        let mut locks: Vec<_> = keys.iter().map(|key| self.core.lock(&address(key))).collect();
        locks.sort_unstable();
        locks.dedup();
        let _held = self.queue.wait(&locks).await;
        let lease = self.pool.lease().await?;
        come.asked.store(true, Ordering::SeqCst);
        let begun = self.begin(lease.line()?, now, (keys, &locks), needs_floor).await;
        let decided = begun.and_then(|found| {
            let (value, plan) = decide(found.terms, &found.entries)?;
            Ok((value, self.writes(keys, &found, plan)?))
        });
        match decided {
            Ok((value, writes)) => {
                self.finish(lease, writes, &come.sent).await?;
                Ok(value)
            }
            Err(failed) => {
                lease.undo();
                Err(failed)
            }
        }
    }

    /// BEGIN, the locks, what stands there and the number of the write, one behind the other
    /// without waiting in between.
    async fn begin(
        &self,
        line: &Line,
        now: UnixMillis,
        (keys, locks): (&[&Key], &[i64]),
        needs_floor: bool,
    ) -> Result<Found, Failed> {
        let mut addresses: Vec<_> = keys.iter().map(|key| address(key)).collect();
        if needs_floor {
            addresses.push(STATE.to_vec());
        }
        let (spaces, ids): (Vec<_>, Vec<_>) = addresses.iter().map(|it| columns(it)).unzip();
        let (client, said) = (&line.connection.client, &line.said);
        let locks: [&(dyn ToSql + Sync); 1] = [&locks];
        let wanted: [&(dyn ToSql + Sync); 2] = [&spaces, &ids];
        let (_, _, rows, number) = tokio::try_join!(
            client.batch_execute("BEGIN"),
            client.query(&said.lock, &locks),
            client.query(&said.find, &wanted),
            client.query_one(&said.number, &[]),
        )
        .map_err(|error| before(&error))?;
        let (entries, floor) = self.read(&rows, &addresses)?;
        let version: i64 = number.try_get(0).map_err(|error| before(&error))?;
        let terms = Terms {
            now,
            version: version.unsigned_abs(),
            // Nobody asks for it without a register among the writes.
            floor: if needs_floor { floor.ok_or_else(gone)? } else { u64::MAX },
        };
        Ok(Found { terms, entries })
    }

    /// What stands at `addresses`, and the floor where it was asked for.
    fn read(
        &self,
        rows: &[Row],
        addresses: &[Vec<u8>],
    ) -> Result<(Vec<Option<Entry>>, Option<u64>), Failed> {
        let mut stored: BTreeMap<i64, &[u8]> = BTreeMap::new();
        for row in rows {
            let of_row = row.try_get(0).and_then(|number| Ok((number, row.try_get(1)?)));
            let (number, found): (i64, Option<&[u8]>) = of_row.map_err(|it| before(&it))?;
            stored.extend(found.map(|found| (number, found)));
        }
        let mut entries = Vec::with_capacity(addresses.len());
        let mut floor = None;
        for (number, address) in (1..).zip(addresses) {
            let stored = stored.remove(&number);
            if address == STATE {
                let facts = stored.map(|it| Facts::decode(&self.core.codec, it)).transpose()?;
                floor = facts.map(|facts| facts.floor);
                continue;
            }
            entries.push(stored.map(|it| self.core.codec.decode(address, it)).transpose()?);
        }
        Ok((entries, floor))
    }

    /// All writes and the COMMIT. From here on only the server knows whether it happened.
    async fn finish(&self, lease: Lease, writes: Writes, sent: &AtomicBool) -> Result<(), Failed> {
        let line = lease.line()?;
        let warnings = line.connection.warnings();
        let sending = (!writes.events.is_empty()).then(|| self.told.sending(writes.number));
        sent.store(true, Ordering::SeqCst);
        writes.send(line).await?;
        if line.connection.warnings() != warnings {
            let why = "the server gave up to wait for its standby";
            return Err(StoreError::Indeterminate(why.to_owned()).into());
        }
        if let Some(sending) = sending {
            sending.answered(writes.events);
        }
        lease.give_back();
        Ok(())
    }

    fn writes(&self, keys: &[&Key], found: &Found, plan: Plan) -> Result<Writes, StoreError> {
        let mut writes = Writes { number: found.terms.version, ..Writes::default() };
        for ((key, change), before) in keys.iter().zip(plan).zip(&found.entries) {
            let Some(change) = change else { continue };
            let (address, is_gone) = (address(key), matches!(change, Change::Gone));
            if key.is_told(before.is_none(), is_gone) {
                writes.is_urgent |= is_urgent(key.space);
                writes.events.push(Event::Changed { key: (*key).clone(), deleted: is_gone });
            }
            match change {
                Change::Gone => writes.gone.push(address),
                Change::Kept(entry) => {
                    let stored = self.core.codec.encode(&address, &entry)?;
                    writes.kept.push((address, stored));
                }
            }
        }
        Ok(writes)
    }
}

/// How far an attempt came.
#[derive(Default)]
struct Come {
    /// Whether the server was asked anything.
    asked: AtomicBool,
    /// Whether it was sent a COMMIT.
    sent: AtomicBool,
}

/// All that is written, as the server takes it.
#[derive(Default)]
struct Writes {
    number: u64,
    gone: Vec<Vec<u8>>,
    kept: Vec<(Vec<u8>, Vec<u8>)>,
    events: Vec<Event>,
    is_urgent: bool,
}

impl Writes {
    async fn send(&self, line: &Line) -> Result<(), Failed> {
        let (client, said) = (&line.connection.client, &line.said);
        if self.gone.is_empty() && self.kept.is_empty() {
            // What was found has to be what the server that takes writes has.
            let (confirmed, committed) =
                tokio::join!(client.query_one(&said.confirm, &[]), client.batch_execute("COMMIT"),);
            confirmed.map_err(|error| writing(&error))?;
            return committed.map_err(|error| committing(&error));
        }
        let (gone_spaces, gone_ids): (Vec<_>, Vec<_>) =
            self.gone.iter().map(|it| columns(it)).unzip();
        let (kept_spaces, kept_ids): (Vec<_>, Vec<_>) =
            self.kept.iter().map(|(address, _)| columns(address)).unzip();
        let stored: Vec<_> = self.kept.iter().map(|(_, stored)| stored.as_slice()).collect();
        let expiries: Vec<_> = stored.iter().map(|stored| expiry(stored)).collect();
        let told: Vec<_> = self.events.iter().filter_map(told).collect();
        let spaces: Vec<_> = told.iter().map(|(space, _, _)| *space).collect();
        let ids: Vec<_> = told.iter().map(|(_, id, _)| *id).collect();
        let deleted: Vec<_> = told.iter().map(|(_, _, deleted)| *deleted).collect();
        let number = i64::try_from(self.number).unwrap_or(i64::MAX);
        let values: [&(dyn ToSql + Sync); 11] = [
            &gone_spaces,
            &gone_ids,
            &kept_spaces,
            &kept_ids,
            &stored,
            &expiries,
            &number,
            &spaces,
            &ids,
            &deleted,
            &self.is_urgent,
        ];
        let (written, committed) =
            tokio::join!(client.query_one(&said.write, &values), client.batch_execute("COMMIT"),);
        written.map_err(|error| writing(&error))?;
        committed.map_err(|error| committing(&error))
    }
}

fn gone() -> StoreError {
    StoreError::Corrupt("what the store says of itself is gone".to_owned())
}

fn expiry(stored: &[u8]) -> Option<i64> {
    let at = Header::read(stored)?.0.expires_at()?;
    Some(i64::try_from(at.0).unwrap_or(i64::MAX))
}

fn told(event: &Event) -> Option<(i16, &[u8], bool)> {
    match event {
        Event::Changed { key, deleted } => Some((key.space as i16, &key.id, *deleted)),
        Event::Beat { .. } | Event::Resync => None,
    }
}

/// Whether it cannot wait for the next look of the feed. A notification makes the server commit
/// one transaction after the other, so nothing that every login does is told so; the end of the
/// audit log is among the facts of the installation.
const fn is_urgent(space: Space) -> bool {
    matches!(space, Space::Factor | Space::Revoke | Space::Token)
}

fn pause(attempt: u32) -> Result<Duration, StoreError> {
    let mut byte = [0];
    let unlucky = |_| StoreError::Unavailable("the system gives no random bytes".to_owned());
    getrandom::fill(&mut byte).map_err(unlucky)?;
    let [jitter] = byte;
    Ok(Duration::from_micros(u64::from(jitter) * 40 * u64::from(attempt + 1)))
}
