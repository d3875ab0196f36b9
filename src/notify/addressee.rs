//! Who is told: a user of a portal, and the address that the name makes.

use crate::config::Portal;
use crate::net::email::{EmailAddress, EmailTemplate};
use crate::net::language::Language;
use crate::user::UserName;

/// A user of a portal, as far as a mail has to know.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'a> {
    /// Who.
    pub user: &'a UserName,
    /// The portal's name.
    pub portal: &'a str,
    /// The portal's first host, by which the user knows it.
    pub host: &'a str,
    /// How the portal's names become addresses, where they are none.
    pub email: Option<&'a EmailTemplate>,
    /// What the user would rather read, as far as anybody knows.
    pub language: Option<Language>,
}

impl<'a> Addressee<'a> {
    /// A user of `portal`.
    pub fn at(portal: &'a Portal, user: &'a UserName) -> Self {
        Self {
            user,
            portal: &portal.name,
            host: portal.hosts.first().map_or("", String::as_str),
            email: portal.enrolment.email.as_ref(),
            language: None,
        }
    }

    /// Where the user gets mail: at the name, where that is an address, or else where the
    /// portal's template says. Nothing means that nobody can be told.
    pub fn address(&self) -> Option<EmailAddress> {
        let name = self.user.as_str();
        EmailAddress::parse(name).or_else(|| self.email?.address(name))
    }
}

#[cfg(test)]
mod tests {
    use super::Addressee;
    use crate::net::email::EmailTemplate;
    use crate::user::UserName;

    fn address(name: &str, template: Option<&str>) -> Option<String> {
        let user = UserName::canonical(name.to_owned());
        let email = template.map(|text| EmailTemplate::parse(text).unwrap());
        let email = email.as_ref();
        let addressee =
            Addressee { user: &user, portal: "wiki", host: "wiki.test", email, language: None };
        addressee.address().map(|address| address.as_str().to_owned())
    }

    #[test]
    fn a_name_that_is_an_address_counts_before_the_template() {
        let template = Some("{user}@example.com");
        assert_eq!(address("bob@other.test", template).as_deref(), Some("bob@other.test"));
        assert_eq!(address("bob", template).as_deref(), Some("bob@example.com"));
        assert_eq!(address("bob", None), None);
        for name in ["bob smith", "bob@x", "b@a.test,c@a.test", "b\r\nBcc: c@a.test", "B <b@a.b>"] {
            assert_eq!(address(name, template), None, "{name}");
        }
    }
}
