//! How the etcd fares: what each member says of itself, and what operators ought to mend.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{GetOptions, StatusResponse};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::vault::Vault;
use crate::clock::Stopwatch;
use crate::store::records::FORMAT;
use crate::store::{Health, Shared};

/// How long a member may take to say how it fares.
const ANSWER: Duration = Duration::from_millis(800);
/// What etcd takes in unless it is told otherwise, in bytes.
const USUAL_QUOTA: u64 = 2 << 30;
/// A count that takes no longer is made each time.
const QUICK: Duration = Duration::from_millis(20);
/// Counting takes at most this share of the time otherwise.
const SHARE: u32 = 50;

/// How many records there were.
#[derive(Default)]
pub(super) struct Counted(Mutex<Option<Count>>);

#[derive(Clone, Copy)]
struct Count {
    records: u64,
    at: Stopwatch,
    took: Duration,
}

impl Count {
    fn is_fresh(&self) -> bool {
        self.took > QUICK && self.at.elapsed() < self.took.saturating_mul(SHARE)
    }
}

/// How `vault` fares, at `place`.
pub(super) async fn health(vault: &Arc<Vault>, counted: &Counted, place: &str) -> Health {
    let members = ask_all(vault).await;
    let counting = count(vault, counted).await;
    let largest = members.iter().flatten().map(size).max().unwrap_or_default();
    let is_full = members.iter().flatten().any(|status| !status.errors().is_empty());
    let silent: Vec<_> =
        members.iter().enumerate().filter(|(_, status)| status.is_none()).collect();
    let mut warnings: Vec<_> = silent
        .iter()
        .map(|(member, _)| format!("the member {} does not answer", vault.members.name(*member)))
        .collect();
    warnings.extend(members.iter().flatten().find_map(of_size));
    if is_full {
        warnings.push("etcd has raised an alarm and takes no writes: make room (`etcdctl compact`, `etcdctl defrag`), then `etcdctl alarm disarm`".to_owned());
    }
    if vault.members.count() < 3 {
        warnings.push("fewer than three members are named in `store.url`; name them all, so that the loss of one stops nobody".to_owned());
    }
    Health {
        writable: vault.check().is_ok() && counting.is_some() && !is_full,
        engine: "etcd",
        records: counting.unwrap_or_default(),
        bytes: largest,
        place: place.to_owned(),
        format: FORMAT.into(),
        durability: "on the disks of most members, synced before it is answered",
        shared: Some(Shared {
            server: vault.members.name(vault.members.current()).to_owned(),
            replicas_in_sync: others_with_each_write(vault.members.count()),
            lag: vault.lag(),
            failovers: vault.failovers(),
            warnings,
        }),
    }
}

// A write is done when most members have it: of three the leader and one more.
fn others_with_each_write(members: usize) -> u32 {
    u32::try_from(members / 2).unwrap_or(u32::MAX)
}

async fn ask_all(vault: &Arc<Vault>) -> Vec<Option<StatusResponse>> {
    let mut asked = JoinSet::new();
    for member in 0..vault.members.count() {
        let vault = Arc::clone(vault);
        asked.spawn(async move {
            let asking = async {
                let client = vault.members.client(member).await.ok()?;
                client.maintenance_client().status().await.ok()
            };
            (member, timeout(ANSWER, asking).await.ok().flatten())
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_unstable_by_key(|(member, _)| *member);
    answers.into_iter().map(|(_, status)| status).collect()
}

async fn count(vault: &Vault, counted: &Counted) -> Option<u64> {
    let last = *counted.0.lock();
    if let Some(last) = last.filter(Count::is_fresh) {
        // Whether it answers at all is asked each time.
        return vault.look(&[]).await.ok().map(|_| last.records);
    }
    let (from, to) = vault.layout.records();
    let at = Stopwatch::start();
    let records = vault.range(from, to, GetOptions::new().with_count_only()).await.ok()?.count;
    let count = Count { records, at, took: at.elapsed() };
    *counted.0.lock() = Some(count);
    Some(records)
}

fn size(status: &StatusResponse) -> u64 {
    u64::try_from(status.db_size()).unwrap_or_default()
}

fn of_size(status: &StatusResponse) -> Option<String> {
    let quota = u64::try_from(status.db_size_quota()).unwrap_or_default();
    let (quota, unless) = match quota {
        // Only later versions say what theirs is.
        0 => (USUAL_QUOTA, " unless `--quota-backend-bytes` says more"),
        told => (told, ""),
    };
    let is_near = size(status) > quota / 5 * 4;
    let (used, quota) = (size(status) >> 20, quota >> 20);
    is_near.then(|| {
        format!("the database of etcd has {used} MiB, and at {quota} MiB it takes no more writes{unless}: compact and defragment it, or raise the quota")
    })
}
