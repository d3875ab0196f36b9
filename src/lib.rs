//! Portcullis: a second factor in front of web portals that keep their own login.
//!
//! The modules in reading order, from the street to the cellar. Imports run downwards only.

pub mod cli;
pub mod server;

pub mod proxy;

pub mod admin;
pub mod pages;
pub mod site;

pub mod desk;

pub mod account;
pub mod visit;

pub mod session;
pub mod tokens;

pub mod audit;
pub mod notify;

pub mod identity;
pub mod policy;

pub mod factor;
pub mod store;
pub mod telemetry;

pub mod call;
pub mod clock;
pub mod config;
pub mod hex;
pub mod mac;
pub mod net;
pub mod overrides;
pub mod password;
pub mod random;
pub mod user;
