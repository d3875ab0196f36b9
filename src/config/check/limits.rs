//! What a request may cost.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::Limits;
use crate::config::fault::Findings;
use crate::config::file::LimitsFile;
use crate::config::key_path::KeyPath;
use crate::config::units::{Size, Span, show_duration, show_size};

const KIB: usize = 1024;

/// What can be used of a login's body. The framework keeps 64 KiB of a body while it is
/// read ahead, and loses all of one that reaches that size.
const LOGIN_BODY: usize = 65_000;

/// Checks each limit against its range.
pub(super) fn limits(
    written: Option<LimitsFile>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Limits> {
    let written = written.unwrap_or_default();
    let mut size = |key: &str, written: Option<Size>, unset, range: RangeInclusive<usize>| {
        let bytes = written.map_or(unset, |Size(bytes)| bytes);
        findings.in_range(&at.key(key), bytes, range, show_size)
    };
    let headers = size("headers", written.headers, 32 * KIB, 4 * KIB..=64 * KIB);
    let uri = size("uri", written.uri, 8 * KIB, KIB..=32 * KIB);
    let login_body = size("login_body", written.login_body, 64 * KIB, KIB..=64 * KIB);
    let deadline = written.header_deadline.map_or(Duration::from_secs(10), |Span(span)| span);
    let range = Duration::from_secs(1)..=Duration::from_secs(60);
    let deadline = findings.in_range(&at.key("header_deadline"), deadline, range, show_duration);
    let connections = written.connections_per_client.unwrap_or(256);
    let place = at.key("connections_per_client");
    let connections = findings.in_range(&place, connections, 1..=65_536, |count| count.to_string());
    Some(Limits {
        headers: headers?,
        uri: uri?,
        login_body: login_body?.min(LOGIN_BODY),
        header_deadline: deadline?,
        connections_per_client: usize::try_from(connections?).ok()?,
    })
}
