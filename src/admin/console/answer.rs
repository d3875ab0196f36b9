//! What the console answers: a page, the way to another one, or that it cannot be done.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::account::AccountError;
use crate::audit::AuditError;
use crate::pages::qr::QrError;
use crate::password::HashError;
use crate::random::NoRandomness;
use crate::store::StoreError;

/// What the pages need, and nothing beside: no script, no frame, no other origin.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; \
     img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     object-src 'none'";
/// Without a referrer to ourselves a browser would not say from where a form comes (Fetch,
/// section 3.2), and then we would refuse it.
const REFERRER_POLICY: &str = "same-origin";

const HTML: &str = "text/html; charset=utf-8";

/// Why there is no page. Each kind refuses.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The values may be secrets, so only the kind is told.
    #[error("a page cannot be made: {0}")]
    Page(minijinja::ErrorKind),
    #[error(transparent)]
    Qr(#[from] QrError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error("so many people sign in at once that passwords cannot be looked at")]
    Busy,
    #[error("the work on a password was broken off")]
    BrokenOff,
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

impl From<minijinja::Error> for Fault {
    fn from(error: minijinja::Error) -> Self {
        Self::Page(error.kind())
    }
}

/// An answer that is not sent yet. No `Debug`: cookies are in it.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    kind: &'static str,
    body: String,
    location: Option<String>,
    cookie: Option<String>,
    retry_after: Option<u64>,
}

impl Answer {
    /// A page.
    pub(super) fn page(status: StatusCode, body: String) -> Self {
        Self { status, kind: HTML, body, location: None, cookie: None, retry_after: None }
    }

    /// The stylesheet.
    pub(super) fn style(body: &str) -> Self {
        let kind = "text/css; charset=utf-8";
        Self { kind, ..Self::page(StatusCode::OK, body.to_owned()) }
    }

    /// The way to another page of the console.
    pub(super) fn go(location: &str) -> Self {
        let location = Some(location.to_owned());
        Self { location, ..Self::page(StatusCode::SEE_OTHER, String::new()) }
    }

    /// With this `Set-Cookie` line.
    pub(super) fn with_cookie(self, line: String) -> Self {
        Self { cookie: Some(line), ..self }
    }

    /// With this `Set-Cookie` line, unless it has one of its own.
    pub(super) fn or_cookie(self, line: Option<String>) -> Self {
        Self { cookie: self.cookie.or(line), ..self }
    }

    /// To be tried again after so many seconds.
    pub(super) fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        let lines = [
            (header::CONTENT_TYPE, Some(self.kind.to_owned())),
            (header::CONTENT_SECURITY_POLICY, Some(CONTENT_SECURITY_POLICY.to_owned())),
            (header::REFERRER_POLICY, Some(REFERRER_POLICY.to_owned())),
            (HeaderName::from_static("x-frame-options"), Some("DENY".to_owned())),
            (header::LOCATION, self.location),
            (header::SET_COOKIE, self.cookie),
            (header::RETRY_AFTER, self.retry_after.map(|seconds| seconds.to_string())),
        ];
        for (name, value) in lines {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
