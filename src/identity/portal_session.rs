//! The cookies by which a portal knows its session: as a request carries them, and as the
//! browser will hold them after an answer.

use std::collections::BTreeMap;

use crate::net::cookies::Cookies;
use crate::net::glob::Glob;
use crate::net::set_cookie::CookieChange;

/// Session cookies by name. Two sets are the same portal session when they are equal.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CookieSet(BTreeMap<String, String>);

impl CookieSet {
    /// The session cookies of a request.
    pub fn of_request(cookies: &Cookies<'_>, patterns: &[Glob]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(cookies.matching(patterns).map(owned).collect())
    }

    /// The set after an answer made `changes`.
    #[must_use]
    pub fn after(&self, changes: &[CookieChange], patterns: &[Glob]) -> Self {
        let mut set = self.0.clone();
        for change in changes {
            if !patterns.iter().any(|pattern| pattern.matches(&change.name)) {
                continue;
            }
            match &change.value {
                Some(value) => set.insert(change.name.clone(), value.clone()),
                None => set.remove(&change.name),
            };
        }
        Self(set)
    }

    /// Whether there is no portal session at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::CookieSet;
    use crate::net::cookies::Cookies;
    use crate::net::glob::Glob;
    use crate::net::set_cookie::CookieChange;

    #[test]
    fn a_set_follows_what_the_portal_sets_and_removes() {
        let patterns = [Glob::new("sid"), Glob::new("DW*")];
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_static("sid=1; theme=x; DWa=2"));
        let cookies = Cookies::read(&headers, &patterns).unwrap();
        let before = CookieSet::of_request(&cookies, &patterns);
        assert_eq!(before.iter().collect::<Vec<_>>(), [("DWa", "2"), ("sid", "1")]);

        let change = |name: &str, value: Option<&str>| CookieChange {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        let after =
            before.after(&[change("sid", Some("9")), change("theme", Some("y"))], &patterns);
        assert_eq!(after.iter().collect::<Vec<_>>(), [("DWa", "2"), ("sid", "9")]);
        let gone = after.after(&[change("sid", None), change("DWa", None)], &patterns);
        assert!(gone.is_empty() && !after.is_empty());
    }
}
