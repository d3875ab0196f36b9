//! Stage 1: the strict look at a request, before any special case. What two readers could
//! read in two ways is refused here.

use std::sync::Arc;

use http::header::{self, HeaderMap};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::context::{Incoming, Origin};
use super::fail::Failure;
use super::peer::Ends;
use super::recall;
use crate::config::Limits;
use crate::net::headers::connection_is_plain;
use crate::net::host::Host;
use crate::net::kind::{self, Kind};
use crate::net::lines::{Line, Lines};
use crate::net::path::RequestPath;
use crate::site::Parts;

/// The most header lines of a request.
const MOST_LINES: usize = 100;

/// Lines that may come once.
const SINGLE: [Line; 5] =
    [Line::Authorization, Line::ContentType, Line::Origin, Line::SecFetchMode, Line::SecFetchSite];

/// Looks at the head of a request.
///
/// # Errors
/// [`Failure::BadRequest`] and its neighbours; the request reaches no portal.
pub(super) fn receive(
    session: &Session,
    parts: &Parts,
    request_id: &Arc<str>,
) -> Result<Incoming, Failure> {
    let request = session.req_header();
    let lines = Lines::of(&request.headers);
    check_sizes(request, lines, &parts.limits)?;
    check_lines(&request.headers, lines)?;
    check_framing(session, lines)?;
    let target = request.raw_path();
    if request.method == http::Method::TRACE || request.method == http::Method::CONNECT {
        return Err(Failure::MethodNotAllowed);
    }
    if !request.method.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return Err(Failure::BadRequest("the method is not in capital letters"));
    }
    if names_a_fragment(session) || !target.is_ascii() {
        return Err(Failure::BadRequest("the target holds a byte that no target may hold"));
    }
    if target.first() != Some(&b'/') && request.uri.scheme().is_none() && !is_absolute(target) {
        return Err(Failure::BadRequest("the target is no path"));
    }
    // A query alone counts as the path `/` here, and as no path at the portal.
    if request.uri.path_and_query().is_none_or(|target| !target.as_str().starts_with('/')) {
        return Err(Failure::BadRequest("the target is no path"));
    }
    let path = RequestPath::parse(request.uri.path())
        .map_err(|_| Failure::BadRequest("the path is none that a portal should see"))?;
    let origin = origin(session, Ends::of(session, &parts.proxies), request_id)?;
    check_upgrade(session, lines.has(Line::Upgrade), &origin.host)?;
    Ok(Incoming {
        method: request.method.clone(),
        path,
        query: request.uri.query().map(str::to_owned),
        kind: Kind::of(&request.method, &request.headers, lines),
        lines,
        origin,
    })
}

/// Whether whoever sent the request will show the answer as a page.
pub(super) fn navigates(session: &Session) -> bool {
    kind::navigates(&session.req_header().headers)
}

fn check_sizes(request: &RequestHeader, lines: Lines, limits: &Limits) -> Result<(), Failure> {
    if request.raw_path().len() > limits.uri {
        return Err(Failure::UriTooLong);
    }
    if lines.size() > limits.headers || request.headers.len() > MOST_LINES {
        return Err(Failure::HeadTooLarge);
    }
    Ok(())
}

fn check_lines(headers: &HeaderMap, lines: Lines) -> Result<(), Failure> {
    if lines.has(Line::Disguised) {
        return Err(Failure::BadRequest("a header line is disguised as another"));
    }
    if lines.has(Line::Connection) && !connection_is_plain(headers) {
        return Err(Failure::BadRequest("the Connection line takes other lines away"));
    }
    match SINGLE.into_iter().any(|single| lines.repeats(single)) {
        true => Err(Failure::BadRequest("a header line that may come once came twice")),
        false => Ok(()),
    }
}

/// A body whose end two readers find at two places is refused (RFC 9112 section 6.3).
fn check_framing(session: &Session, lines: Lines) -> Result<(), Failure> {
    let coding = lines.has(Line::TransferEncoding);
    if !coding && !lines.has(Line::ContentLength) {
        return Ok(());
    }
    let headers = &session.req_header().headers;
    let coded = headers.get_all(header::TRANSFER_ENCODING);
    let chunked = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if coded.iter().any(|value| !chunked(value)) || coded.iter().nth(1).is_some() {
        return Err(Failure::BadRequest("the body comes in a coding that is not known"));
    }
    let lengths = headers.get_all(header::CONTENT_LENGTH);
    let plain = |value: &http::HeaderValue| {
        let digits = value.as_bytes();
        let leading_zero = digits.len() > 1 && digits.first() == Some(&b'0');
        !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && !leading_zero
    };
    if lengths.iter().any(|value| !plain(value)) || lengths.iter().nth(1).is_some() {
        return Err(Failure::BadRequest("the length of the body is not clear"));
    }
    // The server below us drops the length where a coding is given too; the raw head still
    // has both.
    let both = coding && raw_head(session).is_some_and(|head| has_line(&head, b"content-length"));
    if both { Err(Failure::BadRequest("the body has two lengths")) } else { Ok(()) }
}

fn raw_head(session: &Session) -> Option<bytes::Bytes> {
    session.as_downstream().as_http1().map(|http1| http1.get_headers_raw_bytes())
}

fn has_line(head: &[u8], name: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').any(|line| {
        let found = line.get(..name.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(name))
            && line.get(name.len()) == Some(&b':')
    })
}

/// The server below us cuts a fragment off; the raw request line still has it. Empty lines
/// may stand before it (RFC 9112 section 2.2).
fn names_a_fragment(session: &Session) -> bool {
    raw_head(session).is_some_and(|head| {
        let head = head.trim_ascii_start();
        memchr::memchr2(b'#', b'\n', head).is_some_and(|at| head.get(at) == Some(&b'#'))
    })
}

fn is_absolute(target: &[u8]) -> bool {
    let scheme = |scheme: &[u8]| {
        target.get(..scheme.len()).is_some_and(|found| found.eq_ignore_ascii_case(scheme))
    };
    scheme(b"http://") || scheme(b"https://")
}

fn origin(session: &Session, ends: Ends, request_id: &Arc<str>) -> Result<Origin, Failure> {
    let request = session.req_header();
    let mut named = request.headers.get_all(header::HOST).iter();
    let host = named.next();
    if named.next().is_some() {
        return Err(Failure::BadRequest("the host is named twice"));
    }
    let authority = match host {
        Some(host) => host.to_str().map_err(|_| Failure::BadRequest("the host is not text"))?,
        None => request.uri.authority().map(|authority| authority.as_str()).unwrap_or_default(),
    };
    recall::origin(ends, authority, request_id)
        .map_err(|_| Failure::BadRequest("the host is no host"))
}

/// WebSockets alone are upgraded to, over HTTP/1.1, and from the portal's own pages: a
/// browser names the page's site and cannot be made to lie (ASVS 4.4.2).
fn check_upgrade(session: &Session, upgrade: bool, host: &Host) -> Result<(), Failure> {
    if !upgrade {
        return Ok(());
    }
    let request = session.req_header();
    let mut wanted = request.headers.get_all(header::UPGRADE).iter();
    let websocket =
        wanted.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !websocket || wanted.next().is_some() || request.method != http::Method::GET {
        return Err(Failure::BadRequest("only WebSockets are upgraded to"));
    }
    match session.get_header("origin") {
        Some(origin) if !is_same_site(origin.as_bytes(), host) => {
            Err(Failure::CrossSite("a WebSocket"))
        }
        _ => Ok(()),
    }
}

/// Which page had a browser send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// One of this host, or nobody's: it was typed, or no browser sent it.
    Here,
    /// One that does not say where it is, as ours, which send no referrer.
    Unsaid,
    /// One of another site.
    Elsewhere,
}

/// Who sent a request, as far as a browser says so, which no page can make lie.
pub(super) fn sender(session: &Session, host: &Host) -> Sender {
    let line = |name: &str| session.get_header(name).map(http::HeaderValue::as_bytes);
    match (line("sec-fetch-site"), line("origin")) {
        (Some(b"same-origin" | b"none"), _) | (None, None) => Sender::Here,
        (None, Some(b"null")) => Sender::Unsaid,
        (None, Some(origin)) if is_same_site(origin, host) => Sender::Here,
        (Some(_), _) | (None, Some(_)) => Sender::Elsewhere,
    }
}

/// Whether an `Origin` names this host.
fn is_same_site(origin: &[u8], host: &Host) -> bool {
    let text = std::str::from_utf8(origin).unwrap_or_default();
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    authority.is_some_and(|authority| Host::parse(authority).is_ok_and(|named| named == *host))
}
