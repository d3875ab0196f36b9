//! How far etcd's own log of changes had come, written into the store itself. A cluster that was
//! made of a snapshot begins that log anew, so the mark that came with the snapshot is ahead of
//! it: that is how a gateway that was not there learns that the store was set back.

use etcd_client::StatusResponse;
use tokio::time::timeout;

use super::layout::MARK;
use super::members::Members;
use super::vault::{LIMIT, Vault, silent};
use crate::store::StoreError;

/// How often a member that failed between two questions is passed over.
const TRIES: usize = 4;

/// A place in the log of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    cluster: u64,
    term: u64,
    index: u64,
}

impl Mark {
    fn of(status: &StatusResponse) -> Self {
        let cluster = status.header().map_or(0, etcd_client::ResponseHeader::cluster_id);
        Self { cluster, term: status.raft_term(), index: status.raft_index() }
    }

    fn to_bytes(self) -> Vec<u8> {
        [self.cluster, self.term, self.index].map(u64::to_be_bytes).concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (cluster, rest) = bytes.split_first_chunk::<8>()?;
        let (term, rest) = rest.split_first_chunk::<8>()?;
        let index = rest.first_chunk::<8>()?;
        let [cluster, term, index] = [cluster, term, index].map(|it| u64::from_be_bytes(*it));
        Some(Self { cluster, term, index })
    }

    /// Whether a log that has come to `now` may be the one that this mark was made in.
    fn is_before(self, now: Self) -> bool {
        self.cluster == now.cluster && self.term <= now.term && self.index <= now.index
    }
}

/// Whether the log is another than the one in which the last mark was made.
pub(super) async fn was_set_back(vault: &Vault) -> Result<bool, StoreError> {
    for _ in 0..TRIES {
        let member = vault.members.current();
        let look = vault.look(&[MARK.to_vec()]).await?;
        let last = look.found.first().and_then(Option::as_ref);
        let last = last.and_then(|lying| Mark::from_bytes(&lying.bytes));
        let now = now(&vault.members).await?;
        if last.is_some_and(|last| last.is_before(now)) {
            return Ok(false);
        }
        // Whoever answered the first question has all that a quorum has. Another member, to whom
        // the second went, may only lag behind.
        if vault.members.current() == member {
            return Ok(true);
        }
    }
    Ok(true)
}

/// Makes a mark. Those that are a minute old do as well as new ones: a new log is far behind both.
pub(super) async fn put(vault: &Vault) -> Result<(), StoreError> {
    let mark = first(&vault.members).await?;
    vault.note(MARK, mark).await
}

/// The mark that a new store is made with: without one, whoever opens it next would take it for a
/// store that was set back.
pub(super) async fn first(members: &Members) -> Result<Vec<u8>, StoreError> {
    Ok(now(members).await?.to_bytes())
}

async fn now(members: &Members) -> Result<Mark, StoreError> {
    let asking = members.ask(|client| async move { client.maintenance_client().status().await });
    let status = timeout(LIMIT, asking).await.map_err(|_| silent())??;
    Ok(Mark::of(&status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_begins_anew_is_behind_the_mark_of_before() {
        let mark = Mark { cluster: 7, term: 4, index: 900 };
        assert_eq!(Mark::from_bytes(&mark.to_bytes()), Some(mark));
        assert_eq!(Mark::from_bytes(b"short"), None);
        assert!(mark.is_before(mark));
        assert!(mark.is_before(Mark { term: 9, index: 901, ..mark }));
        for other in [
            Mark { cluster: 8, index: 901, ..mark },
            Mark { term: 2, index: 901, ..mark },
            Mark { index: 5, ..mark },
        ] {
            assert!(!mark.is_before(other));
        }
    }
}
