//! The numbers of a rollout: how many users a portal has, how many have been told, and whom
//! it would hold if it did more than report.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::label::ReasonLabel;
use super::metrics::{MetricsError, Series, counters, drop_series, gauges};

/// What can be missing of somebody who would be held.
const LACKS: [ReasonLabel; 5] = [
    ReasonLabel::Unknown,
    ReasonLabel::NotEnrolled,
    ReasonLabel::NotProven,
    ReasonLabel::Stale,
    ReasonLabel::Locked,
];

/// How many users of a portal are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserCounts {
    /// Have signed in.
    pub seen: u64,
    /// Have an authenticator.
    pub enrolled: u64,
    /// Were shown the date.
    pub reminded: u64,
    /// Would have been held.
    pub reported: u64,
}

/// The rollout of one portal, bound to its label.
#[derive(Debug)]
pub struct RolloutMetrics {
    seen: IntGauge,
    reminded: IntGauge,
    reported: IntGauge,
    would_block: Series<ReasonLabel>,
}

impl RolloutMetrics {
    /// Says how many users were met before.
    pub fn begin(&self, counts: UserCounts) {
        let whole = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.seen.set(whole(counts.seen));
        self.reminded.set(whole(counts.reminded));
        self.reported.set(whole(counts.reported));
    }

    /// Counts a user who signed in for the first time.
    pub fn one_more_seen(&self) {
        self.seen.inc();
    }

    /// Counts a user who was shown the date for the first time.
    pub fn one_more_reminded(&self) {
        self.reminded.inc();
    }

    /// Counts a user who would have been held for the first time.
    pub fn one_more_reported(&self) {
        self.reported.inc();
    }

    /// Counts a request that would have been held.
    pub fn would_block(&self, lack: ReasonLabel) {
        self.would_block.inc(lack);
    }

    pub(super) fn new(families: &RolloutFamilies, portal: &str) -> Result<Self, prometheus::Error> {
        Ok(Self {
            seen: families.seen.get_metric_with_label_values(&[portal])?,
            reminded: families.reminded.get_metric_with_label_values(&[portal])?,
            reported: families.reported.get_metric_with_label_values(&[portal])?,
            would_block: Series::new(&LACKS, |lack| {
                families.would_block.get_metric_with_label_values(&[portal, lack.as_str()])
            })?,
        })
    }
}

/// The same for all portals.
#[derive(Debug)]
pub(super) struct RolloutFamilies {
    seen: IntGaugeVec,
    reminded: IntGaugeVec,
    reported: IntGaugeVec,
    would_block: IntCounterVec,
}

impl RolloutFamilies {
    /// Drops the series of a portal that is gone.
    pub(super) fn forget(&self, portal: &str) {
        let gauges = [&self.seen, &self.reminded, &self.reported];
        gauges.into_iter().for_each(|family| drop_series(family, portal));
        drop_series(&self.would_block, portal);
    }

    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let gauge = |name, help| gauges(registry, name, help, &["portal"]);
        Ok(Self {
            seen: gauge("portcullis_seen_users", "Users who have signed in.")?,
            reminded: gauge(
                "portcullis_reminded_users",
                "Users who were shown from when on they need a second factor.",
            )?,
            reported: gauge(
                "portcullis_would_block_users",
                "Users who were let through without a second factor because the portal reports \
                 alone, whether they have enrolled since or not.",
            )?,
            would_block: counters(
                registry,
                "portcullis_would_block_total",
                "Requests that were let through because the portal reports alone, by what was \
                 missing.",
                &["portal", "reason"],
            )?,
        })
    }
}
