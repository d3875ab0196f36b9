//! `/jwks.json`: the keys by which a portal verifies what it is told of its visitors. They are
//! public, so nobody has to sign in for them.

use http::StatusCode;

use super::{PageAnswer, PageRequest};

pub(super) fn show(request: &PageRequest<'_>) -> PageAnswer {
    PageAnswer {
        content_type: "application/jwk-set+json",
        body: request.parts.assertions.jwks(request.now),
        ..PageAnswer::empty(StatusCode::OK)
    }
}

/// Whether the portal gets assertions at all.
pub(super) fn is_here(request: &PageRequest<'_>) -> bool {
    request.site.portal.upstream_headers.assertion.is_some()
}
