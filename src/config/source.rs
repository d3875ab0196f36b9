//! Who else names a portal's users, as used.

use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use regex::bytes::Regex;

/// The portal's own word on who a session belongs to.
#[derive(Debug)]
pub struct WhoamiRule {
    /// Path and query that are asked.
    pub target: String,
    /// Where the answer has the name.
    pub name: NameInAnswer,
    /// How long an answer counts, 1 s to 10 min.
    pub cache: Duration,
}

/// Where an answer names the user.
#[derive(Debug)]
pub enum NameInAnswer {
    /// A JSON pointer (RFC 6901) into the body.
    Json(String),
    /// A response header.
    Header(HeaderName),
    /// The one group of a pattern over the body.
    Pattern(Regex),
}

/// An authenticating proxy in front of us.
#[derive(Debug)]
pub struct HeaderRule {
    /// The request header that names the user.
    pub name: HeaderName,
    /// The networks it speaks from.
    pub from: Vec<IpNet>,
}

/// HTTP Basic.
#[derive(Debug)]
pub struct BasicRule {
    /// Path and query that the portal shows to who is signed in alone.
    pub target: String,
}
