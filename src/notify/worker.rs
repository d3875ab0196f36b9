//! Sends what waits, oldest first. Another side that is down, slow or strange costs time here
//! and nowhere else; what it did not take waits on, also over a restart.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::carrier::{Carrier, Outcome, Setback, Trouble};
use super::queue::{self, Found, Waits as _};
use super::{Hook, Mails, NotifyError};
use crate::clock::{Clock, UnixMillis};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// How often we look for what waits while the other side takes it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after its first trouble the other side is tried again; each time twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long after a refusal that need not last something is tried again; likewise.
const FIRST_DELAY: Duration = Duration::from_secs(30);
/// The longest of both.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How long a worker has something to itself: longer than any delivery takes.
const LEASE: Duration = Duration::from_secs(120);
/// How long a delivery may still take when the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Sends mails until `stopped`.
pub async fn send_mails(
    mails: Mails,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    stopped: watch::Receiver<bool>,
) {
    Worker::new(mails, store, clock, metrics).run(stopped).await;
}

/// Sends news to another system until `stopped`.
pub async fn send_news(
    hook: Hook,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    stopped: watch::Receiver<bool>,
) {
    Worker::new(hook, store, clock, metrics).run(stopped).await;
}

/// The one that sends.
struct Worker<C: Carrier> {
    carrier: C,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    /// How long the other side was left alone the last time; zero while it takes something.
    pause: Duration,
    /// When it is tried again.
    next: UnixMillis,
    /// Whether it wants nothing any more, as long as this worker lives.
    over: bool,
}

/// What came of the way through all that waits.
enum Round {
    Done,
    Stopped,
    Troubled(Trouble),
    Over(u16),
}

/// What came of one.
enum Carried {
    /// It is no longer ours, and the other side takes the next.
    Gone,
    /// It was refused.
    Dropped,
    /// It is tried again later.
    Kept,
    /// The other side takes nothing now.
    Nowhere(Trouble),
    /// The other side takes nothing any more.
    Over(u16),
}

impl<C: Carrier> Worker<C> {
    /// A worker for what waits in `store`.
    const fn new(
        carrier: C,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (pause, next) = (Duration::ZERO, UnixMillis(0));
        Self { carrier, store, clock, metrics, pause, next, over: false }
    }

    /// Sends until told to stop. What is being handed over then may still be taken,
    /// lest it come twice.
    async fn run(mut self, stopped: watch::Receiver<bool>) {
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

    /// Whether the other side is to be tried: not while it is left alone, unless the clock went
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
                let (pause, key) = (self.pause.as_secs(), C::KEY);
                tracing::warn!(
                    pause,
                    "{}s have to wait: the server of {key} {trouble}; it is tried again after the \
                     pause, in seconds",
                    C::WHAT
                );
                self.carrier.count(&self.metrics, Outcome::Retried);
            }
            Ok(Round::Over(code)) => {
                self.over = true;
                let key = C::KEY;
                tracing::error!(
                    code,
                    "the server of {key} wants nothing any more: {}s wait until another \
                     configuration is read, and are dropped after three days",
                    C::WHAT
                );
            }
            Err(error) => {
                self.leave_alone();
                tracing::error!(%error, "{}s have to wait: the store is in doubt", C::WHAT);
            }
        }
    }

    fn leave_alone(&mut self) {
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.next = self.clock.now().plus(self.pause);
    }

    /// Goes once through all that waits.
    async fn round(&self, stopped: &watch::Receiver<bool>) -> Result<Round, NotifyError> {
        let now = self.clock.now();
        let timely = self.timely(now).await?;
        let mut waiting = timely.len();
        if self.over {
            return Ok(Round::Done);
        }
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
                Carried::Gone => line = Some(ready),
                // After a refusal the other side is greeted anew: in what state it is, it knows.
                Carried::Dropped => {}
                Carried::Kept => waiting += 1,
                Carried::Nowhere(trouble) => return Ok(Round::Troubled(trouble)),
                Carried::Over(code) => return Ok(Round::Over(code)),
            }
            waiting -= 1;
            self.carrier.waiting(&self.metrics, waiting);
            if *stopped.borrow() {
                return Ok(Round::Stopped);
            }
        }
        if let Some(line) = line {
            self.carrier.leave(line).await;
        }
        Ok(Round::Done)
    }

    /// What is still worth sending, oldest first; the rest is given up.
    async fn timely(&self, now: UnixMillis) -> Result<Vec<Found<C::Waiting>>, NotifyError> {
        let all: Vec<Found<C::Waiting>> = queue::all(&*self.store, now).await?;
        let (timely, late): (Vec<Found<_>>, Vec<Found<_>>) =
            all.into_iter().partition(|found| now < found.waiting.times().until);
        for found in late {
            self.give_up(now, &found).await?;
        }
        self.carrier.waiting(&self.metrics, timely.len());
        Ok(timely)
    }

    /// The other side, ready to take something, unless it is in trouble or we are to stop.
    async fn reach(&self, stopped: &watch::Receiver<bool>) -> Result<C::Line, Round> {
        tokio::select! {
            connected = self.carrier.reach() => connected.map_err(Round::Troubled),
            () = stop(stopped.clone()) => Err(Round::Stopped),
        }
    }

    /// Takes one to the other side, and notes what came of it.
    async fn carry(
        &self,
        line: &mut C::Line,
        found: Found<C::Waiting>,
    ) -> Result<Carried, NotifyError> {
        let now = self.clock.now();
        let Some(taken) = queue::take(&*self.store, now, found, now.plus(LEASE)).await? else {
            // Another worker was quicker.
            return Ok(Carried::Gone);
        };
        match self.carrier.hand_over(line, now, &taken).await {
            Ok(()) => self.sent(&taken).await.map(|()| Carried::Gone),
            Err(Setback::Refused(code)) => {
                self.refused(&taken, code).await.map(|()| Carried::Dropped)
            }
            Err(Setback::Later(code)) => self.later(taken, code).await.map(|()| Carried::Kept),
            Err(Setback::Trouble(trouble)) if C::KEEPS_ITS_TURN => {
                let now = self.clock.now();
                queue::take(&*self.store, now, taken, now).await?;
                Ok(Carried::Nowhere(trouble))
            }
            Err(Setback::Trouble(trouble)) => {
                self.put_off(taken).await?;
                Ok(Carried::Nowhere(trouble))
            }
            Err(Setback::Over(code)) => {
                self.refused(&taken, code).await.map(|()| Carried::Over(code))
            }
        }
    }

    async fn sent(&self, taken: &Found<C::Waiting>) -> Result<(), NotifyError> {
        self.carrier.count(&self.metrics, Outcome::Sent);
        tracing::info!(name = taken.name(), "{} {} was sent", C::ARTICLE, C::WHAT);
        Ok(queue::strike(&*self.store, self.clock.now(), taken).await?)
    }

    async fn refused(&self, taken: &Found<C::Waiting>, code: u16) -> Result<(), NotifyError> {
        self.carrier.count(&self.metrics, Outcome::Refused);
        let (name, portal) = (taken.name(), self.carrier.portal(taken));
        let (article, what) = (C::ARTICLE, C::WHAT);
        tracing::error!(name, portal, code, "{article} {what} was refused and is dropped");
        Ok(queue::strike(&*self.store, self.clock.now(), taken).await?)
    }

    async fn later(&self, taken: Found<C::Waiting>, code: u16) -> Result<(), NotifyError> {
        let name = taken.name();
        let delay = self.put_off(taken).await?.as_secs();
        self.carrier.count(&self.metrics, Outcome::Retried);
        let (article, what) = (C::ARTICLE, C::WHAT);
        tracing::warn!(
            name,
            code,
            delay,
            "{article} {what} was put off by the server, and is tried again after the delay, in \
             seconds"
        );
        Ok(())
    }

    /// Puts one off, each time for twice as long.
    async fn put_off(&self, taken: Found<C::Waiting>) -> Result<Duration, NotifyError> {
        let now = self.clock.now();
        let put_off = taken.waiting.times().put_off;
        let delay = FIRST_DELAY.saturating_mul(1 << put_off.min(10)).min(LONGEST_PAUSE);
        queue::put_off(&*self.store, now, taken, now.plus(delay)).await?;
        Ok(delay)
    }

    async fn give_up(&self, now: UnixMillis, found: &Found<C::Waiting>) -> Result<(), NotifyError> {
        self.carrier.count(&self.metrics, Outcome::Expired);
        self.carrier.given_up(found);
        Ok(queue::strike(&*self.store, now, found).await?)
    }
}

/// Whether something may be taken: another worker has it no longer, and a delay is over. None
/// lasts longer than the longest pause, unless the clock went back since then.
fn is_due<T: queue::Waits>(now: UnixMillis, found: &Found<T>) -> bool {
    let due = found.waiting.times().due;
    due <= now || due > now.plus(LONGEST_PAUSE)
}

async fn stop(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone has stopped too.
    let _stopped = stopped.wait_for(|stopped| *stopped).await;
}

#[cfg(test)]
mod tests;
