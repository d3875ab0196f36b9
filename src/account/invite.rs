//! Invitations: a code that the desk makes for one person at one portal. It is shown once,
//! counts once, and a new one takes its place.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::enrol::OFFER_LIFETIME;
use super::guard::Kept;
use super::guard_code::{GuardCode, Origin};
use super::record::{read, write};
use super::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::random;
use crate::store::{Expect, Op, Space, StoreError, Write};
use crate::user::{Opaque, UserName};

/// An invitation that is on disk. It has no `Debug`.
pub struct Invitation {
    /// The code, as it is shown; nobody can show it again.
    pub code: Zeroizing<String>,
    /// From when on it is worth nothing.
    pub until: UnixMillis,
}

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteFault {
    /// There is nothing to be invited to.
    #[error("the user has enrolled already")]
    AlreadyEnrolled,
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for InviteFault {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredInvitation {
    user: UserName,
    id: Opaque,
    hash: [u8; 32],
    made: UnixMillis,
    until: UnixMillis,
}

impl Accounts {
    /// Invites a user, who need not have been seen, for `lifetime` from now. An earlier
    /// invitation is worth nothing from then on, and wrong codes are forgiven: they were
    /// guesses at something else.
    ///
    /// # Errors
    /// [`InviteFault::AlreadyEnrolled`], or when it is not on disk.
    pub async fn invite(
        &self,
        now: UnixMillis,
        account: AccountId,
        user: &UserName,
        lifetime: Duration,
    ) -> Result<Invitation, InviteFault> {
        let code = GuardCode::draw(Origin::Invitation)?;
        let until = now.plus(lifetime);
        let record = StoredInvitation {
            user: user.clone(),
            id: Opaque(random::bytes().map_err(AccountError::from)?),
            hash: self.guard_hash(account, &code),
            made: now,
            until,
        };
        // Who has typed it in time has the time of an offered secret to finish.
        let kept_until = Some(until.plus(OFFER_LIFETIME));
        let writes = vec![
            Write::put(account.key(Space::Invite), write(&record)?, kept_until),
            Write { key: account.key(Space::Factor), expect: Expect::Absent, op: Op::Check },
            Write::delete(account.key(Space::Counter)),
        ];
        match self.store.commit(now, writes).await {
            Ok(_) => Ok(Invitation { code: code.shown(), until }),
            Err(StoreError::Conflict { .. }) => Err(InviteFault::AlreadyEnrolled),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn kept_invitation(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<Kept>, AccountError> {
        let key = account.key(Space::Invite);
        let Some(found) = self.store.get(now, &key).await? else { return Ok(None) };
        let StoredInvitation { id, hash, until, .. } = read(&found.value)?;
        Ok(Some(Kept { id, hash, until, key, version: found.version, used: Op::Delete }))
    }
}
