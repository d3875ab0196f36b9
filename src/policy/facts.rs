//! What is known about a request when it is judged.

use std::time::Duration;

use super::{Demand, Stage};

/// All that the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the request is for.
    pub destination: Destination,
    /// What the rules of ops ask for it.
    pub demand: Demand,
    /// Who sent it.
    pub visitor: Visitor,
    /// How far the portal is with this visitor.
    pub stage: Stage,
    /// Whether a notice of the date is due, and the request is one that a notice can answer.
    pub notice_due: bool,
    /// Whether the request carries a token of the rule that it meets.
    pub service: bool,
    /// What the portal session in it is to us.
    pub portal_session: PortalSession,
}

/// What a request is for, told by its method and its canonical path. A path with two
/// readings is always [`Destination::Protected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// One of our own pages.
    OwnPage,
    /// A path that ops opened to everybody.
    Public,
    /// A path that a rule of ops opens to this request.
    Bypass,
    /// The portal's login page, or the request that carries the password.
    Login,
    /// Everything else.
    Protected,
}

impl Destination {
    /// Whether everybody gets there, if only as nobody.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Public | Self::Bypass | Self::Login => true,
            Self::OwnPage | Self::Protected => false,
        }
    }
}

/// Who sent a request, as far as it is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Nobody we know: no session, or one that is foreign, ended, or not bound to the portal
    /// session of the request.
    Unknown,
    /// The portal took this user's password; the second factor is missing.
    Named(Standing),
    /// The second factor was given too, so long ago. Nothing where what stood for it, such as
    /// a remembered device, never is a fresh proof.
    Proven(Option<Duration>),
}

/// How a user who gave only the password stands with the second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Has none yet.
    NotEnrolled,
    /// Has one and may try it.
    Enrolled,
    /// Gave too many wrong codes and has to wait this long.
    Locked(Duration),
    /// Gave so many wrong codes that only the desk can help (NIST SP 800-63B-4 section 3.2.2).
    Disabled,
}

/// What the portal session of a request is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalSession {
    /// The request carries none.
    Absent,
    /// It began before our eyes and nobody has signed in with it.
    Guest,
    /// Somebody signed in with it, or we did not see it begin.
    Other,
}
