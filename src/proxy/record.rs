//! Stage 9: one line in the access log and one count for every request that was read.

use pingora_error::Error;
use pingora_proxy::Session;

use super::context::Context;
use super::gateway::Gateway;
use crate::random;
use crate::telemetry::access::AccessLine;

/// A name for a request: 128 random bits in hex.
pub(super) fn request_id() -> String {
    // Without randomness no session can be made either; the log still gets a line.
    let bytes = random::bytes::<16>().unwrap_or_default();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the line and moves the counters.
pub(super) fn record(gateway: &Gateway, session: &Session, error: Option<&Error>, ctx: &Context) {
    let duration = ctx.since.elapsed();
    let (site, metrics) = (ctx.site(), &gateway.parts.metrics);
    let counted = site.map_or(metrics.nowhere(), |site| metrics.portal(site.index));
    counted.request(ctx.ending.verdict, ctx.ending.reason, duration);
    if let Some(error) = error {
        let kind = error.etype().as_str();
        tracing::debug!(request = %ctx.request_id, kind, "a request ended with an error");
    }
    if !gateway.parts.access_log {
        return;
    }
    let request = session.req_header();
    let user = ctx.passage().and_then(|passage| passage.visit.session());
    let user = user.map(|session| session.sub.encode());
    let client = session.client_addr().and_then(|address| address.as_inet());
    let line = AccessLine {
        request_id: &ctx.request_id,
        portal: site.map(|site| site.portal.name.as_str()),
        method: request.method.as_str(),
        path: request.uri.path(),
        status: session.response_written().map(|head| head.status.as_u16()),
        verdict: ctx.ending.verdict,
        reason: ctx.ending.reason,
        duration,
        bytes: u64::try_from(session.body_bytes_sent()).unwrap_or(u64::MAX),
        client: client.map(|address| address.ip().to_canonical()),
        user: user.as_deref(),
    };
    line.write();
}
