//! The one decision. It is total, it is pure, and it alone can make a [`Permit`].

use super::{
    Challenge, Demand, Destination, Facts, PortalCookies, PortalSession, Reason, Stage, Standing,
    Verdict, Visitor,
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

/// Judges a request by the table of "What who sees" in the contract. What a rule denies, it
/// denies to everybody and at every stage of a rollout.
pub fn decide(facts: &Facts) -> Verdict {
    match (facts.destination, facts.demand) {
        (Destination::OwnPage, _) => Verdict::OwnPage,
        (_, Demand::Deny) => Verdict::Deny,
        (Destination::Public | Destination::Login, _) => open(facts),
        (Destination::Bypass, _) => bypass(),
        (Destination::Protected, Demand::Service) if facts.service => bypass(),
        (
            Destination::Protected,
            Demand::None | Demand::Service | Demand::Mfa | Demand::Fresh(_),
        ) => protected(facts),
    }
}

/// Ops wants no second factor here: the portal's own session is all that counts.
fn bypass() -> Verdict {
    Verdict::Forward(Permit { reason: Reason::Bypass, cookies: PortalCookies::Keep })
}

/// Everybody gets there; the portal's session goes along with who would get everywhere.
fn open(facts: &Facts) -> Verdict {
    let everywhere = Facts { demand: Demand::Mfa, notice_due: false, ..*facts };
    let cookies = match protected(&everywhere) {
        Verdict::Forward(permit) => permit.cookies,
        Verdict::OwnPage | Verdict::Challenge(_) | Verdict::Deny => open_cookies(facts),
    };
    Verdict::Forward(Permit { reason: Reason::Public, cookies })
}

fn protected(facts: &Facts) -> Verdict {
    let missing = missing(facts);
    let reason = match (missing, facts.stage) {
        (None, _) => Reason::Proven,
        (Some(Challenge::Enrol), Stage::Announced(_)) if facts.notice_due => {
            return Verdict::Challenge(Challenge::Notice);
        }
        (Some(Challenge::Enrol), Stage::Announced(_)) => Reason::Grace,
        (Some(challenge), Stage::Report) => Reason::Report(challenge),
        (Some(_), Stage::Off) => Reason::Bypass,
        (Some(challenge), Stage::Required | Stage::Announced(_)) => {
            return Verdict::Challenge(challenge);
        }
    };
    Verdict::Forward(Permit { reason, cookies: PortalCookies::Keep })
}

/// What a visitor of a protected path lacks, were it asked of everybody.
fn missing(facts: &Facts) -> Option<Challenge> {
    match (facts.visitor, facts.demand) {
        (Visitor::Unknown, _) => Some(Challenge::SignIn),
        (Visitor::Named(standing), _) => Some(missing_factor(standing)),
        (Visitor::Proven(age), Demand::Fresh(within)) => {
            let is_fresh = age.is_some_and(|age| age <= within);
            if is_fresh { None } else { Some(Challenge::StepUp) }
        }
        (Visitor::Proven(_), Demand::None | Demand::Service | Demand::Mfa | Demand::Deny) => None,
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
            Destination::Public
            | Destination::Bypass
            | Destination::Protected
            | Destination::OwnPage,
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
mod tests;
