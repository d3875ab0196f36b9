//! A code sent to the user's own address, when the user asks for it. Whoever has the password
//! can ask too, so there are few of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::enrol::Enrolling;
use super::guard::{Kept, Need, Waits, waits};
use super::guard_code::{GuardCode, Origin};
use super::record::{read, write};
use super::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::notify::Mail;
use crate::random;
use crate::store::{Expect, Key, Op, Space, StoreError, Version, Write};
use crate::user::Opaque;

/// How long a mailed code holds.
const LIFETIME: Duration = Duration::from_secs(600);
/// The least time between two mails.
const BETWEEN: Duration = Duration::from_secs(60);
/// How many mails there are within [`WINDOW`].
const MOST: usize = 5;
const WINDOW: Duration = Duration::from_secs(3600);
const MAIL: &[u8] = b"mail";

/// Why no code was mailed.
#[derive(Debug, thiserror::Error)]
pub enum MailFault {
    /// None is needed, or it would not be enough.
    #[error("a mailed code does not help here")]
    NotHere,
    /// Nobody knows where the user gets mail.
    #[error("the user has no address")]
    NoAddress,
    /// There were enough for now.
    #[error("the next mail has to wait")]
    TooSoon(Duration),
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for MailFault {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

/// The last code, and when there were mails.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mailed {
    id: Opaque,
    hash: [u8; 32],
    until: UnixMillis,
    /// Whether it was used, and is worth nothing.
    used: bool,
    sent: Vec<UnixMillis>,
}

impl Accounts {
    /// Mails a new code to the user, in the step that keeps its hash. An earlier one is worth
    /// nothing from then on.
    ///
    /// # Errors
    /// When no mail will be sent.
    pub async fn mail_code(&self, now: UnixMillis, who: &Enrolling<'_>) -> Result<(), MailFault> {
        let is_enrolled = self.factor(now, who.account).await?.is_some();
        if is_enrolled || self.need(now, who).await? != Need::MailedCode {
            return Err(MailFault::NotHere);
        }
        let counter = self.store.counter(now, &who.account.key(Space::Counter)).await?;
        if waits(now, &counter) != Waits::No {
            return Err(MailFault::NotHere);
        }
        if !self.mails() || who.to.address().is_none() {
            return Err(MailFault::NoAddress);
        }
        let before = self.mailed(now, who.account).await?;
        let expect = before.as_ref().map_or(Expect::Absent, |(_, version)| Expect::Is(*version));
        let mut sent = before.map(|(mailed, _)| mailed.sent).unwrap_or_default();
        sent.retain(|at| now < at.plus(WINDOW));
        if let Some(wait) = wait(&sent, now) {
            return Err(MailFault::TooSoon(wait));
        }
        sent.push(now);
        let code = GuardCode::draw(Origin::Mail)?;
        let mailed = Mailed {
            id: Opaque(random::bytes().map_err(AccountError::from)?),
            hash: self.guard_hash(who.account, &code),
            until: now.plus(LIFETIME),
            used: false,
            sent,
        };
        let key = mail_key(who.account);
        let put = Write::put(key, write(&mailed)?, Some(now.plus(WINDOW))).expecting(expect);
        let mail = Mail::Code { code: code.shown().to_string(), minutes: LIFETIME.as_secs() / 60 };
        let queued = self.queued(now, who.account, &who.to, mail).await?;
        match self.store.commit(now, [vec![put], queued].concat()).await {
            Ok(_) => Ok(()),
            // Somebody asked at the same moment, and one mail is enough.
            Err(StoreError::Conflict { .. }) => Err(MailFault::TooSoon(BETWEEN)),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn kept_mailed_code(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<Kept>, AccountError> {
        let Some((mailed, version)) = self.mailed(now, account).await? else { return Ok(None) };
        if mailed.used {
            return Ok(None);
        }
        let Mailed { id, hash, until, .. } = mailed;
        let expires_at = mailed.sent.last().map(|last| last.plus(WINDOW));
        // How many mails there were is remembered all the same.
        let value = write(&Mailed { used: true, ..mailed })?.into();
        let used = Op::Put { value, expires_at };
        Ok(Some(Kept { id, hash, until, key: mail_key(account), version, used }))
    }

    async fn mailed(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<(Mailed, Version)>, AccountError> {
        let Some(found) = self.store.get(now, &mail_key(account)).await? else { return Ok(None) };
        Ok(Some((read(&found.value)?, found.version)))
    }
}

/// How long the next mail has to wait, after those of the last while.
fn wait(sent: &[UnixMillis], now: UnixMillis) -> Option<Duration> {
    let last = sent.last().map(|last| last.plus(BETWEEN));
    let oldest = sent.len().checked_sub(MOST).and_then(|index| sent.get(index));
    let enough = oldest.map(|oldest| oldest.plus(WINDOW));
    let until = last.into_iter().chain(enough).max()?;
    (now < until).then(|| until.since(now))
}

fn mail_key(account: AccountId) -> Key {
    account.key_for(Space::Pending, MAIL)
}
