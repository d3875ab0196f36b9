//! Numbers of the audit log: what was written, what was not, and whether it is whole.

use prometheus::{IntCounter, Registry};

use super::register::registered;
use super::{Metrics, MetricsError};

/// Each is there from the start, at zero: an alert on a rate needs that.
#[derive(Debug)]
pub(super) struct AuditMetrics {
    lines: IntCounter,
    failures: IntCounter,
    lost: IntCounter,
    broken: IntCounter,
    syslog_failures: IntCounter,
}

impl AuditMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let counter = |name, help| registered(registry, IntCounter::new(name, help));
        Ok(Self {
            lines: counter(
                "portcullis_audit_lines_total",
                "Lines of the audit log that are on disk.",
            )?,
            failures: counter(
                "portcullis_audit_failures_total",
                "Times that the audit log could not be written, or its end not be kept.",
            )?,
            lost: counter(
                "portcullis_audit_lost_total",
                "Lines that are not in the audit log: refusals beyond its budget, or more than \
                 could wait.",
            )?,
            broken: counter(
                "portcullis_audit_broken_total",
                "Times that the audit log was not what had been written. Anything above zero \
                 needs somebody to look.",
            )?,
            syslog_failures: counter(
                "portcullis_audit_syslog_failures_total",
                "Lines of the audit log that the collector did not take.",
            )?,
        })
    }
}

impl Metrics {
    /// Counts lines of the audit log that are on disk.
    pub fn audit_lines(&self, lines: usize) {
        self.audit.lines.inc_by(u64::try_from(lines).unwrap_or(u64::MAX));
    }

    /// Counts a time that the audit log could not be written.
    pub fn audit_failure(&self) {
        self.audit.failures.inc();
    }

    /// Counts a line that will never be in the audit log.
    pub fn audit_lost(&self) {
        self.audit.lost.inc();
    }

    /// Counts an audit log that was not what had been written.
    pub fn audit_broken(&self) {
        self.audit.broken.inc();
    }

    /// Counts a line that the collector of logs did not take.
    pub fn syslog_failure(&self) {
        self.audit.syslog_failures.inc();
    }
}
