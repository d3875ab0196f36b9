//! The cookies of one visitor, kept as a browser keeps them: by name, each for its paths.

use std::collections::BTreeMap;

use url::Url;

use crate::net::set_cookie::CookieChange;

/// Cookies of one portal. A value is a secret: there is no `Debug`.
#[derive(Clone, Default)]
pub(super) struct Jar(BTreeMap<String, Kept>);

#[derive(Clone, PartialEq, Eq)]
struct Kept {
    value: String,
    path: String,
}

impl Jar {
    /// Keeps and forgets what an answer of `url` says.
    pub(super) fn take(&mut self, url: &Url, changes: &[CookieChange]) {
        for change in changes {
            match &change.value {
                Some(value) => {
                    let path = change.path.clone().filter(|path| path.starts_with('/'));
                    let path = path.unwrap_or_else(|| folder(url.path()).to_owned());
                    self.0.insert(change.name.clone(), Kept { value: value.clone(), path });
                }
                None => {
                    self.0.remove(&change.name);
                }
            }
        }
    }

    /// The `Cookie` line for `url`.
    pub(super) fn line(&self, url: &Url) -> Option<String> {
        let fits = |kept: &Kept| {
            let rest = url.path().strip_prefix(kept.path.as_str());
            rest.is_some_and(|rest| {
                rest.is_empty() || kept.path.ends_with('/') || rest.starts_with('/')
            })
        };
        let sent = self.0.iter().filter(|(_, kept)| fits(kept));
        let pairs: Vec<String> =
            sent.map(|(name, kept)| format!("{name}={}", kept.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The names of all cookies.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The same without one cookie.
    pub(super) fn without(&self, name: &str) -> Self {
        let mut jar = self.clone();
        jar.0.remove(name);
        jar
    }

    /// One cookie alone.
    pub(super) fn only(&self, name: &str) -> Self {
        let kept = self.0.get_key_value(name);
        Self(kept.map(|(name, kept)| (name.clone(), kept.clone())).into_iter().collect())
    }

    /// Whether a cookie is the same in both.
    pub(super) fn shares(&self, other: &Self, name: &str) -> bool {
        self.0.get(name) == other.0.get(name)
    }
}

/// The folder of a path (RFC 6265 section 5.1.4).
fn folder(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(last) => path.get(..last).unwrap_or("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: Option<&str>, path: Option<&str>) -> CookieChange {
        CookieChange {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            path: path.map(str::to_owned),
        }
    }

    #[test]
    fn a_cookie_goes_to_its_paths_alone() {
        let at = |path: &str| Url::parse("http://wiki.test").unwrap().join(path).unwrap();
        let mut jar = Jar::default();
        let changes = [
            set("a", Some("1"), Some("/")),
            set("b", Some("2"), Some("/in")),
            set("c", Some("3"), None),
        ];
        jar.take(&at("/login/form"), &changes);
        assert_eq!(jar.line(&at("/")).unwrap(), "a=1");
        assert_eq!(jar.line(&at("/in/side")).unwrap(), "a=1; b=2");
        assert_eq!(jar.line(&at("/inside")).unwrap(), "a=1");
        assert_eq!(jar.line(&at("/login/x")).unwrap(), "a=1; c=3");
        jar.take(&at("/"), &[set("a", None, Some("/"))]);
        assert_eq!(jar.line(&at("/")), None);
    }
}
