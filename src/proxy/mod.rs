//! The way of a request. Read [`gateway`] first: it is the table of contents, each stage is
//! a file. Nothing outside this folder knows `pingora_proxy`.

// A case that is added must be decided here, not fall into somebody else's arm.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod connection;
pub mod gateway;
pub mod in_force;
pub mod service;
pub mod tls;
pub mod workers;

// Public for the benches alone, which measure these by themselves.
#[doc(hidden)]
pub mod identify;
#[doc(hidden)]
pub mod recall;

mod admit;
mod answer;
mod ask;
mod buffered;
mod context;
mod exchange;
mod facts;
mod fail;
mod forward;
mod inject;
mod introduce;
mod kept;
mod learn;
mod observe;
mod peer;
mod proxy_header;
mod reading;
mod receive;
mod record;
mod resent;
mod route;
mod settle;
mod sign_in;
mod standing;
mod tell;
mod turns;
mod upstream;
mod watch;
