//! Which portals have series. Portals come and go with the configuration: the series of one
//! that stays go on, those of one that is gone go when its last request has ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};

use super::{Families, MetricsError, PortalMetrics};

/// The portals that somebody counts for.
#[derive(Debug)]
pub(super) struct Portals {
    families: Families,
    counted: Mutex<HashMap<String, Weak<PortalMetrics>>>,
}

impl Portals {
    pub(super) fn new(families: Families) -> Self {
        Self { families, counted: Mutex::default() }
    }

    /// The metrics of this portal: those that are there, or new ones.
    pub(super) fn of(self: &Arc<Self>, name: &str) -> Result<Arc<PortalMetrics>, MetricsError> {
        let mut counted = self.counted();
        if let Some(metrics) = counted.get(name).and_then(Weak::upgrade) {
            return Ok(metrics);
        }
        let metrics = PortalMetrics::new(&self.families, name, Arc::downgrade(self))?;
        let metrics = Arc::new(metrics);
        counted.insert(name.to_owned(), Arc::downgrade(&metrics));
        Ok(metrics)
    }

    /// Drops the series of a portal, unless somebody counts for one of that name again.
    fn forget(&self, gone: &PortalMetrics) {
        let mut counted = self.counted();
        let is_gone = |there: &Weak<PortalMetrics>| std::ptr::eq(there.as_ptr(), gone);
        if !counted.get(&gone.name).is_some_and(is_gone) {
            return;
        }
        counted.remove(&gone.name);
        let families = &self.families;
        let counters = [
            &families.requests,
            &families.logins,
            &families.verifications,
            &families.enrolments,
            &families.resets,
            &families.device_alarms,
            &families.throttled,
            &families.upstream_errors,
            &families.device_alarms,
        ];
        counters.into_iter().for_each(|family| drop_series(family, &gone.name));
        let gauges = [&families.enrolled, &families.sessions];
        gauges.into_iter().for_each(|family| drop_series(family, &gone.name));
        let histograms = [&families.decisions, &families.durations];
        histograms.into_iter().for_each(|family| drop_series(family, &gone.name));
        families.rollout.forget(&gone.name);
    }

    fn counted(&self) -> MutexGuard<'_, HashMap<String, Weak<PortalMetrics>>> {
        // The map is whole after a panic elsewhere: each change to it is one call.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PortalMetrics {
    fn drop(&mut self) {
        if let Some(portals) = self.portals.upgrade() {
            portals.forget(self);
        }
    }
}

/// Drops every series of a family that has this portal.
pub(in crate::telemetry) fn drop_series<B: MetricVecBuilder>(family: &MetricVec<B>, portal: &str) {
    for metric in family.collect().iter().flat_map(|family| family.get_metric()) {
        let pairs = metric.get_label().iter().map(|pair| (pair.name(), pair.value()));
        let labels: HashMap<&str, &str> = pairs.collect();
        if labels.get("portal") == Some(&portal) {
            // One that is gone already is what was wanted.
            let _gone = family.remove(&labels);
        }
    }
}
