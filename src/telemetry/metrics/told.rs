//! Numbers of what people and another system are told: what became of it, and what waits.

use prometheus::{IntGauge, Registry};

use super::{Metrics, MetricsError, Series, counters, registered};
use crate::telemetry::label::{HookOutcome, MailOutcome};

/// Mails, and events for the webhook.
#[derive(Debug)]
pub(super) struct Told {
    mails: Series<MailOutcome>,
    mails_waiting: IntGauge,
    hooks: Series<HookOutcome>,
    hooks_waiting: IntGauge,
}

impl Told {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let gauge = |name: &str, help: &str| registered(registry, IntGauge::new(name, help));
        Ok(Self {
            mails: mails(registry)?,
            mails_waiting: gauge(
                "portcullis_mails_waiting",
                "Mails that the server has not taken.",
            )?,
            hooks: hooks(registry)?,
            hooks_waiting: gauge(
                "portcullis_webhook_events_waiting",
                "Events that the webhook has not taken.",
            )?,
        })
    }
}

impl Metrics {
    /// Counts what became of a mail.
    pub fn mail(&self, outcome: MailOutcome) {
        self.told.mails.inc(outcome);
    }

    /// Says how many mails wait for their server.
    pub fn mails_waiting(&self, mails: usize) {
        self.told.mails_waiting.set(i64::try_from(mails).unwrap_or(i64::MAX));
    }

    /// Counts what became of an event for the webhook.
    pub fn hook(&self, outcome: HookOutcome) {
        self.told.hooks.inc(outcome);
    }

    /// Says how many events wait for the webhook.
    pub fn hooks_waiting(&self, events: usize) {
        self.told.hooks_waiting.set(i64::try_from(events).unwrap_or(i64::MAX));
    }
}

fn mails(registry: &Registry) -> Result<Series<MailOutcome>, MetricsError> {
    let mails = counters(
        registry,
        "portcullis_mails_total",
        "Mails, by what became of them; one that was tried several times was retried as often.",
        &["outcome"],
    )?;
    let counter = |outcome: MailOutcome| mails.get_metric_with_label_values(&[outcome.as_str()]);
    Series::new(&MailOutcome::ALL, counter).map_err(MetricsError::Definition)
}

fn hooks(registry: &Registry) -> Result<Series<HookOutcome>, MetricsError> {
    let hooks = counters(
        registry,
        "portcullis_webhook_events_total",
        "Events for the webhook, by what became of them; one that was tried several times was \
         retried as often.",
        &["outcome"],
    )?;
    let counter = |outcome: HookOutcome| hooks.get_metric_with_label_values(&[outcome.as_str()]);
    Series::new(&HookOutcome::ALL, counter).map_err(MetricsError::Definition)
}
