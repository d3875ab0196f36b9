//! On whose word a second factor is reset: a pure rule. Never on the word of the user, who may
//! be anybody who has the password; but on that of a colleague or of the account manager.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::desk::{Organisation, Role};
use crate::config::identity::UsernameRule;
use crate::identity::normalise;
use crate::net::mail_address::MailAddress;
use crate::net::public_mail;
use crate::notify::Speaker;
use crate::telemetry::label::ResetLabel;
use crate::user::UserName;

/// As what somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// As a colleague from the user's own organisation.
    Colleague,
    /// As the account manager whom the organisation names.
    AccountManager,
}

impl Channel {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Colleague => "colleague",
            Self::AccountManager => "account_manager",
        }
    }

    /// The least role that may act on a word that came by this channel: an account manager's
    /// goes past the organisation, so fewer may take it.
    pub const fn needs(self) -> Role {
        match self {
            Self::Colleague => Role::Desk,
            Self::AccountManager => Role::AccountManager,
        }
    }
}

impl From<Channel> for ResetLabel {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Colleague => Self::Colleague,
            Channel::AccountManager => Self::AccountManager,
        }
    }
}

/// Somebody on whose word this user's factor may be reset: who has this was judged.
#[derive(Debug)]
pub struct Requester {
    channel: Channel,
}

impl Requester {
    /// Whose word was judged by a rule beside this one, or before it was written down.
    pub(super) const fn judged(channel: Channel) -> Self {
        Self { channel }
    }

    /// As what.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// Who it is, as far as the user is told: what, never who, since the name may be made up and
    /// whoever reads along has no need of it.
    pub(super) const fn speaker(&self) -> Speaker {
        match self.channel {
            Channel::Colleague => Speaker::Colleague,
            Channel::AccountManager => Speaker::AccountManager,
        }
    }
}

/// Why somebody's word does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody's does at this portal.
    #[error(
        "the portal names no organisation on whose word a second factor is reset; add \
         organisation: {{ domains: [example.com] }} to the portal in the configuration"
    )]
    NoOrganisation,
    /// It cannot be told whose word it is.
    #[error("who asks is no plain address; write the mail address alone, such as bob@example.com")]
    NotAnAddress,
    /// The user's own.
    #[error("nobody asks for a reset of their own; a colleague has to ask")]
    Oneself,
    /// Anybody's.
    #[error(
        "this address is at a public mail provider, where anybody gets one; ask for a mail from \
         an address of the organisation's own"
    )]
    PublicMail,
    /// A stranger's.
    #[error(
        "this address is at none of the organisation's own domains; look at each letter after the \
         @, and ask for a mail from one that is"
    )]
    NotOfOrganisation,
    /// Somebody's who is not named.
    #[error(
        "this address is none of the account managers whom the organisation names; one of those, \
         or a colleague, has to ask"
    )]
    NotAManager,
}

impl Refusal {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoOrganisation => "no_organisation",
            Self::NotAnAddress => "not_an_address",
            Self::Oneself => "oneself",
            Self::PublicMail => "public_mail",
            Self::NotOfOrganisation => "not_of_organisation",
            Self::NotAManager => "not_a_manager",
        }
    }
}

/// Judges whether `requested_by` may ask for `user`, whose names go by `rule`.
///
/// # Errors
/// With the reason why not.
pub fn judge(
    organisation: Option<&Organisation>,
    rule: &UsernameRule,
    user: &UserName,
    requested_by: &str,
    channel: Channel,
) -> Result<Requester, Refusal> {
    let organisation = organisation.ok_or(Refusal::NoOrganisation)?;
    let address = MailAddress::parse(requested_by).ok_or(Refusal::NotAnAddress)?;
    if is_user(&address, rule, user) {
        return Err(Refusal::Oneself);
    }
    if public_mail::is_public(address.domain()) {
        return Err(Refusal::PublicMail);
    }
    match channel {
        Channel::Colleague if !organisation.domains.iter().any(|own| own == address.domain()) => {
            Err(Refusal::NotOfOrganisation)
        }
        Channel::AccountManager if !organisation.managers.contains(&address) => {
            Err(Refusal::NotAManager)
        }
        Channel::Colleague | Channel::AccountManager => Ok(Requester { channel }),
    }
}

/// Whether an address may be the user's own. A portal's names are addresses or what stands
/// before the sign, and an organisation has several domains for one mailbox; so mailboxes are
/// compared, whatever the domain. Who is refused for a chance likeness asks somebody else.
pub(super) fn is_user(address: &MailAddress, rule: &UsernameRule, user: &UserName) -> bool {
    let same_name = normalise(rule, address.mailbox()).is_some_and(|name| name == *user);
    same_name || address.mailbox() == mailbox_of(user.as_str())
}

/// What a name would be before the sign: `alice` of `alice`, `Alice+x@example.com`, `DOM\alice`.
pub(super) fn mailbox_of(name: &str) -> String {
    let within = name.rsplit(['\\', '/']).next().unwrap_or_default();
    let local = within.split('@').next().unwrap_or_default();
    local.split('+').next().unwrap_or_default().trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn asked(user: &str, requested_by: &str, channel: Channel) -> Result<(), Refusal> {
        let organisation = Organisation {
            domains: vec!["example.com".to_owned(), "example.org".to_owned()],
            managers: vec![MailAddress::parse("am@vendor.example").unwrap()],
        };
        let pattern = Regex::new("^(?:[a-z0-9._@+\\\\-]{1,128})$").unwrap();
        let rule = UsernameRule { fold_case: true, trim: true, pattern };
        let user = UserName::canonical(user.to_owned());
        judge(Some(&organisation), &rule, &user, requested_by, channel).map(|_| ())
    }

    #[test]
    fn a_colleague_and_the_account_manager_may_ask() {
        for requested_by in ["bob@example.com", "BOB@Example.COM", "bob+help@example.org"] {
            assert_eq!(asked("alice", requested_by, Channel::Colleague), Ok(()), "{requested_by}");
        }
        assert_eq!(asked("alice", "AM@vendor.example", Channel::AccountManager), Ok(()));
    }

    #[test]
    fn nobody_asks_for_oneself_under_any_spelling() {
        let users = [
            "alice",
            "alice@example.com",
            "alice@example.org",
            "alice+x@example.com",
            "alice+admin",
            "corp\\alice",
        ];
        for user in users {
            for own in [
                "alice@example.com",
                "Alice@Example.com",
                "ALICE@EXAMPLE.ORG",
                "alice+x@example.com",
                "alice+@example.com",
                "alice+bob@example.org",
            ] {
                let refused = asked(user, own, Channel::Colleague);
                assert_eq!(refused, Err(Refusal::Oneself), "{user} {own}");
            }
        }
        assert_eq!(
            asked("am", "am@vendor.example", Channel::AccountManager),
            Err(Refusal::Oneself)
        );
    }

    #[test]
    fn what_is_no_plain_address_is_nobody() {
        for trick in [
            "",
            "bob",
            "alice@example.com.",
            "Bob <alice@example.com>",
            "bob@example.com <alice@example.com>",
            "bob@example.com,alice@example.com",
            "\"bob\"@example.com",
            "alice@evil.example@example.com",
            "bob@ex\u{430}mple.com",
            "bob@example.com\r\nBcc: x@example.com",
        ] {
            let refused = asked("alice", trick, Channel::Colleague);
            assert_eq!(refused, Err(Refusal::NotAnAddress), "{trick:?}");
        }
    }

    #[test]
    fn a_stranger_is_refused_however_alike() {
        for stranger in [
            "bob@examp1e.com",
            "bob@example.co",
            "bob@mail.example.com",
            "bob@example.com.evil.example",
            "bob@notexample.com",
            "bob@xn--exmple-cua.com",
            "am@vendor.example",
        ] {
            let refused = asked("alice", stranger, Channel::Colleague);
            assert_eq!(refused, Err(Refusal::NotOfOrganisation), "{stranger}");
        }
        let refused = asked("alice", "bob@gmail.com", Channel::Colleague);
        assert_eq!(refused, Err(Refusal::PublicMail));
        let refused = asked("alice", "am@gmail.com", Channel::AccountManager);
        assert_eq!(refused, Err(Refusal::PublicMail));
        for other in ["bob@example.com", "am@mail.vendor.example", "am+x@vendor.example"] {
            let refused = asked("alice", other, Channel::AccountManager);
            assert_eq!(refused, Err(Refusal::NotAManager), "{other}");
        }
    }

    #[test]
    fn without_an_organisation_nobody_may_ask() {
        let pattern = Regex::new("^alice$").unwrap();
        let rule = UsernameRule { fold_case: true, trim: true, pattern };
        let user = UserName::canonical("alice".to_owned());
        for channel in [Channel::Colleague, Channel::AccountManager] {
            let refused = judge(None, &rule, &user, "bob@example.com", channel).unwrap_err();
            assert_eq!(refused, Refusal::NoOrganisation);
            assert!(refused.to_string().contains("add organisation: { domains"), "{refused}");
        }
    }
}
