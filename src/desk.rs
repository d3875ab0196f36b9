//! Who signs in at the desk's console, made ready: each person with an account for a second
//! factor at a portal that no configuration can name, and the key that signs the cookie.

use std::time::Duration;

use crate::account::{AccountId, Enrolling, PortalTag};
use crate::config::desk::Person;
use crate::config::{Enrolment, EnrolmentGuard};
use crate::mac::MacKey;
use crate::notify::Addressee;
use crate::session::{Binder, SessionRecord};
use crate::store::keyring::Keyring;
use crate::user::UserName;

/// The portal of the console's sessions and accounts: portals are named without this sign.
pub const PORTAL: &str = "@desk";

/// How long an invitation of somebody at the desk holds. Nothing else lets enrol (ENR-1).
const INVITATION: Duration = Duration::from_secs(24 * 3600);

/// The people of one configuration.
pub struct Desk {
    people: Vec<Person>,
    binder: Binder,
    tag: PortalTag,
    key: MacKey,
    rules: Enrolment,
}

impl Desk {
    /// Makes `people` ready with keys derived from `keyring`.
    pub fn new(people: Vec<Person>, keyring: &Keyring) -> Self {
        let key = keyring.derive("desk console");
        let long = keyring.id(&[b"desk console"]);
        let mut tag = [0; 8];
        tag.copy_from_slice(long.split_at(8).0);
        let rules = Enrolment {
            guard: EnrolmentGuard::Invite,
            within: None,
            dormant: None,
            invite: INVITATION,
            email: None,
        };
        let binder = Binder::new(PORTAL, &key);
        Self { people, binder, tag: PortalTag(tag), key: MacKey::new(&key), rules }
    }

    /// Everybody, in the order of the configuration.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The person of this name.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.staff.name == name)
    }

    /// Whose a session is, while that person may sign in.
    pub fn of(&self, session: &SessionRecord) -> Option<&Person> {
        let name = session.user.as_str().strip_suffix(PORTAL)?;
        self.person(name).filter(|_| session.portal == PORTAL)
    }

    /// How somebody is called in an authenticator app and in the store. Nobody else may be
    /// called so: names hold no such sign.
    pub fn user(&self, name: &str) -> UserName {
        UserName::canonical(format!("{name}{PORTAL}"))
    }

    /// The account of this name, whether or not there is such a person.
    pub fn account(&self, name: &str) -> AccountId {
        AccountId { portal: self.tag, sub: self.binder.subject(&self.user(name)) }
    }

    /// Somebody who gave the password and has no second factor yet.
    pub fn enrolling<'a>(&'a self, name: &str, session: &'a SessionRecord) -> Enrolling<'a> {
        let to = Addressee {
            user: &session.user,
            portal: PORTAL,
            host: "",
            email: None,
            language: None,
        };
        Enrolling { account: self.account(name), session, rules: &self.rules, to }
    }

    /// How long an invitation holds.
    pub const fn invitation(&self) -> Duration {
        self.rules.invite
    }

    /// What signs the cookie and the forms.
    pub const fn key(&self) -> &MacKey {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use crate::site::house::house;

    #[tokio::test]
    async fn a_person_of_the_desk_is_nobody_at_a_portal() {
        let house = house().await;
        let desk = &house.parts.desk_people;
        let site = house.parts.sites.named("wiki.test");
        assert_ne!(desk.account("ann").portal, site.tag);
        assert_ne!(desk.account("ann").sub, site.binder.subject(&desk.user("ann")));
        assert_ne!(desk.account("ann").sub, desk.account("bea").sub);
        assert!(desk.person("ann").is_none());
    }
}
