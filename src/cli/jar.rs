//! The cookies of one visitor, kept as a browser keeps them: by name, each for its paths.

use std::collections::BTreeMap;

use url::Url;

use crate::net::set_cookie::{CookieChange, folder};

/// Cookies of one portal. A value is a secret: there is no `Debug`.
/// Some portals set one name with a value for each of several paths.
#[derive(Clone, Default)]
pub(super) struct Jar(BTreeMap<Place, String>);

/// A cookie's name and the path that it is for.
type Place = (String, String);

impl Jar {
    /// Keeps and forgets what an answer of `url` says.
    pub(super) fn take(&mut self, url: &Url, changes: &[CookieChange]) {
        for change in changes {
            let path = change.path.clone().filter(|path| path.starts_with('/'));
            let path = path.unwrap_or_else(|| folder(url.path()).to_owned());
            let place = (change.name.clone(), path);
            match &change.value {
                Some(value) => self.0.insert(place, value.clone()),
                None => self.0.remove(&place),
            };
        }
    }

    /// The `Cookie` line for `url`.
    pub(super) fn line(&self, url: &Url) -> Option<String> {
        let fits = |path: &str| {
            let rest = url.path().strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
        };
        let sent = self.0.iter().filter(|((_, path), _)| fits(path));
        let pairs: Vec<String> = sent.map(|((name, _), value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The names of all cookies, each once.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.keys().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// The same without one cookie.
    pub(super) fn without(&self, name: &str) -> Self {
        let mut jar = self.clone();
        jar.0.retain(|(known, _), _| known != name);
        jar
    }

    /// One cookie alone.
    pub(super) fn only(&self, name: &str) -> Self {
        let mut jar = self.clone();
        jar.0.retain(|(known, _), _| known == name);
        jar
    }

    /// Whether a cookie is the same in both.
    pub(super) fn shares(&self, other: &Self, name: &str) -> bool {
        self.only(name).0 == other.only(name).0
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
