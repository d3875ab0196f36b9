//! The mails that wait, in the store. A mail is queued by the transaction that did what it
//! tells of, so that neither is without the other; it is gone when the server has taken it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Addressee, Mail, NotifyError, letters};
use crate::clock::UnixMillis;
use crate::net::email::EmailAddress;
use crate::random;
use crate::store::{Expect, Key, Record, Space, Store, StoreError, Version, Write};
use crate::telemetry::label::MailOutcome;
use crate::telemetry::metrics::Metrics;

/// How long the server may be down before a mail is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);
/// How much longer a record is kept, should no worker come to give it up.
const LEFT_OVER: Duration = Duration::from_secs(27 * 24 * 3600);
/// How many mails are read from the store at once.
const PAGE: usize = 1000;

/// Takes mails. The rest of the house only sees this.
pub struct Post {
    metrics: Arc<Metrics>,
}

impl Post {
    /// A place where mails are taken; they go into whatever store the caller commits to.
    pub const fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }

    /// The writes that let a mail wait, at most one: they belong into the caller's own
    /// transaction. None for somebody who has no address, which is counted.
    ///
    /// # Errors
    /// When the mail cannot be named or written down. What it tells of must not happen then.
    pub fn queued(
        &self,
        now: UnixMillis,
        to: &Addressee<'_>,
        mail: Mail,
    ) -> Result<Vec<Write>, NotifyError> {
        let Some(address) = to.address() else {
            self.metrics.mail(MailOutcome::Unaddressed);
            return Ok(Vec::new());
        };
        let waiting = Waiting::new(now, to, &address, mail);
        let key = Key::new(Space::Outbox, name_of(now, random::bytes()?));
        Ok(vec![waiting.write(key)?.expecting(Expect::Absent)])
    }
}

/// A mail that waits. No `Debug`: there is an address in it, and maybe a code.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    pub(super) address: String,
    pub(super) user: String,
    pub(super) portal: String,
    pub(super) host: String,
    pub(super) mail: Mail,
    /// When it was queued.
    pub(super) queued: UnixMillis,
    /// From when on it is not worth sending.
    pub(super) until: UnixMillis,
    /// When a worker may take it: not before a refusal has cooled down, nor while another
    /// worker has it.
    pub(super) due: UnixMillis,
    /// How often the server put it off.
    pub(super) put_off: u32,
}

/// A mail that waits, with where and which write it is.
pub(super) struct Found {
    pub(super) key: Key,
    pub(super) version: Version,
    pub(super) waiting: Waiting,
}

impl Waiting {
    fn new(now: UnixMillis, to: &Addressee<'_>, address: &EmailAddress, mail: Mail) -> Self {
        let until = match &mail {
            Mail::Code { minutes, .. } => now.plus(Duration::from_secs(minutes.saturating_mul(60))),
            Mail::Enrolled { .. }
            | Mail::ResetWaiting { .. }
            | Mail::ResetStopped { .. }
            | Mail::Added { .. }
            | Mail::Renamed { .. }
            | Mail::Removed { .. }
            | Mail::Moved { .. }
            | Mail::RecoveryCodeUsed { .. }
            | Mail::RecoveryCodesMade { .. }
            | Mail::DeviceAlarm { .. }
            | Mail::Reset { .. } => now.plus(PATIENCE),
        };
        Self {
            address: address.as_str().to_owned(),
            user: letters::plain(to.user.as_str()),
            portal: to.portal.to_owned(),
            host: to.host.to_owned(),
            mail: within_bounds(mail),
            queued: now,
            until,
            due: now,
            put_off: 0,
        }
    }

    fn write(&self, key: Key) -> Result<Write, NotifyError> {
        let value = serde_json::to_vec(self).map_err(|_| NotifyError::Unwritable)?;
        Ok(Write::put(key, value, Some(self.until.plus(LEFT_OVER))))
    }
}

/// The mail with no value longer than is ever shown, so that it fits into a record.
fn within_bounds(mail: Mail) -> Mail {
    match mail {
        Mail::Enrolled { label, at } => Mail::Enrolled { label: letters::plain(&label), at },
        Mail::Added { label, at } => Mail::Added { label: letters::plain(&label), at },
        Mail::Renamed { from, to, at } => {
            Mail::Renamed { from: letters::plain(&from), to: letters::plain(&to), at }
        }
        Mail::Removed { label, at } => Mail::Removed { label: letters::plain(&label), at },
        Mail::Moved { from, to, at } => {
            Mail::Moved { from: letters::plain(&from), to: letters::plain(&to), at }
        }
        Mail::RecoveryCodeUsed { left, at } => Mail::RecoveryCodeUsed { left, at },
        Mail::RecoveryCodesMade { at } => Mail::RecoveryCodesMade { at },
        Mail::Code { code, minutes } => Mail::Code { code: letters::plain(&code), minutes },
        Mail::Reset { by, at } => Mail::Reset { by: letters::plain(&by), at },
        Mail::ResetWaiting { by, until } => Mail::ResetWaiting { by: letters::plain(&by), until },
        Mail::DeviceAlarm { .. } | Mail::ResetStopped { .. } => mail,
    }
}

/// Names a mail by when it was queued, so that the oldest is read first, and by chance.
fn name_of(now: UnixMillis, by_chance: [u8; 16]) -> Vec<u8> {
    [&now.0.to_be_bytes()[..], &by_chance].concat()
}

/// Every mail that waits, oldest first.
pub(super) async fn all(store: &dyn Store, now: UnixMillis) -> Result<Vec<Found>, StoreError> {
    let mut found: Vec<Found> = Vec::new();
    loop {
        let after = found.last().map(|found| found.key.id.clone());
        let page = store.scan(now, Space::Outbox, &[], after.as_deref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        for (key, record) in page {
            found.push(read(key, &record)?);
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// Takes a mail until `due`, so that no other worker does; nothing when somebody else has
/// been quicker.
pub(super) async fn take(
    store: &dyn Store,
    now: UnixMillis,
    found: Found,
    due: UnixMillis,
) -> Result<Option<Found>, NotifyError> {
    let Found { key, version, mut waiting } = found;
    waiting.due = due;
    let write = waiting.write(key.clone())?.expecting(Expect::Is(version));
    match store.commit(now, vec![write]).await {
        Ok(versions) => {
            let taken = versions.first().copied();
            Ok(taken.map(|version| Found { key, version, waiting }))
        }
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Strikes a mail off the list, unless somebody else has taken it meanwhile.
pub(super) async fn strike(
    store: &dyn Store,
    now: UnixMillis,
    found: &Found,
) -> Result<(), StoreError> {
    let write = Write::delete(found.key.clone()).expecting(Expect::Is(found.version));
    match store.commit(now, vec![write]).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts a mail off until `due`.
pub(super) async fn put_off(
    store: &dyn Store,
    now: UnixMillis,
    found: Found,
    due: UnixMillis,
) -> Result<(), NotifyError> {
    let put_off = found.waiting.put_off.saturating_add(1);
    let found = Found { waiting: Waiting { put_off, ..found.waiting }, ..found };
    take(store, now, found, due).await.map(|_| ())
}

fn read(key: Key, record: &Record) -> Result<Found, StoreError> {
    let waiting = serde_json::from_slice(&record.value)
        .map_err(|_| StoreError::Corrupt("a mail that waits is not well-formed".to_owned()))?;
    Ok(Found { key, version: record.version, waiting })
}
