//! What ties a session to the portal's own: a keyed hash of the portal's session cookies. It
//! cannot be turned back, and without the key nobody can make one.

use crate::identity::CookieSet;
use crate::mac::MacKey;
use crate::user::{Opaque, UserName};

/// Makes the opaque identifiers of one portal.
pub struct Binder {
    portal: String,
    key: MacKey,
}

impl Binder {
    /// A binder for `portal` under a key of its own purpose.
    pub fn new(portal: &str, key: &[u8; 32]) -> Self {
        Self { portal: portal.to_owned(), key: MacKey::new(key) }
    }

    /// One identifier for each cookie. A portal may know its session by one of them alone, so
    /// sessions that share one are the same to whoever has to be careful.
    pub fn parts(&self, cookies: &CookieSet) -> Vec<Opaque> {
        let part = |(name, value): (&str, &str)| {
            self.identifier("portal cookie", [name.as_bytes(), value.as_bytes()])
        };
        cookies.iter().map(part).collect()
    }

    /// The same for those that browsers send below some folder only.
    pub fn scoped_parts(&self, cookies: &CookieSet) -> Vec<Opaque> {
        let all = cookies.iter().zip(self.parts(cookies));
        all.filter(|((name, _), _)| cookies.is_scoped(name)).map(|(_, part)| part).collect()
    }

    /// The identifier of a portal session: all its cookies together.
    pub fn bind(&self, cookies: &CookieSet) -> Opaque {
        let texts = cookies.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        self.identifier("portal session", texts)
    }

    /// The identifier of a user, the same at every visit.
    pub fn subject(&self, user: &UserName) -> Opaque {
        self.identifier("user", [user.as_str().as_bytes()])
    }

    fn identifier<'a>(
        &'a self,
        kind: &'a str,
        texts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Opaque {
        let head = [self.portal.as_bytes(), kind.as_bytes()];
        let digest = self.key.hash(head.into_iter().chain(texts));
        let mut short = [0; 16];
        short.copy_from_slice(digest.split_at(16).0);
        Opaque(short)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::Binder;
    use crate::identity::CookieSet;
    use crate::net::cookies::{CookieRules, Cookies};
    use crate::net::glob::Glob;
    use crate::user::UserName;

    fn set(line: &'static str) -> CookieSet {
        let patterns = [Glob::new("*")];
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_static(line));
        let cookies = Cookies::read(&headers, &CookieRules::new(&patterns)).unwrap();
        CookieSet::of_request(&cookies, &patterns)
    }

    #[test]
    fn a_binding_depends_on_every_name_value_and_portal() {
        let wiki = Binder::new("wiki", &[1; 32]);
        let bind = wiki.bind(&set("a=1; b=2"));
        assert_eq!(bind, wiki.bind(&set("b=2; a=1")));
        for other in ["a=1", "a=1; b=3", "a=1; c=2", "a=1b; =2", "a=1; b=2; c=3", "ab=12"] {
            assert_ne!(bind, wiki.bind(&set(other)), "{other}");
        }
        assert_ne!(bind, Binder::new("shop", &[1; 32]).bind(&set("a=1; b=2")));
        assert_ne!(bind, Binder::new("wiki", &[2; 32]).bind(&set("a=1; b=2")));
    }

    #[test]
    fn a_subject_is_one_per_user_and_portal() {
        let alice = UserName::canonical("alice".to_owned());
        let wiki = Binder::new("wiki", &[1; 32]);
        assert_eq!(wiki.subject(&alice), wiki.subject(&alice));
        assert_ne!(wiki.subject(&alice), wiki.subject(&UserName::canonical("bob".to_owned())));
        assert_ne!(wiki.subject(&alice), Binder::new("shop", &[1; 32]).subject(&alice));
    }
}
