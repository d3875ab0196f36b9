//! One line per request. It holds what ops need to follow a request and nothing that a reader
//! of the log could use: no query, no header, no name; values from outside are escaped and cut.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::telemetry::escape::shown;
use crate::telemetry::label::{ReasonLabel, VerdictLabel};

/// The target of access lines, by which they are switched on and off.
pub const ACCESS: &str = "access";

/// The longest path that is shown, in signs.
const PATH_LIMIT: usize = 512;
/// The longest method that is shown, in signs; no portal has a longer one.
const METHOD_LIMIT: usize = 24;

/// All that the log tells about one request.
#[derive(Clone, Debug)]
pub struct AccessLine<'a> {
    /// The request's own mark, in hex, which is also in every other event about it.
    pub request_id: &'a str,
    /// The portal it was for, if any.
    pub portal: Option<&'a str>,
    /// The method as it came.
    pub method: &'a str,
    /// The request target as it came; only what is before `?` is shown.
    pub path: &'a str,
    /// The status that the client got; none if the client was gone.
    pub status: Option<u16>,
    /// What was done with it.
    pub verdict: VerdictLabel,
    /// Why.
    pub reason: ReasonLabel,
    /// From the head to the last byte.
    pub duration: Duration,
    /// Bytes of body that the client got.
    pub bytes: u64,
    /// The client's address, behind trusted proxies.
    pub client: Option<IpAddr>,
    /// The user's pseudonym: opaque, the same for all requests of one user at one portal.
    pub user: Option<&'a str>,
}

impl AccessLine<'_> {
    /// The method, safe to show.
    pub(super) fn shown_method(&self) -> Cow<'_, str> {
        shown(self.method, METHOD_LIMIT)
    }

    /// The path without its query, safe to show.
    pub(super) fn shown_path(&self) -> Cow<'_, str> {
        shown(without_query(self.path), PATH_LIMIT)
    }

    /// Writes the line as an event, in whatever form events have.
    pub(super) fn as_event(&self) {
        // An address is written in many pieces, each of which would be looked at for itself.
        let client = self.client.map(|client| client.to_string());
        tracing::info!(
            target: ACCESS,
            request_id = self.request_id,
            portal = self.portal,
            method = &*self.shown_method(),
            path = &*self.shown_path(),
            status = self.status,
            verdict = self.verdict.as_str(),
            reason = self.reason.as_str(),
            duration_ms = milliseconds(self.duration),
            bytes = self.bytes,
            client = client.as_deref().map(tracing::field::display),
            user = self.user,
            "request"
        );
    }
}

/// A query may hold anything, a reset token of the portal's included.
fn without_query(target: &str) -> &str {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    path.split_once('#').map_or(path, |(path, _)| path)
}

fn milliseconds(duration: Duration) -> f64 {
    // Microseconds are as fine as anyone reads it.
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
