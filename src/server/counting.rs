//! Counts the users of portals while people are served: of a million that takes longer than a
//! start may. What cannot be read is tried again, and its numbers are missing until then.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::wait_for;
use crate::account::{AccountError, PortalTag};
use crate::proxy::in_force::InForce;
use crate::site::Site;
use crate::telemetry::metrics::PortalMetrics;

/// How long after a failure it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long a start waits for the numbers: where users are few they are there from the start.
const A_START_WAITS: Duration = Duration::from_millis(500);

/// A portal whose users are not counted yet.
pub(super) struct Uncounted {
    name: String,
    tag: PortalTag,
    metrics: Weak<PortalMetrics>,
}

impl Uncounted {
    /// Begins to note what changes at this portal.
    pub(super) fn begin(site: &Site) -> Self {
        site.metrics.begin_counting();
        let metrics = Arc::downgrade(&site.metrics);
        Self { name: site.portal.name.clone(), tag: site.tag, metrics }
    }

    async fn count(&self, in_force: &InForce) -> Result<(), AccountError> {
        let parts = Arc::clone(&in_force.now().parts);
        let (now, accounts) = (parts.now(), &parts.accounts);
        // The portal may be gone by now.
        let Some(metrics) = self.metrics.upgrade() else { return Ok(()) };
        metrics.enrolled_counted(&accounts.all_enrolled(now, self.tag).await?);
        metrics.rollout().counted(&accounts.all_seen(now, self.tag).await?);
        Ok(())
    }
}

/// Where it is said what is to be counted, and heard when all of it was.
pub(super) struct Counting {
    orders: mpsc::UnboundedReceiver<Vec<Uncounted>>,
    is_done: watch::Sender<bool>,
}

impl Counting {
    pub(super) fn of(orders: mpsc::UnboundedReceiver<Vec<Uncounted>>) -> Self {
        Self { orders, is_done: watch::Sender::new(false) }
    }

    /// To be awaited by a start, for a moment.
    pub(super) fn first(&self) -> impl Future<Output = ()> + use<> {
        let done = wait_for(self.is_done.subscribe());
        async move {
            // The numbers come later, where users are many.
            let _late = tokio::time::timeout(A_START_WAITS, done).await;
        }
    }

    /// Counts what is ordered, one portal after the other, until `stopped`.
    pub(super) async fn keep(mut self, in_force: InForce, stopped: watch::Receiver<bool>) {
        let stop = wait_for(stopped);
        tokio::pin!(stop);
        let mut waiting = VecDeque::new();
        let mut failed = Vec::new();
        let mut is_begun = false;
        loop {
            while let Some(one) = waiting.pop_front() {
                let counted = tokio::select! {
                    counted = Uncounted::count(&one, &in_force) => counted,
                    () = &mut stop => return,
                };
                if let Err(error) = counted {
                    let portal = &one.name;
                    tracing::error!(portal, %error, "the users cannot be counted; it is tried again");
                    failed.push(one);
                }
            }
            if is_begun {
                self.is_done.send_replace(true);
            }
            tokio::select! {
                ordered = self.orders.recv() => match ordered {
                    Some(ordered) => {
                        waiting.extend(ordered);
                        is_begun = true;
                    }
                    None => return,
                },
                () = tokio::time::sleep(AGAIN_AFTER), if !failed.is_empty() => {
                    waiting.extend(failed.drain(..));
                }
                () = &mut stop => return,
            }
        }
    }
}
