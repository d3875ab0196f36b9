//! What the API says when it does not do what was asked: RFC 9457, in words for whoever has to
//! mend it. Nothing of it tells a stranger what there is.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::account::AccountError;
use crate::admin::deeds::help::HelpFault;
use crate::admin::deeds::resets::DeedFault;
use crate::audit::AuditError;
use crate::config::desk::Role;
use crate::session::KeyRingError;
use crate::store::StoreError;
use crate::store::backup::BackupError;

use super::wrong::Wait;

/// The media type of a problem.
pub(super) const KIND: &str = "application/problem+json";

/// A problem as it is sent (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Said<'a> {
    /// Always about:blank: the status says which kind it is.
    r#type: &'a str,
    /// The name of the status.
    title: &'a str,
    /// The status.
    status: u16,
    /// What is wrong, for whoever has to mend it.
    detail: &'a str,
    /// A word for programs, where the status alone does not tell the cases apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// A refusal or a failure.
#[derive(Debug)]
pub(in crate::admin) struct Problem {
    status: StatusCode,
    detail: String,
    /// A word for programs, where the status alone does not tell the cases apart.
    reason: Option<&'static str>,
    /// A line of the head; few have one.
    line: Option<Box<(HeaderName, HeaderValue)>>,
    /// What the audit log calls it, where whoever asked may not do it.
    breach: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), reason: None, line: None, breach: None }
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
            .told_as("no_token")
    }

    pub(super) fn wrong_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "the token is none that is known here")
            .with(header::WWW_AUTHENTICATE, "Bearer realm=\"portcullis\", error=\"invalid_token\"")
            .told_as("wrong_token")
    }

    pub(super) fn wait(Wait(seconds): Wait) -> Self {
        let detail = format!("too many wrong tokens came from this address; wait {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
            .with(header::RETRY_AFTER, &seconds.to_string())
    }

    /// The token has asked for more than it may in so short a time.
    pub(super) fn too_many(Wait(seconds): Wait) -> Self {
        let detail = format!("the token asks too often; wait {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
            .with(header::RETRY_AFTER, &seconds.to_string())
            .because("too_often")
    }

    pub(super) fn from_elsewhere() -> Self {
        Self::new(StatusCode::FORBIDDEN, "a page of another origin may not ask").told_as("origin")
    }

    pub(super) fn not_with_this_role(role: Role, needs: Role) -> Self {
        let (role, needs) = (role.as_str(), needs.as_str());
        let detail = format!("the token's role is {role}; this needs {needs} or more");
        Self::new(StatusCode::FORBIDDEN, detail).told_as("role")
    }

    /// The token is for other portals. It is not told that there is such a one.
    pub(super) fn not_at_this_portal() -> Self {
        Self::no_portal().told_as("portal")
    }

    pub(super) fn no_portal() -> Self {
        Self::not_found("there is no such portal")
    }

    pub(super) fn not_for_all() -> Self {
        let detail = "the token is for some portals alone, and this concerns all of them";
        Self::new(StatusCode::FORBIDDEN, detail).told_as("portal")
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
        self.line = HeaderValue::from_str(value).ok().map(|value| Box::new((name, value)));
        self
    }

    fn told_as(mut self, breach: &'static str) -> Self {
        self.breach = Some(breach);
        self
    }

    /// What the audit log calls it, where it is a refusal of somebody who may not do it.
    pub(super) const fn breach(&self) -> Option<&'static str> {
        self.breach
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
        if error == AuditError::Nowhere {
            return Self::not_found("there is no audit log; name one as telemetry.audit");
        }
        tracing::error!(%error, "what the desk did or asked for could not be written down");
        let detail = "the audit log cannot be written, and the log of the gateway says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl From<HelpFault> for Problem {
    fn from(fault: HelpFault) -> Self {
        let detail = fault.to_string();
        match fault {
            HelpFault::Enrolled => Self::new(StatusCode::CONFLICT, detail).because("enrolled"),
            HelpFault::Disabled => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail).because("disabled")
            }
            HelpFault::Account(error) => error.into(),
            HelpFault::Audit(error) => error.into(),
        }
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
        let said = Said {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            reason: self.reason,
        };
        // Texts and numbers always are JSON; without a body the status says it still.
        let body = serde_json::to_string(&said).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, KIND)], body).into_response();
        if let Some(line) = self.line {
            let (name, value) = *line;
            response.headers_mut().insert(name, value);
        }
        response
    }
}
