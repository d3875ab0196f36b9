//! What ties a session to the portal's own: a keyed hash of the portal's session cookies. It
//! cannot be turned back, and without the key nobody can make one.

use crate::identity::{CookieSet, SessionLine};
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

    /// One identifier for each cookie, and one for the line beside them. A portal may know its
    /// session by one of them alone, so sessions that share one are the same to whoever has to
    /// be careful.
    pub fn parts(&self, session: &CookieSet) -> Vec<Opaque> {
        let part = |(name, value): (&str, &str)| {
            self.identifier("portal cookie", [name.as_bytes(), value.as_bytes()])
        };
        session.iter().map(part).chain(self.line(session)).collect()
    }

    /// The same for those that are not sent with every request: cookies for some folder, and
    /// an `Authorization` line.
    pub fn scoped_parts(&self, session: &CookieSet) -> Vec<Opaque> {
        let all = session.iter().zip(self.parts(session));
        let scoped = all.filter(|((name, _), _)| session.is_scoped(name)).map(|(_, part)| part);
        let line = match session.line() {
            Some(SessionLine::Authorization(_)) => self.line(session),
            Some(SessionLine::NamedInFront(_)) | None => None,
        };
        scoped.chain(line).collect()
    }

    /// The identifier of a portal session: all that it is known by together.
    pub fn bind(&self, session: &CookieSet) -> Opaque {
        self.whole("portal session", session, &[])
    }

    /// The identifier of the sign-in that waits in a portal session whose login was not seen.
    /// It is another one than [`Binder::bind`] gives: who has only that session must not take
    /// the place of somebody who gave a second factor in it.
    pub fn waiting(&self, session: &CookieSet, user: &UserName) -> Opaque {
        self.whole("waiting sign-in", session, user.as_str().as_bytes())
    }

    fn whole(&self, kind: &str, session: &CookieSet, last: &[u8]) -> Opaque {
        let texts = session.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let line = session.line().map(line_texts).into_iter().flatten();
        let last = Some(last).filter(|last| !last.is_empty());
        self.identifier(kind, texts.chain(line).chain(last))
    }

    fn line(&self, session: &CookieSet) -> Option<Opaque> {
        session.line().map(|line| self.identifier("portal line", line_texts(line)))
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

fn line_texts(line: &SessionLine) -> [&[u8]; 2] {
    match line {
        SessionLine::Authorization(value) => [b"authorization", value.as_bytes()],
        SessionLine::NamedInFront(name) => [b"named in front", name.as_bytes()],
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
