//! Sends what waits, oldest first. A server that is down, slow or strange costs time here
//! and nowhere else; what it did not take waits on, also over a restart.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::outbox::{self, Found};
use super::smtp::{Line, Setback, Trouble};
use super::{Courier, Letters, Mail, NotifyError};
use crate::clock::{Clock, UnixMillis};
use crate::net::email::EmailAddress;
use crate::store::Store;
use crate::telemetry::label::MailOutcome;
use crate::telemetry::metrics::Metrics;
use crate::user::Opaque;

/// How often the outbox is looked at while the server takes mails.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after its first trouble the server is tried again; each time twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long after a refusal that need not last a mail is tried again; likewise.
const FIRST_DELAY: Duration = Duration::from_secs(30);
/// The longest of both.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How long a worker has a mail to itself: longer than any delivery takes.
const LEASE: Duration = Duration::from_secs(120);
/// How long a delivery may still take when the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The one that sends.
pub struct Worker {
    courier: Courier,
    letters: Letters,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// How long the server was left alone the last time; zero while it takes mails.
    pause: Duration,
    /// When it is tried again.
    next: UnixMillis,
}

/// What came of the way through the outbox.
enum Round {
    Done,
    Stopped,
    Troubled(Trouble),
}

/// What came of one mail.
enum Carried {
    /// It is no longer ours, and the server takes the next.
    Over,
    /// It was refused.
    Dropped,
    /// It is tried again later.
    Kept,
    /// The server takes nothing now.
    Nowhere(Trouble),
}

impl Worker {
    /// A worker for what waits in `store`.
    pub fn new(
        courier: Courier,
        letters: Letters,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (pause, next) = (Duration::ZERO, UnixMillis(0));
        Self { courier, letters, store, clock, metrics, pause, next }
    }

    /// Sends until told to stop. A mail that is being handed over then may still be taken,
    /// lest it come twice.
    pub async fn run(mut self, stopped: watch::Receiver<bool>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stopped.borrow() {
            tokio::select! {
                _ = look.tick() => {}
                () = stop(stopped.clone()) => return,
            }
            if !self.is_time() {
                continue;
            }
            let cut = async {
                stop(stopped.clone()).await;
                tokio::time::sleep(GRACE).await;
            };
            let round = tokio::select! {
                round = self.round(&stopped) => round,
                () = cut => return,
            };
            self.conclude(round);
        }
    }

    /// Whether the server is to be tried: not while it is left alone, unless the clock went
    /// back since then.
    fn is_time(&self) -> bool {
        let now = self.clock.now();
        now >= self.next || self.next > now.plus(LONGEST_PAUSE)
    }

    fn conclude(&mut self, round: Result<Round, NotifyError>) {
        match round {
            Ok(Round::Done | Round::Stopped) => self.pause = Duration::ZERO,
            Ok(Round::Troubled(trouble)) => {
                self.leave_alone();
                let pause = self.pause.as_secs();
                tracing::warn!(
                    pause,
                    "mails have to wait: the server of notify.smtp {trouble}; it is tried again \
                     after the pause, in seconds"
                );
                self.metrics.mail(MailOutcome::Retried);
            }
            Err(error) => {
                self.leave_alone();
                tracing::error!(%error, "mails have to wait: the outbox is in doubt");
            }
        }
    }

    fn leave_alone(&mut self) {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.next = self.clock.now().plus(self.pause);
    }

    /// Goes once through the outbox.
    async fn round(&self, stopped: &watch::Receiver<bool>) -> Result<Round, NotifyError> {
        let now = self.clock.now();
        let timely = self.timely(now).await?;
        let mut waiting = timely.len();
        let mut line = None;
        for found in timely.into_iter().filter(|found| is_due(now, found)) {
            let mut ready = match line.take() {
                Some(ready) => ready,
                None => match self.reach(stopped).await {
                    Ok(ready) => ready,
                    Err(round) => return Ok(round),
                },
            };
            match self.carry(&mut ready, found).await? {
                Carried::Over => line = Some(ready),
                // After a refusal the server is greeted anew: in what state it is, it knows best.
                Carried::Dropped => {}
                Carried::Kept => waiting += 1,
                Carried::Nowhere(trouble) => return Ok(Round::Troubled(trouble)),
            }
            waiting -= 1;
            self.metrics.mails_waiting(waiting);
            if *stopped.borrow() {
                return Ok(Round::Stopped);
            }
        }
        if let Some(line) = line {
            line.leave().await;
        }
        Ok(Round::Done)
    }

    /// What is still worth sending, oldest first; the rest is given up.
    async fn timely(&self, now: UnixMillis) -> Result<Vec<Found>, NotifyError> {
        let all = outbox::all(&*self.store, now).await?;
        let (timely, late): (Vec<Found>, Vec<Found>) =
            all.into_iter().partition(|found| now < found.waiting.until);
        for found in late {
            self.give_up(now, &found).await?;
        }
        self.metrics.mails_waiting(timely.len());
        Ok(timely)
    }

    /// The server, ready to take mails, unless it is in trouble or we are to stop.
    async fn reach(&self, stopped: &watch::Receiver<bool>) -> Result<Line, Round> {
        tokio::select! {
            connected = self.courier.connect() => connected.map_err(Round::Troubled),
            () = stop(stopped.clone()) => Err(Round::Stopped),
        }
    }

    /// Takes one mail to the server, and notes what came of it.
    async fn carry(&self, line: &mut Line, found: Found) -> Result<Carried, NotifyError> {
        let now = self.clock.now();
        let Some(taken) = outbox::take(&*self.store, now, found, now.plus(LEASE)).await? else {
            // Another worker was quicker.
            return Ok(Carried::Over);
        };
        match self.send(line, &taken).await {
            Ok(()) => self.sent(&taken).await.map(|()| Carried::Over),
            Err(Setback::Refused(code)) => {
                self.refused(&taken, code).await.map(|()| Carried::Dropped)
            }
            Err(Setback::Later(code)) => self.later(taken, code).await.map(|()| Carried::Kept),
            Err(Setback::Trouble(trouble)) => {
                let now = self.clock.now();
                outbox::take(&*self.store, now, taken, now).await?;
                Ok(Carried::Nowhere(trouble))
            }
        }
    }

    async fn send(&self, line: &mut Line, taken: &Found) -> Result<(), Setback> {
        let waiting = &taken.waiting;
        let to = EmailAddress::parse(&waiting.address).ok_or(Setback::Refused(0))?;
        let place = (waiting.portal.as_str(), waiting.host.as_str());
        let letter = self.letters.write(&waiting.user, place, &waiting.mail);
        let letter = letter.map_err(|error| {
            tracing::error!(mail = name(taken), %error, "a mail cannot be written");
            Setback::Later(0)
        })?;
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(waiting.queued.0);
        self.courier.deliver(line, &to, letter, &name(taken), date).await
    }

    async fn sent(&self, taken: &Found) -> Result<(), NotifyError> {
        self.metrics.mail(MailOutcome::Sent);
        tracing::info!(mail = name(taken), "a mail was sent");
        Ok(outbox::strike(&*self.store, self.clock.now(), taken).await?)
    }

    async fn refused(&self, taken: &Found, code: u16) -> Result<(), NotifyError> {
        self.metrics.mail(MailOutcome::Refused);
        let portal = taken.waiting.portal.as_str();
        tracing::error!(mail = name(taken), portal, code, "a mail was refused and is dropped");
        Ok(outbox::strike(&*self.store, self.clock.now(), taken).await?)
    }

    async fn later(&self, taken: Found, code: u16) -> Result<(), NotifyError> {
        self.metrics.mail(MailOutcome::Retried);
        let now = self.clock.now();
        let doubled = FIRST_DELAY.saturating_mul(1 << taken.waiting.put_off.min(10));
        let delay = doubled.min(LONGEST_PAUSE);
        tracing::warn!(
            mail = name(&taken),
            code,
            delay = delay.as_secs(),
            "a mail was put off by the server, and is tried again after the delay, in seconds"
        );
        outbox::put_off(&*self.store, now, taken, now.plus(delay)).await
    }

    async fn give_up(&self, now: UnixMillis, found: &Found) -> Result<(), NotifyError> {
        self.metrics.mail(MailOutcome::Expired);
        let (mail, portal) = (name(found), found.waiting.portal.as_str());
        match &found.waiting.mail {
            Mail::Code { .. } => {
                tracing::warn!(mail, portal, "a code could not be sent while it held");
            }
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
            | Mail::Reset { .. } => {
                tracing::error!(mail, portal, "a mail could not be sent for days and is dropped");
            }
        }
        Ok(outbox::strike(&*self.store, now, found).await?)
    }
}

/// Whether a mail may be taken: another worker has it no longer, and a delay is over. None
/// lasts longer than the longest pause, unless the clock went back since then.
fn is_due(now: UnixMillis, found: &Found) -> bool {
    let due = found.waiting.due;
    due <= now || due > now.plus(LONGEST_PAUSE)
}

/// What a mail is called in the log and in its `Message-ID`: random, and nobody's.
fn name(found: &Found) -> String {
    let by_chance = found.key.id.last_chunk::<16>();
    by_chance.map_or_else(String::new, |bytes| Opaque(*bytes).encode())
}

async fn stop(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone has stopped too.
    let _stopped = stopped.wait_for(|stopped| *stopped).await;
}

#[cfg(test)]
mod tests;
