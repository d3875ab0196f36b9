//! Stage 6b: the request as the portal gets it. Only a [`Passage`], which holds a permit,
//! comes here. The framework copies what is edited here, again on each retry.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts as Head;
use pingora_error::{Error, ErrorType, OrErr as _};
use pingora_http::RequestHeader;

use super::context::{Origin, Passage};
use super::fail::Failure;
use super::introduce::introduce;
use crate::identity::SessionLine;
use crate::net::headers::spellings_of;
use crate::net::lines::{self, Line};
use crate::policy::rules::tokens;
use crate::policy::{Destination, PortalCookies};
use crate::site::Parts;
use crate::visit::Who;

/// Where a request came from and what it was addressed to, as portals behind a proxy expect it.
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What a client's request may have and the portal's may not. A disguised line was refused before.
const NOT_FOR_PORTALS: [Line; 3] = [Line::Trusted, Line::Disguised, Line::BetweenTwo];

/// Turns the client's request into the portal's: our cookies and every line that only a
/// proxy may set are gone, and ours are set once. How the client spelled the names of its lines,
/// capital or not, is forgotten: the framework would keep and copy it beside them all the way.
///
/// # Errors
/// When a line cannot be written; then nothing goes to the portal.
pub(super) fn clean(
    request: &mut RequestHeader,
    passage: &Passage,
    parts: &Parts,
) -> Result<(), Failure> {
    origin_form(request);
    edit(request, |headers| {
        for line in NOT_FOR_PORTALS.into_iter().filter(|line| passage.incoming.lines.has(*line)) {
            remove(headers, lines::named(headers, line));
        }
        authorization(headers, passage);
        session_line(headers, passage)?;
        match &passage.cookie_line {
            Some(line) => drop(headers.insert(header::COOKIE, line.clone())),
            None => drop(headers.remove(header::COOKIE)),
        }
        introduce(headers, passage, parts)?;
        set_origin(headers, &passage.incoming.origin)
    })
    .map_err(|error: Box<Error>| Failure::BadAnswer(error.etype().as_str().to_owned()))
}

/// Edits the lines themselves; the framework would parse each name anew. What it keeps beside
/// them, the spelling of their names, is forgotten.
pub(super) fn edit<T>(request: &mut RequestHeader, edit: impl FnOnce(&mut HeaderMap) -> T) -> T {
    let (nothing, ()) = http::Request::new(()).into_parts();
    let mut head = Head::from(std::mem::replace(request, nothing.into()));
    let edited = edit(&mut head.headers);
    *request = head.into();
    edited
}

/// What may say who somebody is and is not for the portal.
fn authorization(headers: &mut HeaderMap, passage: &Passage) {
    let proven = matches!(passage.visit.who, Who::Proven(..));
    if passage.destination == Destination::Login && !proven {
        // Some portals take a name and a password with any request; the login page would then
        // show what is behind it.
        headers.remove(header::AUTHORIZATION);
    }
    if !passage.incoming.lines.has(Line::Authorization) {
        return;
    }
    // A service's token is for us: whoever runs the portal could use it elsewhere.
    let line = headers.get(header::AUTHORIZATION);
    if line.is_some_and(|line| tokens::carries(&String::from_utf8_lossy(line.as_bytes()))) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// The line that is part of the portal's session goes where its cookies go.
fn session_line(headers: &mut HeaderMap, passage: &Passage) -> pingora_error::Result<()> {
    let identity = &passage.site.portal.identity;
    let keep = passage.permit.cookies() == PortalCookies::Keep;
    match passage.visit.cookies.line() {
        // The portal gets what it was asked about, in the same spelling.
        Some(SessionLine::Authorization(line))
            if keep && headers.contains_key(header::AUTHORIZATION) =>
        {
            headers.insert(header::AUTHORIZATION, value(line)?);
        }
        _ if identity.reads_authorization() && !keep => {
            headers.remove(header::AUTHORIZATION);
        }
        Some(SessionLine::Authorization(_) | SessionLine::NamedInFront(_)) | None => {}
    }
    let Some(rule) = &identity.header else { return Ok(()) };
    remove_spellings(headers, &rule.name);
    match passage.visit.cookies.line() {
        Some(SessionLine::NamedInFront(name)) if keep => {
            headers.insert(rule.name.clone(), value(name)?);
        }
        Some(SessionLine::NamedInFront(_) | SessionLine::Authorization(_)) | None => {}
    }
    Ok(())
}

/// A line's value, where it can be one.
fn value(text: &str) -> pingora_error::Result<HeaderValue> {
    HeaderValue::from_str(text).or_err(ErrorType::InvalidHTTPHeader, "no line can hold it")
}

/// Takes away every line that some portal takes for one of this name.
pub(super) fn remove_spellings(headers: &mut HeaderMap, name: &HeaderName) {
    remove(headers, spellings_of(headers, name.as_str()));
}

fn remove(headers: &mut HeaderMap, names: Vec<HeaderName>) {
    for name in names {
        headers.remove(name);
    }
}

/// Says where a request came from and what it is addressed to, as portals behind a proxy
/// expect it. The portal learns the client alone, not the proxies between: it trusts one
/// gateway and has no list of proxies, and what it takes for the client is what we went by.
///
/// # Errors
/// When a line cannot be written.
pub(super) fn set_origin(headers: &mut HeaderMap, origin: &Origin) -> pingora_error::Result<()> {
    let host = match host_as_came(headers, origin) {
        Some(host) => host,
        None => {
            let host = value(&origin.authority)?;
            headers.insert(header::HOST, host.clone());
            host
        }
    };
    if let Some(client) = &origin.client_line {
        headers.insert(&FORWARDED_FOR, client.clone());
    }
    let scheme = HeaderValue::from_static(if origin.ends.tls { "https" } else { "http" });
    headers.insert(&FORWARDED_PROTO, scheme);
    headers.insert(&FORWARDED_HOST, host);
    Ok(())
}

/// The `Host` line, where it is there already and once, as it nearly always is.
fn host_as_came(headers: &HeaderMap, origin: &Origin) -> Option<HeaderValue> {
    let mut hosts = headers.get_all(header::HOST).iter();
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

    use super::{edit, origin_form};

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

    #[test]
    fn how_names_were_spelled_is_forgotten_and_nothing_else() {
        let mut request = RequestHeader::build("POST", b"/a//b?c=%20d", None).unwrap();
        for value in ["one", "two"] {
            request.append_header("X-Requested-With", value).unwrap();
        }
        request.append_header("USER-AGENT", "Mozilla").unwrap();
        let before = request.clone();
        edit(&mut request, |_| ());
        assert!(before.has_case() && !request.has_case());
        assert_eq!(request.headers, before.headers);
        assert_eq!((&request.method, request.version), (&before.method, before.version));
        assert_eq!(request.raw_path(), before.raw_path());
        let mut written = Vec::new();
        request.header_to_h1_wire(&mut written);
        let lines = "x-requested-with: one\r\nx-requested-with: two\r\nuser-agent: Mozilla\r\n";
        assert_eq!(std::str::from_utf8(&written), Ok(lines));
    }
}
