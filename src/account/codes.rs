//! Recovery codes in the store, and the one time they are shown.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::change::{Change, Ends};
use super::enrol::OFFER_LIFETIME;
use super::record::{read, write};
use super::{AccountError, AccountId, Accounts, ChangeFault, Changing};
use crate::clock::UnixMillis;
use crate::factor::recovery::{Code, HashedCodes, SALT_BYTES};
use crate::notify::Mail;
use crate::random;
use crate::session::SessionRecord;
use crate::store::{Expect, Space, StoreError, Version, Write};

impl Accounts {
    /// How many recovery codes the user has left.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn recovery_codes_left(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<usize, AccountError> {
        Ok(self.codes(now, account).await?.map_or(0, |(codes, _)| codes.left()))
    }

    /// The codes just made for this session, once: afterwards they are gone for good.
    ///
    /// # Errors
    /// When the store is in doubt. Then they were not shown.
    pub async fn take_new_codes(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
    ) -> Result<Option<Vec<String>>, AccountError> {
        let key = account.key_with(Space::Pending, CODES, session.sid);
        let Some(found) = self.store.get(now, &key).await? else {
            return Ok(None);
        };
        let delete = Write::delete(key).expecting(Expect::Is(found.version));
        match self.store.commit(now, vec![delete]).await {
            Ok(_) => Ok(Some(read(&found.value)?)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes new recovery codes, which are kept in clear until they were shown to this session
    /// (see [`Accounts::take_new_codes`]); the old ones end in the same step. Gives how many.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn renew_codes(
        &self,
        now: UnixMillis,
        who: &Changing<'_>,
    ) -> Result<usize, ChangeFault> {
        let old = self.codes(now, who.account).await?;
        let expected = old.map_or(Expect::Absent, |(_, version)| Expect::Is(version));
        // This is slow on purpose, and nobody has to wait for it.
        let (shown, hashed) = self.make_codes(who.account).await?;
        let alone = self.alone(who.account).await?;
        let until = now.plus(OFFER_LIFETIME);
        let writes = vec![
            hashed.expecting(expected),
            Self::keep_until_shown(who.account, who.session, &shown, until)?,
        ];
        let told = Mail::RecoveryCodesMade { at: now };
        let change = Change { writes, ends: Ends::OtherSessions, told };
        self.carry_out(now, who, change, alone).await?;
        Ok(shown.len())
    }

    pub(super) async fn codes(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<(HashedCodes, Version)>, AccountError> {
        let Some(found) = self.store.get(now, &account.key(Space::Recovery)).await? else {
            return Ok(None);
        };
        Ok(Some((read(&found.value)?, found.version)))
    }

    /// New codes, and the write that keeps their hashes.
    pub(super) async fn make_codes(
        &self,
        account: AccountId,
    ) -> Result<(Vec<String>, Write), AccountError> {
        let mut codes = Vec::with_capacity(self.recovery_codes);
        for _ in 0..self.recovery_codes {
            codes.push(Code::from_random(random::bytes()?));
        }
        let shown = codes.iter().map(Code::shown).collect();
        let salt = random::bytes::<SALT_BYTES>()?;
        let pepper = Arc::clone(&self.pepper);
        let hashed = self.hash(move || HashedCodes::new(&codes, salt, &pepper[..])).await?;
        Ok((shown, Write::put(account.key(Space::Recovery), write(&hashed)?, None)))
    }

    /// The write that keeps codes until they were shown to this session.
    pub(super) fn keep_until_shown(
        account: AccountId,
        session: &SessionRecord,
        shown: &[String],
        until: UnixMillis,
    ) -> Result<Write, StoreError> {
        let value = Zeroizing::new(write(&shown)?);
        let key = account.key_with(Space::Pending, CODES, session.sid);
        Ok(Write::put(key, value.to_vec(), Some(until)))
    }

    /// Does slow work on a thread that serves no requests, a few at a time.
    pub(super) async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, crate::factor::recovery::HashError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let _turn = self.hashers.acquire().await.map_err(|_| AccountError::BrokenOff)?;
        let done = tokio::task::spawn_blocking(work).await;
        Ok(done.map_err(|_| AccountError::BrokenOff)??)
    }
}

const CODES: &[u8] = b"codes";
