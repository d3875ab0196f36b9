//! The worker that sends mails, by the configuration in force: another one has another take
//! its place, and what waits goes on waiting.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::wait_for;
use crate::clock::Clock;
use crate::notify::{Courier, Letters, Worker};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// What a configuration says of mails.
pub(super) struct Mailing {
    /// The way to their server, where there is one.
    pub(super) courier: Option<Courier>,
    /// Their words.
    pub(super) letters: Letters,
}

/// Who works, and how to end it.
struct Working {
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
}

impl Working {
    /// A mail that is being handed over may still be taken, lest it come twice.
    async fn end(self) {
        self.stop.send_replace(true);
        if self.work.await.is_err() {
            tracing::error!("the worker that sends mails was broken off");
        }
    }
}

/// Keeps a worker for each order that comes, one at a time, until `stopped`.
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
        let Some(Mailing { courier, letters }) = order else { return };
        let Some(courier) = courier else { continue };
        let (store, clock, metrics) =
            (Arc::clone(&store), Arc::clone(&clock), Arc::clone(&metrics));
        let (stop, told) = watch::channel(false);
        let worker = Worker::new(courier, letters, store, clock, metrics);
        working = Some(Working { stop, work: tokio::spawn(worker.run(told)) });
    }
}
