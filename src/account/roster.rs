//! The users of a portal as the desk sees them: names, states and times, never a secret.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::record::read;
use super::{AccountError, AccountId, Accounts, FactorRecord, PortalTag, Sight};
use crate::clock::UnixMillis;
use crate::store::{CounterState, Key, Space, StoreError};
use crate::user::{Opaque, UserName};

/// One user of a portal who was seen there or has enrolled.
pub struct Member {
    /// The user, by name.
    pub user: UserName,
    /// What each authenticator is called, and when it was confirmed; none of who is missing.
    pub authenticators: Vec<(String, UnixMillis)>,
    /// Wrong codes since the last right one, and what follows from them.
    pub counter: CounterState,
    /// What is known from sign-ins.
    pub sight: Option<Sight>,
}

/// Some users of a portal.
#[derive(Default)]
pub struct Roster {
    /// By what they are to the store.
    pub members: BTreeMap<Opaque, Member>,
    /// After whom there may be more.
    pub rest: Option<Opaque>,
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
            _ if self.authenticators.is_empty() => State::Missing,
            (true, _) => State::Disabled,
            (false, Some(_)) => State::Locked,
            (false, None) => State::Enrolled,
        }
    }
}

impl Accounts {
    /// Users of `portal` after `after`, in the order of their opaque identifiers: up to `limit`
    /// of those who have enrolled, and as many of those who were seen.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn roster(
        &self,
        now: UnixMillis,
        portal: PortalTag,
        after: Option<Opaque>,
        limit: usize,
    ) -> Result<Roster, AccountError> {
        let from = (portal, after, limit);
        let (mut factors, end): (BTreeMap<_, FactorRecord>, _) =
            self.some(now, Space::Factor, from).await?;
        let (mut sights, other): (BTreeMap<_, Sight>, _) =
            self.some(now, Space::Sight, from).await?;
        // What lies behind the earlier end of the two may be known by half.
        let rest = end.into_iter().chain(other).min();
        let subs = factors.keys().chain(sights.keys()).copied();
        let subs: Vec<Opaque> = subs.filter(|sub| rest.is_none_or(|rest| *sub <= rest)).collect();
        let mut roster = Roster { members: BTreeMap::new(), rest };
        for sub in subs {
            let (factor, sight) = (factors.remove(&sub), sights.remove(&sub));
            let account = AccountId { portal, sub };
            if let Some(member) = self.described(now, account, factor, sight).await? {
                roster.members.insert(sub, member);
            }
        }
        Ok(roster)
    }

    /// One user, where there is a factor or was a sign-in.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn member(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<Member>, AccountError> {
        let factor = self.authenticators(now, account).await?;
        let sight = self.sight(now, account).await?;
        self.described(now, account, factor, sight).await
    }

    async fn described(
        &self,
        now: UnixMillis,
        account: AccountId,
        factor: Option<FactorRecord>,
        sight: Option<Sight>,
    ) -> Result<Option<Member>, AccountError> {
        let named = factor.as_ref().map(|factor| &factor.user);
        let Some(user) = named.or(sight.as_ref().map(|sight| &sight.user)).cloned() else {
            return Ok(None);
        };
        let counter = self.store.counter(now, &account.key(Space::Counter)).await?;
        let phones = factor.iter().flat_map(|factor| &factor.authenticators);
        let authenticators = phones.map(|phone| (phone.label.clone(), phone.added)).collect();
        Ok(Some(Member { user, authenticators, counter, sight }))
    }

    /// Records of `space` by user, and the last of them where there may be more.
    pub(super) async fn some<T: DeserializeOwned>(
        &self,
        now: UnixMillis,
        space: Space,
        (portal, after, limit): (PortalTag, Option<Opaque>, usize),
    ) -> Result<(BTreeMap<Opaque, T>, Option<Opaque>), AccountError> {
        let last = after.map(|sub| AccountId { portal, sub }.key(space).id);
        let found = self.store.scan(now, space, &portal.0, last.as_deref(), limit).await?;
        let mut records = BTreeMap::new();
        for (key, record) in &found {
            records.insert(sub_of(key)?, read(&record.value)?);
        }
        let end = records.keys().next_back().copied().filter(|_| found.len() == limit);
        Ok((records, end))
    }
}

fn sub_of(key: &Key) -> Result<Opaque, StoreError> {
    let sub = key.id.split_at_checked(size_of::<PortalTag>()).map(|(_, sub)| sub);
    let sub = sub.and_then(|sub| <[u8; 16]>::try_from(sub).ok());
    sub.map(Opaque).ok_or_else(|| StoreError::Corrupt("a record has no user".to_owned()))
}
