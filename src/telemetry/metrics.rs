//! Every metric that Portcullis has. Handles are fetched once per portal, so that a proven
//! request looks no label up; all counting is by atomic additions and blocks nobody.

use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus::{
    Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

use crate::telemetry::label::{
    FactorLabel, LoginOutcomeLabel, ReasonLabel, ResetLabel, StoreOp, ThrottleScope,
    UpstreamErrorLabel, VerdictLabel, VerificationLabel,
};
use crate::telemetry::rollout::{RolloutFamilies, RolloutMetrics};
use crate::telemetry::tally::Tally;
use crate::user::Opaque;

mod audit;
mod portals;
mod register;
mod series;
mod shared;
mod told;

use audit::AuditMetrics;
use portals::Portals;
pub(in crate::telemetry) use portals::drop_series;
pub(in crate::telemetry) use register::{counters, gauges};
use register::{histograms, registered};
pub(in crate::telemetry) use series::Series;
use told::Told;

/// The portal label of a request that belongs to none. A portal cannot have this name.
const NO_PORTAL: &str = "_none";

/// From a microsecond, since a decision takes a few, to where something is wrong.
const DECISION_BUCKETS: &[f64] =
    &[1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 5e-4, 1e-3, 1e-2, 0.1, 1.0];
/// From a cached answer of a portal to a long download.
const REQUEST_BUCKETS: &[f64] =
    &[1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
/// From a read in memory to a disk that is in trouble; a sync takes some milliseconds.
const STORE_BUCKETS: &[f64] =
    &[1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 0.5, 1.0, 5.0];

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A metric's definition is at odds with itself or another one.
    #[error("a metric could not be set up: {0}")]
    Definition(prometheus::Error),
    /// The numbers could not be written out.
    #[error("the metrics could not be rendered: {0}")]
    Render(prometheus::Error),
}

/// All metrics, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    portals: Arc<Portals>,
    nowhere: Arc<PortalMetrics>,
    gate_alarms: IntCounter,
    connections_refused: IntCounter,
    store_seconds: HistogramVec,
    store_errors: IntCounterVec,
    config_reload_success: IntGauge,
    audit: AuditMetrics,
    told: Told,
}

impl Metrics {
    /// The metrics of a gateway, as yet without portals.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let portals = Arc::new(Portals::new(Families::new(&registry)?));
        let metrics = Self {
            nowhere: portals.of(NO_PORTAL)?,
            portals,
            gate_alarms: registered(
                &registry,
                IntCounter::new(
                    "portcullis_gate_alarms_total",
                    "Requests that reached the forwarding stage without a permit, and were \
                     refused there. Anything above zero is a fault in Portcullis.",
                ),
            )?,
            connections_refused: registered(
                &registry,
                IntCounter::new(
                    "portcullis_connections_refused_total",
                    "Connections that were closed because no trusted proxy began them with a \
                     PROXY header.",
                ),
            )?,
            store_seconds: histograms(
                &registry,
                "portcullis_store_seconds",
                "How long a call of the store took.",
                STORE_BUCKETS,
                &["engine", "op"],
            )?,
            store_errors: counters(
                &registry,
                "portcullis_store_errors_total",
                "Calls of the store that failed.",
                &["engine", "kind"],
            )?,
            config_reload_success: registered(
                &registry,
                IntGauge::new(
                    "portcullis_config_reload_success",
                    "Whether the configuration in use is the one that was last offered.",
                ),
            )?,
            audit: AuditMetrics::new(&registry)?,
            told: Told::new(&registry)?,
            registry,
        };
        metrics.tell_build()?;
        metrics.config_reload_success.set(1);
        Ok(metrics)
    }

    /// The metrics of the portal of this name. Whoever asks again gets the same ones, as long
    /// as anybody holds them; afterwards the portal is gone, and its series with it.
    pub fn portal(&self, name: &str) -> Result<Arc<PortalMetrics>, MetricsError> {
        self.portals.of(name)
    }

    /// The metrics of requests that belong to no portal: unknown hosts, broken heads.
    pub const fn nowhere(&self) -> &Arc<PortalMetrics> {
        &self.nowhere
    }

    /// Counts a request that reached the forwarding stage without a permit.
    pub fn gate_alarm(&self) {
        self.gate_alarms.inc();
    }

    /// Counts a connection that was closed for want of a PROXY header.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// Times a call of the store.
    pub fn store_call(&self, engine: &'static str, op: StoreOp, took: Duration) {
        let labels = [engine, op.as_str()];
        if let Ok(histogram) = self.store_seconds.get_metric_with_label_values(&labels) {
            histogram.observe(took.as_secs_f64());
        }
    }

    /// Lets the errors of a store be there from the start: an alert on a rate needs the zero
    /// before the first of them.
    pub fn expect_store_errors(&self, engine: &'static str, kinds: &[&'static str]) {
        for kind in kinds {
            // To ask for a series is to make it, at zero.
            let _zero = self.store_errors.get_metric_with_label_values(&[engine, kind]);
        }
    }

    /// Counts a call of the store that failed; `kind` is a word of the store's error enum.
    pub fn store_error(&self, engine: &'static str, kind: &'static str) {
        if let Ok(counter) = self.store_errors.get_metric_with_label_values(&[engine, kind]) {
            counter.inc();
        }
    }

    /// Says whether the configuration that was last offered is in use.
    pub fn config_reloaded(&self, outcome: ReloadOutcome) {
        self.config_reload_success.set(match outcome {
            ReloadOutcome::InUse => 1,
            ReloadOutcome::Refused => 0,
        });
    }

    /// All numbers in the text format of Prometheus.
    pub fn render(&self) -> Result<String, MetricsError> {
        self.portals.sweep();
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(MetricsError::Render)
    }

    fn tell_build(&self) -> Result<(), MetricsError> {
        let build = gauges(
            &self.registry,
            "portcullis_build_info",
            "Always 1; the label says which version runs.",
            &["version"],
        )?;
        build
            .get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])
            .map_err(MetricsError::Definition)?
            .set(1);
        Ok(())
    }
}

/// What became of a configuration that was offered to a running gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// It is in use now.
    InUse,
    /// It has faults; the one before it stays.
    Refused,
}

/// The metrics of one portal, each already bound to its label.
#[derive(Debug)]
pub struct PortalMetrics {
    name: String,
    portals: Weak<Portals>,
    requests: IntCounterVec,
    forwarded_proven: IntCounter,
    forwarded_public: IntCounter,
    decision_seconds: Histogram,
    request_seconds: Histogram,
    logins_observed: Series<LoginOutcomeLabel>,
    verifications: Series<(FactorLabel, VerificationLabel)>,
    enrolments: Series<FactorLabel>,
    enrolled: Tally,
    resets: Series<ResetLabel>,
    throttled: Series<ThrottleScope>,
    device_alarms: IntCounter,
    sessions_active: IntGauge,
    upstream_errors: Series<UpstreamErrorLabel>,
    rollout: RolloutMetrics,
}

impl PortalMetrics {
    /// Counts a finished request and how long it took from its head to its last byte.
    pub fn request(&self, verdict: VerdictLabel, reason: ReasonLabel, took: Duration) {
        self.request_seconds.observe(took.as_secs_f64());
        // The two that nearly all requests take are bound already; the rest may look up.
        match (verdict, reason) {
            (VerdictLabel::Forward, ReasonLabel::Proven) => self.forwarded_proven.inc(),
            (VerdictLabel::Forward, ReasonLabel::Public) => self.forwarded_public.inc(),
            (verdict, reason) => {
                let labels = [self.name.as_str(), verdict.as_str(), reason.as_str()];
                if let Ok(counter) = self.requests.get_metric_with_label_values(&labels) {
                    counter.inc();
                }
            }
        }
    }

    /// Times the stages from receive to decide.
    pub fn decision(&self, took: Duration) {
        self.decision_seconds.observe(took.as_secs_f64());
    }

    /// Counts a login of the portal that passed through.
    pub fn login_observed(&self, outcome: LoginOutcomeLabel) {
        self.logins_observed.inc(outcome);
    }

    /// Counts the check of a code.
    pub fn verification(&self, factor: FactorLabel, outcome: VerificationLabel) {
        self.verifications.inc((factor, outcome));
    }

    /// Counts an enrolment that is on disk.
    pub fn enrolment(&self, factor: FactorLabel) {
        self.enrolments.inc(factor);
    }

    /// Says that the users of the portal are counted from now on.
    pub fn begin_counting(&self) {
        self.enrolled.begin();
        self.rollout.begin();
    }

    /// Says who of the portal was found to have an authenticator, in the order of their
    /// identifiers.
    pub fn enrolled_counted(&self, met: &[Opaque]) {
        self.enrolled.counted(met);
    }

    /// Notes that `user`, who had none, has an authenticator.
    pub fn has_enrolled(&self, user: Opaque) {
        self.enrolled.changed(user, true);
    }

    /// How many users of the portal have enrolled, once they were counted.
    pub fn enrolled_now(&self) -> Option<u64> {
        self.enrolled.known()
    }

    /// Counts a reset of `user`, and the user out where there was a factor.
    pub fn reset(&self, by: ResetLabel, user: Opaque, was_enrolled: bool) {
        self.resets.inc(by);
        if was_enrolled {
            self.enrolled.changed(user, false);
        }
    }

    /// Counts a request that had to wait.
    pub fn throttled(&self, scope: ThrottleScope) {
        self.throttled.inc(scope);
    }

    /// Counts a remembered device that ended because a copy of its secret was shown.
    pub fn device_alarm(&self) {
        self.device_alarms.inc();
    }

    /// Says how many sessions of the portal are open.
    pub fn sessions_active(&self, sessions: u64) {
        self.sessions_active.set(whole(sessions));
    }

    /// Counts a request that the portal did not answer.
    pub fn upstream_error(&self, kind: UpstreamErrorLabel) {
        self.upstream_errors.inc(kind);
    }

    /// How far its users are.
    pub const fn rollout(&self) -> &RolloutMetrics {
        &self.rollout
    }

    fn new(
        families: &Families,
        portal: &str,
        portals: Weak<Portals>,
    ) -> Result<Self, MetricsError> {
        let proven = [portal, VerdictLabel::Forward.as_str(), ReasonLabel::Proven.as_str()];
        let public = [portal, VerdictLabel::Forward.as_str(), ReasonLabel::Public.as_str()];
        let bound = move || -> Result<Self, prometheus::Error> {
            Ok(Self {
                name: portal.to_owned(),
                portals,
                forwarded_proven: families.requests.get_metric_with_label_values(&proven)?,
                forwarded_public: families.requests.get_metric_with_label_values(&public)?,
                requests: families.requests.clone(),
                decision_seconds: families.decisions.get_metric_with_label_values(&[portal])?,
                request_seconds: families.durations.get_metric_with_label_values(&[portal])?,
                logins_observed: Series::new(&LoginOutcomeLabel::ALL, |outcome| {
                    families.logins.get_metric_with_label_values(&[portal, outcome.as_str()])
                })?,
                verifications: Series::new(&every_verification(), |(factor, outcome)| {
                    let labels = [portal, factor.as_str(), outcome.as_str()];
                    families.verifications.get_metric_with_label_values(&labels)
                })?,
                // A recovery code is given with an enrolment; it is never enrolled itself.
                enrolments: Series::new(&[FactorLabel::Totp], |factor| {
                    families.enrolments.get_metric_with_label_values(&[portal, factor.as_str()])
                })?,
                enrolled: Tally::new(&families.enrolled, portal),
                resets: Series::new(&ResetLabel::ALL, |by| {
                    families.resets.get_metric_with_label_values(&[portal, by.as_str()])
                })?,
                throttled: Series::new(&ThrottleScope::ALL, |scope| {
                    families.throttled.get_metric_with_label_values(&[portal, scope.as_str()])
                })?,
                device_alarms: families.device_alarms.get_metric_with_label_values(&[portal])?,
                sessions_active: families.sessions.get_metric_with_label_values(&[portal])?,
                upstream_errors: Series::new(&UpstreamErrorLabel::ALL, |kind| {
                    families.upstream_errors.get_metric_with_label_values(&[portal, kind.as_str()])
                })?,
                rollout: RolloutMetrics::new(&families.rollout, portal)?,
            })
        };
        bound().map_err(MetricsError::Definition)
    }
}

fn every_verification() -> Vec<(FactorLabel, VerificationLabel)> {
    FactorLabel::ALL
        .into_iter()
        .flat_map(|factor| VerificationLabel::ALL.map(|outcome| (factor, outcome)))
        .collect()
}

/// The metrics that have a portal label, before it is bound.
#[derive(Debug)]
struct Families {
    requests: IntCounterVec,
    decisions: HistogramVec,
    durations: HistogramVec,
    logins: IntCounterVec,
    verifications: IntCounterVec,
    enrolments: IntCounterVec,
    enrolled: IntGaugeVec,
    resets: IntCounterVec,
    throttled: IntCounterVec,
    device_alarms: IntCounterVec,
    sessions: IntGaugeVec,
    upstream_errors: IntCounterVec,
    rollout: RolloutFamilies,
}

impl Families {
    fn new(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            requests: counters(
                registry,
                "portcullis_requests_total",
                "Finished requests, by what was done with them and why.",
                &["portal", "verdict", "reason"],
            )?,
            decisions: histograms(
                registry,
                "portcullis_decision_seconds",
                "How long it took to decide about a request.",
                DECISION_BUCKETS,
                &["portal"],
            )?,
            durations: histograms(
                registry,
                "portcullis_request_seconds",
                "How long a request took from its head to its last byte.",
                REQUEST_BUCKETS,
                &["portal"],
            )?,
            logins: counters(
                registry,
                "portcullis_logins_observed_total",
                "Logins of the portal that passed through, by how they came out.",
                &["portal", "outcome"],
            )?,
            verifications: counters(
                registry,
                "portcullis_verifications_total",
                "Codes that were checked, by factor and outcome.",
                &["portal", "factor", "outcome"],
            )?,
            enrolments: counters(
                registry,
                "portcullis_enrolments_total",
                "Authenticators enrolled.",
                &["portal", "factor"],
            )?,
            enrolled: gauges(
                registry,
                "portcullis_enrolled_users",
                "Users who have an authenticator.",
                &["portal"],
            )?,
            resets: counters(
                registry,
                "portcullis_resets_total",
                "Second factors reset by the desk, by whose word it was.",
                &["portal", "by"],
            )?,
            throttled: counters(
                registry,
                "portcullis_throttled_total",
                "Requests that had to wait, by whose allowance was used up.",
                &["portal", "scope"],
            )?,
            device_alarms: counters(
                registry,
                "portcullis_device_alarms_total",
                "Remembered devices that ended because a copy of their secret was shown.",
                &["portal"],
            )?,
            sessions: gauges(
                registry,
                "portcullis_sessions_active",
                "Sessions that are open; where gateways share a store, those that this one has seen.",
                &["portal"],
            )?,
            upstream_errors: counters(
                registry,
                "portcullis_upstream_errors_total",
                "Requests that the portal did not answer.",
                &["portal", "kind"],
            )?,
            rollout: RolloutFamilies::new(registry)?,
        })
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
