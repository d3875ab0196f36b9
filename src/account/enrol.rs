//! Enrolment: a secret is offered to one session, for minutes; a right code makes it the
//! user's authenticator. Only who has none yet can enrol this way.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::guard::Need;
use super::record::{Authenticator, FactorRecord, StoredKey, read, write};
use super::{AccountError, AccountId, Accounts};
use crate::clock::UnixMillis;
use crate::config::Enrolment;
use crate::factor::totp::{self, SECRET_BYTES};
use crate::factor::{Typed, read_code};
use crate::notify::{Addressee, Mail};
use crate::random;
use crate::session::{FactorUsed, SessionRecord};
use crate::store::{Expect, Key, MAX_WRITES, Space, StoreError, Write};
use crate::user::Opaque;

/// How long an offered secret can be confirmed.
pub(super) const OFFER_LIFETIME: Duration = Duration::from_secs(600);
/// How long after its step a spent code is remembered; the register keeps far longer than
/// any code lives.
const STEP_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);
/// The longest label, in characters.
const LONGEST_LABEL: usize = 40;
/// What a phone is called whose user gave it no name.
pub(super) const DEFAULT_LABEL: &str = "Authenticator app";
const OFFER: &[u8] = b"offer";

/// Somebody who gave the password and wants to enrol.
#[derive(Clone, Copy)]
pub struct Enrolling<'a> {
    /// Whose account it becomes.
    pub account: AccountId,
    /// The session that becomes proven.
    pub session: &'a SessionRecord,
    /// What the portal asks for beside the password.
    pub rules: &'a Enrolment,
    /// Who is told.
    pub to: Addressee<'a>,
}

/// What the enrolment page shows.
pub struct Offer {
    /// The `otpauth` link.
    pub link: Zeroizing<String>,
    /// The secret in groups of four.
    pub groups: Vec<String>,
    /// Whether it was made just now.
    pub is_new: bool,
}

/// An enrolment that is on disk.
pub struct Confirmed {
    /// The session, proven from now on.
    pub session: Arc<SessionRecord>,
    /// What the authenticator is called.
    pub label: String,
    /// How many recovery codes were made.
    pub codes: usize,
}

/// Why an enrolment did not come about.
#[derive(Debug, thiserror::Error)]
pub enum EnrolFault {
    /// The code is not the one that the offered secret gives now.
    #[error("the code is wrong")]
    WrongCode,
    /// There is no offer for this session, or it is too old.
    #[error("the offer has expired")]
    NoOffer,
    /// The user has an authenticator already.
    #[error("the user has enrolled already")]
    AlreadyEnrolled,
    /// A code is needed first, which this session has not shown.
    #[error("the enrolment is guarded")]
    Guarded,
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for EnrolFault {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredOffer {
    id: Opaque,
    key: StoredKey,
}

impl Accounts {
    /// Offers a secret to this session. The same one until it is confirmed or too old, so
    /// that a page shown again fits what was scanned.
    ///
    /// # Errors
    /// [`EnrolFault::AlreadyEnrolled`], [`EnrolFault::Guarded`], or when the store is in doubt.
    pub async fn offer(&self, now: UnixMillis, who: &Enrolling<'_>) -> Result<Offer, EnrolFault> {
        let Enrolling { account, session, .. } = *who;
        if self.factor(now, account).await?.is_some() {
            return Err(EnrolFault::AlreadyEnrolled);
        }
        self.let_through(now, who).await?;
        let (secret, is_new) = match self.offered(now, account, session).await? {
            Some(offer) => (offer.key.secret(), false),
            None => (self.make_offer(now, account, session).await?, true),
        };
        let link = totp::link(&secret, &self.totp, session.user.as_str());
        let link = link.map_err(AccountError::from)?;
        Ok(Offer { link, groups: totp::groups(&secret), is_new })
    }

    /// Makes the offered secret the user's authenticator if `typed` is its code now. The
    /// code is spent by that, what guarded the enrolment is used up, the session is proven, and
    /// the user is told, in one step.
    ///
    /// # Errors
    /// When it did not come about; then nothing has changed.
    pub async fn confirm(
        &self,
        now: UnixMillis,
        who: &Enrolling<'_>,
        typed: &str,
        label: &str,
    ) -> Result<Confirmed, EnrolFault> {
        let Enrolling { account, session, .. } = *who;
        if self.factor(now, account).await?.is_some() {
            return Err(EnrolFault::AlreadyEnrolled);
        }
        let toll = self.let_through(now, who).await?;
        let offer = self.offered(now, account, session).await?.ok_or(EnrolFault::NoOffer)?;
        let Typed::Totp(code) = read_code(typed, offer.key.digits()) else {
            return Err(EnrolFault::WrongCode);
        };
        let key = offer.key.ready().map_err(AccountError::from)?;
        let step =
            key.matching_step(&code, now.seconds(), self.totp.skew).ok_or(EnrolFault::WrongCode)?;
        let fresh = || random::bytes().map(Opaque).map_err(AccountError::from);
        let proven = Arc::new(session.proven(fresh()?, fresh()?, FactorUsed::Totp, now));
        let mut writes = self.enrolment(now, account, session, &proven, &offer, label).await?;
        writes.push(Write::raise(step_key(account, offer.id), step.start(), now.plus(STEP_KEPT)));
        let told = Mail::Enrolled { label: first_label(label), at: now };
        writes.extend(self.queued(now, account, &who.to, told).await?);
        writes.extend(toll);
        writes.extend(self.nobody_changes(account));
        leave_nothing_behind(&mut writes, account, session);
        let _no_reset = self.proofs.read().await;
        match self.store.commit(now, writes).await {
            Ok(versions) => {
                self.sessions.replaced(now, session, &proven, &versions).await;
                Ok(Confirmed {
                    session: proven,
                    label: first_label(label),
                    codes: self.recovery_codes,
                })
            }
            Err(StoreError::Conflict { .. }) => Err(EnrolFault::AlreadyEnrolled),
            Err(StoreError::Refused { .. }) => Err(EnrolFault::WrongCode),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets through who needs no code or has shown one, with the write that uses it up.
    async fn let_through(
        &self,
        now: UnixMillis,
        who: &Enrolling<'_>,
    ) -> Result<Option<Write>, EnrolFault> {
        let need = self.need(now, who).await?;
        if need == Need::Nothing {
            return Ok(None);
        }
        let toll = self.toll(now, who, need).await?;
        toll.map(Some).ok_or(EnrolFault::Guarded)
    }

    /// The writes that an enrolment consists of: the authenticator, where there is none; the
    /// recovery codes, hashed, and in clear until they were shown; the proven session.
    async fn enrolment(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
        proven: &SessionRecord,
        offer: &StoredOffer,
        label: &str,
    ) -> Result<Vec<Write>, AccountError> {
        let authenticator = Authenticator {
            id: offer.id,
            label: first_label(label),
            added: now,
            key: offer.key.clone(),
        };
        let record =
            FactorRecord { user: proven.user.clone(), authenticators: vec![authenticator] };
        let (shown, hashed) = self.make_codes(account).await?;
        let factor = Write::put(account.key(Space::Factor), write(&record)?, None);
        let mut writes = vec![
            factor.expecting(Expect::Absent),
            hashed,
            Self::keep_until_shown(account, proven, &shown, now.plus(OFFER_LIFETIME))?,
        ];
        writes.extend(self.sessions.replacement(now, session, proven).await?);
        Ok(writes)
    }

    async fn offered(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
    ) -> Result<Option<StoredOffer>, AccountError> {
        let found = self.store.get(now, &offer_key(account, session)).await?;
        Ok(found.map(|record| read(&record.value)).transpose()?)
    }

    async fn make_offer(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
    ) -> Result<Zeroizing<Vec<u8>>, AccountError> {
        let secret = Zeroizing::new(random::bytes::<SECRET_BYTES>()?);
        let key = StoredKey::new(&secret[..], &self.totp);
        let offer = StoredOffer { id: Opaque(random::bytes()?), key };
        let until = Some(now.plus(OFFER_LIFETIME));
        let put = Write::put(offer_key(account, session), write(&offer)?, until);
        self.store.commit(now, vec![put]).await?;
        Ok(offer.key.secret())
    }
}

/// Adds what is better gone, as far as there is room: a portal with many cookies leaves little.
/// Wrong codes were forgiven when the code that guarded the enrolment was taken, and without a
/// guard there is always room for that; an unused invitation is worth nothing to who has
/// enrolled, and expires; nobody can use the offer any more, as its session has another name
/// from now on.
fn leave_nothing_behind(writes: &mut Vec<Write>, account: AccountId, session: &SessionRecord) {
    let leftovers =
        [account.key(Space::Counter), account.key(Space::Invite), offer_key(account, session)];
    for key in leftovers {
        if writes.len() < MAX_WRITES && writes.iter().all(|write| write.key != key) {
            writes.push(Write::delete(key));
        }
    }
}

/// The register that says which codes of an authenticator are spent.
pub(super) fn step_key(account: AccountId, authenticator: Opaque) -> Key {
    account.key_with(Space::Step, b"step", authenticator)
}

/// How long a register is kept.
pub(super) fn step_kept_until(now: UnixMillis) -> UnixMillis {
    now.plus(STEP_KEPT)
}

fn offer_key(account: AccountId, session: &SessionRecord) -> Key {
    account.key_with(Space::Pending, OFFER, session.sid)
}

fn first_label(typed: &str) -> String {
    label_of(typed).unwrap_or_else(|| DEFAULT_LABEL.to_owned())
}

/// What the user calls the phone: printable and short, or nothing.
pub(super) fn label_of(typed: &str) -> Option<String> {
    let printable = typed.chars().filter(|sign| !sign.is_control());
    let label: String = printable.take(LONGEST_LABEL).collect();
    Some(label.trim().to_owned()).filter(|label| !label.is_empty())
}
