//! Stage 8b: our script in the pages of a single-page application. Only the start of a page
//! is held until its place is clear; everything after it passes as it comes. Whatever is not
//! certainly an HTML page stays as the portal sent it.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, Version, header};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use super::context::Incoming;
use crate::net::kind::Kind;
use crate::site::Site;
use place::Place;

mod place;

/// How much of a page is looked at, in bytes. What stands further down comes too late for a
/// script that has to be the first.
const LOOK: usize = 16 * 1024;

/// Lines that speak of the page as the portal sent it, which is not what the browser gets.
const OF_THE_PORTALS_PAGE: &[&str] = &[
    "accept-ranges",
    "content-digest",
    "content-length",
    "content-md5",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
];

/// Lines that would get a part of a page, one that the browser has already, or one in a
/// coding that we do not read.
const FOR_LESS_THAN_A_PAGE: &[&str] = &["if-modified-since", "if-none-match", "if-range", "range"];

/// What becomes of our script in one answer.
pub(super) enum Injection {
    /// Nothing: the answer passes as it is.
    Off,
    /// It goes into the answer, should that be a page.
    Wanted,
    /// It goes into this page, whose start is held until it is clear where.
    Held(BytesMut),
}

impl Injection {
    /// Whether the answer to a request may be a page that needs the script: a browser
    /// navigates at a portal that wants it. HTTP/1.0 has no way to send a page whose length
    /// is not known yet.
    pub(super) fn of(site: &Site, head: &RequestHeader, incoming: &Incoming) -> Self {
        let navigates = incoming.method == Method::GET && incoming.kind == Kind::Page;
        let old = head.version < Version::HTTP_11;
        match site.script_tag {
            Some(_) if navigates && !old => Self::Wanted,
            Some(_) | None => Self::Off,
        }
    }

    /// Asks the portal for a whole page that can be read.
    ///
    /// # Errors
    /// When a line cannot be written.
    pub(super) fn ask(&self, request: &mut RequestHeader) -> pingora_error::Result<()> {
        if matches!(self, Self::Off) {
            return Ok(());
        }
        for name in FOR_LESS_THAN_A_PAGE {
            request.remove_header(*name);
        }
        request.insert_header(header::ACCEPT_ENCODING, "identity")
    }

    /// Looks at the head of the answer, and makes it that of a page with the script.
    ///
    /// # Errors
    /// When a line cannot be written.
    pub(super) fn begin(
        &mut self,
        head: &mut ResponseHeader,
        session: &Session,
    ) -> pingora_error::Result<()> {
        if matches!(self, Self::Off) {
            return Ok(());
        }
        if head.status != StatusCode::OK || !is_readable_page(&head.headers) {
            *self = Self::Off;
            return Ok(());
        }
        *self = Self::Held(BytesMut::new());
        for name in OF_THE_PORTALS_PAGE {
            head.remove_header(*name);
        }
        if session.as_downstream().is_http2() {
            return Ok(());
        }
        // The framework has chosen how the body ends before this; a portal that speaks
        // HTTP/1.0 knows no chunks.
        head.set_version(Version::HTTP_11);
        head.insert_header(header::TRANSFER_ENCODING, "chunked")
    }

    /// Takes a part of the answer's body and leaves what may go on to the browser now.
    pub(super) fn pass(&mut self, tag: Option<&Bytes>, body: &mut Option<Bytes>, end: bool) {
        let Self::Held(held) = self else {
            return;
        };
        held.extend_from_slice(&body.take().unwrap_or_default());
        let place = place::find(held.get(..LOOK).unwrap_or(held));
        if place == Place::NotYet && held.len() < LOOK && !end {
            return;
        }
        let mut page = std::mem::take(held);
        if let (Place::At(at), Some(tag)) = (place, tag) {
            let rest = page.split_off(at);
            page.extend_from_slice(tag);
            page.extend_from_slice(&rest);
        }
        *self = Self::Off;
        *body = Some(page.freeze());
    }
}

/// An HTML page of a known end, in no coding, that nobody forbids to change (RFC 9110
/// section 7.7). An encoding whose letters are not those of ASCII is not read.
fn is_readable_page(headers: &HeaderMap) -> bool {
    let values = |name: header::HeaderName| {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase())
    };
    let mut types = values(header::CONTENT_TYPE);
    let kind = types.next().unwrap_or_default();
    let html = kind.split(';').next().is_some_and(|kind| kind.trim() == "text/html");
    html && types.next().is_none()
        && !kind.contains("utf-16")
        && values(header::CONTENT_ENCODING).all(|coding| coding == "identity")
        && values(header::CONTENT_LENGTH).all(|length| length != "0")
        && !headers.contains_key(header::CONTENT_RANGE)
        && !values(header::CACHE_CONTROL).any(|value| value.contains("no-transform"))
}

#[cfg(test)]
mod tests;
