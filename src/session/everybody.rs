//! The end of every session of every portal, when the keys that signed them may be known.

use std::sync::Arc;

use super::of_user::ROUNDS;
use super::{Sessions, index};
use crate::clock::UnixMillis;
use crate::store::StoreError;

/// Ends that are written at once: as many as the store puts on disk together.
const AT_ONCE: usize = 256;

impl Sessions {
    /// Ends every session that began until `now`; gives how many it were. Streams are let go
    /// first, since their cookies were looked at when they began; that their cookies open
    /// nothing more is for the keys to see to.
    ///
    /// # Errors
    /// When an end is not on disk.
    pub async fn end_everybody(self: &Arc<Self>, now: UnixMillis) -> Result<usize, StoreError> {
        self.let_streams_go();
        let mut ended = 0;
        // Sessions may move while they are ended, and are then met at their new place.
        for _ in 0..ROUNDS {
            match self.end_all_met(now).await? {
                0 => return Ok(ended),
                some => ended += some,
            }
        }
        Err(StoreError::Conflict { index: 0 })
    }

    /// Goes through all sessions once, a page of them at a time.
    async fn end_all_met(self: &Arc<Self>, now: UnixMillis) -> Result<usize, StoreError> {
        let (mut ended, mut after) = (0, None);
        loop {
            let (page, last) = index::some(self.store(), now, after).await?;
            let standing = page.into_iter().map(|(record, _)| record);
            let standing = standing.filter(|record| record.stands(now) && record.started <= now);
            let standing: Vec<_> = standing.collect();
            for some in standing.chunks(AT_ONCE) {
                self.end_these(now, some).await?;
            }
            ended += standing.len();
            after = last;
            if after.is_none() {
                return Ok(ended);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::session::Level;
    use crate::site::house::{NOW, house};

    #[tokio::test]
    async fn every_session_of_every_user_ends_and_a_later_one_stands() {
        let house = house().await;
        let (parts, site) = (&house.parts, house.parts.sites.named("wiki.test"));
        let mut binds = Vec::new();
        for user in ["alice", "bob", "carol"] {
            let cookies = format!("sid={user}");
            house.sign_in(user, &cookies, Level::Password).await;
            binds.push(site.binder.bind(&house.cookies_of(&cookies)));
        }
        let roots: Vec<_> =
            binds.iter().map(|bind| parts.sessions.known(NOW, *bind).unwrap().root).collect();
        let before = NOW.minus(Duration::from_millis(1));
        assert_eq!(parts.sessions.end_everybody(before).await, Ok(0), "later ones ended too");
        assert_eq!(parts.sessions.end_everybody(NOW).await, Ok(3));
        for (bind, root) in binds.iter().zip(roots) {
            assert!(parts.sessions.find(NOW, *bind).await.unwrap().is_none());
            assert!(!parts.sessions.goes_on(NOW, root));
        }
        assert_eq!(parts.sessions.count(NOW).get("wiki"), None);
        assert_eq!(parts.sessions.end_everybody(NOW).await, Ok(0));
    }
}
