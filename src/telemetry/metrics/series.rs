//! Counters of one portal whose label comes from a closed set.

use prometheus::IntCounter;

/// One counter per label of a closed set, all there from the start: an alert on a rate needs
/// the zero before the first event.
#[derive(Debug)]
pub(in crate::telemetry) struct Series<L>(Vec<(L, IntCounter)>);

impl<L: Copy + PartialEq> Series<L> {
    pub(in crate::telemetry) fn new(
        labels: &[L],
        counter_of: impl Fn(L) -> Result<IntCounter, prometheus::Error>,
    ) -> Result<Self, prometheus::Error> {
        labels
            .iter()
            .map(|label| Ok((*label, counter_of(*label)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(in crate::telemetry) fn inc(&self, label: L) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == label) {
            counter.inc();
        }
    }
}
