//! What an enrolment needs beside the password (ENR-1): nothing, a code that was mailed, or an
//! invitation of the desk. What a session has shown counts for it alone, for as long as an
//! offered secret does, and is used up by the enrolment itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::enrol::{Enrolling, OFFER_LIFETIME};
use super::guard_code::{GuardCode, Origin};
use super::record::{read, write};
use super::{AccountError, AccountId, Accounts, Sight, WRONG_CODES, waiting};
use crate::clock::UnixMillis;
use crate::config::{Enrolment, EnrolmentGuard};
use crate::session::SessionRecord;
use crate::store::{CounterState, Expect, Key, Op, Space, StoreError, Version, Write};
use crate::user::Opaque;

const PASS: &[u8] = b"pass";

/// What somebody who gave the password needs to enrol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing more.
    Nothing,
    /// A code that was mailed; an invitation does too.
    MailedCode,
    /// An invitation, and nothing else does.
    Invitation,
}

impl Need {
    /// The need under `rules` of a user of whom `sight` is known. Of whom nothing is known, the
    /// stricter is taken.
    pub fn of(rules: &Enrolment, sight: Option<&Sight>, now: UnixMillis) -> Self {
        let late = rules
            .within
            .is_some_and(|within| sight.is_none_or(|sight| sight.first.plus(within) <= now));
        let dormant =
            rules.dormant.is_some_and(|limit| sight.is_none_or(|sight| sight.was_quiet_for(limit)));
        match rules.guard {
            _ if late || dormant => Self::Invitation,
            EnrolmentGuard::Invite => Self::Invitation,
            EnrolmentGuard::Email => Self::MailedCode,
            EnrolmentGuard::None => Self::Nothing,
        }
    }

    const fn is_met_by(self, origin: Origin) -> bool {
        match self {
            Self::Nothing => true,
            Self::MailedCode => matches!(origin, Origin::Mail | Origin::Invitation),
            Self::Invitation => matches!(origin, Origin::Invitation),
        }
    }
}

/// What stands between a session and an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing, or nothing any more.
    Open,
    /// A code.
    Shut {
        /// Which.
        need: Need,
        /// Whether a mailed code waits to be typed.
        mailed: bool,
        /// Whether one may be typed now.
        waits: Waits,
    },
}

/// Whether a code may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It may.
    No,
    /// Too many were wrong.
    For(Duration),
    /// So many were wrong that only a new invitation helps.
    ForTheDesk,
}

/// Why a code let nobody pass.
#[derive(Debug, thiserror::Error)]
pub enum AdmitFault {
    /// It is not right.
    #[error("the code is wrong")]
    Wrong,
    /// Too many were wrong; this one was not looked at, or was the last.
    #[error("the user has to wait")]
    Waits,
    /// The user has an authenticator already.
    #[error("the user has enrolled already")]
    AlreadyEnrolled,
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for AdmitFault {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

/// What a session has shown. It names the code, so that it is worth nothing once that was used
/// or replaced.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pass {
    origin: Origin,
    code: Opaque,
}

/// A code in the store, found by where it comes from.
pub(super) struct Kept {
    pub(super) id: Opaque,
    pub(super) hash: [u8; 32],
    pub(super) until: UnixMillis,
    pub(super) key: Key,
    pub(super) version: Version,
    /// What using it up does to its record.
    pub(super) used: Op,
}

impl Accounts {
    /// What stands between this session and an enrolment.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn gate(&self, now: UnixMillis, who: &Enrolling<'_>) -> Result<Gate, AccountError> {
        let need = self.need(now, who).await?;
        if need == Need::Nothing || self.toll(now, who, need).await?.is_some() {
            return Ok(Gate::Open);
        }
        let mail = self.kept(now, who.account, Origin::Mail).await?;
        let mailed = need == Need::MailedCode && mail.is_some_and(|kept| now < kept.until);
        let counter = self.store.counter(now, &who.account.key(Space::Counter)).await?;
        Ok(Gate::Shut { need, mailed, waits: waits(now, &counter) })
    }

    /// Judges a code; the right one opens the way for this session. It counts as an attempt at
    /// the user's second factor, so that all of them together are slowed down.
    ///
    /// # Errors
    /// When the way stays shut. A wrong code is counted, whatever happens next.
    pub async fn admit(
        &self,
        now: UnixMillis,
        who: &Enrolling<'_>,
        typed: &str,
    ) -> Result<(), AdmitFault> {
        if self.factor(now, who.account).await?.is_some() {
            return Err(AdmitFault::AlreadyEnrolled);
        }
        let need = self.need(now, who).await?;
        if need == Need::Nothing {
            return Ok(());
        }
        let counter_key = who.account.key(Space::Counter);
        let counter = self.store.hit(now, &counter_key, WRONG_CODES).await?;
        if !counter.admitted {
            return Err(AdmitFault::Waits);
        }
        let Some(kept) = self.right(now, who.account, need, typed).await? else {
            let waits = waits(now, &counter);
            return Err(if waits == Waits::No { AdmitFault::Wrong } else { AdmitFault::Waits });
        };
        let pass = Pass { origin: kept.1, code: kept.0.id };
        let until = Some(now.plus(OFFER_LIFETIME));
        let writes = vec![
            Write::put(pass_key(who.account, who.session), write(&pass)?, until),
            Write { key: kept.0.key, expect: Expect::Is(kept.0.version), op: Op::Check },
            Write::delete(counter_key),
        ];
        match self.store.commit(now, writes).await {
            Ok(_) => Ok(()),
            // It was used or replaced meanwhile.
            Err(StoreError::Conflict { .. }) => Err(AdmitFault::Wrong),
            Err(error) => Err(error.into()),
        }
    }

    /// What this session still needs under the rules, whatever it has shown.
    pub(super) async fn need(
        &self,
        now: UnixMillis,
        who: &Enrolling<'_>,
    ) -> Result<Need, AccountError> {
        let sight = self.sight(now, who.account).await?;
        Ok(Need::of(who.rules, sight.as_ref(), now))
    }

    /// The write that uses up what this session has shown, if that meets the need.
    pub(super) async fn toll(
        &self,
        now: UnixMillis,
        who: &Enrolling<'_>,
        need: Need,
    ) -> Result<Option<Write>, AccountError> {
        let Some(found) = self.store.get(now, &pass_key(who.account, who.session)).await? else {
            return Ok(None);
        };
        let pass: Pass = read(&found.value)?;
        let kept = self.kept(now, who.account, pass.origin).await?;
        let kept = kept.filter(|kept| kept.id == pass.code && need.is_met_by(pass.origin));
        Ok(kept.map(|kept| Write {
            key: kept.key,
            expect: Expect::Is(kept.version),
            op: kept.used,
        }))
    }

    /// The code that was typed, if it is the one that is kept, in time, and enough.
    async fn right(
        &self,
        now: UnixMillis,
        account: AccountId,
        need: Need,
        typed: &str,
    ) -> Result<Option<(Kept, Origin)>, AccountError> {
        let Some(code) = GuardCode::read(typed) else { return Ok(None) };
        let kept = self.kept(now, account, code.origin).await?;
        let kept = kept.filter(|kept| {
            let is_right = self.is_guard_hash(account, &code, &kept.hash);
            is_right && now < kept.until && need.is_met_by(code.origin)
        });
        Ok(kept.map(|kept| (kept, code.origin)))
    }

    async fn kept(
        &self,
        now: UnixMillis,
        account: AccountId,
        origin: Origin,
    ) -> Result<Option<Kept>, AccountError> {
        match origin {
            Origin::Invitation => self.kept_invitation(now, account).await,
            Origin::Mail => self.kept_mailed_code(now, account).await,
        }
    }
}

/// Whether a code may be tried, as the counter says.
pub(super) fn waits(now: UnixMillis, counter: &CounterState) -> Waits {
    match waiting(now, counter) {
        _ if counter.disabled => Waits::ForTheDesk,
        Some(wait) => Waits::For(wait),
        None => Waits::No,
    }
}

fn pass_key(account: AccountId, session: &SessionRecord) -> Key {
    account.key_with(Space::Pending, PASS, session.sid)
}

#[cfg(test)]
mod tests;
