//! Whether a user of the portal may vouch for a colleague: a pure rule beside that for who asks
//! by mail. Here the portal's own login and the second factor say who it is.

use super::requester::{Channel, Refusal, Requester, is_user, mailbox_of};
use crate::config::desk::Organisation;
use crate::config::identity::UsernameRule;
use crate::net::email::EmailTemplate;
use crate::net::mail_address::MailAddress;
use crate::net::public_mail;
use crate::user::UserName;

/// What a portal says of its users and of whose word counts.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// Whose word counts.
    pub organisation: Option<&'a Organisation>,
    /// How names are spelt.
    pub rule: &'a UsernameRule,
    /// How names become addresses, where they are none.
    pub email: Option<&'a EmailTemplate>,
}

/// Judges whether `voucher` may ask for `colleague`. The address decides: the name where it is
/// one, or else what the portal's template makes of it. Where there is neither, the account at
/// the portal is the organisation's.
///
/// # Errors
/// With the reason why not.
pub fn judge(
    ground: Ground<'_>,
    voucher: &UserName,
    colleague: &UserName,
) -> Result<Requester, Refusal> {
    let organisation = ground.organisation.ok_or(Refusal::NoOrganisation)?;
    let is_same_mailbox = mailbox_of(voucher.as_str()) == mailbox_of(colleague.as_str());
    if voucher == colleague || is_same_mailbox {
        return Err(Refusal::Oneself);
    }
    match address(ground.email, voucher)? {
        Some(address) if is_user(&address, ground.rule, colleague) => Err(Refusal::Oneself),
        Some(address) if public_mail::is_public(address.domain()) => Err(Refusal::PublicMail),
        Some(address) if !organisation.domains.iter().any(|own| own == address.domain()) => {
            Err(Refusal::NotOfOrganisation)
        }
        // An organisation without domains has no colleagues who could speak.
        None if organisation.domains.is_empty() => Err(Refusal::NotOfOrganisation),
        Some(_) | None => Ok(Requester::judged(Channel::Colleague)),
    }
}

/// Where the voucher gets mail; nothing where the portal's names say nothing of that.
fn address(
    email: Option<&EmailTemplate>,
    voucher: &UserName,
) -> Result<Option<MailAddress>, Refusal> {
    let name = voucher.as_str();
    let written = match email {
        _ if name.contains('@') => name.to_owned(),
        Some(email) => email.address(name).ok_or(Refusal::NotAnAddress)?.as_str().to_owned(),
        None => return Ok(None),
    };
    MailAddress::parse(&written).map(Some).ok_or(Refusal::NotAnAddress)
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn vouched(email: Option<&str>, voucher: &str, colleague: &str) -> Result<(), Refusal> {
        vouched_in(&["example.com", "example.org"], email, voucher, colleague)
    }

    fn vouched_in(
        domains: &[&str],
        email: Option<&str>,
        voucher: &str,
        colleague: &str,
    ) -> Result<(), Refusal> {
        let organisation = Organisation {
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            managers: Vec::new(),
        };
        let pattern = Regex::new("^(?:[a-z0-9._@+\\\\ <>-]{1,128})$").unwrap();
        let rule = UsernameRule { fold_case: true, trim: true, pattern };
        let email = email.map(|text| EmailTemplate::parse(text).unwrap());
        let organisation = Some(&organisation);
        let ground = Ground { organisation, rule: &rule, email: email.as_ref() };
        let name = |typed: &str| crate::identity::normalise(&rule, typed).unwrap();
        judge(ground, &name(voucher), &name(colleague)).map(|_| ())
    }

    const TEMPLATE: Option<&str> = Some("{user}@example.com");

    #[test]
    fn a_colleague_vouches_whatever_the_names_are() {
        for (email, voucher, colleague) in [
            (None, "bob@example.com", "alice@example.com"),
            (None, "bob@example.org", "alice@example.com"),
            (None, "Bob@Example.COM", "alice"),
            (TEMPLATE, "bob", "alice"),
            (Some("mfa+{user}@example.com"), "bob", "alice"),
            (None, "bob", "alice"),
            (None, "corp\\bob", "corp\\alice"),
        ] {
            assert_eq!(vouched(email, voucher, colleague), Ok(()), "{voucher} {colleague}");
        }
    }

    #[test]
    fn nobody_vouches_for_oneself_under_any_spelling() {
        for (voucher, colleague) in [
            ("bob", "bob"),
            ("bob", "BOB"),
            ("bob", " bob "),
            ("bob", "bob@example.com"),
            ("bob", "bob+phone@example.com"),
            ("bob", "corp\\bob"),
            ("corp\\bob", "bob"),
            ("bob@example.com", "bob@example.org"),
            ("bob@example.com", "Bob+x@Example.com"),
            ("bob+x@example.com", "bob@example.com"),
        ] {
            for email in [None, TEMPLATE] {
                let refused = vouched(email, voucher, colleague);
                assert_eq!(refused, Err(Refusal::Oneself), "{voucher} {colleague}");
            }
        }
    }

    #[test]
    fn a_stranger_is_refused_however_alike() {
        for (voucher, refusal) in [
            ("bob@evil.example", Refusal::NotOfOrganisation),
            ("bob@examp1e.com", Refusal::NotOfOrganisation),
            ("bob@mail.example.com", Refusal::NotOfOrganisation),
            ("bob@example.com.evil.example", Refusal::NotOfOrganisation),
            ("bob@notexample.com", Refusal::NotOfOrganisation),
            ("bob@gmail.com", Refusal::PublicMail),
            ("bob@example.com.", Refusal::NotAnAddress),
            ("bob@evil.example@example.com", Refusal::NotAnAddress),
            ("bob <bob@example.com>", Refusal::NotAnAddress),
        ] {
            for email in [None, TEMPLATE] {
                assert_eq!(vouched(email, voucher, "alice"), Err(refusal), "{voucher}");
            }
        }
        let odd = vouched(TEMPLATE, "corp\\bob", "alice");
        assert_eq!(odd, Err(Refusal::NotAnAddress), "a name that makes no address");
        let outside = vouched(Some("{user}@vendor.example"), "bob", "alice");
        assert_eq!(outside, Err(Refusal::NotOfOrganisation));
    }

    #[test]
    fn an_organisation_without_domains_has_no_colleagues() {
        for voucher in ["bob", "bob@example.com"] {
            let refused = vouched_in(&[], None, voucher, "alice");
            assert_eq!(refused, Err(Refusal::NotOfOrganisation), "{voucher}");
        }
        let pattern = Regex::new("^[a-z]+$").unwrap();
        let rule = UsernameRule { fold_case: true, trim: true, pattern };
        let [bob, alice] = ["bob", "alice"].map(|name| UserName::canonical(name.to_owned()));
        let ground = Ground { organisation: None, rule: &rule, email: None };
        assert_eq!(judge(ground, &bob, &alice).unwrap_err(), Refusal::NoOrganisation);
    }
}
