//! What the API says when it does not do what was asked: RFC 9457, in words for whoever has to
//! mend it. Nothing of it tells a stranger what there is.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::account::AccountError;
use crate::admin::deeds::resets::DeedFault;
use crate::audit::AuditError;
use crate::config::desk::Role;
use crate::session::KeyRingError;
use crate::store::StoreError;
use crate::store::backup::BackupError;

use super::wrong::Wait;

/// A refusal or a failure.
#[derive(Debug)]
pub(in crate::admin) struct Problem {
    status: StatusCode,
    detail: String,
    /// A word for programs, where the status alone does not tell the cases apart.
    reason: Option<&'static str>,
    line: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), reason: None, line: None }
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The request names its host in a way that a stranger controls.
    pub(in crate::admin) fn misdirected() -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "ask by address, or as localhost")
    }

    /// Something of ours went wrong in the middle.
    pub(in crate::admin) fn broken_off() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway's log says why; ask again")
    }

    pub(super) fn no_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a token is needed: Authorization: Bearer TOKEN")
            .with(header::WWW_AUTHENTICATE, "Bearer realm=\"portcullis\"")
    }

    pub(super) fn wrong_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "the token is none that is known here")
            .with(header::WWW_AUTHENTICATE, "Bearer realm=\"portcullis\", error=\"invalid_token\"")
    }

    pub(super) fn wait(Wait(seconds): Wait) -> Self {
        let detail = format!("too many wrong tokens came from this address; wait {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
            .with(header::RETRY_AFTER, &seconds.to_string())
    }

    pub(super) fn from_elsewhere() -> Self {
        Self::new(StatusCode::FORBIDDEN, "a page of another origin may not ask")
    }

    pub(super) fn not_with_this_role(role: Role, needs: Role) -> Self {
        let (role, needs) = (role.as_str(), needs.as_str());
        let detail = format!("the token's role is {role}; this needs {needs} or more");
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn not_for_all() -> Self {
        let detail = "the token is for some portals alone, and this concerns all of them";
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn method(allowed: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("only {allowed}"))
            .with(header::ALLOW, allowed)
    }

    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn clock_in_doubt() -> Self {
        tracing::error!("the clock has gone back; the desk's request is refused");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the clock of the gateway has gone back")
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.line = HeaderValue::from_str(value).ok().map(|value| (name, value));
        self
    }

    /// Says in one word which case it is.
    pub(super) fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }
}

impl From<DeedFault> for Problem {
    fn from(fault: DeedFault) -> Self {
        let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
        let said = fault.to_string();
        match fault {
            DeedFault::Role { has, needs } => Self::not_with_this_role(has, needs),
            DeedFault::Text { .. } | DeedFault::TooLong => Self::bad(said),
            DeedFault::Refused(refusal) => Self::new(unprocessable, said).because(refusal.as_str()),
            DeedFault::Objection(objection) => {
                Self::new(unprocessable, said).because(objection.as_str())
            }
            DeedFault::Undecided(_) => Self::new(StatusCode::CONFLICT, said).because("undecided"),
            DeedFault::Decided(state) => {
                Self::new(StatusCode::CONFLICT, said).because(state.as_str())
            }
            DeedFault::Unknown => Self::not_found(&said),
            DeedFault::Account(error) => error.into(),
            DeedFault::Audit(error) => error.into(),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        tracing::error!(%error, "the desk's request could not be carried out");
        let detail = "the gateway could not carry it out whole, and its log says why; ask again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        tracing::error!(%error, "what the desk did or asked for could not be written down");
        let detail = "the audit log cannot be written, and the log of the gateway says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        AccountError::from(error).into()
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        tracing::error!(%error, "the store could not be exported");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("there is no export: {error}"))
    }
}

impl From<KeyRingError> for Problem {
    fn from(error: KeyRingError) -> Self {
        match error {
            KeyRingError::TooMany => Self::new(StatusCode::CONFLICT, error.to_string()),
            KeyRingError::Store(_) | KeyRingError::Malformed | KeyRingError::Random(_) => {
                tracing::error!(%error, "the keys could not be rotated");
                let detail = "the keys could not be rotated, and the gateway's log says why";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Some(reason), Some(members)) = (self.reason, body.as_object_mut()) {
            members.insert("reason".to_owned(), reason.into());
        }
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if let Some((name, value)) = self.line {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
