//! A store that is filled from a copy. Until all of it is there it has another name, which no
//! gateway takes for a store.

use etcd_client::{GetOptions, Txn, TxnOp};
use tokio::time::timeout;

use super::layout::{DRAFT, Layout};
use super::members::{Members, Trouble};
use super::open::{Beginning, nothing_lies_there, survey};
use super::refusal::OpenError;
use super::transact::{Floor, Verdict};
use super::vault::{LIMIT, Vault};
use crate::clock::UnixMillis;
use crate::config::EtcdConfig;
use crate::store::judge::{Terms, filled};
use crate::store::keyring::Keyring;
use crate::store::records::{Entry, address};
use crate::store::{Copied, StoreError};

/// Steps that are taken up at once: etcd takes 128 operations in one transaction, and 1.5 MiB.
const STEPS: usize = 100;

/// A store on its way into an etcd. Dropped before it is finished, it stays what it is: no store,
/// and in the way of one. The next import says how it is removed.
pub struct NewStore {
    vault: Vault,
    place: String,
}

impl NewStore {
    /// Begins a store where `config` says and nothing may lie. No code of a moment up to `now` or up to
    /// `made`, when the copy was made, will count there.
    ///
    /// # Errors
    /// When something lies there already, or nobody answers.
    pub async fn begin(
        config: &EtcdConfig,
        keyring: &Keyring,
        now: UnixMillis,
        made: UnixMillis,
    ) -> Result<Self, OpenError> {
        let (members, words) = (Members::of(config)?, config.place.clone());
        let layout = Layout::new(config.prefix.clone()).draft();
        let unreachable = |source| OpenError::Unreachable { place: words.clone(), source };
        let ground = survey(&members, &layout).await.map_err(unreachable)?;
        match (ground.is_draft, ground.is_empty) {
            (true, _) => return Err(OpenError::HalfFilled { place: words }),
            (false, false) => return Err(OpenError::NotEmpty { place: words }),
            (false, true) => {}
        }
        let beginning = Beginning::new(keyring)?;
        let floor = Floor::default().raised(now.max(made));
        let ops = beginning.ops(&layout, floor).map_err(unreachable)?;
        let tx = Txn::new().when([nothing_lies_there(&layout)]).and_then(ops);
        let begun = members.write(tx).await.map_err(Trouble::of_writing).map_err(unreachable)?;
        if !begun.succeeded() {
            return Err(OpenError::HalfFilled { place: words });
        }
        let Beginning { stamp, codec } = beginning;
        let vault = Vault::new(members, layout, codec, stamp, &ground.header);
        Ok(Self { vault, place: words })
    }

    /// Takes up steps of a copy, in their order.
    ///
    /// # Errors
    /// When they do not fit what came before, or etcd does not take them.
    pub async fn fill(&self, now: UnixMillis, steps: Vec<Copied>) -> Result<(), StoreError> {
        let mut rest = steps.as_slice();
        while !rest.is_empty() {
            let (now_taken, later) = rest.split_at(without_repetition(rest));
            self.take(now, now_taken).await?;
            rest = later;
        }
        Ok(())
    }

    async fn take(&self, now: UnixMillis, steps: &[Copied]) -> Result<(), StoreError> {
        let addresses: Vec<_> = steps.iter().map(|step| address(step.key())).collect();
        self.vault.transact(now, &addresses, |terms, found| taken(terms, steps, found)).await
    }

    /// How many records there are.
    ///
    /// # Errors
    /// When etcd does not say.
    pub async fn records(&self) -> Result<u64, StoreError> {
        let (from, to) = self.vault.layout.records();
        let counting = self.vault.range(from, to, GetOptions::new().with_count_only());
        Ok(counting.await?.count)
    }

    /// Makes it the store that gateways open. It has no mark of how far etcd had come, so whoever
    /// opens it first burns every code up to that moment.
    ///
    /// # Errors
    /// When it is not certain that it was written.
    pub async fn finish(self) -> Result<(), OpenError> {
        let Self { vault, place } = self;
        let draft = vault.layout.key(DRAFT);
        let identity = vault.layout.clone().whole().identity();
        let ops = [TxnOp::put(identity, vault.stamp(), None), TxnOp::delete(draft, None)];
        let tx = Txn::new().when([vault.is_still_itself()]).and_then(ops);
        let unreachable = |source| OpenError::Unreachable { place: place.clone(), source };
        let silent = |_| unreachable(StoreError::Indeterminate("etcd is silent".to_owned()));
        let writing = timeout(LIMIT, vault.members.write(tx)).await.map_err(silent)?;
        match writing.map_err(Trouble::of_writing).map_err(unreachable)?.succeeded() {
            true => Ok(()),
            false => Err(unreachable(vault.lost())),
        }
    }
}

// No key comes twice in one transaction.
fn without_repetition(steps: &[Copied]) -> usize {
    let mut keys = std::collections::BTreeSet::new();
    steps.iter().take(STEPS).take_while(|step| keys.insert(step.key())).count()
}

// Each has to meet what those before it left, so that a copy with a step too few or too many is
// found out.
fn taken(
    terms: Terms,
    steps: &[Copied],
    found: &[Option<Entry>],
) -> Result<Verdict<()>, StoreError> {
    let mut changes = Vec::with_capacity(steps.len());
    for (index, (step, found)) in steps.iter().zip(found).enumerate() {
        let (after, expects) = match step {
            Copied::New(_, leaf) => (Some(filled(terms.version, leaf)), false),
            Copied::Again(_, leaf) => (Some(filled(terms.version, leaf)), true),
            Copied::Gone(_) => (None, true),
        };
        if found.is_some() != expects {
            return Err(StoreError::Invalid("the steps of the copy do not fit each other"));
        }
        changes.push((index, after));
    }
    Ok(Verdict { answer: (), changes, events: Vec::new() })
}
