//! The decision, and nothing else: facts in, [`Verdict`] out. No clock, no store, no HTTP;
//! whoever asks has looked everything up before.

mod decide;
mod facts;
mod verdict;

pub use decide::{Permit, decide};
pub use facts::{Destination, Facts, PortalSession, Standing, Visitor};
pub use verdict::{Challenge, PortalCookies, Reason, Verdict};
