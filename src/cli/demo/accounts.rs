//! Who may sign in to the demo's portal, and the sessions of those who did. All of it is in
//! memory and made up: it plays a portal that knows nothing of a second factor.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::hex;

/// The accounts: user name, password, and the name on the page. They are printed at start.
pub(super) const ACCOUNTS: [Account; 2] = [
    Account { user: "alice", password: "Correct-Horse-9", name: "Alice" },
    Account { user: "bob", password: "Battery-Staple-7", name: "Bob" },
];

/// How many sessions are kept before the ones that nobody signed in to are forgotten.
const SESSION_LIMIT: usize = 1_000;

/// Somebody who may sign in.
#[derive(Clone, Copy)]
pub(super) struct Account {
    pub(super) user: &'static str,
    pub(super) password: &'static str,
    pub(super) name: &'static str,
}

/// The account that these belong to. The name's case does not matter, as in many portals.
pub(super) fn account(user: &str, password: &str) -> Option<Account> {
    ACCOUNTS
        .into_iter()
        .find(|account| account.user.eq_ignore_ascii_case(user.trim()))
        .filter(|account| account.password == password)
}

/// What the portal remembers about a browser.
#[derive(Clone)]
pub(super) struct Session {
    /// What a form has to send back.
    pub(super) csrf: String,
    /// Who signed in, if anybody did.
    pub(super) account: Option<Account>,
}

/// All sessions by their identifier.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    /// Starts a session and gives its identifier.
    pub(super) fn start(
        &self,
        account: Option<Account>,
    ) -> Result<(String, Session), getrandom::Error> {
        let (id, session) = (token()?, Session { csrf: token()?, account });
        let mut sessions = self.0.lock();
        if sessions.len() >= SESSION_LIMIT {
            sessions.retain(|_, session| session.account.is_some());
        }
        if sessions.len() >= SESSION_LIMIT {
            sessions.clear();
        }
        sessions.insert(id.clone(), session.clone());
        Ok((id, session))
    }

    /// The session with this identifier.
    pub(super) fn find(&self, id: &str) -> Option<Session> {
        self.0.lock().get(id).cloned()
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &str) {
        self.0.lock().remove(id);
    }
}

fn token() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hex::text(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_is_needed() {
        assert_eq!(account(" Alice ", "Correct-Horse-9").unwrap().user, "alice");
        assert!(account("alice", "correct-horse-9").is_none());
        assert!(account("alice", "Battery-Staple-7").is_none());
        assert!(account("carol", "Correct-Horse-9").is_none());
    }

    #[test]
    fn no_two_sessions_share_an_identifier_or_a_token() {
        let sessions = Sessions::default();
        let (one, first) = sessions.start(None).unwrap();
        let (two, second) = sessions.start(None).unwrap();
        assert_ne!(one, two);
        assert_ne!(first.csrf, second.csrf);
        assert_ne!(one, first.csrf);
    }

    #[test]
    fn a_flood_of_visitors_does_not_sign_anybody_out() {
        let sessions = Sessions::default();
        let (id, _) = sessions.start(ACCOUNTS.first().copied()).unwrap();
        for _ in 0..3 * SESSION_LIMIT {
            sessions.start(None).unwrap();
        }
        assert!(sessions.find(&id).is_some());
        assert!(sessions.0.lock().len() <= SESSION_LIMIT);
    }
}
