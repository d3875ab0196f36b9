//! What the gateway tells ops: numbers in [`metrics`], events in [`log`], and one line per
//! request in [`access`]. Nothing here decides anything, and nothing here may hold a secret,
//! a query string or a name in readable form.

pub mod access;
pub(crate) mod escape;
pub mod label;
pub mod log;
pub mod metered;
pub mod metrics;
pub mod rollout;
mod tally;

pub use access::AccessLine;
pub use metrics::{Metrics, MetricsError, PortalMetrics};
