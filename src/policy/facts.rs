//! What is known about a request when it is judged.

use std::time::Duration;

/// All that the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the request is for.
    pub destination: Destination,
    /// Who sent it.
    pub visitor: Visitor,
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
    /// The portal's login page, or the request that carries the password.
    Login,
    /// Everything else.
    Protected,
}

/// Who sent a request, as far as it is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Nobody we know: no session, or one that is foreign, ended, or not bound to the portal
    /// session of the request.
    Unknown,
    /// The portal took this user's password; the second factor is missing.
    Named(Standing),
    /// The second factor was given too.
    Proven,
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
