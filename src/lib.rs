//! Portcullis: a second factor in front of web portals that keep their own login.

pub mod account;
pub mod cli;

pub mod session;

pub mod identity;
pub mod policy;

pub mod factor;
pub mod store;
pub mod telemetry;

pub mod clock;
pub mod config;
pub mod mac;
pub mod net;
pub mod random;
pub mod user;
