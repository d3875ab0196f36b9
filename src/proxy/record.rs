//! Stage 9: one line in the access log and one count for every request that was read, be it
//! to its end or until its session ended.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora_error::Error;
use pingora_proxy::Session;

use super::context::Context;
use super::peer::Ends;
use crate::telemetry::access::AccessLine;
use crate::telemetry::log;
use crate::{hex, random};

/// A name for a request: 128 random bits in hex.
pub(super) fn request_id() -> Arc<str> {
    // Without randomness no session can be made either; the log still gets a line.
    let bytes = random::name().unwrap_or_default();
    std::str::from_utf8(hex::digits(bytes).as_flattened()).unwrap_or_default().into()
}

/// Writes the line of a request that `took` so long, and moves the counters.
pub(super) fn record(session: &Session, error: Option<&Error>, ctx: &mut Context, took: Duration) {
    ctx.unfinished = false;
    if let Some(error) = error {
        let kind = error.etype().as_str();
        tracing::debug!(request = %ctx.request_id, kind, "a request ended with an error");
    }
    let request = session.req_header();
    let seen = Seen {
        method: request.method.as_str(),
        path: request.uri.path(),
        status: session.response_written().map(|head| head.status.as_u16()),
        bytes: u64::try_from(session.body_bytes_sent()).unwrap_or(u64::MAX),
        client: match ctx.passage() {
            Some(passage) => passage.incoming.origin.ends.client,
            None => Ends::of(session, &ctx.gateway.parts.proxies).client,
        },
    };
    note(ctx, &seen, took);
}

/// What passes on a connection whose session ends is dropped in its middle, and the framework
/// does not say so: whoever was cut leaves the line and the count all the same.
impl Drop for Context {
    fn drop(&mut self) {
        if !self.unfinished {
            return;
        }
        let Some(passage) = self.passage() else { return };
        let seen = Seen {
            method: passage.incoming.method.as_str(),
            path: passage.incoming.path.as_str(),
            status: self.sent.status,
            bytes: self.sent.bytes,
            client: passage.incoming.origin.ends.client,
        };
        note(self, &seen, self.since.elapsed());
    }
}

/// What of a request the log tells that is not in its context.
struct Seen<'a> {
    method: &'a str,
    path: &'a str,
    status: Option<u16>,
    bytes: u64,
    client: Option<IpAddr>,
}

fn note(ctx: &Context, seen: &Seen<'_>, duration: Duration) {
    let (site, parts) = (ctx.site(), &ctx.gateway.parts);
    let counted = site.map_or(parts.metrics.nowhere(), |site| &site.metrics);
    counted.request(ctx.ending.verdict, ctx.ending.reason, duration);
    if !parts.access_log {
        return;
    }
    let user = ctx.passage().and_then(|passage| passage.visit.subject());
    let line = AccessLine {
        request_id: &ctx.request_id,
        portal: site.map(|site| site.portal.name.as_str()),
        method: seen.method,
        path: seen.path,
        status: seen.status,
        verdict: ctx.ending.verdict,
        reason: ctx.ending.reason,
        duration,
        bytes: seen.bytes,
        client: seen.client,
        user: user.as_deref(),
    };
    log::access(&line);
}
