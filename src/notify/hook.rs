//! How news go to another system: posted to the one address that ops named, signed as Standard
//! Webhooks has it, so that the other side knows whom they are from and when they were sent.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::carrier::{Carrier, Outcome, Setback, Trouble};
use super::news::Waiting;
use super::queue::{Found, Waits as _};
use crate::call::{self, CallError, Caller, Limits, Request};
use crate::clock::UnixMillis;
use crate::config::Webhook;
use crate::mac;
use crate::telemetry::label::HookOutcome;
use crate::telemetry::metrics::Metrics;

/// How long the other side may take, and how much of its answer is read.
const LIMITS: Limits = Limits { patience: Duration::from_secs(10), longest: 4096 };
/// How often something is offered to who says that it is wrong: for more than an hour, in which
/// somebody may mend the other side.
const MOST_REFUSALS: u32 = 12;
/// The other side is gone for good (RFC 9110 section 15.5.11).
const GONE: u16 = 410;
/// These do not say that the request is wrong: too slow, too early, too many (RFC 9110 section
/// 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4).
const NOT_NOW: [u16; 3] = [408, 425, 429];

/// The way to one webhook.
pub struct Hook {
    webhook: Arc<Webhook>,
    caller: Caller,
}

impl Hook {
    /// Makes the way ready; goes nowhere yet.
    pub fn new(webhook: Arc<Webhook>) -> Self {
        Self { webhook, caller: Caller::new() }
    }

    /// The lines that go with `body`, or nothing where it cannot be signed.
    fn lines(&self, id: &str, now: UnixMillis, body: &str) -> Option<Vec<(&'static str, String)>> {
        let at = now.seconds().to_string();
        let signed = format!("{id}.{at}.{body}");
        let signature = mac::over_text(self.webhook.key.reveal(), signed.as_bytes())?;
        Some(vec![
            ("Host", call::host(&self.webhook.url)),
            ("User-Agent", "Portcullis".to_owned()),
            ("Content-Type", "application/json".to_owned()),
            ("Webhook-Id", id.to_owned()),
            ("Webhook-Timestamp", at),
            ("Webhook-Signature", format!("v1,{}", STANDARD.encode(signature))),
        ])
    }
}

impl Carrier for Hook {
    type Waiting = Waiting;
    /// Each goes by itself.
    type Line = ();
    const WHAT: &'static str = "event";
    const ARTICLE: &'static str = "an";
    const KEY: &'static str = "notify.webhook";
    const KEEPS_ITS_TURN: bool = false;

    async fn reach(&self) -> Result<(), Trouble> {
        Ok(())
    }

    async fn hand_over(
        &self,
        _line: &mut (),
        now: UnixMillis,
        taken: &Found<Waiting>,
    ) -> Result<(), Setback> {
        let body = taken.waiting.body();
        let id = format!("msg_{}", taken.name());
        let lines = self.lines(&id, now, &body).ok_or(Setback::Refused(0))?;
        let (url, body) = (&self.webhook.url, Some(body.as_bytes()));
        let request = Request { method: "POST", url, lines, body };
        // Boxed, since it is large and most of the time nothing is sent.
        let called = Box::pin(self.caller.call(&request, LIMITS)).await;
        let answer = called.map_err(|error| match error {
            CallError::Silent => Setback::Trouble(Trouble::Silent),
            CallError::Unreachable(reason) => Setback::Trouble(Trouble::Unreachable(reason)),
            CallError::Unwritable(_) => Setback::Refused(0),
        })?;
        judge(answer.status.as_u16(), taken.waiting.times().put_off)
    }

    async fn leave(&self, (): ()) {}

    fn count(&self, metrics: &Metrics, outcome: Outcome) {
        metrics.hook(match outcome {
            Outcome::Sent => HookOutcome::Sent,
            Outcome::Retried => HookOutcome::Retried,
            Outcome::Refused => HookOutcome::Refused,
            Outcome::Expired => HookOutcome::Expired,
        });
    }

    fn waiting(&self, metrics: &Metrics, count: usize) {
        metrics.hooks_waiting(count);
    }

    fn portal<'a>(&self, found: &'a Found<Waiting>) -> Option<&'a str> {
        found.waiting.portal.as_deref()
    }

    fn given_up(&self, found: &Found<Waiting>) {
        let (event, kind) = (found.name(), found.waiting.news.as_str());
        tracing::error!(event, kind, "an event could not be sent for days and is dropped");
    }
}

/// What an answer means for what was offered so many times before. A redirect is an answer like
/// any other: nobody is followed anywhere.
fn judge(status: u16, put_off: u32) -> Result<(), Setback> {
    match status {
        200..=299 => Ok(()),
        GONE => Err(Setback::Over(status)),
        300..=499 if put_off >= MOST_REFUSALS && !NOT_NOW.contains(&status) => {
            Err(Setback::Refused(status))
        }
        _ => Err(Setback::Later(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_REFUSALS, Setback, judge};

    #[test]
    fn an_answer_says_whether_to_try_again() {
        for status in [200, 202, 204] {
            assert!(judge(status, 0).is_ok());
        }
        for status in [301, 302, 400, 401, 404, 429, 500, 503, 100, 0] {
            assert!(matches!(judge(status, 0), Err(Setback::Later(_))), "{status}");
        }
        for status in [301, 400, 401, 404] {
            assert!(matches!(judge(status, MOST_REFUSALS), Err(Setback::Refused(_))), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503] {
            assert!(matches!(judge(status, 10_000), Err(Setback::Later(_))), "{status}");
        }
        assert!(matches!(judge(410, 0), Err(Setback::Over(410))));
    }
}
