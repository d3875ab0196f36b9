//! The workers that send mails and news, by the configuration in force: another one has others
//! take their place, and what waits goes on waiting.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{ServerError, wait_for};
use crate::clock::Clock;
use crate::config::Config;
use crate::notify::{Courier, Hook, Letters, Mails, Ways, send_mails, send_news};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// What a configuration says of mails and news.
pub(super) struct Mailing {
    mails: Option<Mails>,
    hook: Option<Hook>,
}

impl Mailing {
    /// Makes the ways ready, and tries out the words of mails, even where none is sent.
    pub(super) fn new(config: &Config) -> Result<Self, ServerError> {
        let letters = Letters::new(&config.branding)?;
        let courier = config.notify.smtp.clone().map(Courier::new).transpose()?;
        let mails = courier.map(|courier| Mails::new(courier, letters));
        Ok(Self { mails, hook: config.notify.webhook.clone().map(Hook::new) })
    }

    /// By which ways somebody is told.
    pub(super) const fn ways(&self) -> Ways {
        Ways { mails: self.mails.is_some(), webhook: self.hook.is_some() }
    }
}

/// Who works, and how to end it.
struct Working {
    stop: watch::Sender<bool>,
    work: JoinSet<()>,
}

impl Working {
    /// What is being handed over may still be taken, lest it come twice.
    async fn end(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.work.join_next().await {
            if ended.is_err() {
                tracing::error!("a worker that sends mails or news was broken off");
            }
        }
    }
}

/// Keeps the workers of each order that comes, those of one at a time, until `stopped`.
pub(super) async fn keep(
    mut orders: mpsc::UnboundedReceiver<Mailing>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    stopped: watch::Receiver<bool>,
) {
    let mut working: Option<Working> = None;
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            () = wait_for(stopped.clone()) => None,
        };
        if let Some(before) = working.take() {
            before.end().await;
        }
        let Some(Mailing { mails, hook }) = order else { return };
        let (stop, told) = watch::channel(false);
        let shared = || (Arc::clone(&store), Arc::clone(&clock), Arc::clone(&metrics));
        let mut work = JoinSet::new();
        if let Some(mails) = mails {
            let (store, clock, metrics) = shared();
            work.spawn(send_mails(mails, store, clock, metrics, told.clone()));
        }
        if let Some(hook) = hook {
            let (store, clock, metrics) = shared();
            work.spawn(send_news(hook, store, clock, metrics, told.clone()));
        }
        working = Some(Working { stop, work });
    }
}
