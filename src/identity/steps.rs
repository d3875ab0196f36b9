//! Logins of two steps: the name that was given first, kept with the portal's session until the
//! password comes. It is known by every cookie of that session, or not at all.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::UnixMillis;
use crate::user::{Opaque, UserName};

/// How long a name waits for its password.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);
/// The most cookies that are remembered at one time.
const MOST: usize = 10_000;

/// The names that wait for a password, by each cookie of the portal's session.
#[derive(Default)]
pub struct Steps {
    given: Mutex<HashMap<Opaque, Given>>,
}

struct Given {
    /// Nobody where it is in doubt whom the portal remembers.
    name: Option<UserName>,
    until: UnixMillis,
}

impl Steps {
    /// Keeps the name under each part of a portal session. The latest name counts.
    pub fn remember(&self, now: UnixMillis, parts: &[Opaque], name: &UserName) {
        for part in parts {
            self.put(now, *part, Some(name.clone()));
        }
    }

    /// From now on nobody can say whom the portal remembers in a session with one of these
    /// parts, until it has forgotten or is told again under other cookies.
    pub fn doubt(&self, now: UnixMillis, parts: &[Opaque]) {
        for part in parts {
            self.put(now, *part, None);
        }
    }

    /// Takes note of a step that came to its end. Without a name the portal may remember whom
    /// we could not read, or somebody from before.
    pub fn settle(
        &self,
        now: UnixMillis,
        before: &[Opaque],
        after: &[Opaque],
        name: Option<&UserName>,
    ) {
        match name {
            Some(name) => self.remember(now, after, name),
            None => {
                self.forget(before);
                self.forget(after);
            }
        }
    }

    /// Forgets what was said under each of these parts, doubts left standing.
    pub fn forget(&self, parts: &[Opaque]) {
        let mut given = self.given.lock();
        for part in parts {
            if given.get(part).is_some_and(|given| given.name.is_some()) {
                given.remove(part);
            }
        }
    }

    /// The name, when every part remembers the same. A session without parts has none.
    pub fn recall(&self, now: UnixMillis, parts: &[Opaque]) -> Option<UserName> {
        let given = self.given.lock();
        let name = |part: &Opaque| {
            let fresh = given.get(part).filter(|given| now < given.until);
            fresh.and_then(|given| given.name.as_ref())
        };
        let (first, rest) = parts.split_first()?;
        let found = name(first)?;
        rest.iter().all(|part| name(part) == Some(found)).then(|| found.clone())
    }

    fn put(&self, now: UnixMillis, part: Opaque, name: Option<UserName>) {
        let mut given = self.given.lock();
        let doubted = given.get(&part).is_some_and(|old| old.name.is_none() && now < old.until);
        if doubted && name.is_some() {
            return;
        }
        if given.len() >= MOST && !given.contains_key(&part) {
            given.retain(|_, old| now < old.until);
            let oldest = given.iter().min_by_key(|(_, old)| old.until).map(|(part, _)| *part);
            if let Some(oldest) = oldest.filter(|_| given.len() >= MOST) {
                given.remove(&oldest);
            }
        }
        given.insert(part, Given { name, until: now.plus(PATIENCE) });
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Steps};
    use crate::clock::UnixMillis;
    use crate::user::{Opaque, UserName};

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn part(number: usize) -> Opaque {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Opaque(bytes)
    }

    fn name(text: &str) -> UserName {
        UserName::canonical(text.to_owned())
    }

    #[test]
    fn a_name_is_known_by_every_cookie_together() {
        let steps = Steps::default();
        steps.remember(NOW, &[part(1), part(2)], &name("alice"));
        assert_eq!(steps.recall(NOW, &[part(1), part(2)]), Some(name("alice")));
        assert_eq!(steps.recall(NOW, &[part(1), part(3)]), None);
        assert_eq!(steps.recall(NOW, &[]), None);
        steps.remember(NOW, &[part(2)], &name("bob"));
        assert_eq!(steps.recall(NOW, &[part(1), part(2)]), None, "two names are none");
        assert_eq!(steps.recall(NOW, &[part(2)]), Some(name("bob")), "the latest counts");
    }

    #[test]
    fn a_name_waits_ten_minutes_and_until_it_is_used() {
        let steps = Steps::default();
        steps.remember(NOW, &[part(1)], &name("alice"));
        let almost = UnixMillis(NOW.0 + 599_999);
        assert!(steps.recall(almost, &[part(1)]).is_some());
        assert!(steps.recall(UnixMillis(NOW.0 + 600_000), &[part(1)]).is_none());
        steps.forget(&[part(1)]);
        assert!(steps.recall(NOW, &[part(1)]).is_none());
    }

    #[test]
    fn a_doubt_stays_whatever_is_said_after_it() {
        let steps = Steps::default();
        steps.remember(NOW, &[part(1)], &name("alice"));
        steps.doubt(NOW, &[part(1)]);
        steps.forget(&[part(1)]);
        steps.remember(NOW, &[part(1)], &name("alice"));
        assert!(steps.recall(NOW, &[part(1)]).is_none());
        let later = UnixMillis(NOW.0 + 600_000);
        steps.remember(later, &[part(1)], &name("alice"));
        assert_eq!(steps.recall(later, &[part(1)]), Some(name("alice")));
    }

    #[test]
    fn no_more_than_ten_thousand_are_kept() {
        let steps = Steps::default();
        for number in 0..MOST + 5 {
            let now = UnixMillis(NOW.0 + number as u64);
            steps.remember(now, &[part(number)], &name("alice"));
        }
        assert_eq!(steps.given.lock().len(), MOST);
        let now = UnixMillis(NOW.0 + MOST as u64);
        assert!(steps.recall(now, &[part(0)]).is_none(), "the oldest goes first");
        assert!(steps.recall(now, &[part(MOST + 4)]).is_some());
    }
}
