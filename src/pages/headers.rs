//! The headers that every answer of ours carries, whatever its status. What a portal answers
//! is the portal's own: these would break many a legacy page.

/// No page of ours needs a script, a frame or another origin, so nothing of that is allowed.
/// Templates must therefore have no inline style; `data:` is for images alone.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; \
     img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     object-src 'none'";

const EVERY_PAGE: &[(&str, &str)] = &[
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    // Without includeSubDomains: the host names belong to the portals' owners, and a portal on
    // example.com says nothing of the other hosts below it, which may still need plain HTTP.
    // Browsers ignore the header over plain HTTP and under a certificate they do not trust, so
    // a trial on localhost leaves no mark on a developer's other work there.
    ("Strict-Transport-Security", "max-age=31536000"),
    // For browsers too old to know frame-ancestors.
    ("X-Frame-Options", "DENY"),
    // The QR code is scanned by another device: no page of ours asks for anything of this one.
    (
        "Permissions-Policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Name and value of each header, in the order in which they are sent.
pub fn every_page() -> &'static [(&'static str, &'static str)] {
    EVERY_PAGE
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::every_page;

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in every_page() {
            let name = HeaderName::try_from(*name).expect("a header name");
            let value = HeaderValue::try_from(*value).expect("a header value");
            assert!(headers.insert(name, value).is_none(), "a header is named twice");
        }
        headers
    }

    #[test]
    fn no_answer_of_ours_may_be_stored() {
        assert_eq!(headers()["cache-control"], "no-store");
    }

    #[test]
    fn the_policy_is_one_line_and_names_every_directive() {
        let policy = headers()["content-security-policy"].to_str().expect("ASCII").to_owned();
        let directives: Vec<&str> = policy.split("; ").collect();
        assert_eq!(
            directives,
            [
                "default-src 'none'",
                "style-src 'self'",
                "img-src 'self' data:",
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
                "object-src 'none'",
            ]
        );
    }

    #[test]
    fn https_is_kept_for_a_year_and_for_this_host_alone() {
        assert_eq!(headers()["strict-transport-security"], "max-age=31536000");
    }

    #[test]
    fn other_origins_are_kept_out() {
        let headers = headers();
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
}
