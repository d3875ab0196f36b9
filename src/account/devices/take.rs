//! A remembered device stands in for a code: its secret is exchanged for the next one in the
//! same step that proves the session. A secret that was exchanged before is a copy.

use std::sync::Arc;
use std::time::Duration;

use super::record::{DeviceRecord, Match, Replaced, read_device, write_device};
use super::{
    AccountError, AccountId, Accounts, Presented, Remembered, device_key, fresh, unchanged_factor,
};
use crate::clock::UnixMillis;
use crate::notify::Mail;
use crate::session::{FactorUsed, Level, SessionRecord};
use crate::store::{Expect, Op, StoreError, Version, Write};
use crate::user::Opaque;

/// How often it is tried again while others change the same device or session.
const ROUNDS: usize = 8;

/// What came of a secret that a browser showed in place of a code.
pub enum Taken {
    /// The session is proven, and that is on disk.
    Proven {
        /// The session from now on.
        session: Arc<SessionRecord>,
        /// What the browser is to keep from now on; nothing where another tab just got it.
        next: Option<Remembered>,
    },
    /// It is of no device of this user that counts; nothing was changed.
    Nothing,
    /// Somebody has a copy of it, or had one. The device and every session that it proved
    /// have ended.
    Copied {
        /// The session that showed it, with the password alone again, where the device had
        /// proven that too.
        instead: Option<Arc<SessionRecord>>,
    },
}

/// A device as it was read.
struct Found {
    record: DeviceRecord,
    version: Version,
    factor_version: Version,
    left: Duration,
}

impl Accounts {
    /// Proves `session` by the device whose secret was `presented`, if it is one of this very user's
    /// and has not outlived `lifetime`. This is no fresh proof
    /// ([`FactorUsed::is_fresh_proof`]): whoever needs one asks for a code all the same.
    ///
    /// # Errors
    /// When the store is in doubt; then nothing was proven.
    pub async fn take_device(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
        presented: &Presented<'_>,
        lifetime: Duration,
    ) -> Result<Taken, AccountError> {
        let secret = presented.secret;
        for _ in 0..ROUNDS {
            let Some(found) = self.counting(now, account, secret.series(), lifetime).await? else {
                return Ok(Taken::Nothing);
            };
            let taken = match found.record.judge(now, secret) {
                Match::Present => self.exchange(now, account, session, presented, found).await,
                Match::JustReplaced => {
                    self.join(now, account, session, secret.series(), &found).await
                }
                Match::Copy => self.end_copied(now, account, session, presented, &found).await,
            };
            match taken {
                // Another tab was first: what it left is judged anew.
                Err(AccountError::Store(StoreError::Conflict { .. })) => {}
                taken => return taken,
            }
        }
        Ok(Taken::Nothing)
    }

    /// The device as it is kept, if it still counts.
    async fn counting(
        &self,
        now: UnixMillis,
        account: AccountId,
        series: Opaque,
        lifetime: Duration,
    ) -> Result<Option<Found>, AccountError> {
        let Some((factor, factor_version)) = self.factor(now, account).await? else {
            return Ok(None);
        };
        let Some(kept) = self.store.get(now, &device_key(account, series)).await? else {
            return Ok(None);
        };
        let record = read_device(&kept.value)?;
        let version = kept.version;
        let left = record.left(now, lifetime).filter(|_| factor.has(record.authenticator));
        Ok(left.map(|left| Found { record, version, factor_version, left }))
    }

    /// The present secret goes, the next one comes, the session is proven: all or nothing.
    async fn exchange(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
        Presented { secret, looks, .. }: &Presented<'_>,
        found: Found,
    ) -> Result<Taken, AccountError> {
        let next = secret.next()?;
        let record = DeviceRecord {
            token: next.hash(),
            before: Some(Replaced { token: found.record.token, at: now }),
            used: now,
            browser: looks.browser.clone(),
            network: looks.network.clone(),
            ..found.record
        };
        let put = write_device(account, secret.series(), &record)?;
        let writes = vec![
            put.expecting(Expect::Is(found.version)),
            unchanged_factor(account, found.factor_version),
        ];
        let session = self.prove_with(now, (account, session), secret.series(), writes).await?;
        let next = Remembered { secret: next, for_how_long: found.left };
        Ok(Taken::Proven { session, next: Some(next) })
    }

    /// A tab that comes a moment after another one: it gets in with what that one left, and
    /// the secret stays as the other one got it.
    async fn join(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
        series: Opaque,
        found: &Found,
    ) -> Result<Taken, AccountError> {
        let unchanged = Write {
            key: device_key(account, series),
            expect: Expect::Is(found.version),
            op: Op::Check,
        };
        let writes = vec![unchanged, unchanged_factor(account, found.factor_version)];
        let session = match self.prove_with(now, (account, session), series, writes).await {
            Err(AccountError::Store(StoreError::Conflict { index })) => {
                let there = self.sessions.look(now, session.bind).await?;
                let same = |there: &Arc<SessionRecord>| {
                    there.root == session.root && proven_by(there, series)
                };
                there.filter(same).ok_or(StoreError::Conflict { index })?
            }
            proven => proven?,
        };
        Ok(Taken::Proven { session, next: None })
    }

    async fn prove_with(
        &self,
        now: UnixMillis,
        (account, session): (AccountId, &SessionRecord),
        series: Opaque,
        mut writes: Vec<Write>,
    ) -> Result<Arc<SessionRecord>, AccountError> {
        let factor = FactorUsed::Device { series };
        let proven = Arc::new(session.proven(fresh()?, fresh()?, factor, now));
        writes.extend(self.sessions.replacement(now, session, &proven).await?);
        writes.extend(self.nobody_changes(account));
        let _no_reset = self.proofs.read().await;
        let versions = self.store.commit(now, writes).await?;
        self.sessions.replaced(now, session, &proven, &versions).await;
        Ok(proven)
    }

    /// Ends what a copied device opened, then the device: if it went first and the rest
    /// failed, nothing would tell of the copy any more. Of several that find out at once, one
    /// ends the device and says so, and in the same step the owner is told.
    async fn end_copied(
        &self,
        now: UnixMillis,
        account: AccountId,
        session: &SessionRecord,
        Presented { secret, owner, .. }: &Presented<'_>,
        found: &Found,
    ) -> Result<Taken, AccountError> {
        let mut instead = None;
        for record in self.sessions.of_user(now, account.sub).await? {
            if !proven_by(&record, secret.series()) {
                continue;
            }
            if record.sid == session.sid {
                instead = Some(self.unprove(now, &record).await?);
            } else {
                self.sessions.end(now, &record).await?;
            }
        }
        let end = Write::delete(device_key(account, secret.series()));
        let mut writes = vec![end.expecting(Expect::Is(found.version))];
        writes.extend(self.queued(now, account, owner, Mail::DeviceAlarm { at: now }).await?);
        self.store.commit(now, writes).await?;
        Ok(Taken::Copied { instead })
    }

    /// Leaves a session with the password alone.
    async fn unprove(
        &self,
        now: UnixMillis,
        record: &SessionRecord,
    ) -> Result<Arc<SessionRecord>, AccountError> {
        let with_password =
            SessionRecord { sid: fresh()?, level: Level::Password, ..record.clone() };
        let with_password = Arc::new(with_password);
        let writes = self.sessions.replacement(now, record, &with_password).await?;
        let versions = self.store.commit(now, writes).await?;
        self.sessions.replaced(now, record, &with_password, &versions).await;
        Ok(with_password)
    }
}

fn proven_by(session: &SessionRecord, device: Opaque) -> bool {
    match session.level {
        Level::Proven { factor: FactorUsed::Device { series }, .. } => series == device,
        Level::Proven { .. } | Level::Password | Level::Ended => false,
    }
}
