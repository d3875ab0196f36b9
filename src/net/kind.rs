//! Who waits for an answer: a browser that shows it, or a script.

use http::{HeaderMap, Method, header};

use super::lines::{Line, Lines};

/// Who waits for the answer (see "What who sees" in the contract).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A browser that shows what comes.
    Page,
    /// A script, a program, a WebSocket.
    Call,
}

impl Kind {
    /// Whether a browser navigates, as far as a GET or HEAD can tell. The head has these `lines`.
    pub fn of(method: &Method, headers: &HeaderMap, lines: Lines) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let upgrades = lines.has(Line::Upgrade);
        if reads && !upgrades && shows(headers, lines) { Self::Page } else { Self::Call }
    }
}

/// Whether whoever sent the request will show the answer as a page.
pub fn navigates(headers: &HeaderMap) -> bool {
    shows(headers, Lines::of(headers))
}

/// The same of a head that has these `lines`.
fn shows(headers: &HeaderMap, lines: Lines) -> bool {
    if lines.has(Line::SecFetchMode) {
        return lines.navigates();
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::Kind;
    use crate::net::lines::Lines;

    fn kind(method: Method, lines: &[(&'static str, &'static str)]) -> Kind {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Kind::of(&method, &headers, Lines::of(&headers))
    }

    #[test]
    fn a_browser_that_navigates_shows_a_page() {
        let html = ("accept", "text/html,*/*");
        assert_eq!(kind(Method::GET, &[html]), Kind::Page);
        assert_eq!(kind(Method::GET, &[("sec-fetch-mode", "navigate")]), Kind::Page);
        assert_eq!(kind(Method::HEAD, &[html]), Kind::Page);
    }

    #[test]
    fn everything_else_is_a_call() {
        let html = ("accept", "text/html,*/*");
        assert_eq!(kind(Method::GET, &[]), Kind::Call);
        assert_eq!(kind(Method::POST, &[html]), Kind::Call);
        let cors = ("sec-fetch-mode", "cors");
        assert_eq!(kind(Method::GET, &[html, cors]), Kind::Call);
        assert_eq!(kind(Method::GET, &[cors, html]), Kind::Call);
        assert_eq!(kind(Method::GET, &[html, ("upgrade", "websocket")]), Kind::Call);
    }
}
