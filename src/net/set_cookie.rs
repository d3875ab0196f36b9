//! `Set-Cookie` lines of a portal: what a browser's jar will hold after them.

use cookie::Cookie;
use cookie::time::OffsetDateTime;
use http::HeaderMap;
use http::header::SET_COOKIE;

use crate::clock::UnixMillis;

/// One line, as far as a session cares for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieChange {
    /// The cookie's name.
    pub name: String,
    /// Its new value; nothing when the line removes it.
    pub value: Option<String>,
    /// The path it is for, where the line names one.
    pub path: Option<String>,
}

impl CookieChange {
    /// Whether a browser sends it with every request, or only below some folder, which is
    /// that of the request where it names none.
    pub fn is_for_all_paths(&self, request_path: &str) -> bool {
        match self.path.as_deref().filter(|path| path.starts_with('/')) {
            Some(path) => path == "/",
            None => folder(request_path) == "/",
        }
    }
}

/// The folder of a request, for which a cookie is that names no path (RFC 6265 section 5.1.4).
pub fn folder(request_path: &str) -> &str {
    match request_path.rfind('/') {
        None | Some(0) => "/",
        Some(last) => request_path.get(..last).unwrap_or("/"),
    }
}

/// The changes that `headers` make, in order. A line that no browser would take is none.
pub fn changes(headers: &HeaderMap, now: UnixMillis) -> Vec<CookieChange> {
    headers.get_all(SET_COOKIE).iter().filter_map(|line| change(line.as_bytes(), now)).collect()
}

/// The name in a `Set-Cookie` line, where it has one.
pub fn name(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    let pair = line.split(';').next()?;
    pair.split_once('=').map(|(name, _)| name.trim())
}

fn change(line: &[u8], now: UnixMillis) -> Option<CookieChange> {
    let line = std::str::from_utf8(line).ok()?;
    let parsed = Cookie::parse(line).ok()?;
    // The raw value counts, quotes included: that is what comes back.
    let pair = line.split(';').next()?;
    let value = pair.split_once('=').map(|(_, value)| value.trim().to_owned())?;
    let removed = is_removed(&parsed, now);
    Some(CookieChange {
        name: parsed.name().to_owned(),
        value: (!removed).then_some(value),
        path: parsed.path().map(str::to_owned),
    })
}

/// `Max-Age` wins over `Expires` (RFC 6265 section 5.3).
fn is_removed(cookie: &Cookie<'_>, now: UnixMillis) -> bool {
    if let Some(age) = cookie.max_age() {
        return !age.is_positive();
    }
    let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
    let expires = cookie.expires_datetime().map(OffsetDateTime::unix_timestamp);
    expires.is_some_and(|expires| expires <= now)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{changes, name};
    use crate::clock::UnixMillis;

    fn check(line: &str, value: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_str(line).unwrap());
        let now = UnixMillis::from_seconds(1_800_000_000);
        let [change] = changes(&headers, now).try_into().unwrap();
        assert_eq!((change.name.as_str(), change.value.as_deref()), ("s", value), "{line}");
    }

    #[test]
    fn a_line_sets_or_removes() {
        check("s=abc; Path=/; HttpOnly", Some("abc"));
        check("s=\"a b\"; Path=/", Some("\"a b\""));
        check("s=", Some(""));
        check("s=abc; Max-Age=60", Some("abc"));
        check("s=abc; Max-Age=0", None);
        check("s=abc; Max-Age=-1", None);
        check("s=abc; expires=Thu, 01 Jan 1970 00:00:00 GMT", None);
        check("s=abc; expires=Thu, 01 Jan 2099 00:00:00 GMT", Some("abc"));
        check("s=abc; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", Some("abc"));
    }

    #[test]
    fn a_cookie_may_be_for_a_folder_alone() {
        let all = |line: &'static str, request_path: &str| {
            let mut headers = HeaderMap::new();
            headers.append("set-cookie", HeaderValue::from_static(line));
            changes(&headers, UnixMillis(0))[0].is_for_all_paths(request_path)
        };
        assert!(all("s=1; Path=/", "/wp-admin/x"));
        assert!(!all("s=1; Path=/wp-admin", "/"));
        assert!(all("s=1", "/wp-login.php") && all("s=1; Path=", "/"));
        assert!(!all("s=1", "/admin/login/"));
    }

    #[test]
    fn a_line_without_a_name_sets_nothing() {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("nonsense"));
        headers.append("set-cookie", HeaderValue::from_static("=x"));
        assert_eq!(changes(&headers, UnixMillis(0)), []);
        assert_eq!(name(b"a=1; Path=/"), Some("a"));
        assert_eq!(name(b"nonsense"), None);
    }
}
