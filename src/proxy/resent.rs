//! The portal's answer to a kept form, made fit for the address it is shown at. The browser
//! sent the code to a page of ours and takes the answer for that page's; what the portal wrote
//! relative to its own address has to lead there all the same.

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::context::Incoming;
use super::exchange::Exchange;
use super::fail::Failure;
use crate::net::return_to::{self, ReturnTo};
use crate::net::set_cookie;
use crate::site::Site;

/// Where the head of a page is looked for, in bytes.
const BEGINNING: usize = 16 * 1024;

/// Where a user who cannot have the form kept goes after the code: to the page that the form
/// stands on, where the browser says so, else to the start.
pub(super) fn page_of_form(session: &Session, incoming: &Incoming, site: &Site) -> String {
    let referer = session.get_header(header::REFERER).and_then(|value| value.to_str().ok());
    let page = referer.map_or_else(ReturnTo::start, |referer| {
        let (hosts, prefix) = (&site.portal.hosts, &site.portal.prefix);
        ReturnTo::from_location(referer, incoming.path.as_str(), hosts, prefix)
    });
    page.as_str().to_owned()
}

/// Whether the portal wants the very form at another address. The browser would send the code
/// there in its stead.
pub(super) fn is_wanted_elsewhere(exchange: &Exchange) -> bool {
    let status = exchange.header.status;
    status == StatusCode::TEMPORARY_REDIRECT || status == StatusCode::PERMANENT_REDIRECT
}

/// Makes an answer to a request for `path` lead where it led there.
///
/// # Errors
/// When the portal breaks off, or a line cannot be written.
pub(super) async fn fit(exchange: &mut Exchange, path: &str) -> Result<(), Failure> {
    let unwritable = |_| Failure::BadAnswer("its head cannot be fitted".to_owned());
    fit_location(&mut exchange.header, path).map_err(unwritable)?;
    fit_cookies(&mut exchange.header, path).map_err(unwritable)?;
    if !is_plain_page(&exchange.header) {
        return Ok(());
    }
    exchange.read_until(BEGINNING).await?;
    if let Some(body) = with_base(&exchange.body, path) {
        exchange.body = body;
        exchange.header.remove_header(&header::CONTENT_LENGTH);
        for name in [header::ETAG, header::ACCEPT_RANGES] {
            exchange.header.remove_header(&name);
        }
    }
    Ok(())
}

fn fit_location(head: &mut ResponseHeader, path: &str) -> pingora_error::Result<()> {
    let location = head.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(fitted) = location.and_then(|location| return_to::beside(location, path)) else {
        return Ok(());
    };
    head.insert_header(header::LOCATION, fitted)
}

/// A cookie without a path is for the folder of the request (RFC 6265 section 5.1.4), which
/// was another one.
fn fit_cookies(head: &mut ResponseHeader, path: &str) -> pingora_error::Result<()> {
    let lines = head.headers.get_all(header::SET_COOKIE);
    if lines.iter().all(names_a_path) {
        return Ok(());
    }
    let folder = set_cookie::folder(path);
    let lines: Vec<HeaderValue> = lines.iter().cloned().collect();
    head.remove_header(&header::SET_COOKIE);
    for line in lines {
        if names_a_path(&line) || folder.contains(';') {
            head.append_header(header::SET_COOKIE, line)?;
        } else {
            let end = format!("; Path={folder}");
            head.append_header(header::SET_COOKIE, [line.as_bytes(), end.as_bytes()].concat())?;
        }
    }
    Ok(())
}

fn names_a_path(line: &HeaderValue) -> bool {
    line.as_bytes().split(|byte| *byte == b';').skip(1).any(|attribute| {
        let attribute = attribute.trim_ascii();
        let name = attribute.get(..5).unwrap_or_default();
        name.eq_ignore_ascii_case(b"path=")
            && attribute.get(5..).is_some_and(|path| path.trim_ascii_start().starts_with(b"/"))
    })
}

fn is_plain_page(head: &ResponseHeader) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    let html = kind.eq_ignore_ascii_case("text/html");
    html && !head.status.is_redirection() && !head.headers.contains_key(header::CONTENT_ENCODING)
}

/// The page with a `<base>` at the beginning of its head. Nothing when it has one, or when no
/// head begins in what was read.
fn with_base(page: &Bytes, path: &str) -> Option<Bytes> {
    let beginning = page.get(..page.len().min(BEGINNING))?.to_ascii_lowercase();
    if tag(&beginning, b"<base").is_some() {
        return None;
    }
    let head = tag(&beginning, b"<head")?;
    let end = head + beginning.get(head..)?.iter().position(|byte| *byte == b'>')? + 1;
    let mut fitted = BytesMut::from(page.get(..end)?);
    fitted.extend_from_slice(format!("<base href=\"{}\">", escaped(path)).as_bytes());
    fitted.extend_from_slice(page.get(end..)?);
    Some(fitted.freeze())
}

/// Where a tag begins: `<head` is no beginning of `<header`.
fn tag(page: &[u8], name: &[u8]) -> Option<usize> {
    page.windows(name.len() + 1).position(|window| {
        let (found, next) = window.split_at(name.len());
        found == name
            && next.first().is_some_and(|byte| byte.is_ascii_whitespace() || b">/".contains(byte))
    })
}

fn escaped(path: &str) -> String {
    path.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header;
    use pingora_http::ResponseHeader;

    use super::{fit_cookies, fit_location, with_base};

    fn based(page: &'static str) -> Option<String> {
        let fitted = with_base(&Bytes::from_static(page.as_bytes()), "/a/\"b&<c>")?;
        Some(String::from_utf8(fitted.to_vec()).unwrap())
    }

    #[test]
    fn a_page_gets_its_base_at_the_beginning_of_its_head() {
        const BASE: &str = "<base href=\"/a/&quot;b&amp;&lt;c&gt;\">";
        for (page, before, after) in [
            ("<html><head><title>x", "<html><head>", "<title>x"),
            ("<HEAD lang=\"de\">\n", "<HEAD lang=\"de\">", "\n"),
            ("<header><head>x<basefont>", "<header><head>", "x<basefont>"),
        ] {
            assert_eq!(based(page), Some(format!("{before}{BASE}{after}")), "{page}");
        }
        for page in
            ["", "<html><body>", "<header>", "<head", "<head><base href=\"/x/\">", "<head>x<BASE\n"]
        {
            assert_eq!(based(page), None, "{page}");
        }
    }

    #[test]
    fn a_location_leads_where_it_led_at_the_portal() {
        for (location, expected) in [
            ("/home", "/home"),
            ("//other.test/x", "//other.test/x"),
            ("https://wiki.test/x?a=b:c", "https://wiki.test/x?a=b:c"),
            ("saved?at=10:30", "/wiki/saved?at=10:30"),
            ("../x", "/wiki/../x"),
            ("?id=1", "/wiki/save?id=1"),
            ("#part", "/wiki/save#part"),
            ("", "/wiki/save"),
        ] {
            let mut head = ResponseHeader::build(303, None).unwrap();
            head.insert_header(header::LOCATION, location).unwrap();
            fit_location(&mut head, "/wiki/save").unwrap();
            assert_eq!(head.headers["location"].to_str().unwrap(), expected, "{location}");
        }
    }

    #[test]
    fn a_cookie_stays_in_the_folder_that_the_portal_meant() {
        for (line, path, expected) in [
            ("a=1; Path=/x", "/wiki/save", "a=1; Path=/x"),
            ("a=1; HttpOnly", "/wiki/save", "a=1; HttpOnly; Path=/wiki"),
            ("a=path=/x", "/save", "a=path=/x; Path=/"),
            ("a=1; path=", "/wiki/a/save", "a=1; path=; Path=/wiki/a"),
        ] {
            let mut head = ResponseHeader::build(200, None).unwrap();
            head.append_header(header::SET_COOKIE, line).unwrap();
            head.append_header(header::SET_COOKIE, "b=2; path=/").unwrap();
            fit_cookies(&mut head, path).unwrap();
            let lines = head.headers.get_all("set-cookie").iter();
            let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
            assert_eq!(lines, [expected, "b=2; path=/"], "{line}");
        }
    }
}
