//! What the desk does to one user's second factor at one portal: takes it away whole, or lets
//! the user try again. Whatever is told to the desk was on disk before.

use super::requester::Requester;
use super::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::notify::{Addressee, Mail, News};
use crate::store::{MAX_WRITES, Space, StoreError, Write};

/// Records that are looked for at a time.
const PAGE: usize = 1000;

/// What a reset took away. It may find nothing: then it has been done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Whether there was a factor.
    pub was_enrolled: bool,
    /// How many sessions it ended.
    pub sessions_ended: usize,
}

/// Why a user cannot try again.
#[derive(Debug, thiserror::Error)]
pub enum UnlockFault {
    /// So many codes were wrong that the factor is disabled (NIST SP 800-63B-4 section 3.2.2).
    #[error("the factor is disabled after too many wrong codes; only a reset helps")]
    Disabled,
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl Accounts {
    /// Takes away the user's factor with everything that stands in for it, and ends every
    /// session. It can be repeated. Spent codes stay spent: their registers are not touched.
    ///
    /// The factor goes last, in one step with its codes and its counter: when this is broken
    /// off, the user has no session and no device left, and either signs in with the factor as
    /// before or has none and enrols. In that step `to` is told, where there was a factor, and
    /// `also` is written, or nothing is.
    ///
    /// # Errors
    /// When not all of it is on disk; then it has to be repeated.
    pub(super) async fn reset(
        &self,
        now: UnixMillis,
        account: AccountId,
        on_the_word_of: &Requester,
        to: &Addressee<'_>,
        also: Vec<Write>,
    ) -> Result<Reset, AccountError> {
        // Most of the work, while others go on proving.
        let mut sessions_ended = self.sessions.end_user(now, account.sub).await?;
        // From here on nobody proves a session that would stand on a factor that is gone.
        let alone = self.alone(account).await?;
        sessions_ended += self.sessions.end_user(now, account.sub).await?;
        self.forget(now, account, Space::Device).await?;
        self.forget(now, account, Space::Pending).await?;
        self.let_go(now, account).await?;
        let factor = account.key(Space::Factor);
        let was_enrolled = self.store.get(now, &factor).await?.is_some();
        let whole = [Space::Factor, Space::Recovery, Space::Counter];
        let mut writes = whole.map(|space| Write::delete(account.key(space))).to_vec();
        if was_enrolled {
            let mail = Mail::Reset { by: on_the_word_of.speaker(), at: now };
            writes.extend(self.queued(now, account, to, mail).await?);
        } else {
            // Nothing changed for the user, but what another system heard of has come to its end.
            writes.extend(self.news(now, News::ResetDone, (to.portal, to.user))?);
        }
        writes.extend(also);
        alone.commit(&*self.store, now, writes).await?;
        Ok(Reset { was_enrolled, sessions_ended })
    }

    /// Lets a user who has to wait try again, with all tries. Gives whether there was anything
    /// to forgive.
    ///
    /// # Errors
    /// [`UnlockFault::Disabled`], or when it is not on disk.
    pub async fn unlock(&self, now: UnixMillis, account: AccountId) -> Result<bool, UnlockFault> {
        let key = account.key(Space::Counter);
        let counter = self.store.counter(now, &key).await.map_err(AccountError::from)?;
        if counter.disabled {
            return Err(UnlockFault::Disabled);
        }
        self.store.commit(now, vec![Write::delete(key)]).await.map_err(AccountError::from)?;
        Ok(counter.failures > 0)
    }

    /// Removes all that `space` holds of the user. Its keys begin as those of the factor do.
    pub(super) async fn forget(
        &self,
        now: UnixMillis,
        account: AccountId,
        space: Space,
    ) -> Result<(), StoreError> {
        let prefix = account.key(space).id;
        loop {
            let found = self.store.scan(now, space, &prefix, None, PAGE).await?;
            if found.is_empty() {
                return Ok(());
            }
            for some in found.chunks(MAX_WRITES) {
                let writes = some.iter().map(|(key, _)| Write::delete(key.clone())).collect();
                self.store.commit(now, writes).await?;
            }
        }
    }
}
