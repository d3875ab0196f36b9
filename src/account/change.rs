//! What users change of their own second factor. Who may is proven by [`Changing`]; what each
//! change has in common is done here: other sessions end, the user is told, all in one step.

use std::time::Duration;

use tokio::sync::RwLockWriteGuard;

use super::record::{FactorRecord, write};
use super::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::factor::totp;
use crate::notify::{Addressee, Mail};
use crate::random::NoRandomness;
use crate::session::SessionRecord;
use crate::store::turn::{Turn, TurnName};
use crate::store::{Expect, Space, Store, StoreError, Version, Write};
use crate::user::Opaque;

/// How long ago a factor may have been given by whoever changes something of it (attack FAC-1).
pub const FRESH_PROOF: Duration = Duration::from_secs(300);

/// How long a change waits until another gateway is done with one of the same user.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most authenticators of one user at one portal.
pub const MOST_AUTHENTICATORS: usize = 5;

/// Somebody who gave a factor a moment ago, and may therefore change it.
#[derive(Clone, Copy)]
pub struct Changing<'a> {
    pub(super) account: AccountId,
    pub(super) session: &'a SessionRecord,
    to: Addressee<'a>,
}

impl<'a> Changing<'a> {
    /// The user of `session`, who is told as `to`. Nothing where the last factor was given
    /// longer than [`FRESH_PROOF`] ago, or a remembered device stood in for it.
    pub fn proven(
        now: UnixMillis,
        account: AccountId,
        session: &'a SessionRecord,
        to: Addressee<'a>,
    ) -> Option<Self> {
        let is_fresh = session.proof_age(now).is_some_and(|age| age <= FRESH_PROOF);
        is_fresh.then_some(Self { account, session, to })
    }

    /// The session in which the factor was given.
    pub const fn session(&self) -> &'a SessionRecord {
        self.session
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeFault {
    /// The user has no such authenticator, or no longer.
    #[error("there is no such authenticator")]
    NotThere,
    /// It is the only one: without it a password would be enough.
    #[error("the last authenticator cannot be removed")]
    Last,
    /// There are [`MOST_AUTHENTICATORS`] already.
    #[error("there are too many authenticators")]
    TooMany,
    /// No secret is offered to this session for this, or it is too old.
    #[error("the offer has expired")]
    NoOffer,
    /// The code is not the one that the offered secret gives now.
    #[error("the code is wrong")]
    WrongCode,
    /// The factor or the session was changed at the same moment.
    #[error("something else was changed at the same moment")]
    Overtaken,
    /// Nothing can be said.
    #[error(transparent)]
    Account(AccountError),
}

impl ChangeFault {
    /// The word in the audit log.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotThere => "not_there",
            Self::Last => "last_authenticator",
            Self::TooMany => "too_many",
            Self::NoOffer => "no_offer",
            Self::WrongCode => "wrong_code",
            Self::Overtaken => "overtaken",
            Self::Account(_) => "in_doubt",
        }
    }
}

impl From<StoreError> for ChangeFault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } | StoreError::Refused { .. } => Self::Overtaken,
            StoreError::Unavailable(_)
            | StoreError::Indeterminate(_)
            | StoreError::Full
            | StoreError::Corrupt(_)
            | StoreError::Invalid(_)
            | StoreError::Fatal(_) => Self::Account(error.into()),
        }
    }
}

impl From<AccountError> for ChangeFault {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => error.into(),
            AccountError::Random(_)
            | AccountError::Key(_)
            | AccountError::Notify(_)
            | AccountError::Hash(_)
            | AccountError::BrokenOff => Self::Account(error),
        }
    }
}

/// What a change writes, whom it ends, and what is told of it.
pub(super) struct Change {
    pub(super) writes: Vec<Write>,
    pub(super) ends: Ends,
    pub(super) told: Mail,
}

/// What ends with a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// A name was changed, and no factor.
    Nothing,
    /// Every other session of the user.
    OtherSessions,
    /// These, and every remembered device.
    OtherSessionsAndDevices,
}

impl Accounts {
    /// From now on nobody proves a session of this user, at whichever gateway, until what this
    /// gives goes. Elsewhere they are refused rather than made to wait.
    ///
    /// # Errors
    /// When another gateway changes something of this user for too long, or when the store is
    /// in doubt.
    pub(super) async fn alone(&self, account: AccountId) -> Result<Alone<'_>, StoreError> {
        // The other gateways first: nobody here waits while somebody there is not done.
        let names = [change_of(account)];
        let turn = self.sessions.turns().take(&names, PATIENCE).await?;
        Ok(Alone { _here: self.proofs.write().await, everywhere: turn })
    }

    /// What lets a session be proven only while nobody changes anything of its user.
    pub(super) fn nobody_changes(&self, account: AccountId) -> Vec<Write> {
        self.sessions.turns().free(&[change_of(account)])
    }

    /// Carries a change out. Others end first: when this is broken off they are signed out and
    /// nothing else has happened. The rest is one step, in which the session of who changes
    /// something still stands. Of two sessions that change something at once, the first ends
    /// the second, which then changes nothing.
    ///
    /// # Errors
    /// When nothing was changed.
    pub(super) async fn carry_out(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
        change: Change,
        alone: Alone<'_>,
    ) -> Result<(), ChangeFault> {
        let Changing { account, session, to } = *who;
        let mut writes = change.writes;
        writes.push(self.sessions.standing(now, session).await?);
        writes.extend(self.queued(now, account, &to, change.told).await?);
        match change.ends {
            Ends::Nothing => {}
            Ends::OtherSessions => {
                self.sessions.end_others(now, account.sub, session.root).await?;
            }
            Ends::OtherSessionsAndDevices => {
                self.sessions.end_others(now, account.sub, session.root).await?;
                self.forget(now, account, Space::Device).await?;
            }
        }
        alone.commit(&*self.store, now, writes).await?;
        Ok(())
    }

    /// The user's authenticators as they are now, to be changed.
    pub(super) async fn own(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
    ) -> Result<(FactorRecord, Version), ChangeFault> {
        self.factor(now, who.account).await?.ok_or(ChangeFault::NotThere)
    }
}

/// Nobody else changes or proves anything of one user.
pub(super) struct Alone<'a> {
    _here: RwLockWriteGuard<'a, ()>,
    everywhere: Turn,
}

impl Alone<'_> {
    /// Commits what was to be done alone, if it was, and ends that.
    pub(super) async fn commit(
        self,
        store: &dyn Store,
        now: UnixMillis,
        mut writes: Vec<Write>,
    ) -> Result<(), StoreError> {
        let turn = self.everywhere.pinned().await?;
        writes.extend(turn.gives_back());
        store.commit(now, writes).await?;
        drop(turn);
        self.everywhere.was_given_back();
        Ok(())
    }
}

fn change_of(account: AccountId) -> TurnName {
    TurnName::Change(account.portal.0, account.sub.0)
}

/// The write that puts `record` in the place of what was read as `version`.
pub(super) fn replacing(
    account: AccountId,
    version: Version,
    record: &FactorRecord,
) -> Result<Write, StoreError> {
    let put = Write::put(account.key(Space::Factor), write(record)?, None);
    Ok(put.expecting(Expect::Is(version)))
}

impl FactorRecord {
    /// The authenticator of this name, to be changed.
    pub(super) fn one_mut(&mut self, id: Opaque) -> Result<&mut super::Authenticator, ChangeFault> {
        self.authenticators.iter_mut().find(|one| one.id == id).ok_or(ChangeFault::NotThere)
    }
}

impl From<NoRandomness> for ChangeFault {
    fn from(error: NoRandomness) -> Self {
        Self::Account(error.into())
    }
}

impl From<totp::KeyError> for ChangeFault {
    fn from(error: totp::KeyError) -> Self {
        Self::Account(error.into())
    }
}
