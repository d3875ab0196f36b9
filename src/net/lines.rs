//! Which lines the head of a request has, of those that decide anything. All are looked at once:
//! a request is asked for a dozen of them, has few, and each search of its own costs as much as
//! the look at all.

use http::{HeaderMap, HeaderName, header};

use super::headers::{is_disguised, is_trusted_name};

/// A line that decides something, or a kind of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// `Authorization`.
    Authorization,
    /// `Connection`.
    Connection,
    /// `Content-Length`.
    ContentLength,
    /// `Content-Type`.
    ContentType,
    /// `Origin`.
    Origin,
    /// `Sec-Fetch-Mode`.
    SecFetchMode,
    /// `Sec-Fetch-Site`.
    SecFetchSite,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Upgrade`.
    Upgrade,
    /// One between the client and us alone (RFC 9110 section 7.6.1), beside `Connection`.
    BetweenTwo,
    /// One that only a proxy may set: see [`is_trusted_name`].
    Trusted,
    /// One that a portal takes for another: see [`is_disguised`].
    Disguised,
}

/// What stands between a name and a value, and after both.
const BETWEEN: usize = ": \r\n".len();

/// The lines of one head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    present: u16,
    repeated: u16,
    size: usize,
    navigates: bool,
}

impl Lines {
    /// The lines of this head.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = Self::default();
        for (name, value) in headers {
            let line = line(name);
            if line == Some(Line::SecFetchMode) && !lines.has(Line::SecFetchMode) {
                lines.navigates = value.as_bytes() == b"navigate";
            }
            let bit = line.map_or(0, Line::bit);
            lines.repeated |= lines.present & bit;
            lines.present |= bit;
            lines.size += name.as_str().len() + value.len() + BETWEEN;
        }
        lines
    }

    /// How many bytes they take, as HTTP/1.1 writes them.
    pub fn size(self) -> usize {
        self.size
    }

    /// Whether its `Sec-Fetch-Mode`, the first one, says that a browser will show the answer.
    pub fn navigates(self) -> bool {
        self.navigates
    }

    /// Whether it has such a line.
    pub fn has(self, line: Line) -> bool {
        self.present & line.bit() != 0
    }

    /// Whether it has more than one such line.
    pub fn repeats(self, line: Line) -> bool {
        self.repeated & line.bit() != 0
    }
}

impl Line {
    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The names of a head that are of this kind.
pub fn named(headers: &HeaderMap, wanted: Line) -> Vec<HeaderName> {
    headers.keys().filter(|name| line(name) == Some(wanted)).cloned().collect()
}

/// What a name is. Those that browsers send and that decide nothing are told at once.
fn line(name: &HeaderName) -> Option<Line> {
    match *name {
        header::AUTHORIZATION => Some(Line::Authorization),
        header::CONNECTION => Some(Line::Connection),
        header::CONTENT_LENGTH => Some(Line::ContentLength),
        header::CONTENT_TYPE => Some(Line::ContentType),
        header::ORIGIN => Some(Line::Origin),
        header::TRANSFER_ENCODING => Some(Line::TransferEncoding),
        header::UPGRADE => Some(Line::Upgrade),
        header::EXPECT | header::PROXY_AUTHENTICATE | header::TE | header::TRAILER => {
            Some(Line::BetweenTwo)
        }
        header::ACCEPT
        | header::ACCEPT_ENCODING
        | header::ACCEPT_LANGUAGE
        | header::CACHE_CONTROL
        | header::COOKIE
        | header::HOST
        | header::IF_MODIFIED_SINCE
        | header::IF_NONE_MATCH
        | header::PRAGMA
        | header::RANGE
        | header::REFERER
        | header::UPGRADE_INSECURE_REQUESTS
        | header::USER_AGENT => None,
        _ => other(name.as_str()),
    }
}

fn other(name: &str) -> Option<Line> {
    match name {
        "http2-settings" | "keep-alive" => Some(Line::BetweenTwo),
        "dnt" | "priority" | "sec-ch-ua" | "sec-ch-ua-mobile" | "sec-ch-ua-platform"
        | "sec-fetch-dest" | "sec-fetch-user" | "sec-gpc" | "x-requested-with" => None,
        "sec-fetch-mode" => Some(Line::SecFetchMode),
        "sec-fetch-site" => Some(Line::SecFetchSite),
        _ if is_disguised(name) => Some(Line::Disguised),
        _ => is_trusted_name(name).then_some(Line::Trusted),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Line, Lines, line};
    use crate::net::headers::{is_disguised, is_trusted_name};

    fn lines(names: &[&'static str]) -> Lines {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        Lines::of(&headers)
    }

    #[test]
    fn a_line_is_there_or_not_and_once_or_more() {
        let seen = lines(&["authorization", "sec-fetch-mode", "accept", "sec-fetch-mode", "te"]);
        assert!(seen.has(Line::Authorization) && !seen.repeats(Line::Authorization));
        assert!(seen.has(Line::SecFetchMode) && seen.repeats(Line::SecFetchMode));
        assert!(seen.has(Line::BetweenTwo) && !seen.repeats(Line::BetweenTwo));
        for absent in [Line::Origin, Line::Trusted, Line::Disguised, Line::Upgrade] {
            assert!(!seen.has(absent) && !seen.repeats(absent), "{absent:?}");
        }
        let others = lines(&["accept", "cookie", "cookie"]);
        assert!((others.present, others.repeated) == (0, 0));
        assert_eq!(others.size(), "accept: x\r\ncookie: x\r\ncookie: x\r\n".len());
    }

    #[test]
    fn the_first_of_two_lines_says_whether_a_browser_navigates() {
        for (modes, navigates) in [
            (&["navigate"][..], true),
            (&["navigate", "cors"], true),
            (&["cors", "navigate"], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for mode in modes {
                headers.append("sec-fetch-mode", HeaderValue::from_static(mode));
            }
            assert_eq!(Lines::of(&headers).navigates(), navigates, "{modes:?}");
        }
    }

    /// The framework takes these away where it looks for them, which it does for the last three
    /// alone: the others are gone before.
    #[test]
    fn what_concerns_a_connection_is_told_from_the_rest() {
        let gone = [Line::BetweenTwo, Line::Trusted];
        for name in [
            "keep-alive",
            "proxy-connection",
            "proxy-authenticate",
            "proxy-authorization",
            "te",
            "trailer",
            "http2-settings",
        ] {
            let told = line(&HeaderName::from_static(name));
            assert!(told.is_some_and(|told| gone.contains(&told)), "{name}: {told:?}");
        }
        let left = [Line::TransferEncoding, Line::Connection, Line::Upgrade].map(Some);
        let names = ["transfer-encoding", "connection", "upgrade"].map(HeaderName::from_static);
        assert_eq!(names.map(|name| line(&name)), left);
    }

    /// What is told at once is what the rules for names say: none that only a proxy may set, and
    /// none in a disguise, is passed over.
    #[test]
    fn no_name_is_told_at_once_that_the_rules_would_stop() {
        let names = "accept accept-encoding accept-language authorization cache-control connection \
            content-length content-type cookie expect forwarded host if-modified-since \
            if-none-match keep-alive origin pragma proxy-authorization proxy-connection range \
            referer sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode \
            sec-fetch-site sec-fetch-user sec-gpc te trailer \
            transfer-encoding upgrade upgrade-insecure-requests user-agent via x-forwarded-for \
            x-real-ip x_remote_user x.remote.user cf-connecting-ip x-requested-with priority dnt";
        for name in names.split_whitespace() {
            let told = line(&HeaderName::from_static(name));
            let disguised = is_disguised(name);
            assert_eq!(told == Some(Line::Disguised), disguised, "{name}");
            assert_eq!(told == Some(Line::Trusted), is_trusted_name(name) && !disguised, "{name}");
        }
    }
}
