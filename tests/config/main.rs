//! Configuration as operators write it: files in, fault lines out.

// The helpers of a test crate may panic as its tests may: that is how a test fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub
)]

mod cases;
mod desk;
mod devices;
mod enforcement;
mod example;
mod explain;
mod faults;
mod files;
mod logins;
mod meaning;
mod mutation;
mod notify;
mod people;
mod profiles;
mod proxies;
mod rollout_mutation;
mod rules;
mod schema;
mod store;
mod telemetry;
mod upstream_headers;
mod warnings;
