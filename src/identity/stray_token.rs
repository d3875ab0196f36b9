//! Tokens of a portal in places where nobody has proven whose they are.

use http::{HeaderMap, header};

use crate::config::Identity;

/// Whether a token is in the address: portals that take bearer tokens take one there too (RFC
/// 6750 section 2.3).
pub fn has_token_in_address(identity: &Identity, query: Option<&str>) -> bool {
    let is_token = |name: &str| name.to_ascii_lowercase().starts_with("access_token");
    identity.takes_bearer()
        && form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .any(|(name, _)| is_token(&name))
}

/// Whether a request may bring a token in its body (RFC 6750 section 2.2): one without an
/// `Authorization` line, at a portal whose session is a bearer token. Nobody has proven whose
/// that is, so the request is nobody's.
pub fn may_hide_a_token(identity: &Identity, headers: &HeaderMap, method: &str) -> bool {
    let reads = matches!(method, "GET" | "HEAD" | "OPTIONS");
    let has_body = || {
        headers.contains_key(header::TRANSFER_ENCODING)
            || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
    };
    identity.takes_bearer()
        && !headers.contains_key(header::AUTHORIZATION)
        && (!reads || has_body())
}
