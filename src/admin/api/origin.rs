//! Whether a browser sent the request on behalf of a page that is not the listener's own. A
//! program says nothing of where it comes from; a browser says so, and a page cannot stop it.

use axum::http::{HeaderMap, header};

use super::problem::Problem;

/// Refuses what a page of another origin sent.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let own = |origin: &str| {
        let there = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        there.is_some() && there == host
    };
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let comes_from_us = origins.all(|line| line.to_str().is_ok_and(own));
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let is_same_site = sites.all(|line| line == "same-origin" || line == "none");
    if comes_from_us && is_same_site { Ok(()) } else { Err(Problem::from_elsewhere()) }
}

/// Whether a browser says that a page of ours sent it. A form does something by a cookie, so
/// that silence is not enough here: every browser that keeps the cookie says where it is.
pub(in crate::admin) fn is_own_page(headers: &HeaderMap) -> bool {
    let says = headers.contains_key(header::ORIGIN)
        || headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    says && check(headers).is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn passes(lines: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:9443"));
        for (name, value) in lines {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        check(&headers).is_ok()
    }

    #[test]
    fn programs_and_our_own_pages_may_ask() {
        assert!(passes(&[]));
        assert!(passes(&[("origin", "http://127.0.0.1:9443")]));
        assert!(passes(&[("origin", "http://127.0.0.1:9443"), ("sec-fetch-site", "same-origin")]));
    }

    #[test]
    fn a_form_says_where_it_comes_from() {
        let own = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("localhost:9443"));
            headers.insert(name, HeaderValue::from_static(value));
            is_own_page(&headers)
        };
        assert!(own("origin", "http://localhost:9443") && own("sec-fetch-site", "same-origin"));
        assert!(!own("sec-fetch-site", "none") && !own("sec-fetch-site", "cross-site"));
        assert!(!own("origin", "null") && !own("referer", "http://localhost:9443/desk/"));
    }

    #[test]
    fn other_pages_may_not() {
        for origin in [
            "null",
            "http://evil.example",
            "http://127.0.0.1:9443.evil.example",
            "http://127.0.0.1:8080",
            "http://localhost:9443",
            "127.0.0.1:9443",
            "",
        ] {
            assert!(!passes(&[("origin", origin)]), "{origin}");
        }
        assert!(!passes(&[("origin", "http://127.0.0.1:9443"), ("origin", "http://evil.example")]));
        for site in ["cross-site", "same-site", ""] {
            assert!(!passes(&[("sec-fetch-site", site)]), "{site}");
        }
    }
}
