//! Stories through the real binary: what a visitor, a script, an attacker and ops see.

// The helpers of a test crate may panic as its tests may, and run the tools of the desk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub
)]

mod dsl;
mod language;

mod attacks {
    mod admin;
    mod audit;
    mod basic;
    mod cache;
    mod clock;
    mod codes;
    mod config;
    mod console;
    mod documented;
    mod enrolment;
    mod forms;
    mod frames;
    mod guessing;
    mod hdr;
    mod header;
    mod host;
    mod identity;
    mod injection;
    mod introduced;
    mod jwt;
    mod leaks;
    mod leaving;
    mod log_lines;
    mod logins;
    mod matrix;
    mod net;
    mod newcomers;
    mod parallel;
    mod path;
    mod proxy_header;
    mod recovery_codes;
    mod resets;
    mod return_to;
    mod revoked;
    mod rotation;
    mod rules;
    mod self_service;
    mod table;
    mod timing;
    mod upstream_tls;
    mod websocket;
    mod whoami;
}

mod stories {
    mod assertion;
    mod audit;
    mod backup;
    mod calls;
    mod console;
    mod crash;
    mod cut_short;
    mod desk;
    mod devices;
    mod ends;
    mod first_visit;
    mod guards;
    mod identified;
    mod idle;
    mod kept_work;
    mod keys;
    mod mail;
    mod operations;
    mod probe;
    mod reload;
    mod resets;
    mod rollout;
    mod rules;
    mod self_service;
    mod sessions;
    mod spa;
    mod streams;
    mod tokens;
    mod webhook;
}
