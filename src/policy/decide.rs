//! The one decision. It is total, it is pure, and it alone can make a [`Permit`].

use super::{
    Challenge, Destination, Facts, PortalCookies, PortalSession, Reason, Standing, Verdict, Visitor,
};

/// The right to reach a portal, for one request. Its fields are private to this file, so no
/// other code can make one; whoever hands out a portal's address demands it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit {
    reason: Reason,
    cookies: PortalCookies,
}

impl Permit {
    /// Why it was given.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What happens to the portal's session cookies.
    pub fn cookies(&self) -> PortalCookies {
        self.cookies
    }
}

/// Judges a request by the table of "What who sees" in the contract.
pub fn decide(facts: &Facts) -> Verdict {
    match (facts.destination, facts.visitor) {
        (Destination::OwnPage, _) => Verdict::OwnPage,
        (Destination::Public | Destination::Login | Destination::Protected, Visitor::Proven) => {
            Verdict::Forward(Permit {
                reason: reason(facts.destination),
                cookies: PortalCookies::Keep,
            })
        }
        (Destination::Public | Destination::Login, Visitor::Unknown | Visitor::Named(_)) => {
            Verdict::Forward(Permit { reason: Reason::Public, cookies: open_cookies(facts) })
        }
        (Destination::Protected, Visitor::Unknown) => Verdict::Challenge(Challenge::SignIn),
        (Destination::Protected, Visitor::Named(standing)) => {
            Verdict::Challenge(missing_factor(standing))
        }
    }
}

fn reason(destination: Destination) -> Reason {
    match destination {
        Destination::Public | Destination::Login => Reason::Public,
        Destination::Protected | Destination::OwnPage => Reason::Proven,
    }
}

/// Portals show more at an open address to somebody who is signed in (a login page may even
/// show the start page). Without the second factor nobody is signed in: only a session that
/// certainly is nobody's goes along.
fn open_cookies(facts: &Facts) -> PortalCookies {
    match (facts.portal_session, facts.destination) {
        (PortalSession::Absent | PortalSession::Guest, _) => PortalCookies::Keep,
        (PortalSession::Other, Destination::Login) => PortalCookies::Withhold,
        (
            PortalSession::Other,
            Destination::Public | Destination::Protected | Destination::OwnPage,
        ) => PortalCookies::WithholdBothWays,
    }
}

fn missing_factor(standing: Standing) -> Challenge {
    match standing {
        Standing::NotEnrolled => Challenge::Enrol,
        Standing::Enrolled => Challenge::Verify,
        Standing::Locked(wait) => Challenge::Wait(wait),
        Standing::Disabled => Challenge::AskDesk,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::decide;
    use crate::policy::{
        Challenge, Destination, Facts, PortalCookies, PortalSession, Reason, Standing, Verdict,
        Visitor,
    };

    const WAIT: Duration = Duration::from_secs(30);

    fn judged(destination: Destination, visitor: Visitor) -> Verdict {
        decide(&Facts { destination, visitor, portal_session: PortalSession::Other })
    }

    #[test]
    fn a_protected_path_asks_for_what_is_missing() {
        let rows = [
            (Visitor::Unknown, Challenge::SignIn),
            (Visitor::Named(Standing::NotEnrolled), Challenge::Enrol),
            (Visitor::Named(Standing::Enrolled), Challenge::Verify),
            (Visitor::Named(Standing::Locked(WAIT)), Challenge::Wait(WAIT)),
            (Visitor::Named(Standing::Disabled), Challenge::AskDesk),
        ];
        for (visitor, challenge) in rows {
            let verdict = judged(Destination::Protected, visitor);
            assert_eq!(verdict, Verdict::Challenge(challenge));
        }
    }

    #[test]
    fn a_proven_visitor_passes_with_the_portal_session() {
        let Verdict::Forward(permit) = judged(Destination::Protected, Visitor::Proven) else {
            panic!("a proven visitor was held");
        };
        assert_eq!(permit.reason(), Reason::Proven);
        assert_eq!(permit.cookies(), PortalCookies::Keep);
    }

    #[test]
    fn an_open_address_does_not_see_a_session_without_proof() {
        let named = Visitor::Named(Standing::Enrolled);
        for (destination, expected) in [
            (Destination::Public, PortalCookies::WithholdBothWays),
            (Destination::Login, PortalCookies::Withhold),
        ] {
            for visitor in [named, Visitor::Unknown] {
                let Verdict::Forward(permit) = judged(destination, visitor) else {
                    panic!("an open address was held");
                };
                assert_eq!(permit.cookies(), expected);
                assert_eq!(permit.reason(), Reason::Public);
            }
        }
    }

    fn any_facts() -> impl Strategy<Value = Facts> {
        let destination = prop_oneof![
            Just(Destination::OwnPage),
            Just(Destination::Public),
            Just(Destination::Login),
            Just(Destination::Protected),
        ];
        let visitor = prop_oneof![
            Just(Visitor::Unknown),
            Just(Visitor::Named(Standing::NotEnrolled)),
            Just(Visitor::Named(Standing::Enrolled)),
            Just(Visitor::Named(Standing::Locked(WAIT))),
            Just(Visitor::Named(Standing::Disabled)),
            Just(Visitor::Proven),
        ];
        let session = prop_oneof![
            Just(PortalSession::Absent),
            Just(PortalSession::Guest),
            Just(PortalSession::Other),
        ];
        (destination, visitor, session).prop_map(|(destination, visitor, portal_session)| Facts {
            destination,
            visitor,
            portal_session,
        })
    }

    proptest! {
        #[test]
        fn only_a_proven_visitor_takes_a_session_or_a_protected_path(facts in any_facts()) {
            if let Verdict::Forward(permit) = decide(&facts) {
                let proven = facts.visitor == Visitor::Proven;
                prop_assert!(proven || facts.destination != Destination::Protected);
                let nobody = facts.portal_session != PortalSession::Other;
                prop_assert!(proven || nobody || permit.cookies() != PortalCookies::Keep);
            }
        }
    }
}
