//! How mails go: written in the reader's language, and handed to the server of mails.

use std::time::{Duration, SystemTime};

use super::carrier::{Carrier, Outcome, Setback, Trouble};
use super::outbox::Waiting;
use super::queue::Found;
use super::smtp::Line;
use super::{Courier, Letters};
use crate::clock::UnixMillis;
use crate::net::email::EmailAddress;
use crate::telemetry::label::MailOutcome;
use crate::telemetry::metrics::Metrics;

/// The way that mails go.
pub struct Mails {
    courier: Courier,
    letters: Letters,
}

impl Mails {
    /// Mails in the words of `letters`, carried by `courier`.
    pub const fn new(courier: Courier, letters: Letters) -> Self {
        Self { courier, letters }
    }
}

impl Carrier for Mails {
    type Waiting = Waiting;
    type Line = Line;
    const WHAT: &'static str = "mail";
    const ARTICLE: &'static str = "a";
    const KEY: &'static str = "notify.smtp";
    const KEEPS_ITS_TURN: bool = true;

    async fn reach(&self) -> Result<Line, Trouble> {
        self.courier.connect().await
    }

    async fn hand_over(
        &self,
        line: &mut Line,
        _now: UnixMillis,
        taken: &Found<Waiting>,
    ) -> Result<(), Setback> {
        let waiting = &taken.waiting;
        let to = EmailAddress::parse(&waiting.address).ok_or(Setback::Refused(0))?;
        let place = (waiting.portal.as_str(), waiting.host.as_str());
        let letter = self.letters.write(waiting.language, &waiting.user, place, &waiting.mail);
        let letter = letter.map_err(|error| {
            tracing::error!(mail = taken.name(), %error, "a mail cannot be written");
            Setback::Later(0)
        })?;
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(waiting.queued.0);
        self.courier.deliver(line, &to, letter, &taken.name(), date).await
    }

    async fn leave(&self, line: Line) {
        line.leave().await;
    }

    fn count(&self, metrics: &Metrics, outcome: Outcome) {
        metrics.mail(match outcome {
            Outcome::Sent => MailOutcome::Sent,
            Outcome::Retried => MailOutcome::Retried,
            Outcome::Refused => MailOutcome::Refused,
            Outcome::Expired => MailOutcome::Expired,
        });
    }

    fn waiting(&self, metrics: &Metrics, count: usize) {
        metrics.mails_waiting(count);
    }

    fn portal<'a>(&self, found: &'a Found<Waiting>) -> Option<&'a str> {
        Some(&found.waiting.portal)
    }

    fn given_up(&self, found: &Found<Waiting>) {
        let (mail, portal) = (found.name(), found.waiting.portal.as_str());
        match found.waiting.mail.holds_for() {
            Some(_) => tracing::warn!(mail, portal, "a code could not be sent while it held"),
            None => {
                tracing::error!(mail, portal, "a mail could not be sent for days and is dropped");
            }
        }
    }
}
