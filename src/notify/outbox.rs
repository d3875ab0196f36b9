//! What is told, on its way into the store: mails to users, and news to another system. Both
//! are queued by the transaction that did what they tell of, so that neither is without it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::queue::{self, PATIENCE, Times, Waits};
use super::{Addressee, Mail, News, NotifyError, letters, news};
use crate::clock::UnixMillis;
use crate::net::email::EmailAddress;
use crate::net::language::Language;
use crate::store::{Space, Store, Write};
use crate::telemetry::label::MailOutcome;
use crate::telemetry::metrics::Metrics;

/// Takes what is told. The rest of the house only sees this.
pub struct Post {
    ways: Ways,
    metrics: Arc<Metrics>,
}

/// By which ways there is somebody to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// A server takes mails.
    pub mails: bool,
    /// Another system takes news.
    pub webhook: bool,
}

impl Post {
    /// A place where news are taken; they go into whatever store the caller commits to.
    pub const fn new(ways: Ways, metrics: Arc<Metrics>) -> Self {
        Self { ways, metrics }
    }

    /// Whether users are told by mail.
    pub const fn mails(&self) -> bool {
        self.ways.mails
    }

    /// The writes that let a mail wait and tell the other system of the same, at most two: they
    /// belong into the caller's own transaction. A mail to somebody who has no address is
    /// counted and left out.
    ///
    /// # Errors
    /// When it cannot be named or written down. What it tells of must not happen then.
    pub fn queued(
        &self,
        now: UnixMillis,
        to: &Addressee<'_>,
        mail: Mail,
    ) -> Result<Vec<Write>, NotifyError> {
        let mut writes = match News::of(&mail) {
            Some(news) => self.told(now, news, Some((to.portal, to.user.as_str())))?,
            None => Vec::new(),
        };
        if !self.ways.mails {
            return Ok(writes);
        }
        match to.address() {
            Some(address) => {
                writes.push(queue::queued(now, &Waiting::new(now, to, &address, mail))?)
            }
            None => self.metrics.mail(MailOutcome::Unaddressed),
        }
        Ok(writes)
    }

    /// The write that tells the other system, where there is one, of something that happened to
    /// a user of a portal, or to none: it belongs into the caller's own transaction.
    ///
    /// # Errors
    /// When it cannot be named or written down.
    pub fn told(
        &self,
        now: UnixMillis,
        news: News,
        about: Option<(&str, &str)>,
    ) -> Result<Vec<Write>, NotifyError> {
        if !self.ways.webhook {
            return Ok(Vec::new());
        }
        Ok(vec![queue::queued(now, &news::Waiting::new(now, news, about))?])
    }

    /// Tells the other system, where there is one, of what was done outside of a transaction.
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn tell(
        &self,
        store: &dyn Store,
        now: UnixMillis,
        news: News,
        about: Option<(&str, &str)>,
    ) -> Result<(), NotifyError> {
        let writes = self.told(now, news, about)?;
        if !writes.is_empty() {
            store.commit(now, writes).await?;
        }
        Ok(())
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
    /// What its reader would rather read.
    #[serde(default)]
    pub(super) language: Option<Language>,
    pub(super) mail: Mail,
    /// When it was queued.
    pub(super) queued: UnixMillis,
    until: UnixMillis,
    due: UnixMillis,
    put_off: u32,
}

impl Waiting {
    fn new(now: UnixMillis, to: &Addressee<'_>, address: &EmailAddress, mail: Mail) -> Self {
        let until = now.plus(mail.holds_for().unwrap_or(PATIENCE));
        Self {
            address: address.as_str().to_owned(),
            user: letters::plain(to.user.as_str()),
            portal: to.portal.to_owned(),
            host: to.host.to_owned(),
            language: to.language,
            mail: within_bounds(mail),
            queued: now,
            until,
            due: now,
            put_off: 0,
        }
    }
}

impl Waits for Waiting {
    const SPACE: Space = Space::Outbox;

    fn times(&self) -> Times {
        Times { until: self.until, due: self.due, put_off: self.put_off }
    }

    fn set_times(&mut self, Times { until, due, put_off }: Times) {
        (self.until, self.due, self.put_off) = (until, due, put_off);
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
        Mail::Reset { .. }
        | Mail::ResetWaiting { .. }
        | Mail::ResetStopped { .. }
        | Mail::DeviceAlarm { .. } => mail,
    }
}
