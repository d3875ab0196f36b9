//! One request of ours to another server and its answer, within limits of time and room: name
//! and chain are verified over TLS, and no redirect is followed.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::ALPN;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use url::Url;

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first step to the end of the answer.
    pub patience: Duration,
    /// How many bytes of its body are read; the rest is left.
    pub longest: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It took too long.
    #[error("no answer in time")]
    Silent,
    /// No connection, or none that lasts.
    #[error("{0}")]
    Unreachable(String),
    /// The request cannot be written.
    #[error("the request cannot be written: {0}")]
    Unwritable(String),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// All header lines.
    pub headers: HeaderMap,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub is_whole: bool,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// Where to.
    pub url: &'a Url,
    /// The header lines, `Host` among them. The length of the body is added.
    pub lines: Vec<(&'static str, String)>,
    /// The body, where it has one.
    pub body: Option<&'a [u8]>,
}

impl Request<'_> {
    fn head(&self) -> Result<RequestHeader, Box<pingora_core::Error>> {
        let (path, query) = (self.url.path(), self.url.query());
        let target = query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
        let mut head = RequestHeader::build(self.method, target.as_bytes(), None)?;
        for (name, value) in &self.lines {
            head.insert_header(*name, value.as_str())?;
        }
        if let Some(body) = self.body {
            head.insert_header("Content-Length", body.len())?;
        }
        Ok(head)
    }
}

/// The `Host` of an address: its name, with a port that is not the usual one.
pub fn host(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    origin.split_once("://").map_or_else(String::new, |(_, host)| host.to_owned())
}

/// Sends requests, each on a connection of its own.
pub struct Caller(Connector);

impl Default for Caller {
    fn default() -> Self {
        Self::new()
    }
}

impl Caller {
    /// One that trusts whom the system trusts.
    pub fn new() -> Self {
        Self(Connector::new(None))
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn call(&self, request: &Request<'_>, limits: Limits) -> Result<Answer, CallError> {
        let exchange = async {
            let mut coming = self.begin(request, limits.patience).await?;
            let (status, headers) = coming.head()?;
            let mut body = Vec::new();
            let is_whole = coming.read(&mut body, limits.longest).await?;
            coming.end().await;
            Ok(Answer { status, headers, body, is_whole })
        };
        tokio::time::timeout(limits.patience, exchange).await.map_err(|_| CallError::Silent)?
    }

    /// Sends one request and reads the head of its answer, with so much patience for each step.
    ///
    /// # Errors
    /// When there is none.
    pub async fn begin(
        &self,
        request: &Request<'_>,
        patience: Duration,
    ) -> Result<Coming, CallError> {
        let head = request.head().map_err(|error| CallError::Unwritable(error.to_string()))?;
        let peer = peer(request.url, patience).await.map_err(unreachable)?;
        let (mut session, _) = self.0.get_http_session(&peer).await.map_err(unreachable)?;
        session.set_read_timeout(Some(patience));
        session.write_request_header(Box::new(head)).await.map_err(unreachable)?;
        if let Some(body) = request.body {
            let body = Bytes::copy_from_slice(body);
            session.write_request_body(body, true).await.map_err(unreachable)?;
        }
        session.finish_request_body().await.map_err(unreachable)?;
        session.read_response_header().await.map_err(unreachable)?;
        Ok(Coming(session))
    }
}

/// An answer whose head is there and whose body comes.
pub struct Coming(HttpSession);

impl Coming {
    /// The head.
    ///
    /// # Errors
    /// When there is none.
    pub fn head(&self) -> Result<(StatusCode, HeaderMap), CallError> {
        let head = self.0.response_header().ok_or_else(|| unreachable("it sends no head"))?;
        Ok((head.status, head.headers.clone()))
    }

    /// The next piece of the body; nothing after the last.
    ///
    /// # Errors
    /// When the way broke.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, CallError> {
        self.0.read_response_body().await.map_err(unreachable)
    }

    /// Reads the rest of the body, up to `longest` bytes; gives whether that is all of it.
    ///
    /// # Errors
    /// When the way broke.
    pub async fn read(&mut self, body: &mut Vec<u8>, longest: usize) -> Result<bool, CallError> {
        while let Some(piece) = self.piece().await? {
            let room = longest.saturating_sub(body.len());
            body.extend(piece.iter().take(room));
            if piece.len() > room {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hangs up.
    pub async fn end(mut self) {
        self.0.shutdown().await;
    }
}

fn unreachable(reason: impl std::fmt::Display) -> CallError {
    CallError::Unreachable(reason.to_string())
}

async fn peer(url: &Url, patience: Duration) -> std::io::Result<HttpPeer> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(80);
    let address = tokio::net::lookup_host((host.as_str(), port)).await?.next();
    let address = address.ok_or_else(|| std::io::Error::other("its name has no address"))?;
    let mut peer = HttpPeer::new(address, url.scheme() == "https", host);
    let options = &mut peer.options;
    options.connection_timeout = Some(patience);
    options.total_connection_timeout = Some(patience);
    options.read_timeout = Some(patience);
    options.write_timeout = Some(patience);
    options.verify_cert = true;
    options.verify_hostname = true;
    options.alpn = ALPN::H1;
    Ok(peer)
}
