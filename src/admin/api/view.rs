//! Answers as programs read them: JSON, times as RFC 3339 has them, in UTC.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::problem::Problem;
use crate::clock::UnixMillis;

/// An answer that holds `what`.
pub(super) fn json(what: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_string(what).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer cannot be written")
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// An answer that holds what was made just now.
pub(super) fn created(what: &impl Serialize) -> Result<Response, Problem> {
    let mut response = json(what)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// A moment in whole seconds.
pub(super) fn moment(at: UnixMillis) -> Option<String> {
    at.rfc3339_seconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_of_rfc_3339() {
        let at = UnixMillis::from_seconds(1_795_529_100);
        assert_eq!(moment(at).as_deref(), Some("2026-11-24T14:05:00Z"));
        assert_eq!(moment(UnixMillis(u64::MAX)), None);
    }
}
