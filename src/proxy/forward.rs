//! Stage 6b: the request as the portal gets it. Only a [`Passage`], which holds a permit,
//! comes here. Edits can be repeated: a retry makes them again.

use http::header::{self, HeaderName, HeaderValue};
use pingora_http::RequestHeader;

use super::context::{Origin, Passage};
use super::introduce::introduce;
use crate::identity::SessionLine;
use crate::net::address;
use crate::net::headers::{spellings_of, trusted_names};
use crate::net::lines::Line;
use crate::policy::rules::tokens;
use crate::policy::{Destination, PortalCookies};
use crate::site::Parts;
use crate::visit::Who;

/// Lines for us alone (RFC 9110 section 7.6.1).
static BETWEEN_TWO: [HeaderName; 4] =
    [header::EXPECT, HeaderName::from_static("keep-alive"), header::TE, header::TRAILER];

/// Room for most addresses.
const ADDRESS: usize = 16;

/// Turns the client's request into the portal's: our cookies and every line that only a
/// proxy may set are gone, and ours are set once.
///
/// # Errors
/// When a line cannot be written; then nothing goes to the portal.
pub(super) fn clean(
    request: &mut RequestHeader,
    passage: &Passage,
    parts: &Parts,
) -> pingora_error::Result<()> {
    if passage.lines.has(Line::Trusted) {
        for name in trusted_names(&request.headers) {
            request.remove_header(&name);
        }
    }
    if passage.lines.has(Line::BetweenTwo) {
        for name in &BETWEEN_TWO {
            request.remove_header(name);
        }
    }
    origin_form(request);
    let proven = matches!(passage.visit.who, Who::Proven(..));
    if passage.destination == Destination::Login && !proven {
        // Some portals take a name and a password with any request; the login page would
        // then show what is behind it.
        request.remove_header(&header::AUTHORIZATION);
    }
    if passage.lines.has(Line::Authorization) {
        without_service_token(request);
    }
    session_line(request, passage)?;
    match &passage.cookie_line {
        Some(line) => request.insert_header("Cookie", line.clone())?,
        None => drop(request.remove_header(&header::COOKIE)),
    }
    introduce(request, passage, parts)?;
    set_origin(request, &passage.origin)
}

/// A service's token is for us: whoever runs the portal could use it elsewhere.
fn without_service_token(request: &mut RequestHeader) {
    let line = request.headers.get(header::AUTHORIZATION);
    if line.is_some_and(|line| tokens::carries(&String::from_utf8_lossy(line.as_bytes()))) {
        request.remove_header(&header::AUTHORIZATION);
    }
}

/// The line that is part of the portal's session goes where its cookies go.
fn session_line(request: &mut RequestHeader, passage: &Passage) -> pingora_error::Result<()> {
    let identity = &passage.site.portal.identity;
    let keep = passage.permit.cookies() == PortalCookies::Keep;
    match passage.visit.cookies.line() {
        // The portal gets what it was asked about, in the same spelling.
        Some(SessionLine::Authorization(line))
            if keep && request.headers.contains_key(header::AUTHORIZATION) =>
        {
            request.insert_header(header::AUTHORIZATION, line.as_str())?;
        }
        _ if identity.reads_authorization() && !keep => {
            request.remove_header(&header::AUTHORIZATION);
        }
        Some(SessionLine::Authorization(_) | SessionLine::NamedInFront(_)) | None => {}
    }
    let Some(rule) = &identity.header else { return Ok(()) };
    remove_spellings(request, &rule.name);
    match passage.visit.cookies.line() {
        Some(SessionLine::NamedInFront(name)) if keep => {
            request.insert_header(rule.name.clone(), name.as_str())
        }
        Some(SessionLine::NamedInFront(_) | SessionLine::Authorization(_)) | None => Ok(()),
    }
}

/// Takes away every line that some portal takes for one of this name.
pub(super) fn remove_spellings(request: &mut RequestHeader, name: &HeaderName) {
    for spelling in spellings_of(&request.headers, name.as_str()) {
        request.remove_header(&spelling);
    }
}

/// Says where a request came from and what it is addressed to, as portals behind a proxy
/// expect it. The portal learns the client alone, not the proxies between: it trusts one
/// gateway and has no list of proxies, and what it takes for the client is what we went by.
pub(super) fn set_origin(
    request: &mut RequestHeader,
    origin: &Origin,
) -> pingora_error::Result<()> {
    let host = host_as_came(request, origin);
    if host.is_none() {
        request.insert_header(header::HOST, origin.authority.as_str())?;
    }
    if let Some(client) = origin.client {
        let mut text = Vec::with_capacity(ADDRESS);
        address::write(&mut text, client);
        request.insert_header("X-Forwarded-For", text)?;
    }
    let scheme = HeaderValue::from_static(if origin.tls { "https" } else { "http" });
    request.insert_header("X-Forwarded-Proto", scheme)?;
    match host {
        Some(host) => request.insert_header("X-Forwarded-Host", host),
        None => request.insert_header("X-Forwarded-Host", origin.authority.as_str()),
    }
}

/// The `Host` line, where it is there already and once, as it nearly always is.
fn host_as_came(request: &RequestHeader, origin: &Origin) -> Option<HeaderValue> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let host = hosts.next().filter(|host| host.as_bytes() == origin.authority.as_bytes())?;
    hosts.next().is_none().then(|| host.clone())
}

/// `GET http://host/path` becomes `GET /path`: the portal decides by the path, as we did.
fn origin_form(request: &mut RequestHeader) {
    if request.raw_path().first() == Some(&b'/') {
        return;
    }
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    if let Ok(uri) = target.parse() {
        request.set_uri(uri);
    }
}

#[cfg(test)]
mod tests {
    use pingora_http::RequestHeader;

    use super::origin_form;

    #[test]
    fn the_portal_sees_a_path() {
        for (given, expected) in [
            ("/a/b?c=d", "/a/b?c=d"),
            ("/a//../b;x?c", "/a//../b;x?c"),
            ("http://wiki.test/a?b", "/a?b"),
        ] {
            let mut request = RequestHeader::build("GET", given.as_bytes(), None).unwrap();
            origin_form(&mut request);
            assert_eq!(std::str::from_utf8(request.raw_path()).unwrap(), expected);
        }
    }
}
