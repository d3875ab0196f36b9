//! A small HTTP client for one server: it speaks to a portal as the gateway does, keeps cookies in
//! jars of its own, follows no redirect to another host, and waits and reads within limits.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::ALPN;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use url::Url;

use super::jar::Jar;
use crate::clock::{Clock as _, SystemClock};
use crate::net::set_cookie::{self, CookieChange};

/// For one request and its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest page that is read.
const LONGEST: usize = 1024 * 1024;
const REDIRECTS: usize = 8;
/// As browsers ask for a page. Who names JSON here is no browser to some portals.
const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Why a portal could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// No connection, or none that lasts.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// It was silent for too long.
    #[error("{0} does not answer within 10 seconds")]
    TooSlow(String),
    /// More than anybody reads.
    #[error("{0} is longer than 1 MiB")]
    TooLong(String),
    /// What it sends cannot be kept.
    #[error("what {0} sends cannot be kept: {1}")]
    Untaken(String, std::io::Error),
    /// The request cannot be written.
    #[error("{0} cannot be asked for: {1}")]
    Unwritable(String, String),
    /// It leads in circles.
    #[error("{0} leads on more than eight times")]
    Circles(String),
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// Where it came from.
    pub(super) url: Url,
    /// The status code.
    pub(super) status: StatusCode,
    /// All header lines.
    pub(super) headers: HeaderMap,
    /// What its `Set-Cookie` lines change.
    pub(super) cookies: Vec<CookieChange>,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Page {
    /// The body as text, whatever it is.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header of which there is one.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Where it leads, when it is a redirect.
    pub(super) fn leads_to(&self) -> Option<Url> {
        let location = self.header("location").filter(|_| self.status.is_redirection())?;
        self.url.join(location).ok()
    }

    /// Whether the portal asks for HTTP Basic.
    pub(super) fn asks_for_basic(&self) -> bool {
        let challenges = self.headers.get_all("www-authenticate").iter();
        let is_basic = |text: &str| {
            text.split(',').any(|part| {
                part.trim().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"))
            })
        };
        self.status == StatusCode::UNAUTHORIZED
            && challenges.filter_map(|value| value.to_str().ok()).any(is_basic)
    }
}

/// What is sent besides the address.
#[derive(Default)]
pub(super) struct Extra<'a> {
    /// The value of `Authorization`.
    pub(super) authorization: Option<&'a str>,
    /// What is wanted; a page unless given.
    pub(super) accept: Option<&'a str>,
    /// The kind of the body and the body.
    pub(super) body: Option<(&'a str, &'a [u8])>,
}

/// The way to one portal.
pub(super) struct Client {
    connector: Connector,
    origin: Url,
    /// What the portal is to believe that it is called, over TLS.
    host: Option<String>,
    patience: Duration,
}

impl Client {
    /// To the portal at `origin`, spoken to as the gateway does that serves it as `host`.
    pub(super) fn new(origin: &Url, host: Option<&str>) -> Self {
        let host = host.map(str::to_owned);
        Self { connector: Connector::new(None), origin: origin.clone(), host, patience: PATIENCE }
    }

    /// With less patience.
    pub(super) fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Where the portal begins.
    pub(super) fn origin(&self) -> &Url {
        &self.origin
    }

    /// Whether an address is the portal's own.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.origin.origin()
    }

    /// Asks for a page as a browser does and follows the portal's own redirects. Gives every
    /// answer; the last one is where it ended.
    ///
    /// # Errors
    /// When the portal cannot be read.
    pub(super) async fn visit(&self, jar: &mut Jar, url: &Url) -> Result<Vec<Page>, HttpError> {
        let mut pages = Vec::new();
        let mut next = url.clone();
        for _ in 0..=REDIRECTS {
            let page = self.get(jar, &next).await?;
            let leads_to = page.leads_to().filter(|url| self.is_own(url));
            pages.push(page);
            match leads_to {
                Some(url) => next = url,
                None => return Ok(pages),
            }
        }
        Err(HttpError::Circles(shown(url)))
    }

    /// Asks for one page.
    ///
    /// # Errors
    /// When the portal cannot be read.
    pub(super) async fn get(&self, jar: &mut Jar, url: &Url) -> Result<Page, HttpError> {
        self.send(jar, &Method::GET, url, Extra::default()).await
    }

    /// Sends one request; the jar gives its cookies and takes those of the answer.
    ///
    /// # Errors
    /// When the portal cannot be read.
    pub(super) async fn send(
        &self,
        jar: &mut Jar,
        method: &Method,
        url: &Url,
        extra: Extra<'_>,
    ) -> Result<Page, HttpError> {
        let exchange = self.exchange(jar, method, url, &extra);
        let page = tokio::time::timeout(self.patience, exchange).await;
        let page = page.map_err(|_| HttpError::TooSlow(shown(url)))??;
        jar.take(url, &page.cookies);
        Ok(page)
    }

    /// Sends one request whose answer may be long: the pieces of a right one go to `take`, and
    /// of any other the page holds the body.
    ///
    /// # Errors
    /// When it cannot be read, or not be taken.
    pub(super) async fn download(
        &self,
        method: &Method,
        url: &Url,
        extra: Extra<'_>,
        take: &mut dyn FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<Page, HttpError> {
        let jar = Jar::default();
        let begun = self.begin(&jar, method, url, &extra);
        let begun = tokio::time::timeout(self.patience, begun).await;
        let (mut session, mut page) = begun.map_err(|_| HttpError::TooSlow(shown(url)))??;
        let is_right = page.status == StatusCode::OK;
        while let Some(piece) = piece(&mut session, url).await? {
            if is_right {
                take(&piece).map_err(|error| HttpError::Untaken(shown(url), error))?;
            } else if page.body.len() + piece.len() <= LONGEST {
                page.body.extend_from_slice(&piece);
            }
        }
        session.shutdown().await;
        Ok(page)
    }

    async fn exchange(
        &self,
        jar: &Jar,
        method: &Method,
        url: &Url,
        extra: &Extra<'_>,
    ) -> Result<Page, HttpError> {
        let (mut session, mut page) = self.begin(jar, method, url, extra).await?;
        while let Some(piece) = piece(&mut session, url).await? {
            page.body.extend_from_slice(&piece);
            if page.body.len() > LONGEST {
                return Err(HttpError::TooLong(shown(url)));
            }
        }
        session.shutdown().await;
        Ok(self.page(page))
    }

    /// Sends a request; gives the head of the answer as a page without a body.
    async fn begin(
        &self,
        jar: &Jar,
        method: &Method,
        url: &Url,
        extra: &Extra<'_>,
    ) -> Result<(HttpSession, Page), HttpError> {
        let unreachable = |error: &dyn std::fmt::Display| unreachable_at(url, error);
        let head = self
            .head(jar, method, url, extra)
            .map_err(|error| HttpError::Unwritable(shown(url), error.to_string()))?;
        let peer = peer(url, self.patience).await.map_err(|error| unreachable(&error))?;
        let connected = self.connector.get_http_session(&peer).await;
        let (mut session, _) = connected.map_err(|error| unreachable(&error))?;
        session.set_read_timeout(Some(self.patience));
        let sent = session.write_request_header(Box::new(head)).await;
        sent.map_err(|error| unreachable(&error))?;
        if let Some((_, body)) = extra.body {
            let body = bytes::Bytes::copy_from_slice(body);
            let sent = session.write_request_body(body, true).await;
            sent.map_err(|error| unreachable(&error))?;
        }
        session.finish_request_body().await.map_err(|error| unreachable(&error))?;
        session.read_response_header().await.map_err(|error| unreachable(&error))?;
        let head = session.response_header().ok_or_else(|| unreachable(&"it sends no head"))?;
        let (status, headers) = (head.status, head.headers.clone());
        let cookies = set_cookie::changes(&headers, SystemClock.now());
        Ok((session, Page { url: url.clone(), status, headers, cookies, body: Vec::new() }))
    }

    /// Where a portal calls itself by its public name, what it says leads back here.
    fn page(&self, mut page: Page) -> Page {
        let Some(host) = &self.host else { return page };
        let here = self.origin.origin().ascii_serialization();
        let brought_back = |text: &str| {
            let text = text.replace(&format!("https://{host}"), &here);
            text.replace(&format!("http://{host}"), &here)
        };
        let location = page.header("location").map(brought_back);
        if let Some(value) = location.and_then(|location| location.parse().ok()) {
            page.headers.insert("location", value);
        }
        if let Ok(text) = std::str::from_utf8(&page.body) {
            page.body = brought_back(text).into_bytes();
        }
        page
    }

    fn head(
        &self,
        jar: &Jar,
        method: &Method,
        url: &Url,
        extra: &Extra<'_>,
    ) -> Result<RequestHeader, Box<pingora_core::Error>> {
        let target =
            url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut head = RequestHeader::build(method.clone(), target.as_bytes(), None)?;
        let origin = match &self.host {
            Some(host) => format!("https://{host}"),
            None => url.origin().ascii_serialization(),
        };
        let host = origin.split_once("://").map_or("", |(_, host)| host).to_owned();
        if self.host.is_some() {
            head.insert_header("X-Forwarded-Proto", "https")?;
            head.insert_header("X-Forwarded-Host", host.clone())?;
            head.insert_header("X-Forwarded-For", "192.0.2.1")?;
        }
        head.insert_header("Host", host)?;
        head.insert_header("User-Agent", "Mozilla/5.0 (compatible; portcullis probe)")?;
        head.insert_header("Accept", extra.accept.unwrap_or(PAGE))?;
        head.insert_header("Accept-Language", "en")?;
        // What is compared has to be readable.
        head.insert_header("Accept-Encoding", "identity")?;
        if let Some(line) = jar.line(url) {
            head.insert_header("Cookie", line)?;
        }
        if let Some(value) = extra.authorization {
            head.insert_header("Authorization", value)?;
        }
        if let Some((kind, body)) = extra.body {
            // Portals that mind forged requests look at these.
            head.insert_header("Origin", origin.clone())?;
            head.insert_header("Referer", format!("{origin}{}", url.path()))?;
            head.insert_header("Content-Type", kind)?;
            head.insert_header("Content-Length", body.len())?;
        }
        Ok(head)
    }
}

/// The next piece of a body; nothing after the last.
async fn piece(session: &mut HttpSession, url: &Url) -> Result<Option<bytes::Bytes>, HttpError> {
    session.read_response_body().await.map_err(|error| unreachable_at(url, &error))
}

fn unreachable_at(url: &Url, error: &dyn std::fmt::Display) -> HttpError {
    HttpError::Unreachable(shown(url), error.to_string())
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

/// An address without its query, which may hold what nobody should print.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
