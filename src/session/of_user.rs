//! The end of sessions that one user has at one portal: of all, of all but one, of one.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{SessionRecord, Sessions};
use crate::clock::UnixMillis;
use crate::store::StoreError;
use crate::user::Opaque;

/// Ends that are written at once: the store puts them on disk together.
const AT_ONCE: usize = 64;
/// Sessions may move while they are ended, and are then met at their new place. More rounds
/// than that need somebody who signs in faster than can be ended.
pub(super) const ROUNDS: usize = 32;

impl Sessions {
    /// Ends every session of a user, and their streams with them, until none stands; gives how
    /// many it were.
    ///
    /// # Errors
    /// When an end is not on disk, or new sessions keep coming.
    pub async fn end_user(
        self: &Arc<Self>,
        now: UnixMillis,
        sub: Opaque,
    ) -> Result<usize, StoreError> {
        self.end_those(now, sub, |_| true).await
    }

    /// The same for every session but the one that began with the sign-in `root`. That one
    /// goes on wherever it has moved.
    ///
    /// # Errors
    /// As [`Sessions::end_user`].
    pub async fn end_others(
        self: &Arc<Self>,
        now: UnixMillis,
        sub: Opaque,
        root: Opaque,
    ) -> Result<usize, StoreError> {
        self.end_those(now, sub, |there| there.root != root).await
    }

    /// The same for the one session of this user that began with the sign-in `root`.
    ///
    /// # Errors
    /// As [`Sessions::end_user`].
    pub async fn end_one(
        self: &Arc<Self>,
        now: UnixMillis,
        sub: Opaque,
        root: Opaque,
    ) -> Result<usize, StoreError> {
        self.end_those(now, sub, |there| there.root == root).await
    }

    async fn end_those(
        self: &Arc<Self>,
        now: UnixMillis,
        sub: Opaque,
        those: impl Fn(&SessionRecord) -> bool,
    ) -> Result<usize, StoreError> {
        let mut ended = 0;
        for _ in 0..ROUNDS {
            let mut standing = self.of_user(now, sub).await?;
            standing.retain(&those);
            if standing.is_empty() {
                return Ok(ended);
            }
            ended += standing.len();
            for some in standing.chunks(AT_ONCE) {
                self.end_these(now, some).await?;
            }
        }
        Err(StoreError::Conflict { index: 0 })
    }

    pub(super) async fn end_these(
        self: &Arc<Self>,
        now: UnixMillis,
        records: &[SessionRecord],
    ) -> Result<(), StoreError> {
        let mut ends = JoinSet::new();
        for record in records {
            let (sessions, record) = (Arc::clone(self), record.clone());
            ends.spawn(async move { sessions.end(now, &record).await });
        }
        let mut outcome = Ok(());
        // Each of them is tried, whatever became of the others.
        while let Some(ended) = ends.join_next().await {
            let broken_off = |_| StoreError::Unavailable("an end was broken off".to_owned());
            outcome = outcome.and(ended.map_err(broken_off).and_then(|written| written));
        }
        outcome
    }
}
