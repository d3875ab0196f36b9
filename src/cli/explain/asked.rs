//! A request as somebody names it: a method and an address, read as the gateway reads the
//! head of a request.

use http::{Method, StatusCode};

use super::words::plain;
use crate::config::Limits;
use crate::net::host::Host;
use crate::net::path::{PathError, RequestPath};
use crate::site::destination::Target;

/// Why a text is no request.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskedFault {
    /// The method is none.
    #[error("'{0}' is no method; write GET, POST and so on")]
    Method(String),
    /// The address names no scheme.
    #[error("the address has to begin with https:// or http://")]
    Scheme,
    /// The address names no host.
    #[error("the address names no host that a request could be for")]
    Host,
}

/// A request.
pub(super) struct Asked {
    /// The method.
    pub method: Method,
    /// The host it is for.
    pub host: Host,
    /// The port, where the address names one.
    pub port: Option<u16>,
    /// Whether it is for TLS.
    pub tls: bool,
    raw: String,
    path: Result<RequestPath, PathError>,
    query: Option<String>,
}

impl Asked {
    /// Reads a method and an address.
    ///
    /// # Errors
    /// When no request could look like that.
    pub(super) fn parse(method: &str, url: &str) -> Result<Self, AskedFault> {
        let known = Method::from_bytes(method.as_bytes());
        let method = known.map_err(|_| AskedFault::Method(plain(method)))?;
        let (tls, rest) = scheme(url).ok_or(AskedFault::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).ok_or(AskedFault::Host)?;
        let host = Host::parse(authority).map_err(|_| AskedFault::Host)?;
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        // No browser sends what follows a '#'.
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let raw = if path.is_empty() { "/" } else { path }.to_owned();
        let path = RequestPath::parse(&raw);
        Ok(Self { method, host, port, tls, raw, path, query })
    }

    /// The path, unless no portal should see it.
    pub(super) fn path(&self) -> Option<&RequestPath> {
        self.path.as_ref().ok()
    }

    /// The query, without its question mark.
    pub(super) fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// What of it says what it is for; nothing when no portal should see its path.
    pub(super) fn target(&self) -> Option<Target<'_>> {
        let path = self.path()?;
        Some(Target { method: self.method.as_str(), path, query: self.query() })
    }

    /// Path and query, as they came.
    pub(super) fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.raw),
            None => self.raw.clone(),
        }
    }

    /// Whether path and query are these.
    pub(super) fn is_for(&self, target: &str) -> bool {
        match target.split_once('?') {
            Some((path, query)) => self.raw == path && self.query() == Some(query),
            None => self.raw == target && self.query.is_none(),
        }
    }

    /// Host and path, and of the query the names alone: its values may be secrets.
    pub(super) fn shown(&self) -> String {
        let path = plain(&self.raw);
        let names = form_urlencoded::parse(self.query().unwrap_or_default().as_bytes())
            .map(|(name, _)| format!("{}=…", plain(&name)))
            .collect::<Vec<_>>()
            .join("&");
        let mark = if names.is_empty() { "" } else { "?" };
        format!("{}{path}{mark}{names}", self.host.as_str())
    }

    /// With what the gateway refuses it before anything else is looked at, and why.
    pub(super) fn refusal(&self, limits: &Limits) -> Option<(StatusCode, String)> {
        let bad = |text: &str| Some((StatusCode::BAD_REQUEST, text.to_owned()));
        if matches!(self.method, Method::TRACE | Method::CONNECT) {
            let text = "TRACE and CONNECT reach no portal".to_owned();
            return Some((StatusCode::METHOD_NOT_ALLOWED, text));
        }
        let capital = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        if !self.method.as_str().bytes().all(capital) {
            return bad("the method is not in capital letters");
        }
        let target = self.path_and_query();
        if target.len() > limits.uri {
            let text = format!("the path with its query is longer than {} bytes", limits.uri);
            return Some((StatusCode::URI_TOO_LONG, text));
        }
        if !target.is_ascii() {
            return bad("the path or the query holds a sign that browsers would escape");
        }
        self.path.as_ref().err().and_then(|error| bad(&error.to_string()))
    }
}

fn scheme(url: &str) -> Option<(bool, &str)> {
    let cut = |scheme: &str| {
        let (head, rest) = url.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let secure = ["https://", "wss://"].iter().find_map(|scheme| cut(scheme));
    let open = || ["http://", "ws://"].iter().find_map(|scheme| cut(scheme));
    secure.map(|rest| (true, rest)).or_else(|| open().map(|rest| (false, rest)))
}

#[cfg(test)]
mod tests {
    use super::Asked;

    fn shown(url: &str) -> String {
        Asked::parse("GET", url).unwrap().shown()
    }

    #[test]
    fn an_address_is_shown_without_the_values_of_its_query() {
        assert_eq!(shown("https://Wiki.test:8443/a?token=s3cret&x#y"), "wiki.test/a?token=…&x=…");
        assert_eq!(shown("HTTP://wiki.test"), "wiki.test/");
        assert_eq!(shown("wss://wiki.test?q=1"), "wiki.test/?q=…");
    }

    #[test]
    fn what_is_no_request_is_told_without_repeating_a_password() {
        for (method, url, text) in [
            ("G ET", "https://wiki.test/", "'G ET' is no method; write GET, POST and so on"),
            ("GET", "wiki.test/a", "the address has to begin with https:// or http://"),
            ("GET", "https://", "the address names no host that a request could be for"),
            (
                "GET",
                "https://u:pw@wiki.test/",
                "the address names no host that a request could be for",
            ),
        ] {
            let fault = Asked::parse(method, url).err().unwrap();
            assert_eq!(fault.to_string(), text);
        }
    }
}
