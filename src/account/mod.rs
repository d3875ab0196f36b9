//! One user's second factor at one portal, as a story: enrol, verify, recover. The only
//! writer of what it is made of. Whatever is told to a user was on disk before.

mod authenticators;
mod census;
mod change;
mod codes;
mod devices;
mod enrol;
mod guard;
mod guard_code;
mod invite;
mod mailed_code;
mod person;
mod record;
pub mod requester;
pub mod requests;
mod reset;
pub mod rollout;
mod roster;
mod sight;
mod verify;
pub mod voucher;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{RwLock, Semaphore};
use zeroize::Zeroizing;

use crate::clock::UnixMillis;
use crate::config::TotpParameters;
use crate::factor::{recovery, totp};
use crate::notify::{Addressee, Mail, News, NotifyError, Post};
use crate::policy::Standing;
use crate::random::NoRandomness;
use crate::session::{SessionRecord, Sessions};
use crate::store::{CounterRule, CounterState, Key, Space, Store, StoreError, Write};
use crate::user::{Opaque, UserName};

pub use authenticators::NewPhone;
pub use change::{ChangeFault, Changing, FRESH_PROOF, MOST_AUTHENTICATORS};
pub use devices::{Device, DeviceSecret, Looks, MOST_DEVICES, Presented, Remembered, Taken};
pub use enrol::{Confirmed, EnrolFault, Enrolling, Offer};
pub use guard::{AdmitFault, Gate, Need, Waits};
pub use invite::{Invitation, InviteFault};
pub use mailed_code::MailFault;
pub use record::{Authenticator, FactorRecord};
pub use reset::{Reset, UnlockFault};
pub use roster::{Member, Roster, State};
pub use sight::{Mark, Sight};
pub use verify::{Verified, VerifyFault};

/// How wrong codes are slowed down (NIST SP 800-63B-4 section 3.2.2): five are free, then
/// 30 seconds, doubling up to an hour; after fifty only the desk can help.
pub const WRONG_CODES: CounterRule = CounterRule {
    free: 5,
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_secs(3600),
    cap: 50,
};

/// Hashing recovery codes is slow on purpose: this many at a time, the others wait.
const HASHERS: usize = 2;

/// Whose account: a portal and a user of it, both opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountId {
    /// The portal.
    pub portal: PortalTag,
    /// The user.
    pub sub: Opaque,
}

/// Eight bytes that stand for a portal at the head of its keys, so that a portal's records
/// lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortalTag(pub [u8; 8]);

impl AccountId {
    fn key(self, space: Space) -> Key {
        Key::new(space, [&self.portal.0[..], &self.sub.0[..]].concat())
    }

    fn key_for(self, space: Space, purpose: &[u8]) -> Key {
        Key::new(space, [&self.portal.0[..], &self.sub.0[..], purpose].concat())
    }

    fn key_with(self, space: Space, purpose: &[u8], third: Opaque) -> Key {
        Key::new(space, [&self.portal.0[..], &self.sub.0[..], purpose, &third.0[..]].concat())
    }
}

/// Why an account could not be read or written. Each kind refuses the request.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing secret can be made.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// An authenticator's parameters make no key.
    #[error(transparent)]
    Key(#[from] totp::KeyError),
    /// The user cannot be told.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// Recovery codes could not be hashed.
    #[error(transparent)]
    Hash(#[from] recovery::HashError),
    /// A task of ours ended before its work.
    #[error("the work on a recovery code was broken off")]
    BrokenOff,
}

/// The accounts of all portals.
pub struct Accounts {
    store: Arc<dyn Store>,
    sessions: Arc<Sessions>,
    totp: TotpParameters,
    recovery_codes: usize,
    pepper: Arc<Zeroizing<[u8; 32]>>,
    hashers: Arc<Semaphore>,
    /// Shared by whoever proves a session, held alone by a reset and by a user who changes the
    /// factor: what stands on a factor is written before it goes, and then ended with it, or
    /// never. Where gateways share the store, a turn there does the same among them.
    proofs: Arc<RwLock<()>>,
    post: Option<Arc<Post>>,
}

impl Accounts {
    /// Accounts in `store`. `pepper` goes into every hash of a recovery code and is kept
    /// outside the store.
    pub fn new(
        store: Arc<dyn Store>,
        sessions: Arc<Sessions>,
        totp: TotpParameters,
        recovery_codes: usize,
        pepper: Zeroizing<[u8; 32]>,
    ) -> Self {
        let hashers = Arc::new(Semaphore::new(HASHERS));
        let (pepper, proofs) = (Arc::new(pepper), Arc::default());
        Self { store, sessions, totp, recovery_codes, pepper, hashers, proofs, post: None }
    }

    /// Tells users by mail what happens to their account, where there is somebody to do it.
    pub fn telling(self, post: Option<Arc<Post>>) -> Self {
        Self { post, ..self }
    }

    /// The same accounts, with other parameters for what is made from now on.
    pub fn with(&self, totp: TotpParameters, recovery_codes: usize) -> Self {
        Self {
            store: Arc::clone(&self.store),
            sessions: Arc::clone(&self.sessions),
            totp,
            recovery_codes,
            pepper: Arc::clone(&self.pepper),
            hashers: Arc::clone(&self.hashers),
            proofs: Arc::clone(&self.proofs),
            post: self.post.clone(),
        }
    }

    /// How a user who gave only the password stands.
    ///
    /// # Errors
    /// When the store is in doubt: then nobody can say.
    pub async fn standing(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Standing, AccountError> {
        if self.factor(now, account).await?.is_none() {
            return Ok(Standing::NotEnrolled);
        }
        let counter = self.store.counter(now, &account.key(Space::Counter)).await?;
        Ok(match waiting(now, &counter) {
            _ if counter.disabled => Standing::Disabled,
            Some(wait) => Standing::Locked(wait),
            None => Standing::Enrolled,
        })
    }

    /// The user's authenticators, where there are any.
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn authenticators(
        &self,
        now: UnixMillis,
        account: AccountId,
    ) -> Result<Option<FactorRecord>, AccountError> {
        Ok(self.factor(now, account).await?.map(|(record, _)| record))
    }

    /// Whether users are told by mail.
    fn mails(&self) -> bool {
        self.post.as_ref().is_some_and(|post| post.mails())
    }

    /// The writes that let a mail wait in the user's language, where there is somebody to send
    /// it. They belong into the transaction that does what the mail tells of.
    async fn queued(
        &self,
        now: UnixMillis,
        account: AccountId,
        to: &Addressee<'_>,
        mail: Mail,
    ) -> Result<Vec<Write>, AccountError> {
        let to = self.spoken_to(now, account, to).await?;
        self.mail_to(now, &to, mail)
    }

    /// The user as `to` has it, with the language to write in.
    async fn spoken_to<'a>(
        &self,
        now: UnixMillis,
        account: AccountId,
        to: &Addressee<'a>,
    ) -> Result<Addressee<'a>, AccountError> {
        let sight = self.sight(now, account).await?;
        Ok(Addressee { language: sight.and_then(|sight| sight.language), ..*to })
    }

    /// The writes that let a mail wait in the language of `to`.
    fn mail_to(
        &self,
        now: UnixMillis,
        to: &Addressee<'_>,
        mail: Mail,
    ) -> Result<Vec<Write>, AccountError> {
        let Some(post) = &self.post else { return Ok(Vec::new()) };
        Ok(post.queued(now, to, mail)?)
    }

    /// The writes that tell another system, where there is one, of what happened to a user. They
    /// belong into the transaction that does it.
    fn news(
        &self,
        now: UnixMillis,
        news: News,
        about: (&str, &UserName),
    ) -> Result<Vec<Write>, AccountError> {
        let Some(post) = &self.post else { return Ok(Vec::new()) };
        let (portal, user) = about;
        Ok(post.told(now, news, Some((portal, user.as_str())))?)
    }

    /// Tells another system of what happened to the user of `session` outside of a transaction.
    async fn tell(
        &self,
        now: UnixMillis,
        session: &SessionRecord,
        news: News,
    ) -> Result<(), AccountError> {
        let Some(post) = &self.post else { return Ok(()) };
        let about = Some((session.portal.as_str(), session.user.as_str()));
        Ok(post.tell(&*self.store, now, news, about).await?)
    }
}

/// How long a locked user still has to wait.
fn waiting(now: UnixMillis, counter: &CounterState) -> Option<Duration> {
    counter.locked_until.filter(|until| *until > now).map(|until| until.since(now))
}

#[cfg(test)]
mod tests;
