//! Everything that can go wrong on the way, and the one answer to each. All of them shut.

use http::StatusCode;

use super::admit::Throttled;
use crate::account::AccountError;
use crate::identity::AskFault;
use crate::pages::PageError;
use crate::policy::Challenge;
use crate::store::StoreError;
use crate::telemetry::label::{ReasonLabel, UpstreamErrorLabel, VerdictLabel};

/// Why a request does not go on. What the visitor sees is in [`Failure::shown`]; the text of
/// the error itself is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The request is not well-formed, or is made to be read in two ways.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// The target is too long.
    #[error("the request target is too long")]
    UriTooLong,
    /// The head is too large.
    #[error("the request's header lines are too large")]
    HeadTooLarge,
    /// A body that we read ourselves is too large.
    #[error("the request body is too large")]
    BodyTooLarge,
    /// A body that we read ourselves did not come in time.
    #[error("the request body did not come in time")]
    BodyTooSlow,
    /// A rule of ops takes nobody there.
    #[error("a rule takes nobody there")]
    Denied,
    /// The method is none that a portal gets.
    #[error("the method is not allowed")]
    MethodNotAllowed,
    /// The client asks too much.
    #[error("the client asked too much and has to wait {} s", .0.0)]
    Throttled(#[from] Throttled),
    /// Nobody here has that name.
    #[error("no portal has this host")]
    UnknownHost,
    /// Another site means to use the visitor's session.
    #[error("a request from another site: {0}")]
    CrossSite(&'static str),
    /// The portal took a password for a name that the portal's rule for names does not know.
    #[error("the portal signed somebody in whose name fits no rule")]
    Nameless,
    /// The store, the keys or the clock are in doubt.
    #[error("the store is in doubt: {0}")]
    Store(#[from] StoreError),
    /// The same, seen through an account.
    #[error("an account is in doubt: {0}")]
    Account(#[from] AccountError),
    /// The clock went back: no time limit can be judged by it.
    #[error("the clock is far behind what it was")]
    Clock,
    /// One of our pages could not be made.
    #[error("a page could not be made: {0}")]
    Page(#[from] PageError),
    /// Nothing secret can be made.
    #[error(transparent)]
    Random(#[from] crate::random::NoRandomness),
    /// A session cookie could not be signed.
    #[error("a session cookie could not be signed: {0}")]
    Token(#[from] crate::session::TokenError),
    /// A request came to the portal's door without a permit: a fault of ours.
    #[error("a request without a permit")]
    NoPermit,
    /// The session that carried the request ended on the way.
    #[error("the session ended while the request was under way")]
    SessionEnded,
    /// The portal cannot be reached.
    #[error("the portal cannot be reached: {0}")]
    Unreachable(String),
    /// The portal's certificate or its handshake was refused.
    #[error("the portal is not trusted: {0}")]
    Untrusted(String),
    /// The portal closed the connection in the middle.
    #[error("the portal broke off: {0}")]
    BrokenOff(String),
    /// The portal does not answer in time.
    #[error("the portal does not answer in time")]
    TooSlow,
    /// The portal does not say whose a session is.
    #[error("the portal was asked whose a session is: {0}")]
    NoWord(AskFault),
    /// The portal's answer is not HTTP.
    #[error("the portal's answer is not well-formed: {0}")]
    BadAnswer(String),
    /// The client went away, or its connection broke.
    #[error("the connection to the client is gone: {0}")]
    Gone(String),
}

/// What a visitor is told.
pub struct Shown {
    /// The status code.
    pub status: StatusCode,
    /// A few words.
    pub title: &'static str,
    /// What to do, for somebody who is no expert.
    pub text: &'static str,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// The one answer to each failure.
    pub fn shown(&self) -> Shown {
        let (status, title, text, retry_after) = match self {
            Self::BadRequest(_) => (
                StatusCode::BAD_REQUEST,
                "This request is not valid",
                "Your browser sent something that we cannot accept. Go back and try again; if it happens again, clear the cookies of this site.",
                None,
            ),
            Self::UriTooLong => (
                StatusCode::URI_TOO_LONG,
                "This address is too long",
                "Go back and try a shorter address.",
                None,
            ),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "This request is too large",
                "Your browser keeps too many cookies for this site. Clear the cookies of this site and sign in again.",
                None,
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "This form is too large",
                "What you sent is larger than this page takes. Go back and try again with less.",
                None,
            ),
            Self::BodyTooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "The connection is too slow",
                "What you sent did not arrive in time. Go back and try again.",
                None,
            ),
            Self::Denied => (
                StatusCode::FORBIDDEN,
                "This page is closed",
                "Whoever runs this portal does not let anybody open this page from here. Nothing is wrong with your sign-in.",
                None,
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "This cannot be done here",
                "Go back and try again from the start page.",
                None,
            ),
            Self::Throttled(Throttled(seconds)) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "Please wait a minute and try again.",
                Some(*seconds),
            ),
            Self::UnknownHost => (
                StatusCode::MISDIRECTED_REQUEST,
                "There is nothing at this address",
                "Check the address for typing mistakes.",
                None,
            ),
            Self::CrossSite(_) => (
                StatusCode::FORBIDDEN,
                "This request came from another site",
                "For your safety it was not carried out. Open the portal itself and try again there.",
                None,
            ),
            Self::Nameless => (
                StatusCode::FORBIDDEN,
                "This name cannot be used here",
                "Sign in with your user name as it was given to you. If you did, tell your support desk the number below.",
                None,
            ),
            Self::Store(_)
            | Self::Account(_)
            | Self::Page(PageError::Account(_) | PageError::Audit(_) | PageError::Token(_))
            | Self::Clock
            | Self::Random(_)
            | Self::Token(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Sign-in is not possible at the moment",
                "This is not your fault and nothing is lost. Please try again in a minute.",
                Some(30),
            ),
            Self::Page(PageError::Render(_) | PageError::Qr(_)) | Self::NoPermit => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "This is not your fault and nothing is lost. Please try again; if it happens again, tell your support desk the number below.",
                None,
            ),
            Self::SessionEnded => {
                (StatusCode::UNAUTHORIZED, "Your session has ended", "Please sign in again.", None)
            }
            Self::NoWord(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The portal does not answer",
                "This is not your fault. Please try again in a minute.",
                Some(30),
            ),
            Self::Unreachable(_) | Self::Untrusted(_) | Self::BrokenOff(_) | Self::BadAnswer(_) => {
                (
                    StatusCode::BAD_GATEWAY,
                    "The portal does not answer",
                    "This is not your fault. Please try again in a minute.",
                    Some(30),
                )
            }
            Self::TooSlow => (
                StatusCode::GATEWAY_TIMEOUT,
                "The portal does not answer in time",
                "This is not your fault. Please try again in a minute.",
                Some(30),
            ),
            Self::Gone(_) => (
                StatusCode::BAD_REQUEST,
                "The connection was broken off",
                "Please try again.",
                None,
            ),
        };
        Shown { status, title, text, retry_after }
    }

    /// The word in `portcullis_requests_total{reason}`.
    pub fn reason(&self) -> ReasonLabel {
        match self {
            Self::BadRequest(_)
            | Self::UriTooLong
            | Self::HeadTooLarge
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::MethodNotAllowed
            | Self::CrossSite(_)
            | Self::Nameless
            | Self::Gone(_) => ReasonLabel::BadRequest,
            Self::Denied => ReasonLabel::Denied,
            Self::Throttled(_) => ReasonLabel::Throttled,
            Self::UnknownHost => ReasonLabel::UnknownHost,
            Self::Store(_)
            | Self::Account(_)
            | Self::Page(PageError::Account(_) | PageError::Audit(_) | PageError::Token(_))
            | Self::Clock
            | Self::Random(_)
            | Self::Token(_) => ReasonLabel::Store,
            Self::Page(PageError::Render(_) | PageError::Qr(_)) | Self::NoPermit => {
                ReasonLabel::Internal
            }
            Self::SessionEnded => ReasonLabel::Unknown,
            Self::Unreachable(_)
            | Self::Untrusted(_)
            | Self::BrokenOff(_)
            | Self::TooSlow
            | Self::BadAnswer(_)
            | Self::NoWord(_) => ReasonLabel::Upstream,
        }
    }

    /// The word in `portcullis_upstream_errors_total{kind}`, where the portal is to blame.
    pub fn upstream_label(&self) -> Option<UpstreamErrorLabel> {
        match self {
            Self::Unreachable(_) | Self::NoWord(AskFault::Unreachable(_)) => {
                Some(UpstreamErrorLabel::Connect)
            }
            Self::Untrusted(_) => Some(UpstreamErrorLabel::Tls),
            Self::BrokenOff(_) => Some(UpstreamErrorLabel::Closed),
            Self::TooSlow | Self::NoWord(AskFault::TooSlow) => Some(UpstreamErrorLabel::Timeout),
            Self::BadAnswer(_) | Self::NoWord(_) => Some(UpstreamErrorLabel::Invalid),
            Self::BadRequest(_)
            | Self::UriTooLong
            | Self::HeadTooLarge
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::Denied
            | Self::MethodNotAllowed
            | Self::Throttled(_)
            | Self::UnknownHost
            | Self::CrossSite(_)
            | Self::Nameless
            | Self::Store(_)
            | Self::Account(_)
            | Self::Clock
            | Self::Page(_)
            | Self::Random(_)
            | Self::Token(_)
            | Self::NoPermit
            | Self::SessionEnded
            | Self::Gone(_) => None,
        }
    }

    /// Whether the visitor, rather than we or the portal, is to blame.
    pub fn is_refusal(&self) -> bool {
        self.shown().status.is_client_error()
    }
}

/// The words in `portcullis_requests_total` for a challenge.
pub(super) fn challenge_labels(challenge: Challenge) -> (VerdictLabel, ReasonLabel) {
    match challenge {
        Challenge::SignIn => (VerdictLabel::Login, ReasonLabel::Unknown),
        Challenge::Enrol => (VerdictLabel::Enrol, ReasonLabel::NotEnrolled),
        Challenge::Verify => (VerdictLabel::Verify, ReasonLabel::NotProven),
        Challenge::StepUp => (VerdictLabel::Verify, ReasonLabel::Stale),
        Challenge::Notice => (VerdictLabel::Notice, ReasonLabel::Grace),
        Challenge::Wait(_) | Challenge::AskDesk => (VerdictLabel::Refuse, ReasonLabel::Locked),
    }
}
