//! What is done now and then: what is over is forgotten, and the gauges are read off.

use std::time::Duration;

use tokio::sync::watch;

use super::{wait_for, whole};
use crate::proxy::in_force::InForce;
use crate::site::Parts;
use crate::store::Store;

/// How often what is over is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How often resets are looked for whose time has come.
const RESETS_EVERY: Duration = Duration::from_secs(1);
/// How often the gauges are read off.
const GAUGES_EVERY: Duration = Duration::from_secs(5);
/// How long after its end a record is kept, for gateways whose clocks differ.
const SWEEP_GRACE: Duration = Duration::from_secs(600);
/// Records removed in one sweep.
const SWEEP_BUDGET: usize = 10_000;

/// Keeps store, memory and gauges in order until `stopped`.
pub(super) async fn keep(
    in_force: InForce,
    store: std::sync::Arc<dyn Store>,
    stopped: watch::Receiver<bool>,
) {
    let stop = wait_for(stopped);
    tokio::pin!(stop);
    let mut every = tokio::time::interval(SWEEP_EVERY);
    let mut often = tokio::time::interval(GAUGES_EVERY);
    let mut resets = tokio::time::interval(RESETS_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => sweep(&in_force.now().parts, &*store).await,
            _ = resets.tick() => ripen(&in_force.now().parts).await,
            _ = often.tick() => refresh_gauges(&in_force.now().parts),
            () = &mut stop => return,
        }
    }
}

async fn sweep(parts: &Parts, store: &dyn Store) {
    let now = parts.now();
    parts.sessions.sweep(now);
    parts.assertions.sweep(now);
    refresh_keys(parts, store).await;
    if let Err(error) = store.sweep(now, SWEEP_GRACE, SWEEP_BUDGET).await {
        tracing::error!(%error, "what is over could not be removed from the store");
    }
}

/// Carries out the resets whose time has come. A clock that went back only delays them.
async fn ripen(parts: &Parts) {
    if let Err(error) = parts.ripen_resets(parts.now()).await {
        tracing::error!(%error, "a reset that is due could not be carried out; it is tried again");
    }
}

/// Drops the keys that have ended, and takes up what another gateway rotated.
async fn refresh_keys(parts: &Parts, store: &dyn Store) {
    let now = parts.now();
    let sessions = parts.keys.refresh(store, now).await;
    let assertions = parts.assertions.refresh(store, now).await;
    for error in [sessions.err(), assertions.err()].into_iter().flatten() {
        tracing::error!(%error, "the signing keys could not be read again; those in use stay");
    }
}

/// Numbers that are read off rather than counted.
pub(super) fn refresh_gauges(parts: &Parts) {
    // Once through all sessions, however many portals there are.
    let active = parts.sessions.count(parts.now());
    for site in parts.sites.iter() {
        let active = active.get(site.portal.name.as_str()).copied();
        site.metrics.sessions_active(whole(active.unwrap_or_default()));
    }
}
