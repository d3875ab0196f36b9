//! By what a portal knows its session: cookies, as a request carries them and as the browser
//! will hold them after an answer; and for some portals a line of each request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::net::cookies::Cookies;
use crate::net::glob::Glob;
use crate::net::set_cookie::CookieChange;

/// A line of a request that says whose it is. It may hold a password, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum SessionLine {
    /// `Authorization`, as it came. Pages of ours may be asked for without it: a browser sends
    /// it where the portal asked for it, a script where it likes.
    Authorization(String),
    /// The name that a trusted proxy in front of us gave, in every request.
    NamedInFront(String),
}

impl SessionLine {
    /// An `Authorization` line in one spelling: the scheme has no case, and any spaces may
    /// follow it (RFC 9110 section 11.4). Portals are asked in the one of RFC 6750 and RFC
    /// 7617: some know no other, and show what is open to everybody as if no password had
    /// been brought.
    pub fn authorization(line: &str) -> Self {
        let Some((scheme, rest)) = line.trim().split_once(' ') else {
            return Self::Authorization(line.trim().to_owned());
        };
        let mut known = ["Basic", "Bearer"].into_iter();
        let known = known.find(|known| known.eq_ignore_ascii_case(scheme));
        let scheme = known.map_or_else(|| scheme.to_ascii_lowercase(), str::to_owned);
        Self::Authorization(format!("{scheme} {}", rest.trim()))
    }

    /// The token of a bearer line.
    pub fn bearer(&self) -> Option<&str> {
        match self {
            Self::Authorization(line) => line.strip_prefix("Bearer "),
            Self::NamedInFront(_) => None,
        }
    }
}

/// Session cookies by name, and the line that stands beside them. A copy shares them.
#[derive(Clone, Default)]
pub struct CookieSet {
    values: Arc<BTreeMap<String, String>>,
    line: Option<SessionLine>,
    /// Names of those that browsers send below some folder only. A request does not say which
    /// these are; the answer that sets them does.
    scoped: BTreeSet<String>,
}

impl CookieSet {
    /// The session cookies of a request.
    pub fn of_request(cookies: &Cookies, patterns: &[Glob]) -> Self {
        // Put in one by one, since most requests have one: to collect them would sort them first.
        let mut values = BTreeMap::new();
        for (name, value) in cookies.matching(patterns) {
            values.insert(name.to_owned(), value.to_owned());
        }
        Self { values: Arc::new(values), line: None, scoped: BTreeSet::new() }
    }

    /// The same with a line that is part of the session.
    #[must_use]
    pub fn with_line(self, line: Option<SessionLine>) -> Self {
        Self { line, ..self }
    }

    /// The line that is part of the session.
    pub fn line(&self) -> Option<&SessionLine> {
        self.line.as_ref()
    }

    /// The set after an answer to a request for `request_path` made `changes`.
    #[must_use]
    pub fn after(&self, changes: &[CookieChange], patterns: &[Glob], request_path: &str) -> Self {
        let mut set = self.clone();
        for change in changes {
            if !patterns.iter().any(|pattern| pattern.matches(&change.name)) {
                continue;
            }
            let values = Arc::make_mut(&mut set.values);
            let Some(value) = &change.value else {
                values.remove(&change.name);
                continue;
            };
            values.insert(change.name.clone(), value.clone());
            match change.is_for_all_paths(request_path) {
                true => set.scoped.remove(&change.name),
                false => set.scoped.insert(change.name.clone()),
            };
        }
        set
    }

    /// Whether both hold the same cookies with the same values.
    pub fn is_same(&self, other: &Self) -> bool {
        self.values == other.values && self.line == other.line
    }

    /// Whether a cookie is known to be sent below some folder only.
    pub fn is_scoped(&self, name: &str) -> bool {
        self.scoped.contains(name)
    }

    /// Whether there is no portal session at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.line.is_none()
    }

    /// Names and values of the cookies, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{CookieSet, SessionLine};
    use crate::net::cookies::{CookieRules, Cookies};
    use crate::net::glob::Glob;
    use crate::net::set_cookie::CookieChange;

    #[test]
    fn a_line_has_one_spelling_and_a_bearer_line_a_token() {
        for (given, token) in [
            ("Bearer x.y", Some("x.y")),
            ("bEARER   x.y ", Some("x.y")),
            ("basic YTpi", None),
            ("Bearer", None),
        ] {
            assert_eq!(SessionLine::authorization(given).bearer(), token, "{given}");
        }
    }

    #[test]
    fn a_set_follows_what_the_portal_sets_and_removes() {
        let patterns = [Glob::new("sid"), Glob::new("DW*")];
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_static("sid=1; theme=x; DWa=2"));
        let cookies = Cookies::read(&headers, &CookieRules::new(&patterns)).unwrap();
        let before = CookieSet::of_request(&cookies, &patterns);
        assert_eq!(before.iter().collect::<Vec<_>>(), [("DWa", "2"), ("sid", "1")]);

        let change = |name: &str, value: Option<&str>| CookieChange {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            path: Some("/".to_owned()),
        };
        let after =
            before.after(&[change("sid", Some("9")), change("theme", Some("y"))], &patterns, "/");
        assert_eq!(after.iter().collect::<Vec<_>>(), [("DWa", "2"), ("sid", "9")]);
        let gone = after.after(&[change("sid", None), change("DWa", None)], &patterns, "/");
        assert!(gone.is_empty() && !after.is_empty());
    }
}
