//! A user's name as the value of a header line. Whatever a name holds, the value is one line of
//! plain signs, and no two names have the same.

use http::HeaderValue;
use http::header::InvalidHeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Letters, digits and these stay as they are. All else is escaped: what ends a line, what
/// divides a list, what lies beyond ASCII, and the sign of the escape itself.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@')
    .remove(b'+')
    .remove(b'/')
    .remove(b'\\');

/// The value: the name in UTF-8, escaped as in addresses (RFC 3986 section 2.1).
///
/// # Errors
/// When the value cannot stand in a line, which no name leads to.
pub fn value_of(name: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::try_from(utf8_percent_encode(name, ESCAPED).to_string())
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode;
    use proptest::prelude::*;

    use super::value_of;

    #[test]
    fn usual_names_are_as_they_are() {
        for name in ["alice", "Alice.B-c_d~9", "alice@example.com", "a+b@x", "DOMAIN\\alice"] {
            assert_eq!(value_of(name).unwrap(), name);
        }
    }

    #[test]
    fn no_name_ends_the_line_or_begins_another() {
        for (name, expected) in [
            ("alice\r\nSet-Cookie: a=b", "alice%0D%0ASet-Cookie%3A%20a%3Db"),
            ("a\0b\tc", "a%00b%09c"),
            ("alice, bob", "alice%2C%20bob"),
            ("a%2Cb", "a%252Cb"),
            ("j\u{fc}rgen", "j%C3%BCrgen"),
            ("o'neil;\"x\"", "o%27neil%3B%22x%22"),
        ] {
            assert_eq!(value_of(name).unwrap(), expected, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back_from_one_plain_word(name in any::<String>()) {
            let value = value_of(&name).unwrap();
            prop_assert!(value.as_bytes().iter().all(u8::is_ascii_graphic));
            prop_assert_eq!(percent_decode(value.as_bytes()).decode_utf8().unwrap(), name);
        }
    }
}
