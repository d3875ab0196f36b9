//! Portcullis: a second factor in front of web portals that keep their own login.

pub mod cli;
pub mod clock;
pub mod config;
pub mod factor;
pub mod net;
pub mod policy;
pub mod user;
