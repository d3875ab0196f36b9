//! Mail addresses: a strict reading, so that nothing which stands in one can end a line, name
//! somebody else or hide a second address (RFC 5321 section 4.1.2).

use std::fmt;

use lettre::Address;

/// The longest address (RFC 5321 section 4.5.3.1.3, without the angle brackets).
const LONGEST: usize = 254;
/// What stands for the user's name in a template.
const USER: &str = "{user}";

/// `local@domain`, in ASCII, unquoted.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(Address);

impl EmailAddress {
    /// Reads an address alone: no display name, no quotes, one `@`, a domain name with a dot
    /// or `localhost`.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let is_domain = domain == "localhost" || domain.contains('.');
        let plain = local.bytes().all(is_local) && domain.bytes().all(is_in_domain);
        let is_address = plain && is_domain && text.len() <= LONGEST;
        is_address.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// The address as the mail library knows it.
    pub const fn as_address(&self) -> &Address {
        &self.0
    }

    /// The address as text: personal data, for the envelope and for its owner.
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    /// The address for somebody who may be somebody else: its owner recognises it, and nobody
    /// learns how long it is.
    pub fn masked(&self) -> String {
        let first: String = self.0.user().chars().take(1).collect();
        format!("{first}•••@{}", self.0.domain())
    }
}

// An address is personal data: it never stands in a log by chance.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EmailAddress(…)")
    }
}

/// What an unquoted local part is made of (RFC 5322 section 3.2.3).
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)
}

fn is_in_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')
}

/// How a portal's names become addresses: `{user}@example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailTemplate {
    before: String,
    after: String,
}

impl EmailTemplate {
    /// Reads a template: an address in which `{user}` stands once, before the `@`.
    pub fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.split_once(USER)?;
        let is_whole = !after.contains(USER) && !before.contains('@');
        let template = Self { before: before.to_owned(), after: after.to_owned() };
        (is_whole && template.address("name").is_some()).then_some(template)
    }

    /// The address of a user, where the name makes one.
    pub fn address(&self, user: &str) -> Option<EmailAddress> {
        EmailAddress::parse(&format!("{}{user}{}", self.before, self.after))
    }
}

#[cfg(test)]
mod tests {
    use super::{EmailAddress, EmailTemplate};

    #[test]
    fn an_address_is_one_plain_address() {
        for text in ["alice@example.com", "a.b+c@mail.example.com", "root@localhost"] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), text);
        }
        let wrong = [
            "",
            "alice",
            "alice@",
            "@example.com",
            "alice@example",
            "alice@@example.com",
            "alice@example.com@evil.test",
            "a b@example.com",
            "\"a b\"@example.com",
            "Alice <alice@example.com>",
            "alice@example.com, bob@example.com",
            "alice@example.com\r\nBcc: bob@example.com",
            "alice@example.com\n",
            "alice\0@example.com",
            "alice(x)@example.com",
            "alice@[127.0.0.1]",
            "ålice@example.com",
            "alice@exåmple.com",
            ".alice@example.com",
            "al..ice@example.com",
            "alice@-example.com",
        ];
        for text in wrong {
            assert!(EmailAddress::parse(text).is_none(), "{text}");
        }
        assert!(EmailAddress::parse(&format!("a@{}.com", "b.".repeat(130))).is_none());
    }

    #[test]
    fn a_template_makes_addresses_of_its_own_domain_alone() {
        let template = EmailTemplate::parse("{user}@example.com").unwrap();
        assert_eq!(template.address("alice").unwrap().as_str(), "alice@example.com");
        for user in ["", "a@evil.test", "a@evil.test,b", "a b", "a\r\nX: y", "<a"] {
            assert!(template.address(user).is_none(), "{user}");
        }
        let tagged = EmailTemplate::parse("mfa+{user}@example.com").unwrap();
        assert_eq!(tagged.address("bob").unwrap().as_str(), "mfa+bob@example.com");
        for text in ["", "{user}", "alice@example.com", "a@{user}.com", "{user}{user}@a.com"] {
            assert!(EmailTemplate::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_address_is_not_shown_by_chance() {
        let address = EmailAddress::parse("alice@example.com").unwrap();
        assert_eq!(format!("{address:?}"), "EmailAddress(…)");
    }
}
