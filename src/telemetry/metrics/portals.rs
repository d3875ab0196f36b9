//! Which portals have series. Portals come and go with the configuration: the series of one
//! that stays go on, those of one that is gone are dropped before anybody reads them again, all
//! in one go: to find them is to look at every series, and thousands of portals may go at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use prometheus::core::{Collector, MetricVec, MetricVecBuilder};

use super::{Families, MetricsError, PortalMetrics};

/// The portals that somebody counts for.
#[derive(Debug)]
pub(super) struct Portals {
    families: Families,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    portals: HashMap<String, Weak<PortalMetrics>>,
    /// Those for whom nobody counts any more, and whose series are still there.
    gone: HashSet<String>,
}

impl Portals {
    pub(super) fn new(families: Families) -> Self {
        Self { families, counted: Mutex::default() }
    }

    /// The metrics of this portal: those that are there, or new ones.
    pub(super) fn of(self: &Arc<Self>, name: &str) -> Result<Arc<PortalMetrics>, MetricsError> {
        let mut counted = self.counted.lock();
        if let Some(metrics) = counted.portals.get(name).and_then(Weak::upgrade) {
            return Ok(metrics);
        }
        // One that comes back begins anew.
        if counted.gone.contains(name) {
            self.drop_gone(&mut counted);
        }
        let metrics = PortalMetrics::new(&self.families, name, Arc::downgrade(self))?;
        let metrics = Arc::new(metrics);
        counted.portals.insert(name.to_owned(), Arc::downgrade(&metrics));
        Ok(metrics)
    }

    /// Drops the series of all portals that are gone.
    pub(super) fn sweep(&self) {
        self.drop_gone(&mut self.counted.lock());
    }

    /// Notes that a portal is gone, unless somebody counts for one of that name again.
    fn forget(&self, gone: &PortalMetrics) {
        let mut counted = self.counted.lock();
        let is_gone = |there: &Weak<PortalMetrics>| std::ptr::eq(there.as_ptr(), gone);
        if counted.portals.get(&gone.name).is_some_and(is_gone) {
            counted.portals.remove(&gone.name);
            counted.gone.insert(gone.name.clone());
        }
    }

    fn drop_gone(&self, counted: &mut Counted) {
        let gone = std::mem::take(&mut counted.gone);
        if gone.is_empty() {
            return;
        }
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
        counters.into_iter().for_each(|family| drop_series(family, &gone));
        let gauges = [&families.enrolled, &families.sessions];
        gauges.into_iter().for_each(|family| drop_series(family, &gone));
        let histograms = [&families.decisions, &families.durations];
        histograms.into_iter().for_each(|family| drop_series(family, &gone));
        families.rollout.forget(&gone);
    }
}

impl Drop for PortalMetrics {
    fn drop(&mut self) {
        if let Some(portals) = self.portals.upgrade() {
            portals.forget(self);
        }
    }
}

/// Drops every series of a family that has one of these portals.
pub(in crate::telemetry) fn drop_series<B: MetricVecBuilder>(
    family: &MetricVec<B>,
    gone: &HashSet<String>,
) {
    for metric in family.collect().iter().flat_map(|family| family.get_metric()) {
        let pairs = metric.get_label().iter().map(|pair| (pair.name(), pair.value()));
        let labels: HashMap<&str, &str> = pairs.collect();
        if labels.get("portal").is_some_and(|portal| gone.contains(*portal)) {
            // One that is gone already is what was wanted.
            let _gone = family.remove(&labels);
        }
    }
}
