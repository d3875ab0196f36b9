//! What all parts of one open store share, and how they look into it. Whatever is read comes from
//! a quorum, together with the store's identity: a prefix that was emptied, or holds another
//! store, is told from one where nobody has enrolled.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, ResponseHeader, Txn, TxnOp};
use etcd_client::{TxnOpResponse, TxnResponse};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::timeout;

use super::layout::Layout;
use super::leases::Leases;
use super::locks::Locks;
use super::members::{Members, reader};
use crate::store::records::{Codec, Entry};
use crate::store::{Event, StoreError};

/// How long any request may take.
pub(super) const LIMIT: Duration = Duration::from_secs(5);
/// Events that a watcher may lag behind before it has to read everything again.
const EVENTS: usize = 4096;

/// One open store.
pub(super) struct Vault {
    pub(super) members: Members,
    pub(super) layout: Layout,
    pub(super) codec: Codec,
    pub(super) leases: Leases,
    pub(super) locks: Locks,
    pub(super) events: broadcast::Sender<Event>,
    /// Everything up to this revision was told.
    pub(super) told: watch::Sender<i64>,
    /// Wakes whoever follows, to begin anew.
    pub(super) disturbed: Notify,
    /// Its identity, as it lies there.
    stamp: Vec<u8>,
    seen: Mutex<Seen>,
    refusal: OnceLock<StoreError>,
    failovers: AtomicU64,
}

/// What is known of the etcd by its last answers.
struct Seen {
    cluster: u64,
    revision: i64,
    term: u64,
    /// How often the floor was raised, as far as was told.
    epoch: u64,
    /// The history is another, and codes of before were not burned yet.
    floor_due: bool,
    /// The history is another, and nobody was told.
    news_due: bool,
    last_beat: Option<Instant>,
}

/// What lies at some addresses at one moment.
pub(super) struct Look {
    /// That moment.
    pub(super) revision: i64,
    /// What was found, in the order of the addresses.
    pub(super) found: Vec<Option<Lying>>,
}

/// Sealed bytes where they lie.
pub(super) struct Lying {
    pub(super) bytes: Vec<u8>,
    /// When they were written.
    pub(super) revision: i64,
}

/// Part of a range of keys.
pub(super) struct Part {
    pub(super) found: Vec<KeyValue>,
    /// How many there are in the whole range.
    pub(super) count: u64,
}

impl Vault {
    /// The store whose identity is `stamp`, as the first look at it found it.
    pub(super) fn new(
        members: Members,
        layout: Layout,
        codec: Codec,
        stamp: Vec<u8>,
        first: &ResponseHeader,
    ) -> Self {
        let seen = Seen {
            cluster: first.cluster_id(),
            revision: first.revision(),
            term: first.raft_term(),
            epoch: 0,
            floor_due: false,
            news_due: false,
            last_beat: None,
        };
        Self {
            members,
            layout,
            codec,
            leases: Leases::default(),
            locks: Locks::default(),
            events: broadcast::channel(EVENTS).0,
            told: watch::channel(first.revision()).0,
            disturbed: Notify::new(),
            stamp,
            seen: Mutex::new(seen),
            refusal: OnceLock::new(),
            failovers: AtomicU64::new(0),
        }
    }

    /// Its identity, as it lies there.
    pub(super) fn stamp(&self) -> Vec<u8> {
        self.stamp.clone()
    }

    /// Fails once the store was closed or has shut itself.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.refusal.get().map_or(Ok(()), |refusal| Err(refusal.clone()))
    }

    /// Shuts the store for good. The first reason stays.
    pub(super) fn refuse(&self, refusal: StoreError) {
        let _ = self.refusal.set(refusal);
    }

    /// What lies at `addresses` now.
    pub(super) async fn look(&self, addresses: &[Vec<u8>]) -> Result<Look, StoreError> {
        let ops = self.looks_at(addresses);
        let answer = self.ask(Txn::new().and_then(ops)).await?;
        self.as_look(&answer)
    }

    /// What has to be asked to see what lies at `addresses`.
    pub(super) fn looks_at(&self, addresses: &[Vec<u8>]) -> Vec<TxnOp> {
        let identity = TxnOp::get(self.layout.identity(), None);
        let rest = addresses.iter().map(|address| TxnOp::get(self.layout.key(address), None));
        std::iter::once(identity).chain(rest).collect()
    }

    /// The answer to [`Vault::looks_at`].
    pub(super) fn as_look(&self, answer: &TxnResponse) -> Result<Look, StoreError> {
        let revision = answer.header().map_or(0, ResponseHeader::revision);
        let mut answers = answer.op_responses().into_iter();
        self.recognise(answers.next())?;
        let mut found = Vec::new();
        for answer in answers {
            let TxnOpResponse::Get(mut got) = answer else { return Err(strange()) };
            found.push(got.take_kvs().into_iter().next().map(|kv| {
                let revision = kv.mod_revision();
                Lying { bytes: kv.into_key_value().1, revision }
            }));
        }
        Ok(Look { revision, found })
    }

    /// The keys from `from` to before `to`, as `options` want them.
    pub(super) async fn range(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
        options: GetOptions,
    ) -> Result<Part, StoreError> {
        let identity = TxnOp::get(self.layout.identity(), None);
        let range = TxnOp::get(from, Some(options.with_range(to)));
        let answer = self.ask(Txn::new().and_then([identity, range])).await?;
        let mut answers = answer.op_responses().into_iter();
        self.recognise(answers.next())?;
        let Some(TxnOpResponse::Get(mut got)) = answers.next() else { return Err(strange()) };
        let count = u64::try_from(got.count()).unwrap_or_default();
        Ok(Part { found: got.take_kvs(), count })
    }

    /// What every transaction that writes demands first.
    pub(super) fn is_still_itself(&self) -> Compare {
        Compare::value(self.layout.identity(), CompareOp::Equal, self.stamp.clone())
    }

    /// Writes `value` at `address`, whatever is there: for what is no record.
    pub(super) async fn note(&self, address: &[u8], value: Vec<u8>) -> Result<(), StoreError> {
        let put = TxnOp::put(self.layout.key(address), value, None);
        let tx = Txn::new().when([self.is_still_itself()]).and_then([put]);
        let before = self.revision();
        let writing = timeout(LIMIT, self.members.write(tx)).await;
        let silent = |_| StoreError::Indeterminate("etcd is silent".to_owned());
        let answer = writing.map_err(silent)?.map_err(super::members::Trouble::of_writing)?;
        self.take_note(before, answer.header());
        match answer.succeeded() {
            true => Ok(()),
            false => Err(self.lost()),
        }
    }

    /// The entry that lies there.
    pub(super) fn open(
        &self,
        address: &[u8],
        lying: Option<&Lying>,
    ) -> Result<Option<Entry>, StoreError> {
        lying.map(|lying| self.codec.decode(address, &lying.bytes)).transpose()
    }

    async fn ask(&self, question: Txn) -> Result<TxnResponse, StoreError> {
        self.check()?;
        let before = self.revision();
        let asking = self.members.ask(|client| {
            let question = question.clone();
            async move { reader(&client).txn(question).await }
        });
        let answer = timeout(LIMIT, asking).await.map_err(|_| silent())??;
        self.take_note(before, answer.header());
        Ok(answer)
    }

    fn recognise(&self, identity: Option<TxnOpResponse>) -> Result<(), StoreError> {
        let Some(TxnOpResponse::Get(got)) = identity else { return Err(strange()) };
        match got.kvs() {
            [kv] if kv.value() == self.stamp => Ok(()),
            _ => Err(self.lost()),
        }
    }

    /// Shuts the store, because another lies where it was, or none.
    pub(super) fn lost(&self) -> StoreError {
        let what = "its identity in etcd is gone or another's, so nobody can tell who has enrolled";
        self.refuse(StoreError::Fatal(what.to_owned()));
        StoreError::Fatal(what.to_owned())
    }
}

/// What answers tell beside what was asked.
impl Vault {
    /// The newest moment that was seen. Taken before a request, for [`Vault::take_note`].
    pub(super) fn revision(&self) -> i64 {
        self.seen.lock().revision
    }

    /// Takes note of what an answer from a quorum says of the etcd. When it comes from another
    /// cluster, or from a time `before` what was seen when it was asked, a snapshot was restored:
    /// codes that were spent since are good again unless they are burned, and whoever remembers
    /// anything has to read it again.
    pub(super) fn take_note(&self, before: i64, header: Option<&ResponseHeader>) {
        let Some(header) = header else { return };
        let mut seen = self.seen.lock();
        if header.cluster_id() != seen.cluster || header.revision() < before {
            seen.cluster = header.cluster_id();
            seen.revision = header.revision();
            seen.term = header.raft_term();
            (seen.floor_due, seen.news_due) = (true, true);
            self.failovers.fetch_add(1, Ordering::Relaxed);
            self.disturbed.notify_one();
            return;
        }
        seen.revision = seen.revision.max(header.revision());
        if header.raft_term() > seen.term {
            seen.term = header.raft_term();
            self.failovers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether codes of before have to be burned first.
    pub(super) fn is_floor_due(&self) -> bool {
        self.seen.lock().floor_due
    }

    /// Says that they are.
    pub(super) fn floor_is_raised(&self) {
        self.seen.lock().floor_due = false;
    }

    /// Whether somebody has to be told that the history is another.
    pub(super) fn is_news_due(&self) -> bool {
        self.seen.lock().news_due
    }

    /// Says that they were told.
    pub(super) fn news_is_told(&self) {
        self.seen.lock().news_due = false;
    }

    /// Takes note of how often the floor was raised; gives whether that is news.
    pub(super) fn is_new_epoch(&self, epoch: u64) -> bool {
        std::mem::replace(&mut self.seen.lock().epoch, epoch) != epoch
    }

    /// How often another server took over, or a snapshot was restored.
    pub(super) fn failovers(&self) -> u64 {
        self.failovers.load(Ordering::Relaxed)
    }

    /// Tells whoever watches that everything of before `moment` was told.
    pub(super) fn beat(&self, moment: Instant) {
        self.seen.lock().last_beat = Some(moment);
        let _ = self.events.send(Event::Beat { as_of: moment });
    }

    /// How long ago everything was told.
    pub(super) fn lag(&self) -> Option<Duration> {
        self.seen.lock().last_beat.map(|moment| moment.elapsed())
    }

    /// Waits until everything up to `revision` was told; gives whether it was in time.
    pub(super) async fn told_up_to(&self, revision: i64, patience: Duration) -> bool {
        let mut told = self.told.subscribe();
        timeout(patience, told.wait_for(|told| *told >= revision)).await.is_ok()
    }
}

pub(super) fn silent() -> StoreError {
    StoreError::Unavailable("etcd is silent".to_owned())
}

fn strange() -> StoreError {
    StoreError::Unavailable("etcd answers what it was not asked".to_owned())
}
