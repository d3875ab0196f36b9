//! Tokens that were verified, remembered so that each is verified once. What is remembered is that
//! a key of this ring signed these very bytes, and nothing else: whether the key still verifies,
//! whether the token is in time and whether its session stands is asked at each request.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use subtle::Choice;
use zeroize::Zeroizing;

use super::binding::Binder;
use super::token::Claims;
use crate::identity::CookieSet;
use crate::mac;
use crate::user::Opaque;

/// How many tokens are remembered at most. Two may share a place, and then take turns; each takes
/// less than a kilobyte.
const PLACES: usize = 1 << 16;
/// 2^64 divided by the golden ratio, odd: what is multiplied by it is spread evenly.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// What of a token says where it is kept: its signature, in base64url.
const SIGNATURE: usize = 43;

/// A token whose signature, type, issuer and audience are as they have to be.
pub struct ReadToken {
    claims: Claims,
    kid: String,
    /// Of whom it speaks, as logs have it.
    subject: String,
    text: Zeroizing<String>,
    /// Of the portal session that it came with first.
    bound: OnceLock<Bound>,
}

/// The session cookies of a portal, with their identifiers.
struct Bound {
    /// Names and values, each with a byte after it that none of them can hold.
    texts: Zeroizing<Vec<u8>>,
    parts: Vec<Opaque>,
}

impl ReadToken {
    pub(super) fn new(text: &str, kid: &str, claims: Claims) -> Self {
        let (text, kid) = (Zeroizing::new(text.to_owned()), kid.to_owned());
        let subject = claims.sub.encode();
        Self { claims, kid, subject, text, bound: OnceLock::new() }
    }

    /// The name of the key that signed it.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// The identifier of whom it speaks, as it is spelled in a token and in logs.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The identifiers that `binder`, the one of the token's own portal, gives to the cookies that
    /// came with it. Those that came first are remembered: they are the same as a rule.
    pub fn parts(&self, binder: &Binder, session: &CookieSet) -> Cow<'_, [Opaque]> {
        if session.line().is_some() {
            return Cow::Owned(binder.parts(session));
        }
        match self.bound.get_or_init(|| Bound::of(binder, session)) {
            bound if bound.is_of(session) => Cow::Borrowed(&bound.parts),
            _ => Cow::Owned(binder.parts(session)),
        }
    }

    /// Compared in constant time where that tells of a secret: who has not the signature learns
    /// nothing of it, and who has it has the token.
    fn is(&self, token: &str) -> bool {
        let (Some(own), Some(given)) = (signature(&self.text), signature(token)) else {
            return false;
        };
        bool::from(mac::same(own, given)) && self.text.as_str() == token
    }
}

impl Bound {
    fn of(binder: &Binder, session: &CookieSet) -> Self {
        let texts = texts(session).flat_map(|text| text.bytes().chain([0])).collect();
        Self { texts: Zeroizing::new(texts), parts: binder.parts(session) }
    }

    /// Whether these are its cookies, all of them and no other, compared in constant time.
    fn is_of(&self, session: &CookieSet) -> bool {
        let mut rest = self.texts.as_slice();
        let mut same = Choice::from(1);
        for text in texts(session) {
            let Some((own, [0, after @ ..])) = rest.split_at_checked(text.len()) else {
                return false;
            };
            same &= mac::same(own, text.as_bytes());
            rest = after;
        }
        rest.is_empty() && bool::from(same)
    }
}

fn texts(session: &CookieSet) -> impl Iterator<Item = &str> {
    session.iter().flat_map(|(name, value)| [name, value])
}

fn signature(token: &str) -> Option<&[u8]> {
    let bytes = token.as_bytes();
    bytes.len().checked_sub(SIGNATURE).and_then(|at| bytes.get(at..))
}

impl Deref for ReadToken {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.claims
    }
}

/// What it says, which opens nothing without the signature.
impl fmt::Debug for ReadToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.claims.fmt(out)
    }
}

impl PartialEq for ReadToken {
    fn eq(&self, other: &Self) -> bool {
        self.claims == other.claims
    }
}

/// A table of fixed size, so that no number of tokens makes it grow. It belongs to one state of
/// the ring of keys, and goes with it. Readers take no lock.
pub(super) struct ReadTokens {
    places: Box<[ArcSwapOption<ReadToken>]>,
}

impl ReadTokens {
    pub(super) fn new() -> Self {
        let places = std::iter::repeat_with(ArcSwapOption::empty).take(PLACES).collect();
        Self { places }
    }

    /// The token of exactly these bytes.
    pub(super) fn find(&self, token: &str) -> Option<Arc<ReadToken>> {
        let place = self.place(token)?.load();
        place.as_ref().filter(|kept| kept.is(token)).map(Arc::clone)
    }

    /// Remembers a token that was verified, in the place of another one.
    pub(super) fn note(&self, token: &Arc<ReadToken>) {
        if let Some(place) = self.place(&token.text) {
            place.store(Some(Arc::clone(token)));
        }
    }

    /// A signature is random to whoever has not the key, so nobody can choose tokens that share a
    /// place, and only one that was verified ever gets one.
    fn place(&self, token: &str) -> Option<&ArcSwapOption<ReadToken>> {
        let last = u64::from_le_bytes(*signature(token)?.last_chunk()?);
        // Each of its bytes is one of 64 digits: this makes all of them tell in the highest bits.
        let spread = last.wrapping_mul(SPREAD) >> (u64::BITS - PLACES.ilog2());
        self.places.get(usize::try_from(spread).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::net::cookies::{CookieRules, Cookies};
    use crate::net::glob::Glob;
    use crate::session::token::tests::some_claims;

    fn set(line: &str) -> CookieSet {
        let patterns = [Glob::new("*")];
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_str(line).unwrap());
        let cookies = Cookies::read(&headers, &CookieRules::new(&patterns)).unwrap();
        CookieSet::of_request(&cookies, &patterns)
    }

    fn token(head: char, signature: char) -> String {
        head.to_string().repeat(200) + "." + &signature.to_string().repeat(SIGNATURE)
    }

    #[test]
    fn only_the_very_bytes_that_were_verified_are_found() {
        let tokens = ReadTokens::new();
        let read = Arc::new(ReadToken::new(&token('a', 's'), "kid", some_claims()));
        tokens.note(&read);
        assert!(tokens.find(&token('a', 's')).is_some_and(|found| Arc::ptr_eq(&found, &read)));
        let same_signature = token('b', 's');
        let longer = format!("a{}", token('a', 's'));
        let shorter = token('a', 's').split_off(1);
        let others = [same_signature, token('a', 't'), longer, shorter, String::new()];
        for other in others {
            assert_eq!(tokens.find(&other), None, "{other}");
        }
    }

    #[test]
    fn a_crowd_of_tokens_takes_no_more_room() {
        let (tokens, claims) = (ReadTokens::new(), some_claims());
        for number in 0..2 * PLACES {
            let text = format!("{number:043}");
            tokens.note(&Arc::new(ReadToken::new(&text, "kid", claims.clone())));
            assert!(tokens.find(&text).is_some(), "{text}");
        }
        assert_eq!(tokens.places.len(), PLACES);
    }

    #[test]
    fn identifiers_are_those_of_the_cookies_that_came() {
        let binder = Binder::new("wiki", &[1; 32]);
        let read = ReadToken::new(&token('a', 's'), "kid", some_claims());
        let cookies =
            ["a=1; b=2", "a=1; b=3", "a=1", "a=1; b=2; c=3", "a=1b; b=", "b=2; a=1", "x="];
        for line in cookies.iter().chain(&cookies) {
            let session = set(line);
            assert_eq!(*read.parts(&binder, &session), *binder.parts(&session), "{line}");
        }
        let session = set("a=1; b=2");
        assert!(matches!(read.parts(&binder, &session), Cow::Borrowed(_)));
        let named = session.with_line(Some(crate::identity::SessionLine::NamedInFront("x".into())));
        assert_eq!(*read.parts(&binder, &named), *binder.parts(&named));
    }
}
