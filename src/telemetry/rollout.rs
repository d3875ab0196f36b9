//! The numbers of a rollout: how many users a portal has, how many have been told, and whom
//! it would hold if it did more than report.

use std::collections::HashSet;

use prometheus::{IntCounterVec, IntGaugeVec, Registry};

use super::label::ReasonLabel;
use super::metrics::{MetricsError, Series, counters, drop_series, gauges};
use super::tally::Tally;
use crate::user::Opaque;

/// What can be missing of somebody who would be held.
const LACKS: [ReasonLabel; 5] = [
    ReasonLabel::Unknown,
    ReasonLabel::NotEnrolled,
    ReasonLabel::NotProven,
    ReasonLabel::Stale,
    ReasonLabel::Locked,
];

/// The users whom a count met, each kind in the order of their identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Have signed in.
    pub seen: Vec<Opaque>,
    /// Were shown the date.
    pub reminded: Vec<Opaque>,
    /// Would have been held.
    pub reported: Vec<Opaque>,
}

/// The rollout of one portal, bound to its label.
#[derive(Debug)]
pub struct RolloutMetrics {
    seen: Tally,
    reminded: Tally,
    reported: Tally,
    would_block: Series<ReasonLabel>,
}

impl RolloutMetrics {
    /// Says that the users are counted from now on.
    pub(super) fn begin(&self) {
        [&self.seen, &self.reminded, &self.reported].into_iter().for_each(Tally::begin);
    }

    /// Says whom the count met.
    pub fn counted(&self, met: &Met) {
        self.seen.counted(&met.seen);
        self.reminded.counted(&met.reminded);
        self.reported.counted(&met.reported);
    }

    /// Counts a user who signed in for the first time.
    pub fn one_more_seen(&self, user: Opaque) {
        self.seen.changed(user, true);
    }

    /// Counts a user who was shown the date for the first time.
    pub fn one_more_reminded(&self, user: Opaque) {
        self.reminded.changed(user, true);
    }

    /// Counts a user who would have been held for the first time.
    pub fn one_more_reported(&self, user: Opaque) {
        self.reported.changed(user, true);
    }

    /// Counts a request that would have been held.
    pub fn would_block(&self, lack: ReasonLabel) {
        self.would_block.inc(lack);
    }

    pub(super) fn new(families: &RolloutFamilies, portal: &str) -> Result<Self, prometheus::Error> {
        Ok(Self {
            seen: Tally::new(&families.seen, portal),
            reminded: Tally::new(&families.reminded, portal),
            reported: Tally::new(&families.reported, portal),
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
    /// Drops the series of portals that are gone.
    pub(super) fn forget(&self, gone: &HashSet<String>) {
        let gauges = [&self.seen, &self.reminded, &self.reported];
        gauges.into_iter().for_each(|family| drop_series(family, gone));
        drop_series(&self.would_block, gone);
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
