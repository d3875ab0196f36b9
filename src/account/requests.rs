//! Resets that somebody asked for: vouched by a colleague or recorded by the desk, approved,
//! denied, stopped or forgotten. At most one of a user is undecided at a portal; it alone leads
//! to a reset, and it does so once, however many gateways try.

mod approver;
mod find;
mod record;
mod ripen;
mod vouch;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::record::{read, write};
use super::requester::Requester;
use super::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::config::desk::{ResetTerms, Staff};
use crate::notify::{Addressee, Mail, News};
use crate::random;
use crate::store::{Expect, Key, MAX_VALUE, Space, StoreError, Version, Write};
use crate::user::{Opaque, UserName};

pub use approver::Objection;
pub use find::{Requests, Wanted};
pub use record::{Approved, Hand, OPEN_FOR, RequestState, ResetRequest, Way};
pub use ripen::Ripe;
pub use vouch::{MOST_VOUCHES, Vouched};

/// How long a request is kept once it is decided.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long somebody who carries a reset out has it for themselves.
const LEASE: Duration = Duration::from_secs(30);
/// How much room, in bytes, there is in a record for what the desk says later.
const LATER: usize = 1500;
/// The longest reason of the desk for a denial, in characters.
pub const LONGEST_DENIAL: usize = 250;
/// How often somebody else may be quicker before we give up.
const PATIENCE: usize = 16;

/// What is asked for, of whom, by whom.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// Whose factor.
    pub account: AccountId,
    /// By name.
    pub user: &'a UserName,
    /// The portal's name.
    pub portal: &'a str,
    /// On whose word, as it was given.
    pub requested_by: &'a str,
    /// The same, judged.
    pub requester: &'a Requester,
    /// Why.
    pub reason: &'a str,
    /// The desk's ticket.
    pub ticket: Option<&'a str>,
}

/// Who approves, under which terms, and who is told of a wait.
#[derive(Clone, Copy)]
pub struct Approving<'a> {
    /// Somebody at the desk.
    pub staff: &'a Staff,
    /// What the portal asks for.
    pub terms: ResetTerms,
    /// The user.
    pub to: &'a Addressee<'a>,
}

/// Why a request is not made, or not decided.
#[derive(Debug, thiserror::Error)]
pub enum RequestFault {
    /// Another one of the user is undecided.
    #[error("a reset of this user was asked for already, and is not decided yet")]
    Undecided(Opaque),
    /// It was decided before.
    #[error("the request is {} already", .0.as_str())]
    Decided(RequestState),
    /// Somebody's approval does not count.
    #[error(transparent)]
    Objection(#[from] Objection),
    /// The texts do not fit into a record.
    #[error("the reason is too long to be kept; write a shorter one")]
    TooLong,
    /// There is none of that name.
    #[error("there is no such request")]
    Unknown,
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for RequestFault {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

/// Which request of a user is undecided, and when the gateway has to look at it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Undecided {
    id: Opaque,
    due: UnixMillis,
}

/// A request as it was read, with all that a decision depends on.
struct Held {
    request: ResetRequest,
    version: Version,
    undecided: Version,
}

impl Accounts {
    /// Writes down what the desk was asked for, approved by who writes it down.
    ///
    /// # Errors
    /// [`RequestFault::Undecided`], [`RequestFault::Objection`], [`RequestFault::TooLong`], or
    /// when it is not on disk.
    pub async fn ask_for_reset(
        &self,
        now: UnixMillis,
        wish: Wish<'_>,
        first: Approving<'_>,
    ) -> Result<ResetRequest, RequestFault> {
        let to = &self.spoken_to(now, wish.account, first.to).await?;
        let first = Approving { to, ..first };
        for _ in 0..PATIENCE {
            if let Some(held) = self.undecided(now, wish.account).await? {
                return Err(RequestFault::Undecided(held.request.id));
            }
            let request = self.new_request(now, wish, Way::Recorded).await?;
            let (request, told) = self.approved(now, request, first)?;
            let mut writes = begun(now, wish.account, &request)?;
            writes.extend(self.news(now, News::ResetRequested, request.about())?);
            writes.extend(told);
            match self.store.commit(now, writes).await {
                Ok(_) => return Ok(request),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(busy().into())
    }

    /// Adds an approval to the request of this name. Where it was the last that was needed, the
    /// request waits, for as long as the portal's terms say, which may be not at all.
    ///
    /// # Errors
    /// When it does not count, or is not on disk.
    pub async fn approve_reset(
        &self,
        now: UnixMillis,
        (account, id): (AccountId, Opaque),
        approving: Approving<'_>,
    ) -> Result<ResetRequest, RequestFault> {
        let to = &self.spoken_to(now, account, approving.to).await?;
        let approving = Approving { to, ..approving };
        self.decide(now, account, id, |request| match request.state {
            RequestState::Open => self.approved(now, request, approving),
            state => Err(RequestFault::Decided(state)),
        })
        .await
    }

    /// Ends the request of this name on the desk's word, also while it waits.
    ///
    /// # Errors
    /// When it was decided before, the reason is longer than [`LONGEST_DENIAL`], or it is not on
    /// disk.
    pub async fn deny_reset(
        &self,
        now: UnixMillis,
        (account, id): (AccountId, Opaque),
        staff: &Staff,
        reason: &str,
    ) -> Result<ResetRequest, RequestFault> {
        if reason.chars().count() > LONGEST_DENIAL {
            return Err(RequestFault::TooLong);
        }
        self.decide(now, account, id, |mut request| {
            let (by, reason) = (Hand::of(staff), reason.to_owned());
            request.state = RequestState::Denied { by, reason, at: now };
            let told = self.news(now, News::ResetDenied, request.about())?;
            Ok((request, told))
        })
        .await
    }

    /// Ends the reset that waits for this user, on the user's own word. Gives it, or nothing
    /// where none waits any more.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn stop_reset(
        &self,
        now: UnixMillis,
        account: AccountId,
        to: &Addressee<'_>,
    ) -> Result<Option<ResetRequest>, AccountError> {
        let Some(waiting) = self.waiting_reset(now, account).await? else { return Ok(None) };
        let to = self.spoken_to(now, account, to).await?;
        let stopped = self.decide(now, account, waiting.id, |mut request| {
            request.state = RequestState::Stopped { at: now };
            Ok((request, self.mail_to(now, &to, Mail::ResetStopped { at: now })?))
        });
        match stopped.await {
            Ok(request) => Ok(Some(request)),
            Err(RequestFault::Account(error)) => Err(error),
            Err(
                RequestFault::Undecided(_)
                | RequestFault::Decided(_)
                | RequestFault::Objection(_)
                | RequestFault::TooLong
                | RequestFault::Unknown,
            ) => Ok(None),
        }
    }

    /// One step from an undecided request to what `change` makes of it. It is judged anew where
    /// somebody else was quicker.
    async fn decide(
        &self,
        now: UnixMillis,
        account: AccountId,
        id: Opaque,
        change: impl Fn(ResetRequest) -> Result<(ResetRequest, Vec<Write>), RequestFault>,
    ) -> Result<ResetRequest, RequestFault> {
        for _ in 0..PATIENCE {
            let known = self.reset_request(now, id).await?.ok_or(RequestFault::Unknown)?;
            let held = self.undecided(now, account).await?.filter(|held| held.request.id == id);
            let state = known.state(now);
            let Some(held) = held.filter(|_| state.decided().is_none()) else {
                return Err(RequestFault::Decided(state));
            };
            let (request, also) = change(held.request)?;
            let mut writes = stepped(now, account, &request, (held.version, held.undecided))?;
            writes.extend(also);
            match self.store.commit(now, writes).await {
                Ok(_) => return Ok(request),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(busy().into())
    }

    /// The request with one approval more, and what is told of the last one: another system
    /// hears of it, and the user of a wait.
    fn approved(
        &self,
        now: UnixMillis,
        mut request: ResetRequest,
        Approving { staff, terms, to }: Approving<'_>,
    ) -> Result<(ResetRequest, Vec<Write>), RequestFault> {
        approver::judge(&request, staff)?;
        request.approvals.push(Approved { by: Hand::of(staff), at: now });
        if request.approvals.len() < terms.approval.needed() {
            return Ok((request, Vec::new()));
        }
        let until = now.plus(terms.wait);
        request.state = RequestState::Waiting { until };
        let by = request.speaker();
        let mut told = self.news(now, News::ResetApproved, request.about())?;
        if !terms.wait.is_zero() {
            told.extend(self.mail_to(now, to, Mail::ResetWaiting { by, until })?);
        }
        Ok((request, told))
    }

    async fn new_request(
        &self,
        now: UnixMillis,
        wish: Wish<'_>,
        way: Way,
    ) -> Result<ResetRequest, RequestFault> {
        let seen = self.member(now, wish.account).await?.is_some();
        let request = ResetRequest {
            id: name_of(now)?,
            portal: wish.portal.to_owned(),
            user: wish.user.clone(),
            requested_by: wish.requested_by.to_owned(),
            channel: wish.requester.channel(),
            way,
            reason: wish.reason.to_owned(),
            ticket: wish.ticket.map(str::to_owned),
            seen,
            made: now,
            approvals: Vec::new(),
            state: RequestState::Open,
        };
        // Whoever decides later has to find room for why.
        let is_short = write(&request)?.len() <= MAX_VALUE - LATER;
        if is_short { Ok(request) } else { Err(RequestFault::TooLong) }
    }

    /// The user's undecided request, maybe one whose time is over.
    async fn undecided(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<Held>, AccountError> {
        let Some(found) = self.store.get(now, &undecided_key(account)).await? else {
            return Ok(None);
        };
        let Undecided { id, .. } = read(&found.value)?;
        let Some(record) = self.store.get(now, &request_key(id)).await? else { return Ok(None) };
        let request: ResetRequest = read(&record.value)?;
        Ok(Some(Held { request, version: record.version, undecided: found.version }))
    }
}

/// The writes that begin a request, where the user has no other.
fn begun(
    now: UnixMillis,
    account: AccountId,
    request: &ResetRequest,
) -> Result<Vec<Write>, StoreError> {
    Ok(vec![
        put(request)?.expecting(Expect::Absent),
        kept_as_undecided(now, account, request)?.expecting(Expect::Absent),
    ])
}

/// The writes that take a request one step on, where nobody else did.
fn stepped(
    now: UnixMillis,
    account: AccountId,
    request: &ResetRequest,
    (version, undecided): (Version, Version),
) -> Result<Vec<Write>, StoreError> {
    Ok(vec![
        put(request)?.expecting(Expect::Is(version)),
        kept_as_undecided(now, account, request)?.expecting(Expect::Is(undecided)),
    ])
}

fn put(request: &ResetRequest) -> Result<Write, StoreError> {
    let kept_until = request.state.decided().map(|at| at.plus(KEPT));
    Ok(Write::put(request_key(request.id), write(request)?, kept_until))
}

/// What finds an undecided request; nothing does any more once it is decided. Whoever approved
/// a reset that waits for nothing carries it out, and has the time to.
fn kept_as_undecided(
    now: UnixMillis,
    account: AccountId,
    request: &ResetRequest,
) -> Result<Write, StoreError> {
    let key = undecided_key(account);
    let Some(due) = request.due() else { return Ok(Write::delete(key)) };
    let due = if request.is_ripe(now) { now.plus(LEASE) } else { due };
    Ok(Write::put(key, write(&Undecided { id: request.id, due })?, None))
}

fn busy() -> StoreError {
    StoreError::Unavailable("a request for a reset changes all the time".to_owned())
}

/// Names a request by when it was made, so that the oldest is read first, and by chance.
fn name_of(now: UnixMillis) -> Result<Opaque, AccountError> {
    let by_chance: [u8; 8] = random::bytes()?;
    let mut name = [0; 16];
    let (first, rest) = name.split_at_mut(8);
    first.copy_from_slice(&now.0.to_be_bytes());
    rest.copy_from_slice(&by_chance);
    Ok(Opaque(name))
}

const REQUEST: u8 = b'r';
const UNDECIDED: u8 = b'u';

fn request_key(id: Opaque) -> Key {
    Key::new(Space::Request, [&[REQUEST], &id.0[..]].concat())
}

fn undecided_key(account: AccountId) -> Key {
    Key::new(Space::Request, [&[UNDECIDED], &account.portal.0[..], &account.sub.0[..]].concat())
}

#[cfg(test)]
mod tests;
