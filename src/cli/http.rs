//! A small HTTP client for one server: it speaks to a portal as the gateway does, keeps cookies in
//! jars of its own, follows no redirect to another host, and waits and reads within limits.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::jar::Jar;
use crate::call::{self, CallError, Caller, Coming, Request};
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
#[derive(Clone, Copy, Default)]
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
    caller: Caller,
    origin: Url,
    /// What the portal is to believe that it is called, over TLS.
    host: Option<String>,
    patience: Duration,
}

impl Client {
    /// To the portal at `origin`, spoken to as the gateway does that serves it as `host`.
    pub(super) fn new(origin: &Url, host: Option<&str>) -> Self {
        let host = host.map(str::to_owned);
        Self { caller: Caller::new(), origin: origin.clone(), host, patience: PATIENCE }
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
        let (mut coming, mut page) = begun.map_err(|_| HttpError::TooSlow(shown(url)))??;
        let is_right = page.status == StatusCode::OK;
        while let Some(piece) = coming.piece().await.map_err(|error| told(url, error))? {
            if is_right {
                take(&piece).map_err(|error| HttpError::Untaken(shown(url), error))?;
            } else if page.body.len() + piece.len() <= LONGEST {
                page.body.extend_from_slice(&piece);
            }
        }
        coming.end().await;
        Ok(page)
    }

    async fn exchange(
        &self,
        jar: &Jar,
        method: &Method,
        url: &Url,
        extra: &Extra<'_>,
    ) -> Result<Page, HttpError> {
        let (mut coming, mut page) = self.begin(jar, method, url, extra).await?;
        let whole = coming.read(&mut page.body, LONGEST).await;
        if !whole.map_err(|error| told(url, error))? {
            return Err(HttpError::TooLong(shown(url)));
        }
        coming.end().await;
        Ok(self.page(page))
    }

    /// Sends a request; gives the head of the answer as a page without a body.
    async fn begin(
        &self,
        jar: &Jar,
        method: &Method,
        url: &Url,
        extra: &Extra<'_>,
    ) -> Result<(Coming, Page), HttpError> {
        let body = extra.body.map(|(_, body)| body);
        let lines = self.lines(jar, url, extra);
        let request = Request { method: method.as_str(), url, lines, body };
        let begun = self.caller.begin(&request, self.patience).await;
        let coming = begun.map_err(|error| told(url, error))?;
        let (status, headers) = coming.head().map_err(|error| told(url, error))?;
        let cookies = set_cookie::changes(&headers, SystemClock.now());
        Ok((coming, Page { url: url.clone(), status, headers, cookies, body: Vec::new() }))
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

    fn lines(&self, jar: &Jar, url: &Url, extra: &Extra<'_>) -> Vec<(&'static str, String)> {
        let (origin, host) = match &self.host {
            Some(host) => (format!("https://{host}"), host.clone()),
            None => (url.origin().ascii_serialization(), call::host(url)),
        };
        let mut lines = Vec::new();
        if self.host.is_some() {
            lines.push(("X-Forwarded-Proto", "https".to_owned()));
            lines.push(("X-Forwarded-Host", host.clone()));
            lines.push(("X-Forwarded-For", "192.0.2.1".to_owned()));
        }
        lines.push(("Host", host));
        let agent = "Mozilla/5.0 (compatible; portcullis probe)";
        lines.push(("User-Agent", agent.to_owned()));
        lines.push(("Accept", extra.accept.unwrap_or(PAGE).to_owned()));
        lines.push(("Accept-Language", "en".to_owned()));
        // What is compared has to be readable.
        lines.push(("Accept-Encoding", "identity".to_owned()));
        lines.extend(jar.line(url).map(|line| ("Cookie", line)));
        lines.extend(extra.authorization.map(|value| ("Authorization", value.to_owned())));
        if let Some((kind, _)) = extra.body {
            // Portals that mind forged requests look at these.
            lines.push(("Referer", format!("{origin}{}", url.path())));
            lines.push(("Origin", origin));
            lines.push(("Content-Type", kind.to_owned()));
        }
        lines
    }
}

/// What is told of a server that did not answer.
fn told(url: &Url, error: CallError) -> HttpError {
    match error {
        CallError::Silent => HttpError::TooSlow(shown(url)),
        CallError::Unreachable(reason) => HttpError::Unreachable(shown(url), reason),
        CallError::Unwritable(reason) => HttpError::Unwritable(shown(url), reason),
    }
}

/// An address without its query, which may hold what nobody should print.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
