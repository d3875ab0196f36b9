//! One request to a portal and its answer, made by ourselves: a login, whose answer must be
//! judged before the first byte of it reaches the browser, and the portal's own sign-out.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Version, header};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType};
use pingora_http::{RequestHeader, ResponseHeader};

use super::fail::Failure;

/// How long a portal may take over a login, from the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(60);

/// A portal's answer. What of the body was not read yet still comes from the portal.
pub(super) struct Exchange {
    /// Status and header lines, without those of the connection.
    pub header: ResponseHeader,
    /// The body as far as it was read.
    pub body: Bytes,
    /// Whether that is all of it.
    pub complete: bool,
    session: HttpSession,
}

/// Sends `request` with `body` and reads the answer's head, and its body up to `hold` bytes.
///
/// # Errors
/// When the portal does not answer, or not in HTTP.
pub(super) async fn exchange(
    connector: &Connector,
    peer: Box<HttpPeer>,
    request: RequestHeader,
    body: Bytes,
    hold: usize,
) -> Result<Exchange, Failure> {
    // To connect takes a large future; in a box it is not copied into every caller's, whose
    // frames the stack of a worker would not hold all at once.
    let work = Box::pin(talk(connector, peer, request, body, hold));
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| Failure::TooSlow)?
}

impl Exchange {
    /// The next part of the body that was not read yet.
    ///
    /// # Errors
    /// When the portal breaks off.
    pub(super) async fn next_chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.complete {
            return Ok(None);
        }
        let read = tokio::time::timeout(PATIENCE, self.session.read_response_body()).await;
        let chunk = read.map_err(|_| Failure::TooSlow)?.map_err(|error| failure(&error))?;
        self.complete = chunk.is_none();
        Ok(chunk)
    }

    /// Reads on until `least` bytes of the body are there, or all of it.
    ///
    /// # Errors
    /// When the portal breaks off.
    pub(super) async fn read_until(&mut self, least: usize) -> Result<(), Failure> {
        let mut held = BytesMut::from(&self.body[..]);
        while held.len() < least {
            match self.next_chunk().await? {
                Some(chunk) => held.extend_from_slice(&chunk),
                None => break,
            }
        }
        self.body = held.freeze();
        Ok(())
    }

    /// Closes the connection. A login gets one of its own: on an old one that the portal
    /// closes just then, nobody could say whether it came through.
    pub(super) async fn close(mut self) {
        self.session.shutdown().await;
    }
}

async fn talk(
    connector: &Connector,
    peer: Box<HttpPeer>,
    request: RequestHeader,
    body: Bytes,
    hold: usize,
) -> Result<Exchange, Failure> {
    let request = framed(request, body.len()).map_err(|error| failure(&error))?;
    let connected = connector.get_http_session(&*peer).await;
    let (mut session, _) = connected.map_err(|error| failure(&error))?;
    session.set_read_timeout(Some(PATIENCE));
    session.set_write_timeout(Some(PATIENCE));
    send(&mut session, request, body).await.map_err(|error| failure(&error))?;
    let header = answer_head(&mut session).await?;
    let mut exchange = Exchange { header, body: Bytes::new(), complete: false, session };
    exchange.complete = exchange.session.response_done();
    if hold > 0 {
        // One byte more says that it is longer.
        exchange.read_until(hold + 1).await?;
    }
    Ok(exchange)
}

async fn send(
    session: &mut HttpSession,
    request: RequestHeader,
    body: Bytes,
) -> pingora_error::Result<()> {
    session.write_request_header(Box::new(request)).await?;
    if !body.is_empty() {
        session.write_request_body(body, true).await?;
    }
    session.finish_request_body().await
}

/// The final head; those before it (1xx) are for the connection alone.
async fn answer_head(session: &mut HttpSession) -> Result<ResponseHeader, Failure> {
    loop {
        session.read_response_header().await.map_err(|error| failure(&error))?;
        let Some(head) = session.response_header() else {
            return Err(Failure::BadAnswer("it has no head".to_owned()));
        };
        if head.status == http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::BadAnswer("it changes the protocol unasked".to_owned()));
        }
        if !head.status.is_informational() {
            let mut head = head.clone();
            strip_connection_lines(&mut head);
            return Ok(head);
        }
    }
}

/// The head for a body of known length, on a connection of HTTP/1.1.
fn framed(mut request: RequestHeader, length: usize) -> pingora_error::Result<RequestHeader> {
    for name in CONNECTION_LINES {
        request.remove_header(*name);
    }
    request.set_version(Version::HTTP_11);
    request.remove_header(&header::CONTENT_LENGTH);
    if length > 0 || request.method == http::Method::POST {
        request.insert_header(header::CONTENT_LENGTH, length.to_string())?;
    }
    Ok(request)
}

/// Lines that concern one connection (RFC 9110 section 7.6.1).
const CONNECTION_LINES: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn strip_connection_lines(head: &mut ResponseHeader) {
    for name in CONNECTION_LINES {
        head.remove_header(*name);
    }
}

/// What a fault of the framework means on the portal's side.
// The framework may learn new ways to fail: all of them mean that nothing came.
#[allow(clippy::wildcard_enum_match_arm)]
pub(super) fn failure(error: &Error) -> Failure {
    let what = error.etype().as_str().to_owned();
    match error.etype() {
        ErrorType::ConnectTimedout
        | ErrorType::ReadTimedout
        | ErrorType::WriteTimedout
        | ErrorType::TLSHandshakeTimedout => Failure::TooSlow,
        ErrorType::InvalidHTTPHeader | ErrorType::H1Error | ErrorType::H2Error => {
            Failure::BadAnswer(what)
        }
        ErrorType::InvalidCert | ErrorType::TLSHandshakeFailure | ErrorType::HandshakeError => {
            Failure::Untrusted(what)
        }
        ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError => {
            Failure::BrokenOff(what)
        }
        _ => Failure::Unreachable(what),
    }
}
