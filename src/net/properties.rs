//! What holds for whatever comes from the street: no parser panics, and what it lets in is
//! what its type promises.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::cookies::{CookieRules, Cookies, DEVICE, SESSION, is_like_ours};
use super::glob::Glob;
use super::host::Host;
use super::path::{PathPattern, RequestPath};
use super::return_to::ReturnTo;

/// Texts in which the signs that parsers stumble over are frequent.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "/",
            "//",
            "\\",
            ".",
            "..",
            ";",
            "%",
            "%2f",
            "%2E",
            "%5c",
            "%00",
            "%25",
            "?",
            "#",
            "@",
            ":",
            "[",
            "]",
            "[::1]",
            "\0",
            "\t",
            "\n",
            " ",
            "\u{a0}",
            "é",
            "a",
            "B",
            "1",
            "-",
            "_",
            "=",
            "\"",
            "$",
            "*",
            "**",
            "http:",
            "https://",
            ".mfa",
            "__Host-mfa",
            "sid",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// A path as those servers read it that decode first.
fn resolved(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().replace('\\', "/")
}

/// Where a browser goes with a `Location`, by the states of the WHATWG URL standard: tabs and
/// line ends are dropped and space at the ends cut off; a scheme, or two slashes of either
/// kind, lead to another host.
fn stays_on_the_host(location: &str) -> bool {
    let kept: String = location
        .trim_matches(|sign: char| sign <= ' ')
        .chars()
        .filter(|sign| !matches!(sign, '\t' | '\n' | '\r'))
        .map(|sign| if sign == '\\' { '/' } else { sign })
        .collect();
    kept.starts_with('/') && !kept.starts_with("//")
}

fn headers(lines: &[Vec<u8>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        // What is no header value at all never gets this far.
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("cookie", value);
        }
    }
    headers
}

proptest! {
    #[test]
    fn a_canonical_path_has_one_reading(raw in text().prop_map(|rest| format!("/{rest}"))) {
        if let Ok(path) = RequestPath::parse(&raw) {
            prop_assert_eq!(path.as_str(), &raw);
            prop_assert!(!raw.bytes().any(|byte| byte < 0x20 || byte == b'#' || byte == 0x7f));
            if let Some(canonical) = path.canonical() {
                let decoded = resolved(canonical);
                prop_assert_eq!(decoded.split('/').count(), canonical.split('/').count());
                prop_assert!(!decoded.split('/').any(|segment| matches!(segment, "." | "..")));
                prop_assert!(!decoded.contains("//") && !decoded.contains(';'));
            }
        }
    }

    #[test]
    fn only_what_starts_with_a_slash_is_a_path(raw in text()) {
        prop_assert!(RequestPath::parse(&raw).is_err() || raw.starts_with('/'));
    }

    #[test]
    fn a_pattern_opens_nothing_with_two_readings(pattern in text(), raw in text()) {
        let pattern = PathPattern::parse(&format!("/{pattern}"));
        if let (Ok(pattern), Ok(path)) = (pattern, RequestPath::parse(&format!("/{raw}"))) {
            prop_assert!(!pattern.matches(&path) || path.canonical().is_some());
        }
    }

    #[test]
    fn a_place_to_return_to_is_on_the_host(text in text(), slash in any::<bool>()) {
        let text = if slash { format!("/{text}") } else { text };
        let kept = ReturnTo::parse(&text, "/.mfa");
        prop_assert!(kept.as_str() == text || kept.as_str() == "/");
        prop_assert!(stays_on_the_host(kept.as_str()), "{:?}", kept);
        let path = kept.as_str().split(['?', '#']).next().unwrap();
        prop_assert!(stays_on_the_host(&resolved(path)), "{:?}", kept);
        prop_assert!(!resolved(path).split('/').any(|segment| matches!(segment, "." | "..")));
        prop_assert!(path != "/.mfa" && !path.starts_with("/.mfa/"));
        prop_assert!(HeaderValue::from_str(kept.as_str()).is_ok());
    }

    #[test]
    fn a_location_becomes_a_place_on_the_host(location in text(), base in text()) {
        let hosts = ["wiki.test".to_owned()];
        let base = format!("/{base}");
        let kept = ReturnTo::from_location(&location, &base, &hosts, "/.mfa");
        prop_assert!(stays_on_the_host(kept.as_str()), "{:?}", kept);
    }

    #[test]
    fn a_host_is_in_its_one_spelling(authority in text()) {
        if let Ok(host) = Host::parse(&authority) {
            prop_assert_eq!(Host::parse(host.as_str()), Ok(host.clone()));
            prop_assert_eq!(Host::parse(&authority.to_ascii_uppercase()), Ok(host.clone()));
            let name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'[' | b']' | b':');
            prop_assert!(host.as_str().bytes().all(name), "{:?}", host);
        }
    }

    #[test]
    fn bytes_of_any_kind_are_cookies_or_refused(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4)
    ) {
        let headers = headers(&lines);
        if let Ok(cookies) = Cookies::read(&headers, &CookieRules::new(&[Glob::new("sid")])) {
            let line = for_portal(&cookies, &[]);
            prop_assert!(line.bytes().all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte)));
        }
    }

    #[test]
    fn no_cookie_of_ours_reaches_a_portal(lines in prop::collection::vec(cookie_line(), 0..4)) {
        let lines: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
        let headers = headers(&lines);
        let session = [Glob::new("sid")];
        let rules = CookieRules::new(&session);
        if let Ok(cookies) = Cookies::read(&headers, &rules) {
            prop_assert!(cookies.matching(&session).count() <= 1);
            let all = for_portal(&cookies, &[]);
            let names = all.split(';').map(|pair| pair.split('=').next().unwrap_or_default());
            for name in names {
                prop_assert!(!is_like_ours(name), "{}", all);
            }
            let without = for_portal(&cookies, &session);
            let again = [without.clone().into_bytes()];
            let again = self::headers(&again);
            let reread = Cookies::read(&again, &rules).unwrap();
            prop_assert_eq!(reread.matching(&session).count(), 0, "{}", without);
        }
    }
}

fn for_portal(cookies: &Cookies, withhold: &[Glob]) -> String {
    cookies.for_portal(withhold).map_or_else(String::new, |line| line.to_str().unwrap().to_owned())
}

/// Lines in which our names and the portal's are frequent.
fn cookie_line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        prop::sample::select(vec![SESSION, DEVICE, "sid", "SID", "theme", "__HOST-MFA", ""])
            .prop_map(str::to_owned),
        "[ -~]{0,8}",
    ];
    let value = prop_oneof![
        "[ -~]{0,8}",
        prop::sample::select(vec!["sid=1", "a, sid=1", "\"sid=1", "__Host-mfa=1"])
            .prop_map(str::to_owned),
    ];
    let pair = (name, value, any::<bool>())
        .prop_map(|(name, value, sign)| if sign { format!("{name}={value}") } else { name });
    prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("; "))
}
