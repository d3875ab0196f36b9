//! The cookie of the console: which session, when it was used last, and a keyed hash over both
//! and the password's mark. Nobody can make one from what the store holds, an idle one is worth
//! nothing, and neither is one of a person who is gone or has another password.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::UnixMillis;
use crate::config::desk::Person;
use crate::mac::MacKey;
use crate::net::cookies::DESK;
use crate::user::Opaque;

/// How long a session lasts without a request (OWASP ASVS 5.0 7.3.1).
pub(super) const IDLE: Duration = Duration::from_secs(15 * 60);
/// How far ahead a clock may have been that wrote a cookie.
const AHEAD: Duration = Duration::from_secs(60);

/// What a cookie says, before anybody knows whether it is true.
pub(super) struct Claimed {
    /// Where the session is.
    pub(super) bind: Opaque,
    used: UnixMillis,
    tag: Vec<u8>,
}

impl Claimed {
    /// The cookie of a request. Two of them are none: they could be read differently.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(header::COOKIE).iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        let pairs = lines.iter().flat_map(|line| line.split(';')).map(str::trim);
        let mut values = pairs.filter_map(|pair| pair.strip_prefix(DESK)?.strip_prefix('='));
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        let mut parts = value.split('.');
        let bind = Opaque::decode(parts.next()?)?;
        let used = UnixMillis::from_seconds(parts.next()?.parse().ok()?);
        let tag = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        parts.next().is_none().then_some(Self { bind, used, tag })
    }

    /// Whether it is one of ours for this person.
    pub(super) fn is_of(&self, key: &MacKey, person: &Person) -> bool {
        key.verify(hashed(&self.bind, &seconds(self.used), person), &self.tag)
    }

    /// Whether it was used a short while ago.
    pub(super) fn is_fresh(&self, now: UnixMillis) -> bool {
        self.used <= now.plus(AHEAD) && now.since(self.used) < IDLE
    }
}

/// The line that sets it, used now. It has no lifetime of its own: the browser drops it when
/// it closes.
pub(super) fn set(key: &MacKey, person: &Person, bind: Opaque, now: UnixMillis) -> String {
    let used = seconds(now);
    let tag = URL_SAFE_NO_PAD.encode(key.hash(hashed(&bind, &used, person)));
    let value = format!("{}.{used}.{tag}", bind.encode());
    format!("{DESK}={value}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

/// The line that removes it.
pub(super) fn clear() -> String {
    format!("{DESK}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict")
}

/// The hidden field of every form in this stretch of a session.
pub(super) fn form_token(key: &MacKey, sid: Opaque) -> String {
    URL_SAFE_NO_PAD.encode(key.hash([&b"form"[..], &sid.0]))
}

/// Whether `given` is that field, compared in constant time.
pub(super) fn is_form_token(key: &MacKey, sid: Opaque, given: &str) -> bool {
    let given = URL_SAFE_NO_PAD.decode(given).unwrap_or_default();
    key.verify([&b"form"[..], &sid.0], &given)
}

fn seconds(at: UnixMillis) -> String {
    at.seconds().to_string()
}

fn hashed<'a>(bind: &'a Opaque, used: &'a str, person: &'a Person) -> [&'a [u8]; 4] {
    [b"cookie", &bind.0, used.as_bytes(), person.password.mark()]
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::desk::{Role, Staff, StaffKind};
    use crate::password::PasswordHash;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn person(salt: u8) -> Person {
        let text = PasswordHash::made(b"a password of ann", [salt; 16]).unwrap();
        let name = "ann".to_owned();
        let staff = Staff { name, kind: StaffKind::Person, role: Role::Desk, portals: None };
        Person { staff, password: PasswordHash::parse(&text).unwrap() }
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("cookie", HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_is_read_back_for_its_own_person_until_it_is_idle() {
        let (key, ann) = (MacKey::new(&[1; 32]), person(1));
        let line = set(&key, &ann, Opaque([7; 16]), NOW);
        let (pair, rest) = line.split_once(';').unwrap();
        assert_eq!(rest, " Path=/; Secure; HttpOnly; SameSite=Strict");
        let read = Claimed::read(&headers(&[&format!("a=b; {pair}"), "c=d"])).unwrap();
        assert_eq!(read.bind, Opaque([7; 16]));
        assert!(read.is_of(&key, &ann));
        assert!(!read.is_of(&key, &person(2)), "another password");
        assert!(!read.is_of(&MacKey::new(&[2; 32]), &ann), "another key");
        assert!(read.is_fresh(NOW) && read.is_fresh(NOW.plus(Duration::from_secs(899))));
        assert!(!read.is_fresh(NOW.plus(IDLE)));
        assert!(!read.is_fresh(NOW.minus(Duration::from_secs(61))), "from the future");
    }

    #[test]
    fn what_was_changed_is_no_cookie() {
        let (key, ann) = (MacKey::new(&[1; 32]), person(1));
        let line = set(&key, &ann, Opaque([7; 16]), NOW);
        let pair = line.split_once(';').unwrap().0;
        let later = pair.replace("1800000000", "1800000900");
        assert!(!Claimed::read(&headers(&[&later])).unwrap().is_of(&key, &ann));
        for broken in [pair.replace('.', ""), format!("{pair}.x"), pair.replace("desk=", "desk=A")]
        {
            assert!(Claimed::read(&headers(&[&broken])).is_none(), "{broken}");
        }
        assert!(Claimed::read(&headers(&[pair, pair])).is_none(), "twice");
        assert!(Claimed::read(&headers(&["x__Host-desk=1", "__Host-deskx=1"])).is_none());
    }

    #[test]
    fn a_form_belongs_to_one_stretch_of_a_session() {
        let key = MacKey::new(&[1; 32]);
        let token = form_token(&key, Opaque([7; 16]));
        assert!(is_form_token(&key, Opaque([7; 16]), &token));
        assert!(!is_form_token(&key, Opaque([8; 16]), &token));
        assert!(!is_form_token(&key, Opaque([7; 16]), ""));
    }
}
