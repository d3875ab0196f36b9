//! The decision, and nothing else: facts in, [`Verdict`] out. No clock, no store, no HTTP;
//! whoever asks has looked everything up before.

// A case that is added must be decided here, not fall into somebody else's arm.
#![warn(clippy::wildcard_enum_match_arm)]

mod decide;
mod demand;
mod facts;
pub mod rules;
mod stage;
mod verdict;

pub use decide::{Permit, decide};
pub use demand::Demand;
pub use facts::{Destination, Facts, PortalSession, Standing, Visitor};
pub use stage::{Enforcement, Group, Mode, Stage};
pub use verdict::{Challenge, PortalCookies, Reason, Verdict};
