//! What a rule asks for.
use std::time::Duration;

/// What a rule of ops asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    None,
    Service,
    Mfa,
    Fresh(Duration),
    Deny,
}
