//! The one thread that writes. It takes all that waits, makes it durable at once, and then
//! answers; while it does, the next batch gathers. Once in doubt it shuts the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use super::batch::Batch;
use super::disk::{Change, Disk};
use super::state::State;
use super::view::unwinding;
use crate::clock::UnixMillis;
use crate::store::records::Header;
use crate::store::{Copied, CounterRule, CounterState, Event, Key, Op, StoreError, Version, Write};

/// The most transactions in one batch.
const MOST: usize = 256;
/// No more is gathered once a batch holds this many bytes of values.
const ENOUGH: usize = 512 * 1024;

/// What the committer is asked to do, and whom to answer.
pub(super) enum Job {
    Commit {
        now: UnixMillis,
        tx: Vec<Write>,
        answer: Answer<Vec<Version>>,
    },
    Hit {
        now: UnixMillis,
        key: Key,
        rule: CounterRule,
        answer: Answer<CounterState>,
    },
    Sweep {
        now: UnixMillis,
        grace: Duration,
        budget: usize,
        answer: Answer<usize>,
    },
    /// For a store that nobody uses yet: takes records as they are, and raises the floor.
    Fill {
        now: UnixMillis,
        steps: Vec<Copied>,
        floor: u64,
        answer: Answer<()>,
    },
    Close {
        answer: Answer<()>,
    },
}

/// Where an outcome is awaited. Nobody waits where the request was given up.
pub(super) struct Answer<T>(pub(super) oneshot::Sender<Result<T, StoreError>>);

impl<T: Send + 'static> Answer<T> {
    /// What to do once it is known how the batch went: its failure outweighs the outcome.
    fn later(self, outcome: Result<T, StoreError>) -> Reply {
        Reply(Box::new(move |batch| drop(self.0.send(batch.and(outcome)))))
    }
}

struct Reply(Box<dyn FnOnce(Result<(), StoreError>) + Send>);

/// Records by the time they expire, kept in memory: it is built by the scan at each open.
#[derive(Default)]
pub(super) struct Expiries(BTreeSet<(UnixMillis, Vec<u8>)>);

impl Expiries {
    pub(super) fn add(&mut self, address: &[u8], stored: &[u8]) {
        self.0.extend(expiry(stored).map(|at| (at, address.to_vec())));
    }

    pub(super) fn add_all(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    fn remove(&mut self, address: &[u8], stored: &[u8]) {
        if let Some(at) = expiry(stored) {
            self.0.remove(&(at, address.to_vec()));
        }
    }

    fn take_until(&mut self, deadline: UnixMillis, budget: usize) -> Vec<(UnixMillis, Vec<u8>)> {
        let due = self.0.iter().take_while(|(at, _)| *at <= deadline).take(budget).cloned();
        let due: Vec<_> = due.collect();
        for entry in &due {
            self.0.remove(entry);
        }
        due
    }
}

fn expiry(stored: &[u8]) -> Option<UnixMillis> {
    Header::read(stored)?.0.expires_at()
}

/// The thread's own.
pub(super) struct Committer {
    pub(super) disk: Disk,
    pub(super) expiries: Expiries,
    pub(super) events: broadcast::Sender<Event>,
}

impl Committer {
    /// Works until the store is closed, dropped or in doubt.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let (batch, closing) = gather(first, jobs);
            // A panic of our own is as bad as one of sled's: what it left undone is unknown.
            let settled = unwinding(|| self.settle(batch)).and_then(|()| self.disk.view.check());
            if let Err(refusal) = settled {
                self.disk.view.refuse(refusal);
                break;
            }
            if let Some(answer) = closing {
                let outcome = self.close();
                drop(answer.0.send(outcome));
                return;
            }
        }
        // Dropping sled writes, and may panic where it was in doubt before.
        let _ = unwinding(|| {
            drop(self.disk);
            Ok(())
        });
    }

    // Fails only where the store has to shut.
    fn settle(&mut self, jobs: Vec<Job>) -> Result<(), StoreError> {
        let mut batch = Batch::on(&self.disk);
        let mut due = Vec::new();
        let mut replies = Vec::with_capacity(jobs.len());
        for job in jobs {
            replies.push(match job {
                Job::Commit { now, tx, answer } => answer.later(batch.commit(now, &tx)),
                Job::Hit { now, key, rule, answer } => answer.later(batch.hit(now, &key, &rule)),
                Job::Sweep { now, grace, budget, answer } => {
                    let deadline = now.minus(grace);
                    let taken = self.expiries.take_until(deadline, budget.min(MOST));
                    let addresses = taken.iter().map(|(_, address)| address.clone()).collect();
                    due.extend(taken);
                    answer.later(batch.sweep(now, deadline, addresses))
                }
                Job::Fill { now, steps, floor, answer } => {
                    answer.later(batch.fill(now, floor, &steps))
                }
                Job::Close { answer } => answer.later(Ok(())),
            });
        }
        let Batch { state, changes, events, .. } = batch;
        let outcome = if changes.is_empty() {
            Ok(())
        } else {
            self.disk.has_room(&changes).and_then(|()| self.keep(changes, state))
        };
        match &outcome {
            Ok(()) => events.into_iter().for_each(|event| drop(self.events.send(event))),
            // What was to be swept is still there, so it is still due.
            Err(_) => self.expiries.0.extend(due),
        }
        let doubt = match &outcome {
            Err(doubt @ StoreError::Fatal(_)) => {
                self.disk.view.refuse(doubt.clone());
                Err(doubt.clone())
            }
            Ok(()) | Err(_) => Ok(()),
        };
        for reply in replies {
            (reply.0)(outcome.clone());
        }
        doubt
    }

    fn keep(&mut self, changes: BTreeMap<Vec<u8>, Change>, state: State) -> Result<(), StoreError> {
        let turns: Vec<_> = changes
            .iter()
            .map(|(address, change)| (address.clone(), change.before.clone(), change.after.clone()))
            .collect();
        self.disk.record(changes, state)?;
        for (address, before, after) in turns {
            if let Some(stored) = before {
                self.expiries.remove(&address, &stored);
            }
            if let Some(stored) = after {
                self.expiries.add(&address, &stored);
            }
        }
        Ok(())
    }

    // The mark of an orderly end: without it the next open raises the replay floor.
    fn close(mut self) -> Result<(), StoreError> {
        let sequence = self.disk.state.sequence.saturating_add(1);
        let state = State { sequence, closed: true, ..self.disk.state };
        let outcome = self.disk.record(BTreeMap::new(), state);
        self.disk.view.refuse(match &outcome {
            Ok(()) => StoreError::Unavailable("it is closed".into()),
            Err(error) => StoreError::Fatal(error.to_string()),
        });
        let dropped = unwinding(|| {
            drop(self.disk);
            Ok(())
        });
        outcome.and(dropped)
    }
}

// Nothing is waited for: whatever arrives while a batch is synced makes up the next one, so
// batches grow with the load and a lone write is not held up.
fn gather(first: Job, jobs: &Receiver<Job>) -> (Vec<Job>, Option<Answer<()>>) {
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(job) = next {
        if let Job::Close { answer } = job {
            return (batch, Some(answer));
        }
        bytes += weight(&job);
        batch.push(job);
        let room = batch.len() < MOST && bytes < ENOUGH;
        next = if room { jobs.try_recv().ok() } else { None };
    }
    (batch, None)
}

fn weight(job: &Job) -> usize {
    match job {
        Job::Commit { tx, .. } => tx
            .iter()
            .map(|write| match &write.op {
                Op::Put { value, .. } => value.len(),
                Op::Delete | Op::Check | Op::Raise { .. } => 0,
            })
            .sum(),
        Job::Fill { steps, .. } => steps.len().saturating_mul(1024),
        Job::Hit { .. } | Job::Sweep { .. } | Job::Close { .. } => 0,
    }
}
