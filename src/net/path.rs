//! Request paths. A path is either canonical, and may match a rule that opens, or
//! ambiguous: then it is protected, and goes to the portal as it came once the visitor
//! is proven. What no portal should see is refused.

use std::sync::Arc;

mod pattern;

pub(crate) use pattern::first_segment;
pub use pattern::{PathPattern, Segment};

/// Why a request target is refused outright.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Relative, `*`, or empty.
    #[error("the request target does not start with a slash")]
    NotAbsolute,
    /// A control character, raw or encoded NUL, or `#`.
    #[error("the request target holds a byte that no path may hold")]
    ForbiddenByte,
}

/// The path of a request as it came, without its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath {
    raw: Arc<str>,
    canonical: bool,
}

impl RequestPath {
    /// Looks at a raw path.
    ///
    /// # Errors
    /// When no portal should see it.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        if !raw.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        // Without an early end, so that many bytes are looked at in one step.
        let forbidden = |byte: u8| byte < 0x20 || byte == 0x7f || byte == b'#';
        let any = raw.bytes().fold(false, |any, byte| any | forbidden(byte));
        if any || escapes_a_control_byte(raw) {
            return Err(PathError::ForbiddenByte);
        }
        Ok(Self { canonical: is_canonical(raw), raw: raw.into() })
    }

    /// The path as it came.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The path, when there is only one way to read it.
    pub fn canonical(&self) -> Option<&str> {
        self.canonical.then_some(&*self.raw)
    }

    /// Why there is more than one way to read the path, where there is.
    pub fn doubt(&self) -> Option<&'static str> {
        if self.canonical { None } else { doubt(&self.raw) }
    }
}

/// `%00` to `%1f` and `%7f`. The server below us escapes raw control bytes before we see
/// them, so the escape is taken for the byte.
fn escapes_a_control_byte(raw: &str) -> bool {
    memchr::memchr_iter(b'%', raw.as_bytes()).any(|at| {
        let byte = raw.as_bytes().get(at + 1..at + 3).and_then(hex_byte);
        byte.is_some_and(|byte| byte < 0x20 || byte == 0x7f)
    })
}

/// The byte that two hex digits name; no sign, no space.
fn hex_byte(digits: &[u8]) -> Option<u8> {
    let strict = digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| strict);
    text.and_then(|text| u8::from_str_radix(text, 16).ok())
}

/// One leading slash, no segment that means another, nothing that servers decode
/// differently. `%2e` and its like are left to no portal's taste.
fn is_canonical(raw: &str) -> bool {
    doubt(raw).is_none()
}

/// Why there is more than one way to read a path; nothing where there is one.
fn doubt(raw: &str) -> Option<&'static str> {
    let plain = |byte: u8| (0x21..0x7f).contains(&byte) && !matches!(byte, b';' | b'\\');
    if !raw.bytes().fold(true, |all, byte| all & plain(byte)) {
        return Some("it holds a space, a backslash, a semicolon or a byte beyond ASCII");
    }
    if raw.as_bytes().windows(2).any(|two| two == b"//") {
        return Some("it holds an empty segment");
    }
    // Nearly every path has none of what the rest looks for.
    memchr::memchr2(b'.', b'%', raw.as_bytes())?;
    if raw.split('/').any(means_another) {
        return Some("one of its segments means another, as '.' and '..' do");
    }
    if !escapes_are_plain(raw.as_bytes()) {
        return Some("it escapes a sign that has a second spelling, as %2e and %2f do");
    }
    (!escapes_spell_letters(raw)).then_some("its escapes are no letters or digits of UTF-8")
}

/// `.` and `..`, also with the spaces and dots at their end that Windows takes off.
fn means_another(segment: &str) -> bool {
    segment.contains('.') && segment.replace("%20", "").bytes().all(|byte| byte == b'.')
}

/// Beyond ASCII, escapes are whole letters or digits of UTF-8. Overlong forms and bytes of
/// other encodings are a slash or a dot to some servers, and so are full-width signs to
/// those that look for the nearest sign of their own code page.
fn escapes_spell_letters(raw: &str) -> bool {
    let full_width = '\u{ff00}'..='\u{ffef}';
    let spells =
        |sign: char| sign.is_ascii() || (sign.is_alphanumeric() && !full_width.contains(&sign));
    let decoded = percent_encoding::percent_decode_str(raw).decode_utf8();
    decoded.is_ok_and(|decoded| decoded.chars().all(spells))
}

/// Every `%XX` is two hex digits and stands for a byte that has to be escaped. An escaped
/// letter, digit, `-`, `.`, `_`, `~`, slash, backslash, semicolon, percent or control
/// character has a second spelling, and so two readings.
fn escapes_are_plain(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let Some(byte) = rest.get(at + 1..at + 3).and_then(hex_byte) else {
            return false;
        };
        let second_spelling = byte.is_ascii_alphanumeric()
            || byte < 0x20
            || byte == 0x7f
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b'\\' | b';' | b'%');
        if second_spelling {
            return false;
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{PathError, RequestPath};

    fn canonical(raw: &str) -> bool {
        RequestPath::parse(raw).is_ok_and(|path| path.canonical().is_some())
    }

    #[test]
    fn plain_paths_are_canonical() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a/b.css",
            "/caf%C3%A9",
            "/%E6%97%A5",
            "/a%20b",
            "/.well-known/x",
            "/a..b",
        ] {
            assert!(canonical(path), "{path}");
        }
    }

    #[test]
    fn a_path_with_two_readings_is_ambiguous() {
        let paths = [
            "//a",
            "/a//b",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/a/.",
            "/a;x=1",
            "/a/..;/b",
            "/a\\b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/%2e%2e/a",
            "/.%2e/a",
            "/%252e",
            "/%61dm",
            "/a%3bx",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%u002e",
            "/é",
            "/a b",
            "/a%+1",
            "/a/..%20/b",
            "/a/.%20./b",
            "/a/.../b",
            "/a%c0%afb",
            "/a/%c0%ae%c0%ae/b",
            "/a%e0%80%afb",
            "/a%e9",
            "/a%ef%bc%8fb",
            "/%ef%bd%81dm",
            "/a%e2%80%aeb",
            "/a%e2%88%95b",
            "/a%c2%a0",
        ];
        for path in paths {
            let parsed = RequestPath::parse(path).unwrap();
            assert_eq!(parsed.canonical(), None, "{path}");
            assert_eq!(parsed.as_str(), path);
        }
    }

    #[test]
    fn what_no_portal_should_see_is_refused() {
        assert_eq!(RequestPath::parse("adm"), Err(PathError::NotAbsolute));
        assert_eq!(RequestPath::parse("*"), Err(PathError::NotAbsolute));
        assert_eq!(RequestPath::parse(""), Err(PathError::NotAbsolute));
        for path in [
            "/a\0",
            "/a%00.css",
            "/a\x01",
            "/a\tb",
            "/a\r\nb",
            "/adm#/pub",
            "/\x7f",
            "/a%0a",
            "/a%7F",
        ] {
            assert_eq!(RequestPath::parse(path), Err(PathError::ForbiddenByte), "{path:?}");
        }
    }
}
