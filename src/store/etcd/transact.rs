//! Transactions: look, judge, and write on condition that nothing changed meanwhile. etcd decides
//! every race; who lost looks and judges again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use etcd_client::{Compare, CompareOp, PutOptions, ResponseHeader, Txn, TxnOp, TxnResponse};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::layout::{FLOOR, GONE};
use super::members::Trouble;
use super::vault::{LIMIT, Look, Vault, silent};
use crate::clock::UnixMillis;
use crate::store::judge::{self, Outcome, Terms, judge};
use crate::store::records::{Entry, Kind, address};
use crate::store::{CounterRule, CounterState, Event, Key, Op, StoreError, Version, Write};

/// How often a transaction is judged anew before it gives up.
const TRIES: u32 = 16;
/// How long somebody waits for who watches to be told; then they are told at once, and once more
/// in their turn.
const TELLING: Duration = Duration::from_millis(250);
/// One time step ahead of the clock, the furthest a code can have been spent.
const AHEAD: u64 = 30;

/// What a rule decided about what was found.
pub(super) struct Verdict<T> {
    /// What its caller is told, once all of it is written.
    pub(super) answer: T,
    /// What is written: which address, and what comes there.
    pub(super) changes: Vec<(usize, Option<Entry>)>,
    /// What is told to those who watch, in the order of the changes.
    pub(super) events: Vec<Event>,
}

/// The store's own word on codes that count no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Floor {
    /// Registers do not go to this number or below.
    pub(super) floor: u64,
    /// How often it was raised.
    pub(super) epoch: u64,
}

impl Floor {
    pub(super) fn to_entry(self, version: u64) -> Entry {
        let bytes = [self.floor.to_be_bytes(), self.epoch.to_be_bytes()].concat();
        let payload = Zeroizing::new(bytes);
        Entry { kind: Kind::State, version, expires_at: None, payload }
    }

    /// A store without a floor is damaged: it is made with one.
    pub(super) fn of(entry: Option<&Entry>) -> Result<Self, StoreError> {
        let read = entry.filter(|entry| entry.kind == Kind::State).and_then(|entry| {
            let (floor, rest) = entry.payload.split_first_chunk::<8>()?;
            let epoch = rest.first_chunk::<8>()?;
            let (floor, epoch) = (u64::from_be_bytes(*floor), u64::from_be_bytes(*epoch));
            Some(Self { floor, epoch })
        });
        read.ok_or_else(|| StoreError::Corrupt("the replay floor".to_owned()))
    }

    /// Where no code of up to `now` counts.
    pub(super) fn raised(self, now: UnixMillis) -> Self {
        let floor = self.floor.max(now.seconds().saturating_add(AHEAD));
        Self { floor, epoch: self.epoch.saturating_add(1) }
    }
}

/// What a transaction came to.
enum Attempt<T> {
    Done(T, i64, Vec<Event>),
    /// Something changed meanwhile; this is how it stands now.
    Lost(Look),
    /// Nothing was written, for a reason that may be gone.
    Again(StoreError),
}

impl Vault {
    /// Takes all writes or none.
    pub(super) async fn commit(
        &self,
        now: UnixMillis,
        tx: &[Write],
    ) -> Result<Vec<Version>, StoreError> {
        let mut addresses: Vec<_> = tx.iter().map(|write| address(&write.key)).collect();
        let raises = tx.iter().any(|write| matches!(write.op, Op::Raise { .. }));
        if raises {
            addresses.push(FLOOR.to_vec());
        }
        self.transact(now, &addresses, |terms, found| {
            let floor = match found.get(tx.len()) {
                Some(entry) => Floor::of(entry.as_ref())?.floor,
                None => 0,
            };
            judged(Terms { floor, ..terms }, tx, found)
        })
        .await
    }

    /// Counts an attempt.
    pub(super) async fn hit(
        &self,
        now: UnixMillis,
        key: &Key,
        rule: &CounterRule,
    ) -> Result<CounterState, StoreError> {
        self.transact(now, &[address(key)], |terms, found| {
            let found = found.first().and_then(Option::as_ref);
            let (answer, after) = judge::hit(terms, found, rule)?;
            let changes = after.into_iter().map(|after| (0, Some(after))).collect();
            Ok(Verdict { answer, changes, events: Vec::new() })
        })
        .await
    }

    /// Burns every code of up to `now`.
    pub(super) async fn raise_floor(&self, now: UnixMillis) -> Result<(), StoreError> {
        let address = [FLOOR.to_vec()];
        let mut look = self.look(&address).await?;
        for _ in 0..TRIES {
            let raising = |terms: Terms, found: &[Option<Entry>]| {
                let floor = Floor::of(found.first().and_then(Option::as_ref))?.raised(now);
                let changes = vec![(0, Some(floor.to_entry(terms.version)))];
                Ok(Verdict { answer: (), changes, events: Vec::new() })
            };
            let sent = AtomicBool::new(false);
            look = match self.attempt(now, &address, &raising, look, &sent).await? {
                Attempt::Done((), ..) => {
                    self.floor_is_raised();
                    return Ok(());
                }
                Attempt::Lost(look) => look,
                Attempt::Again(_) => self.look(&address).await?,
            };
        }
        Err(busy())
    }

    /// Does what `rule` decides about what lies at `addresses`, as one step.
    pub(super) async fn transact<T: Send>(
        &self,
        now: UnixMillis,
        addresses: &[Vec<u8>],
        rule: impl Fn(Terms, &[Option<Entry>]) -> Result<Verdict<T>, StoreError> + Send + Sync,
    ) -> Result<T, StoreError> {
        let sent = AtomicBool::new(false);
        let trying = self.until_it_is_done(now, addresses, &rule, &sent);
        let (answer, revision, events) = match timeout(LIMIT, trying).await {
            Ok(outcome) => outcome?,
            Err(_) if sent.load(Ordering::Relaxed) => {
                return Err(StoreError::Indeterminate("etcd is silent".to_owned()));
            }
            Err(_) => return Err(silent()),
        };
        // Who follows tells it in its turn among what others wrote.
        if !events.is_empty() && !self.told_up_to(revision, TELLING).await {
            events.into_iter().for_each(|event| drop(self.events.send(event)));
        }
        Ok(answer)
    }

    async fn until_it_is_done<T>(
        &self,
        now: UnixMillis,
        addresses: &[Vec<u8>],
        rule: &(impl Fn(Terms, &[Option<Entry>]) -> Result<Verdict<T>, StoreError> + Send + Sync),
        sent: &AtomicBool,
    ) -> Result<(T, i64, Vec<Event>), StoreError> {
        let _alone = self.locks.take(addresses).await;
        let mut look = self.look(addresses).await?;
        let mut last = busy();
        for tried in 0..TRIES {
            // Nothing is judged by the floor of a store that was set back.
            if self.is_floor_due() {
                Box::pin(self.raise_floor(now)).await?;
                look = self.look(addresses).await?;
            }
            look = match self.attempt(now, addresses, rule, look, sent).await? {
                Attempt::Done(answer, revision, events) => return Ok((answer, revision, events)),
                Attempt::Lost(look) => look,
                Attempt::Again(why) => {
                    last = why;
                    sleep(pause(tried)).await;
                    self.look(addresses).await?
                }
            };
            if tried > 1 {
                sleep(pause(tried)).await;
                look = self.look(addresses).await?;
            }
        }
        Err(last)
    }

    async fn attempt<T>(
        &self,
        now: UnixMillis,
        addresses: &[Vec<u8>],
        rule: &(impl Fn(Terms, &[Option<Entry>]) -> Result<Verdict<T>, StoreError> + Send + Sync),
        look: Look,
        sent: &AtomicBool,
    ) -> Result<Attempt<T>, StoreError> {
        let found = addresses.iter().zip(&look.found);
        let found = found.map(|(address, lying)| self.open(address, lying.as_ref()));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let terms = Terms { now, version: next_version(&look, &found), floor: 0 };
        let verdict = rule(terms, &found)?;
        if verdict.changes.is_empty() {
            return Ok(Attempt::Done(verdict.answer, look.revision, Vec::new()));
        }
        let tells_an_end =
            verdict.events.iter().any(|it| matches!(it, Event::Changed { deleted: true, .. }));
        let ops = self.ops(now, addresses, &verdict.changes, tells_an_end).await;
        let ops = match ops {
            Ok(ops) => ops,
            Err(trouble) => return self.not_written(trouble),
        };
        let tx = Txn::new()
            .when(self.unchanged(addresses, &look))
            .and_then(ops)
            .or_else(self.looks_at(addresses));
        let answer = match self.send(tx, sent).await {
            Ok(answer) => answer,
            Err(trouble) => return self.not_written(trouble),
        };
        if !answer.succeeded() {
            return Ok(Attempt::Lost(self.as_look(&answer)?));
        }
        let revision = answer.header().map_or(0, ResponseHeader::revision);
        Ok(Attempt::Done(verdict.answer, revision, verdict.events))
    }

    async fn send(&self, tx: Txn, sent: &AtomicBool) -> Result<TxnResponse, Trouble> {
        let before = self.revision();
        sent.store(true, Ordering::Relaxed);
        let written = self.members.write(tx).await;
        sent.store(false, Ordering::Relaxed);
        let answer = written?;
        self.take_note(before, answer.header());
        Ok(answer)
    }

    // Everything that was judged is as it was, and the store is still the one it was.
    fn unchanged(&self, addresses: &[Vec<u8>], look: &Look) -> Vec<Compare> {
        let each = addresses.iter().zip(&look.found).map(|(address, lying)| {
            let revision = lying.as_ref().map_or(0, |lying| lying.revision);
            Compare::mod_revision(self.layout.key(address), CompareOp::Equal, revision)
        });
        std::iter::once(self.is_still_itself()).chain(each).collect()
    }

    async fn ops(
        &self,
        now: UnixMillis,
        addresses: &[Vec<u8>],
        changes: &[(usize, Option<Entry>)],
        tells_an_end: bool,
    ) -> Result<Vec<TxnOp>, Trouble> {
        let mut ops = Vec::with_capacity(changes.len().saturating_add(1));
        for (index, after) in changes {
            let Some(address) = addresses.get(*index) else { continue };
            let key = self.layout.key(address);
            let Some(entry) = after else {
                ops.push(TxnOp::delete(key, None));
                continue;
            };
            let options = match entry.expires_at {
                Some(at) => {
                    let lease = self.leases.lease(self, now, at).await?;
                    Some(PutOptions::new().with_lease(lease))
                }
                None => None,
            };
            let sealed = self.codec.encode(address, entry).map_err(Trouble::Final)?;
            ops.push(TxnOp::put(key, sealed, options));
        }
        if tells_an_end {
            ops.push(TxnOp::put(self.layout.key(GONE), [], None));
        }
        Ok(ops)
    }

    fn not_written<T>(&self, trouble: Trouble) -> Result<Attempt<T>, StoreError> {
        match trouble {
            Trouble::LeaseGone => {
                self.leases.forget();
                Ok(Attempt::Again(StoreError::Unavailable("a lease has ended".to_owned())))
            }
            Trouble::Elsewhere(why) => Ok(Attempt::Again(StoreError::Unavailable(why))),
            other @ (Trouble::Unknown(_) | Trouble::Final(_)) => Err(other.of_writing()),
        }
    }
}

// A commit comes at a later revision than the look that it was judged by, so what it writes has a
// greater version than whatever was written before, also where the record was gone in between.
fn next_version(look: &Look, found: &[Option<Entry>]) -> u64 {
    let newest = found.iter().flatten().map(|entry| entry.version).max().unwrap_or_default();
    newest.max(u64::try_from(look.revision).unwrap_or_default()).saturating_add(1)
}

fn judged(
    terms: Terms,
    tx: &[Write],
    found: &[Option<Entry>],
) -> Result<Verdict<Vec<Version>>, StoreError> {
    let mut verdict =
        Verdict { answer: Vec::with_capacity(tx.len()), changes: Vec::new(), events: Vec::new() };
    for (index, (write, found)) in tx.iter().zip(found).enumerate() {
        let judged = judge(terms, index, write, found.as_ref())?;
        verdict.answer.push(judged.version);
        let after = match judged.outcome {
            Outcome::Stays => continue,
            Outcome::Goes => None,
            Outcome::Becomes(entry) => Some(entry),
        };
        let deleted = after.is_none();
        if write.key.is_told(found.is_none(), deleted) {
            let key = write.key.clone();
            verdict.events.push(Event::Changed { key, deleted });
        }
        verdict.changes.push((index, after));
    }
    Ok(verdict)
}

// Grows with each try, and differs from gateway to gateway.
fn pause(tried: u32) -> Duration {
    let mut byte = [0];
    let jitter = getrandom::fill(&mut byte).map_or(0, |()| u64::from(byte[0]) % 8);
    Duration::from_millis(u64::from(tried.min(8)).saturating_mul(4).saturating_add(jitter))
}

fn busy() -> StoreError {
    StoreError::Unavailable("too many write the same records".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_outlives_its_bytes_and_only_rises() {
        let floor = Floor { floor: 100, epoch: 2 };
        assert_eq!(Floor::of(Some(&floor.to_entry(9))).unwrap(), floor);
        let raised = floor.raised(UnixMillis::from_seconds(90));
        assert_eq!(raised, Floor { floor: 120, epoch: 3 });
        assert_eq!(raised.raised(UnixMillis(0)), Floor { floor: 120, epoch: 4 });
        assert!(Floor::of(None).is_err());
    }

    #[test]
    fn a_version_grows_with_the_store_and_with_the_record() {
        let look = |revision| Look { revision, found: Vec::new() };
        assert_eq!(next_version(&look(7), &[None]), 8);
        let entry = Floor::default().to_entry(40);
        assert_eq!(next_version(&look(7), &[None, Some(entry)]), 41);
    }
}
