//! Third-party portals that the gateway knows from their YAML alone.

// The helpers of a test crate may panic as its tests may, and run the tools of the desk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub
)]

#[path = "../e2e/dsl/mod.rs"]
mod dsl;

mod habits;
mod lines;
mod real;
mod visits;

mod adminer;
mod django;
mod dokuwiki;
mod haproxy;
mod jupyter;
mod node_red;
mod probed;
mod prometheus;
mod radicale;
mod redmine;
mod rollout;
mod wordpress;
