//! What can come of a decision.

use std::time::Duration;

use super::Permit;

/// What happens to a request.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The portal gets it.
    Forward(Permit),
    /// We answer with one of our own pages.
    OwnPage,
    /// Something is missing that the visitor can give.
    Challenge(Challenge),
    /// A rule of ops takes nobody there.
    Deny,
}

/// What a visitor has to do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Sign in to the portal.
    SignIn,
    /// Set up the second factor.
    Enrol,
    /// Give a code.
    Verify,
    /// Give a code again: the last one was given too long ago for this path.
    StepUp,
    /// Read from when on a second factor is needed.
    Notice,
    /// Wait this long, then give a code.
    Wait(Duration),
    /// Ask the desk.
    AskDesk,
}

impl Challenge {
    /// The name in a call's answer, `urn:portcullis:NAME`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "login_required",
            Self::Enrol => "enrolment_required",
            Self::Verify => "mfa_required",
            Self::StepUp => "mfa_stale",
            Self::Notice => "enrolment_announced",
            Self::Wait(_) | Self::AskDesk => "mfa_locked",
        }
    }
}

/// Why a request was permitted; a label of `portcullis_requests_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The path is open to everybody, or is the portal's login.
    Public,
    /// The visitor gave the second factor.
    Proven,
    /// The visitor has none, and is only told of it for now.
    Grace,
    /// A rule opens the path or took the token of a service, or nobody is asked at this portal.
    Bypass,
    /// Nobody is held at this portal, and this is what would have been asked for.
    Report(Challenge),
}

/// What happens to the portal's session cookies of a permitted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalCookies {
    /// They go along.
    Keep,
    /// They stay behind: the portal sees somebody who is not signed in. What it sets reaches
    /// the browser, which so starts anew.
    Withhold,
    /// They stay behind, and a session that the portal begins for this one request is
    /// dropped, so that it does not replace the one in the browser.
    WithholdBothWays,
}
