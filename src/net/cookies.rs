//! The cookies of a request, read once and by one rule (RFC 6265 section 5.4), from all
//! `Cookie` lines together: HTTP/2 may send one per cookie (RFC 9113 section 8.2.3).

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::glob::Glob;

/// The session cookie (see [`crate::session`]).
pub const SESSION: &str = "__Host-mfa";
/// The remembered device (see [`crate::account`]).
pub const DEVICE: &str = "__Host-mfa-device";
/// The session at the desk's console (see [`crate::admin`]); no portal's host ever gets it.
pub const DESK: &str = "__Host-desk";
/// So many cookies a request brings as a rule, of ours and of the portal's.
const AS_A_RULE: usize = 8;
/// How those of visitors begin, in small letters and with one kind of dash.
const LIKE_OURS: &str = "--host-mfa";

/// Why the cookies of a request are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CookieError {
    /// A byte that no cookie line may hold.
    #[error("a cookie line holds a byte that is not printable ASCII")]
    ForbiddenByte,
    /// A name that counts for something came twice, so two readers may disagree.
    #[error("a protected cookie came twice")]
    Twice,
    /// Something close to a name that counts, or that changes how others read the line.
    #[error("a cookie imitates a protected name")]
    Imitation,
}

/// By which rules a portal's requests are read: made once, since every request needs them. A
/// copy shares them.
#[derive(Clone, Default)]
pub struct CookieRules(Arc<Rules>);

#[derive(Default)]
struct Rules {
    protected: Vec<Glob>,
    readings: Vec<Reading>,
}

/// The cookies of one request in the order in which they came. Only a reading by the rules
/// makes one, so whoever holds it need not read again. A copy shares them.
#[derive(Clone, Default)]
pub struct Cookies(Arc<Pairs>);

#[derive(Default)]
struct Pairs {
    /// All lines, one after the other.
    text: String,
    /// Where in it each name and its value are.
    places: Vec<(Range<usize>, Range<usize>)>,
    /// Where in it the value of our session cookie is, which comes once.
    session: Option<Range<usize>>,
    /// The line for the portal with nothing withheld, once it was asked for.
    whole: OnceLock<Option<HeaderValue>>,
}

impl Cookies {
    /// Reads all `Cookie` lines by the rules of their portal.
    ///
    /// # Errors
    /// When reading them is not safe.
    pub fn read(headers: &HeaderMap, rules: &CookieRules) -> Result<Self, CookieError> {
        let mut pairs = Pairs { places: Vec::with_capacity(AS_A_RULE), ..Pairs::default() };
        for line in headers.get_all(COOKIE) {
            // Header values hold visible ASCII here or are refused: a Unicode space before a
            // name would be trimmed by some portals and not by others.
            pairs.push(visible(line.as_bytes()).ok_or(CookieError::ForbiddenByte)?);
        }
        rules.0.check(&pairs)?;
        Ok(Self(Arc::new(pairs)))
    }

    /// The value of the one cookie with exactly this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The value of our session cookie.
    pub fn session(&self) -> Option<&str> {
        self.0.session.clone().and_then(|place| self.0.text.get(place))
    }

    /// The cookies whose names match one of `patterns`.
    pub fn matching(&self, patterns: &[Glob]) -> impl Iterator<Item = (&str, &str)> {
        let wanted = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        self.0.pairs().filter(move |(name, _)| wanted(name))
    }

    /// One `Cookie` line for the portal, without ours, and without those that `withhold`
    /// matches. Nothing when none is left.
    pub fn for_portal(&self, withhold: &[Glob]) -> Option<HeaderValue> {
        match withhold {
            [] => self.0.whole.get_or_init(|| self.0.for_portal(&[])).clone(),
            withhold => self.0.for_portal(withhold),
        }
    }
}

impl Pairs {
    fn for_portal(&self, withhold: &[Glob]) -> Option<HeaderValue> {
        let mut line = String::with_capacity(self.text.len());
        for (name, value) in self.pairs() {
            if is_ours(name) || withhold.iter().any(|pattern| pattern.matches(name)) {
                continue;
            }
            if !line.is_empty() {
                line.push_str("; ");
            }
            line.push_str(name);
            if !name.is_empty() {
                line.push('=');
            }
            line.push_str(value);
        }
        // Of visible ASCII, which every line may hold.
        Some(line).filter(|line| !line.is_empty()).and_then(|line| line.try_into().ok())
    }

    /// Finds the pairs of one line. They are kept as places, so that nothing is copied twice.
    fn push(&mut self, line: &str) {
        let before = self.text.len();
        self.text.push_str(line);
        let line = line.as_bytes();
        let ends = memchr::memchr_iter(b';', line).chain(std::iter::once(line.len()));
        let mut start = 0;
        for end in ends {
            if let Some((name, value)) = pair(line, start..end) {
                let at = |place: Range<usize>| before + place.start..before + place.end;
                if line.get(name.clone()) == Some(SESSION.as_bytes()) {
                    self.session = Some(at(value.clone()));
                }
                self.places.push((at(name), at(value)));
            }
            start = end + 1;
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places.iter().filter_map(|(name, value)| {
            Some((self.text.get(name.clone())?, self.text.get(value.clone())?))
        })
    }
}

impl PartialEq for Cookies {
    fn eq(&self, other: &Self) -> bool {
        self.0.pairs().eq(other.0.pairs())
    }
}

/// Names alone: the values open sessions.
impl fmt::Debug for Cookies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.0.pairs().map(|(name, _)| name)).finish()
    }
}

impl CookieRules {
    /// The rules of a portal with these session cookies. They and ours may each come once.
    pub fn new(protected: &[Glob]) -> Self {
        let readings = protected.iter().map(Reading::of).collect();
        Self(Arc::new(Rules { protected: protected.to_vec(), readings }))
    }

    /// The names that may each come once, beside ours: the portal's session cookies.
    pub fn protected(&self) -> &[Glob] {
        &self.0.protected
    }

    /// Whether both are the same rules, and not only rules that say the same.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Rules {
    fn check(&self, cookies: &Pairs) -> Result<(), CookieError> {
        for (index, (name, value)) in cookies.pairs().enumerate() {
            let ours = is_ours(name);
            let nameless_imitation = name.is_empty() && is_like_ours(value);
            if (is_like_ours(name) && !ours) || nameless_imitation || is_switch(name) {
                return Err(CookieError::Imitation);
            }
            let protected = self.protected.iter().any(|pattern| pattern.matches(name));
            let counts = |name: &str| is_like_ours(name) || self.takes_for_its_own(name);
            let hidden = !ours && hidden_names(name, value).any(counts);
            if hidden || (!protected && self.takes_for_its_own(name)) {
                return Err(CookieError::Imitation);
            }
            let mut earlier = cookies.pairs().take(index).map(|(other, _)| other);
            let twice = match protected {
                true => {
                    let read = reading(name);
                    earlier.any(|other| reading(other) == read)
                }
                false => ours && earlier.any(|other| other == name),
            };
            if twice {
                return Err(CookieError::Twice);
            }
        }
        Ok(())
    }

    /// Whether a portal with the loosest rules takes `name` for one of its own.
    fn takes_for_its_own(&self, name: &str) -> bool {
        let read = reading(name);
        self.readings.iter().any(|reading| reading.matches(&read))
    }
}

/// How a portal with the loosest rules reads one of its own names. ASP.NET does not tell the
/// cases of a name apart, so neither do we where ops wrote a whole name. A pattern with a
/// star is short, and would match too much.
#[derive(Clone)]
enum Reading {
    Whole(String),
    Pattern(Glob),
}

impl Reading {
    fn of(pattern: &Glob) -> Self {
        let read = reading(pattern.as_str()).into_owned();
        match pattern.as_str().contains('*') {
            true => Self::Pattern(Glob::new(read)),
            false => Self::Whole(read),
        }
    }

    fn matches(&self, read: &str) -> bool {
        match self {
            Self::Whole(name) => read.eq_ignore_ascii_case(name),
            Self::Pattern(pattern) => pattern.matches(read),
        }
    }
}

/// Whether a cookie of exactly this name is ours.
pub fn is_ours(name: &str) -> bool {
    name == SESSION || name == DEVICE
}

/// Browsers compare the `__Host-` prefix without case (RFC 6265bis section 4.1.3), portals
/// may trim or unquote: whatever looks like ours to one of them must not pass.
pub fn is_like_ours(name: &str) -> bool {
    let bare = name.bytes().filter_map(|byte| match byte {
        b'-' | b'_' => Some(b'-'),
        byte => byte.is_ascii_alphanumeric().then_some(byte.to_ascii_lowercase()),
    });
    bare.take(LIKE_OURS.len()).eq(LIKE_OURS.bytes())
}

/// A name as the portal with the loosest rules reads it: PHP turns dots, spaces and brackets
/// into underscores, and old ones take escapes for what they stand for, as old Racks do.
fn reading(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| matches!(byte, b'%' | b'.' | b' ' | b'[' | b'+')) {
        return Cow::Borrowed(name);
    }
    let plain = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    let head = plain.split_once('[').map_or(&*plain, |(head, _)| head);
    Cow::Owned(head.trim().replace(['.', ' ', '+'], "_"))
}

/// Attributes of RFC 2965, which no browser sends: old Java and Python read the whole line by
/// other rules where they find one, quoted semicolons included.
fn is_switch(name: &str) -> bool {
    let switches = ["$version", "$path", "$domain", "$port"];
    name.starts_with('$') && switches.iter().any(|switch| name.eq_ignore_ascii_case(switch))
}

/// Names that other readers find in a value: without a name before it, it is a pair to some;
/// old Java, Python and Ruby also split at commas, white space and quotes.
fn hidden_names<'a>(name: &str, value: &'a str) -> impl Iterator<Item = &'a str> {
    // Nearly no value has a name in it, and a long one is soon searched for what every name needs.
    let value = memchr::memchr(b'=', value.as_bytes()).map_or("", |_| value);
    let pieces = value.split([',', ' ', '\t', '"']).skip(usize::from(!name.is_empty()));
    // Whoever looks past an empty name finds the next one.
    let named = |piece: &'a str| piece.trim_start_matches('=').split_once('=');
    pieces.filter_map(named).map(|(name, _)| name)
}

/// A line of visible ASCII, spaces and tabs; without an early end, so that many bytes are looked at
/// in one step.
fn visible(line: &[u8]) -> Option<&str> {
    let is_visible = |byte: u8| matches!(byte, b'\t' | b' '..=b'~');
    let all = line.iter().fold(true, |all, byte| all & is_visible(*byte));
    std::str::from_utf8(line).ok().filter(|_| all)
}

/// Where in a line a name and its value are, given where the pair is.
fn pair(line: &[u8], place: Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    let Range { start, end } = trimmed(line, place);
    let equals = line.get(start..end)?.iter().position(|byte| *byte == b'=');
    match equals.map(|at| start + at) {
        Some(at) => Some((trimmed(line, start..at), trimmed(line, at + 1..end))),
        None if start == end => None,
        None => Some((start..start, start..end)),
    }
}

/// The place without spaces and tabs at both ends.
fn trimmed(line: &[u8], Range { mut start, mut end }: Range<usize>) -> Range<usize> {
    let is_blank = |at: usize| matches!(line.get(at), Some(b' ' | b'\t'));
    while start < end && is_blank(start) {
        start += 1;
    }
    while start < end && is_blank(end - 1) {
        end -= 1;
    }
    start..end
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{CookieError, CookieRules, Cookies};
    use crate::net::glob::Glob;

    fn lines(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("cookie", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    fn read(given: &[&str]) -> Result<Option<String>, CookieError> {
        let headers = lines(given);
        let rules = CookieRules::new(&[Glob::new("PHPSESSID")]);
        Cookies::read(&headers, &rules).map(|cookies| for_portal(&cookies, &[]))
    }

    fn for_portal(cookies: &Cookies, withhold: &[Glob]) -> Option<String> {
        let line = cookies.for_portal(withhold)?;
        assert_eq!(cookies.for_portal(withhold).as_ref(), Some(&line), "not the same once more");
        Some(line.to_str().unwrap().to_owned())
    }

    #[test]
    fn lines_are_joined_and_ours_taken_out() {
        let line = read(&["a=1; __Host-mfa=token", "PHPSESSID=x", "b=2;c"]).unwrap();
        assert_eq!(line.as_deref(), Some("a=1; PHPSESSID=x; b=2; c"));
        assert_eq!(read(&["__Host-mfa=token; __Host-mfa-device=d"]).unwrap(), None);
        assert_eq!(read(&[]).unwrap(), None);
    }

    #[test]
    fn values_keep_every_byte() {
        let line = read(&["a=\"q;\"; b=x=y==; e="]).unwrap();
        assert_eq!(line.as_deref(), Some("a=\"q; \"; b=x=y==; e="));
    }

    #[test]
    fn a_protected_cookie_may_come_once() {
        assert_eq!(read(&["__Host-mfa=a; __Host-mfa=a"]), Err(CookieError::Twice));
        assert_eq!(read(&["__Host-mfa=a", "x=1", "__Host-mfa=b"]), Err(CookieError::Twice));
        assert_eq!(read(&["PHPSESSID=a; PHPSESSID=b"]), Err(CookieError::Twice));
        let device = ["__Host-mfa-device=a; __Host-mfa-device=b"];
        assert_eq!(read(&device), Err(CookieError::Twice));
        assert!(read(&["theme=a; theme=b"]).is_ok());
    }

    #[test]
    fn imitations_of_our_names_are_refused() {
        let given = [
            "__HOST-mfa=x",
            "__host-MFA=x",
            "__Host_mfa=x",
            "\"__Host-mfa\"=x",
            "$__Host-mfa=x",
            "__Host-mfa-Device=x",
            "=__Host-mfa=x",
            "__Host-mfa x=1",
            "__Host-mfa2=1",
            "$Version=1; a=1",
            "a=1; $PATH=\"/\"",
        ];
        for line in given {
            assert_eq!(read(&[line]), Err(CookieError::Imitation), "{line}");
        }
        assert_eq!(read(&["\u{2000}__Host-mfa=x"]), Err(CookieError::ForbiddenByte));
    }

    /// HDR-4: a session of somebody else's must not reach the portal beside a proven one,
    /// under a name that the portal takes for its own and we do not.
    #[test]
    fn imitations_of_the_portals_names_are_refused() {
        let names = ["my_session", "ASP.NET_SessionId", "DW*"].map(Glob::new);
        let rules = CookieRules::new(&names);
        for line in [
            "=my_session=x",
            "my.session=x",
            "my%5fsession=x",
            "%6dy_session=x",
            "my_session[0]=x",
            "my session=x",
            "MY_SESSION=x",
            "asp.net_sessionid=x",
            "ASP_NET_SessionId=x",
            "theme=dark, my_session=x",
            "theme=dark,my_session=x",
            "theme=dark my_session=x",
            "theme=\"dark\"my_session=x",
            "my_session=mine, my_session=x",
            "theme=dark, DWx=1",
            "%44Wx=1",
        ] {
            let headers = lines(&[line]);
            let read = Cookies::read(&headers, &rules);
            assert_eq!(read, Err(CookieError::Imitation), "{line}");
        }
        let headers = lines(&["DW.x=1; DW_x=2"]);
        assert_eq!(Cookies::read(&headers, &rules), Err(CookieError::Twice));
    }

    #[test]
    fn what_only_resembles_a_protected_name_passes() {
        let rules = CookieRules::new(&["sid", "DW*", "ASP.NET_SessionId"].map(Glob::new));
        for line in [
            "ASP.NET_SessionId=x; sid=1; DW_a.b=2",
            "side=1; xsid=2; dwell=3; a.sid=4",
            "back=sid=1; next=a b c; list=1,2,3; json={\"sid\":1}; b64=c2lk==",
            "plain; =value; theme=dark%20blue",
        ] {
            assert!(Cookies::read(&lines(&[line]), &rules).is_ok(), "{line}");
        }
    }

    #[test]
    fn our_session_cookie_is_found_wherever_it_stands() {
        let rules = CookieRules::new(&[]);
        for (given, wanted) in [
            (&["__Host-mfa=a.b.c"][..], Some("a.b.c")),
            (&["x=1; __Host-mfa=a.b.c; y=2"], Some("a.b.c")),
            (&["x=1", " __Host-mfa = a.b.c ;y=2"], Some("a.b.c")),
            (&["__Host-mfa="], Some("")),
            (&["__Host-mfa-device=a.b.c; x=__Host-mfa"], None),
            (&[], None),
        ] {
            let cookies = Cookies::read(&lines(given), &rules).unwrap();
            assert_eq!(cookies.session(), wanted, "{given:?}");
            assert_eq!(cookies.session(), cookies.value(super::SESSION), "{given:?}");
        }
    }

    #[test]
    fn withheld_cookies_stay_behind() {
        let headers = lines(&["PHPSESSID=x; a=1"]);
        let session = [Glob::new("PHPSESSID")];
        let cookies = Cookies::read(&headers, &CookieRules::new(&session)).unwrap();
        assert_eq!(for_portal(&cookies, &session).as_deref(), Some("a=1"));
        assert_eq!(cookies.matching(&session).collect::<Vec<_>>(), [("PHPSESSID", "x")]);
        assert_eq!(cookies.value("a"), Some("1"));
    }

    #[test]
    fn debug_names_no_value() {
        let headers = lines(&["PHPSESSID=secret; a=1"]);
        let cookies = Cookies::read(&headers, &CookieRules::default()).unwrap();
        assert_eq!(format!("{cookies:?}"), r#"["PHPSESSID", "a"]"#);
    }
}
