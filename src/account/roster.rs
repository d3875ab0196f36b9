//! The users of a portal as the desk sees them: names, states and times, never a secret.

use super::record::read;
use super::{AccountError, AccountId, Accounts, FactorRecord, PortalTag};
use crate::clock::UnixMillis;
use crate::store::{CounterState, Key, Space};
use crate::user::{Opaque, UserName};

/// One user of a portal who has enrolled.
pub struct Member {
    /// The user, opaque.
    pub sub: Opaque,
    /// The user, by name.
    pub user: UserName,
    /// What each authenticator is called, and when it was confirmed.
    pub authenticators: Vec<(String, UnixMillis)>,
    /// Wrong codes since the last right one, and what follows from them.
    pub counter: CounterState,
}

/// How a user stands, as the desk names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Has no authenticator.
    Missing,
    /// Has one.
    Enrolled,
    /// Has one, and has to wait after wrong codes.
    Locked,
    /// Had one, until too many codes were wrong.
    Disabled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Enrolled, Self::Locked, Self::Disabled];

    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Enrolled => "enrolled",
            Self::Locked => "locked",
            Self::Disabled => "disabled",
        }
    }
}

impl Member {
    /// How the user stands at `now`.
    pub fn state(&self, now: UnixMillis) -> State {
        let counter = self.counter.at(now);
        match (counter.disabled, counter.locked_until) {
            (true, _) => State::Disabled,
            (false, Some(_)) => State::Locked,
            (false, None) => State::Enrolled,
        }
    }
}

impl Accounts {
    /// Up to `limit` users of `portal` who have enrolled, after `after` in the order of their
    /// opaque identifiers.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn roster(
        &self,
        now: UnixMillis,
        portal: PortalTag,
        after: Option<Opaque>,
        limit: usize,
    ) -> Result<Vec<Member>, AccountError> {
        let last = after.map(|sub| AccountId { portal, sub }.key(Space::Factor).id);
        let found = self.store.scan(now, Space::Factor, &portal.0, last.as_deref(), limit).await?;
        let mut members = Vec::with_capacity(found.len());
        for (key, record) in found {
            let account = AccountId { portal, sub: sub_of(&key)? };
            members.push(self.described(now, account, read(&record.value)?).await?);
        }
        Ok(members)
    }

    /// One user, where there is a factor.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn member(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<Member>, AccountError> {
        match self.authenticators(now, account).await? {
            Some(record) => Ok(Some(self.described(now, account, record).await?)),
            None => Ok(None),
        }
    }

    async fn described(
        &self,
        now: UnixMillis,
        account: AccountId,
        record: FactorRecord,
    ) -> Result<Member, AccountError> {
        let counter = self.store.counter(now, &account.key(Space::Counter)).await?;
        let phones = record.authenticators.iter();
        let authenticators = phones.map(|phone| (phone.label.clone(), phone.added)).collect();
        Ok(Member { sub: account.sub, user: record.user, authenticators, counter })
    }
}

fn sub_of(key: &Key) -> Result<Opaque, AccountError> {
    let sub = key.id.split_at_checked(size_of::<PortalTag>()).map(|(_, sub)| sub);
    let sub = sub.and_then(|sub| <[u8; 16]>::try_from(sub).ok());
    let malformed = || crate::store::StoreError::Corrupt("a factor has no user".to_owned());
    Ok(Opaque(sub.ok_or_else(malformed)?))
}
