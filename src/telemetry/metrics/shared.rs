//! Numbers of a store that gateways share, read off whenever somebody asks for them.

use std::fmt;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, Opts};

use super::{Metrics, MetricsError};
use crate::store::Store;

impl Metrics {
    /// Shows how `store` fares, which is on `engine`.
    ///
    /// # Errors
    /// When one is shown already.
    pub(in crate::telemetry) fn follow(
        &self,
        store: Arc<dyn Store>,
        engine: &'static str,
    ) -> Result<(), MetricsError> {
        let shared = Shared::new(store, engine).map_err(MetricsError::Definition)?;
        self.registry.register(Box::new(shared)).map_err(MetricsError::Definition)
    }
}

struct Shared {
    store: Arc<dyn Store>,
    lag: Gauge,
    failovers: IntCounter,
}

impl Shared {
    fn new(store: Arc<dyn Store>, engine: &str) -> Result<Self, prometheus::Error> {
        let lag = Opts::new(
            "portcullis_store_feed_lag_seconds",
            "How long ago this gateway had heard of all that others changed; beyond a second it \
             does not decide. Infinite before the first time.",
        );
        let failovers = Opts::new(
            "portcullis_store_failovers_total",
            "Times that another server of the store took over since this gateway started.",
        );
        Ok(Self {
            store,
            lag: Gauge::with_opts(lag.const_label("engine", engine))?,
            failovers: IntCounter::with_opts(failovers.const_label("engine", engine))?,
        })
    }
}

impl Collector for Shared {
    fn desc(&self) -> Vec<&Desc> {
        [self.lag.desc(), self.failovers.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(pulse) = self.store.pulse() {
            self.lag.set(pulse.lag.map_or(f64::INFINITY, |lag| lag.as_secs_f64()));
            self.failovers.inc_by(pulse.failovers.saturating_sub(self.failovers.get()));
        }
        [self.lag.collect(), self.failovers.collect()].concat()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Shared(…)")
    }
}
