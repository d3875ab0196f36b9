//! Verification: the attempt is counted first, then judged; what is accepted is spent in the
//! same step that proves the session.

use std::sync::Arc;
use std::time::Duration;

use super::enrol::{step_kept_until, step_key};
use super::record::write;
use super::{AccountError, AccountId, Accounts, FactorRecord, WRONG_CODES, waiting};
use crate::clock::UnixMillis;
use crate::factor::{Typed, read_code};
use crate::notify::{Addressee, Mail, News};
use crate::random;
use crate::session::{FactorUsed, SessionRecord};
use crate::store::{CounterState, Expect, Op, Space, StoreError, Version, Write};
use crate::user::Opaque;

/// No app shows codes of so many digits, so that only the shape of a recovery code is seen.
const NO_DIGITS: u8 = 0;

/// A proof that is on disk.
pub struct Verified {
    /// The session, proven from now on.
    pub session: Arc<SessionRecord>,
    /// What it was proven with.
    pub factor: FactorUsed,
    /// The authenticator whose code it was; nothing for a recovery code.
    pub(super) authenticator: Option<Opaque>,
    /// How many recovery codes are left, where it was one.
    pub recovery_left: Option<usize>,
}

/// Why a code proved nothing.
#[derive(Debug, thiserror::Error)]
pub enum VerifyFault {
    /// It is not right now.
    #[error("the code is wrong, {tries_left} tries left")]
    Wrong {
        /// How many before the user has to wait.
        tries_left: u32,
    },
    /// It was right, and has been used.
    #[error("the code was used already")]
    Used,
    /// It is wrong, and from now on the user has to wait.
    #[error("the code is wrong, and the user has to wait")]
    Locked(Duration),
    /// It is wrong, and from now on only the desk can help.
    #[error("the code is wrong, and the factor is disabled")]
    Disabled,
    /// It was not looked at: so many were wrong that the user has to wait this long, or that
    /// only the desk can help.
    #[error("the code was not looked at, since the user has to wait")]
    HeldBack(Option<Duration>),
    /// There is nothing to verify against.
    #[error("the user has not enrolled")]
    NotEnrolled,
    /// Nothing can be said.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for VerifyFault {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

impl Accounts {
    /// Judges what was typed and, if it is right, spends it and proves the session. Of a
    /// recovery code `to` is told in that step (NIST SP 800-63B-4 section 4.2.1.1).
    ///
    /// # Errors
    /// When nothing was proven. A wrong code is counted, whatever happens next.
    pub async fn verify(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
        to: &Addressee<'_>,
        typed: &str,
    ) -> Result<Verified, VerifyFault> {
        let (record, version) = self.factor(now, account).await?.ok_or(VerifyFault::NotEnrolled)?;
        let counter = self.store.hit(now, &account.key(Space::Counter), WRONG_CODES).await?;
        if !counter.admitted {
            return Err(held_back(now, &counter));
        }
        let proof = match self.totp_proof(now, account, &record, typed)? {
            None => self.recovery_proof(now, account, to, typed).await?,
            proof => proof,
        };
        let Some(proof) = proof else {
            if counter.disabled {
                // The count is a step of its own, and the store keeps it whatever happens here.
                self.tell(now, session, News::FactorDisabled).await?;
            }
            return Err(wrong(now, &counter));
        };
        self.prove(now, account, session, version, proof).await
    }

    fn totp_proof(
        &self,
        now: UnixMillis,
        account: AccountId,
        record: &FactorRecord,
        typed: &str,
    ) -> Result<Option<Proof>, AccountError> {
        for authenticator in &record.authenticators {
            let Typed::Totp(code) = read_code(typed, authenticator.key.digits()) else {
                continue;
            };
            let key = authenticator.key.ready()?;
            if let Some(step) = key.matching_step(&code, now.seconds(), self.totp.skew) {
                let register = step_key(account, authenticator.id);
                return Ok(Some(Proof {
                    factor: FactorUsed::Totp,
                    writes: vec![Write::raise(register, step.start(), step_kept_until(now))],
                    authenticator: Some(authenticator.id),
                    recovery_left: None,
                }));
            }
        }
        Ok(None)
    }

    async fn recovery_proof(
        &self,
        now: UnixMillis,
        account: AccountId,
        to: &Addressee<'_>,
        typed: &str,
    ) -> Result<Option<Proof>, AccountError> {
        let Typed::Recovery(code) = read_code(typed, NO_DIGITS) else {
            return Ok(None);
        };
        let Some((codes, version)) = self.codes(now, account).await? else {
            return Ok(None);
        };
        let pepper = Arc::clone(&self.pepper);
        let Some((rest, _)) = self.hash(move || codes.spend(&code, &pepper[..])).await? else {
            return Ok(None);
        };
        let spend = Write::put(account.key(Space::Recovery), write(&rest)?, None);
        let left = rest.left();
        let mut writes = vec![spend.expecting(Expect::Is(version))];
        let told = Mail::RecoveryCodeUsed { left, at: now };
        writes.extend(self.queued(now, account, to, told).await?);
        Ok(Some(Proof {
            factor: FactorUsed::RecoveryCode,
            writes,
            authenticator: None,
            recovery_left: Some(left),
        }))
    }

    /// One step: the factor is unchanged, the code is spent, the counter starts anew, and the
    /// session is proven under a new name.
    async fn prove(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
        factor_version: Version,
        Proof { factor, mut writes, authenticator, recovery_left }: Proof,
    ) -> Result<Verified, VerifyFault> {
        let fresh = || random::bytes().map(Opaque).map_err(AccountError::from);
        let proven = Arc::new(session.proven(fresh()?, fresh()?, factor, now));
        let unchanged = Expect::Is(factor_version);
        writes.push(Write { key: account.key(Space::Factor), expect: unchanged, op: Op::Check });
        writes.push(Write::delete(account.key(Space::Counter)));
        writes.extend(self.sessions.replacement(now, session, &proven).await?);
        writes.extend(self.nobody_changes(account));
        let _no_reset = self.proofs.read().await;
        match self.store.commit(now, writes).await {
            Ok(versions) => {
                self.sessions.replaced(now, session, &proven, &versions).await;
                Ok(Verified { session: proven, factor, authenticator, recovery_left })
            }
            // Somebody else spent this very code, or the factor or the session is not what
            // it was: in each case this code opens nothing.
            Err(StoreError::Refused { .. } | StoreError::Conflict { .. }) => Err(VerifyFault::Used),
            Err(error) => Err(error.into()),
        }
    }
}

/// A right code: which factor it belongs to, and the writes that spend it.
struct Proof {
    factor: FactorUsed,
    writes: Vec<Write>,
    authenticator: Option<Opaque>,
    recovery_left: Option<usize>,
}

fn held_back(now: UnixMillis, counter: &CounterState) -> VerifyFault {
    VerifyFault::HeldBack(waiting(now, counter).filter(|_| !counter.disabled))
}

/// After a wrong code: what is left, or how long to wait.
fn wrong(now: UnixMillis, counter: &CounterState) -> VerifyFault {
    if counter.disabled {
        return VerifyFault::Disabled;
    }
    match waiting(now, counter) {
        Some(wait) => VerifyFault::Locked(wait),
        None => {
            VerifyFault::Wrong { tries_left: WRONG_CODES.free.saturating_sub(counter.failures) }
        }
    }
}
