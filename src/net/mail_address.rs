//! The plain address of one mailbox, in one spelling. Whatever could be read in two ways, by a
//! person or by a mail program, is no address here: names beside it, quotes, comments, other
//! alphabets.

use std::fmt;

/// The longest address that mail takes (RFC 5321 section 4.5.3.1.3).
const LONGEST: usize = 254;
/// The longest part before the sign (RFC 5321 section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;

/// `local@domain` in lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MailAddress {
    local: String,
    domain: String,
}

impl MailAddress {
    /// Reads an address that is nothing else from end to end.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let fits = text.len() <= LONGEST && local.len() <= LONGEST_LOCAL;
        let is_one = fits && is_local(local) && is_domain(&domain.to_ascii_lowercase());
        is_one.then(|| Self {
            local: local.to_ascii_lowercase(),
            domain: domain.to_ascii_lowercase(),
        })
    }

    /// What stands before the sign, without a sub-address: `alice` of `alice+wiki`.
    pub fn mailbox(&self) -> &str {
        self.local.split('+').next().unwrap_or_default()
    }

    /// What stands after it.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

// An address is personal data: it never stands in a log by chance.
impl fmt::Debug for MailAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("MailAddress(…)")
    }
}

/// Whether `domain` is a name of RFC 1123 in lower case with at least two labels, no address,
/// and without a closing dot.
pub fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(is_label)
        && last.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Words with single dots between (RFC 5322 section 3.2.3), ASCII alone.
fn is_local(local: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&'*+-/=?^_`{|}~".contains(&byte))
    };
    local.split('.').all(is_word) && !local.starts_with('+')
}

#[cfg(test)]
mod tests {
    use super::MailAddress;

    #[test]
    fn an_address_has_one_spelling() {
        let address = MailAddress::parse("Bob.Smith+Wiki@Example.COM").unwrap();
        assert_eq!((address.mailbox(), address.domain()), ("bob.smith", "example.com"));
        assert_eq!(MailAddress::parse("bob.smith+wiki@example.com"), Some(address));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_none() {
        for text in [
            "",
            "bob",
            "@example.com",
            "bob@",
            "bob@@example.com",
            "bob@evil.example@example.com",
            "\"Bob\" <bob@example.com>",
            "bob@example.com <mallory@evil.example>",
            "<bob@example.com>",
            "\"bob\"@example.com",
            "bob(comment)@example.com",
            "bob @example.com",
            " bob@example.com",
            "bob@example.com\n",
            "bob@example.com.",
            "bob@example..com",
            "bob@.example.com",
            "bob@localhost",
            "bob@192.0.2.1",
            "bob@[192.0.2.1]",
            "bob@ex\u{430}mple.com",
            "b\u{3bf}b@example.com",
            "bob.@example.com",
            "b..ob@example.com",
            "+x@example.com",
            "bob@-example.com",
            "bob,carol@example.com",
            "bob%40example.com@evil",
        ] {
            assert_eq!(MailAddress::parse(text), None, "{text:?}");
        }
        assert_eq!(MailAddress::parse(&format!("{}@example.com", "a".repeat(65))), None);
    }
}
