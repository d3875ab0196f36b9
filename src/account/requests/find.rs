//! Requests as they are looked for: one by its name, some by what they are, and the one that
//! waits for a user.

use super::{REQUEST, RequestState, ResetRequest, request_key};
use crate::account::record::read;
use crate::account::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::store::Space;
use crate::user::Opaque;

/// Requests in one answer.
const PAGE: usize = 100;
/// Requests that one question looks at.
const LOOKED_AT: usize = 1000;

/// Some requests, oldest first.
#[derive(Default)]
pub struct Requests {
    /// What was found.
    pub found: Vec<ResetRequest>,
    /// After which there may be more.
    pub rest: Option<Opaque>,
}

/// Which requests are wanted.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Those in this state; in any unless set.
    pub state: Option<&'a str>,
    /// Those after this one.
    pub after: Option<Opaque>,
}

impl Accounts {
    /// The request of this name.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn reset_request(
        &self,
        now: UnixMillis,
        id: Opaque,
    ) -> Result<Option<ResetRequest>, AccountError> {
        let found = self.store.get(now, &request_key(id)).await?;
        Ok(found.map(|record| read(&record.value)).transpose()?)
    }

    /// The reset that is approved and waits for this user, who can still stop it.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn waiting_reset(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<ResetRequest>, AccountError> {
        let held = self.undecided(now, account).await?;
        let is_waiting = |request: &ResetRequest| matches!(request.state, RequestState::Waiting { until } if now < until);
        Ok(held.map(|held| held.request).filter(is_waiting))
    }

    /// Requests as they are `wanted`, of portals by whose name `is_shown` says so. A page may be
    /// short and have more.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn reset_requests(
        &self,
        now: UnixMillis,
        wanted: Wanted<'_>,
        is_shown: impl Fn(&str) -> bool,
    ) -> Result<Requests, AccountError> {
        let after = wanted.after.map(|after| request_key(after).id);
        let read_up =
            self.store.scan(now, Space::Request, &[REQUEST], after.as_deref(), LOOKED_AT).await?;
        let may_have_more = read_up.len() == LOOKED_AT;
        let mut requests = Requests::default();
        let mut last = None;
        for (_, record) in &read_up {
            let request: ResetRequest = read(&record.value)?;
            last = Some(request.id);
            let state = request.state(now);
            if wanted.state.is_none_or(|word| word == state.as_str()) && is_shown(&request.portal) {
                requests.found.push(ResetRequest { state, ..request });
            }
            if requests.found.len() == PAGE {
                requests.rest = last;
                return Ok(requests);
            }
        }
        requests.rest = last.filter(|_| may_have_more);
        Ok(requests)
    }
}
