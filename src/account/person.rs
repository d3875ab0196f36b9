//! The people of the desk's console, as far as their accounts differ from those of users. Wrong
//! passwords are counted as wrong codes are, apart from them, so that who knows a password and
//! no code, or the reverse, has no more tries than anybody.

use std::time::Duration;

use super::requester::{Channel, Requester};
use super::{AccountError, AccountId, Accounts, Reset, WRONG_CODES};
use crate::clock::UnixMillis;
use crate::notify::Addressee;
use crate::store::{CounterRule, CounterState, Key, Space, Write};
use crate::user::UserName;

const PASSWORD: &[u8] = b"password";

/// Names that nobody has cost as much as those that somebody has, and lock nobody.
const NOBODYS: CounterRule = CounterRule {
    free: u32::MAX,
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
    cap: u32::MAX,
};

impl Accounts {
    /// Counts an attempt before its password is looked at; one that is not admitted proves
    /// nothing, whatever the password.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn password_attempt(
        &self,
        now: UnixMillis,
        account: AccountId,
        is_somebodys: bool,
    ) -> Result<CounterState, AccountError> {
        let rule = if is_somebodys { WRONG_CODES } else { NOBODYS };
        Ok(self.store.hit(now, &key(account), rule).await?)
    }

    /// How the attempts of somebody stand.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn password_attempts(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<CounterState, AccountError> {
        Ok(self.store.counter(now, &key(account)).await?)
    }

    /// Takes away a person's factor with everything that stands in for it, and ends every
    /// session, on the word of an administrator. Wrong passwords are forgotten.
    ///
    /// # Errors
    /// When not all of it is on disk; then it has to be repeated.
    pub async fn reset_person(
        &self,
        now: UnixMillis,
        account: AccountId,
        user: &UserName,
    ) -> Result<Reset, AccountError> {
        // Nobody is told by mail: people of the desk have no address here.
        let to = Addressee { user, portal: "", host: "", email: None, language: None };
        let by = Requester::judged(Channel::AccountManager);
        self.reset(now, account, &by, &to, vec![Write::delete(key(account))]).await
    }

    /// Forgets the attempts: the password was right, or an administrator says so.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn forget_password_attempts(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<(), AccountError> {
        self.store.commit(now, vec![Write::delete(key(account))]).await?;
        Ok(())
    }
}

fn key(account: AccountId) -> Key {
    account.key_for(Space::Counter, PASSWORD)
}
