//! Sessions. One signed cookie says who somebody is at a portal and how well that is proven;
//! a record in the store says that the session still stands. A cookie counts only together
//! with the portal session it is bound to.

// A case that is added must be decided here, not fall into somebody else's arm.
#![warn(clippy::wildcard_enum_match_arm)]

mod assertion;
mod assertion_keys;
mod binding;
mod everybody;
mod following;
mod hs256;
mod index;
mod kept_ring;
mod keys;
mod logins;
mod memory;
mod of_user;
mod read_token;
mod record;
mod sessions;
mod signing_in;
mod token;

pub use assertion::Assertions;
pub use assertion_keys::{AssertionKeys, AssertionsRotated};
pub use binding::Binder;
pub use keys::{KeyRing, KeyRingError, Rotated, Rotation};
pub use logins::Suspension;
pub use read_token::ReadToken;
pub use record::{FactorUsed, Learned, Level, Place, SessionRecord};
pub use sessions::Sessions;
pub use token::{Claims, Grade, Token, TokenError};

/// How long somebody may take from opening a login page to signing in, at most.
pub const GUEST_LIFETIME: std::time::Duration = std::time::Duration::from_secs(3600);
/// How long a portal session that was replaced still counts, for requests under way.
pub const ROTATION_GRACE: std::time::Duration = std::time::Duration::from_secs(10);
