//! What the gateway does about requests by itself: it carries out those whose time has come, and
//! forgets those that nobody decided. Of several gateways one does so.

use super::{LEASE, RequestState, ResetRequest, UNDECIDED, Undecided, stepped};
use crate::account::record::{read, write};
use crate::account::reset::Reset;
use crate::account::{AccountError, AccountId, Accounts, PortalTag};
use crate::clock::UnixMillis;
use crate::notify::{Addressee, News};
use crate::store::{Expect, Key, Record, Space, StoreError, Write};
use crate::user::Opaque;

/// Undecided requests that are read at a time.
const PAGE: usize = 1000;

/// A request whose time has come.
pub struct Ripe {
    /// Whose.
    pub account: AccountId,
    /// As it is written down.
    pub request: ResetRequest,
}

impl Accounts {
    /// Requests whose time has come, of portals that `is_served` knows. Whoever gets one has
    /// half a minute for it alone.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn ripe_resets(
        &self,
        now: UnixMillis,
        is_served: impl Fn(PortalTag) -> bool,
    ) -> Result<Vec<Ripe>, AccountError> {
        let mut ripe = Vec::new();
        let mut after: Option<Key> = None;
        loop {
            let last = after.as_ref().map(|key| &key.id[..]);
            let some = self.store.scan(now, Space::Request, &[UNDECIDED], last, PAGE).await?;
            for (key, record) in &some {
                let account = account_of(key)?;
                if is_served(account.portal) {
                    ripe.extend(self.taken(now, account, (key, record)).await?);
                }
            }
            if some.len() < PAGE {
                return Ok(ripe);
            }
            after = some.into_iter().next_back().map(|(key, _)| key);
        }
    }

    /// Carries out the user's reset, if it is approved and its time has come. The step that
    /// takes the factor away is the step that writes the request down as done, so that it
    /// happens once. Nothing was done where somebody was quicker, or the user stopped it.
    ///
    /// # Errors
    /// When not all of it is on disk; then it has to be repeated.
    pub async fn carry_out_reset(
        &self,
        now: UnixMillis,
        account: AccountId,
        to: &Addressee<'_>,
    ) -> Result<Option<(ResetRequest, Reset)>, AccountError> {
        let Some(held) = self.undecided(now, account).await? else { return Ok(None) };
        if !held.request.is_ripe(now) {
            return Ok(None);
        }
        let requester = held.request.requester();
        let request = ResetRequest { state: RequestState::Done { at: now }, ..held.request };
        let also = stepped(now, account, &request, (held.version, held.undecided))?;
        match self.reset(now, account, &requester, to, also).await {
            Ok(reset) => Ok(Some((request, reset))),
            Err(AccountError::Store(StoreError::Conflict { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes down that nobody decided the user's request in time. Gives it, or nothing where
    /// there is none, or somebody else was quicker.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn expire_reset(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<ResetRequest>, AccountError> {
        let Some(held) = self.undecided(now, account).await? else { return Ok(None) };
        let state = held.request.state(now);
        if !matches!(state, RequestState::Expired { .. }) {
            return Ok(None);
        }
        let request = ResetRequest { state, ..held.request };
        let mut writes = stepped(now, account, &request, (held.version, held.undecided))?;
        writes.extend(self.news(now, News::ResetExpired, request.about())?);
        match self.store.commit(now, writes).await {
            Ok(_) => Ok(Some(request)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a request whose time has come for half a minute, so that no other gateway does.
    async fn taken(
        &self,
        now: UnixMillis,
        account: AccountId,
        (key, record): (&Key, &Record),
    ) -> Result<Option<Ripe>, AccountError> {
        let Undecided { id, due } = read(&record.value)?;
        if now < due {
            return Ok(None);
        }
        let mine = write(&Undecided { id, due: now.plus(LEASE) })?;
        let take = Write::put(key.clone(), mine, None).expecting(Expect::Is(record.version));
        match self.store.commit(now, vec![take]).await {
            Ok(_) => {}
            Err(StoreError::Conflict { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let request = self.reset_request(now, id).await?;
        Ok(request.map(|request| Ripe { account, request }))
    }
}

fn account_of(key: &Key) -> Result<AccountId, StoreError> {
    let corrupt = || StoreError::Corrupt("a request for a reset is nobody's".to_owned());
    let rest = key.id.strip_prefix(&[UNDECIDED]).ok_or_else(corrupt)?;
    let (portal, sub) = rest.split_first_chunk::<8>().ok_or_else(corrupt)?;
    let sub = <[u8; 16]>::try_from(sub).map_err(|_| corrupt())?;
    Ok(AccountId { portal: PortalTag(*portal), sub: Opaque(sub) })
}
