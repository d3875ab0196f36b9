//! The closed sets that metric labels come from. A label is never made from what a client
//! sent: ten thousand made-up paths must not become ten thousand series.

/// What the gateway did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictLabel {
    /// It went to the portal.
    Forward,
    /// The visitor was sent to the portal's login.
    Login,
    /// The visitor was sent to enrol.
    Enrol,
    /// The visitor was asked for a code.
    Verify,
    /// The visitor was shown a notice.
    Notice,
    /// It was turned away.
    Refuse,
    /// It failed, and failed shut.
    Error,
}

impl VerdictLabel {
    /// The word in the metrics and the access log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Login => "login",
            Self::Enrol => "enrol",
            Self::Verify => "verify",
            Self::Notice => "notice",
            Self::Refuse => "refuse",
            Self::Error => "error",
        }
    }
}

/// Why the gateway did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonLabel {
    /// The path needs no session.
    Public,
    /// The visitor has proven a second factor.
    Proven,
    /// The visitor has none, and is only told of the date for now.
    Grace,
    /// A rule opens the path or took a service's token, or nobody is asked here.
    Bypass,
    /// The visitor would have been held, were the portal not reporting alone.
    Report,
    /// The page is one of ours.
    OwnPage,
    /// Nobody is known behind the request.
    Unknown,
    /// The user has no authenticator yet.
    NotEnrolled,
    /// The user has an authenticator and has not shown it.
    NotProven,
    /// The factor was given too long ago for this path.
    Stale,
    /// A rule takes nobody there.
    Denied,
    /// Too many wrong codes.
    Locked,
    /// The request is not well-formed or holds what no portal should see.
    BadRequest,
    /// No portal has this host.
    UnknownHost,
    /// Too much was asked in too short a time.
    Throttled,
    /// The store did not answer.
    Store,
    /// The portal did not answer.
    Upstream,
    /// Something of ours went wrong.
    Internal,
}

impl ReasonLabel {
    /// The word in the metrics and the access log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Proven => "proven",
            Self::Grace => "grace",
            Self::Bypass => "bypass",
            Self::Report => "report",
            Self::OwnPage => "own_page",
            Self::Unknown => "unknown",
            Self::NotEnrolled => "not_enrolled",
            Self::NotProven => "not_proven",
            Self::Stale => "stale",
            Self::Denied => "denied",
            Self::Locked => "locked",
            Self::BadRequest => "bad_request",
            Self::UnknownHost => "unknown_host",
            Self::Throttled => "throttled",
            Self::Store => "store",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }
}

/// How a login that passed through the gateway came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcomeLabel {
    /// A user was learned.
    Success,
    /// The portal said no, or did not clearly say yes.
    Failure,
    /// No single username was found, or none that the portal's rule takes.
    NoName,
    /// The portal said yes but no session of it is known.
    NoSession,
    /// The body was over its limit or could not be read.
    Unreadable,
}

impl LoginOutcomeLabel {
    /// Every outcome, so that each series is there from the start.
    pub const ALL: [Self; 5] =
        [Self::Success, Self::Failure, Self::NoName, Self::NoSession, Self::Unreadable];

    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::NoName => "no_name",
            Self::NoSession => "no_session",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What a user shows besides the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorLabel {
    /// A code of an authenticator app.
    Totp,
    /// One of the codes given at enrolment.
    RecoveryCode,
    /// A remembered device, which stands in for a code.
    Device,
}

impl FactorLabel {
    /// Every factor.
    pub const ALL: [Self; 3] = [Self::Totp, Self::RecoveryCode, Self::Device];

    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Device => "device",
        }
    }
}

/// How the check of a code came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationLabel {
    /// The code was right and unused.
    Accepted,
    /// The code was wrong.
    Wrong,
    /// The code was right but spent.
    Replayed,
    /// The code was not looked at: too many wrong ones came before it.
    Locked,
    /// The store did not answer.
    Error,
}

impl VerificationLabel {
    /// Every outcome, so that each series is there from the start.
    pub const ALL: [Self; 5] =
        [Self::Accepted, Self::Wrong, Self::Replayed, Self::Locked, Self::Error];

    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Wrong => "wrong",
            Self::Replayed => "replayed",
            Self::Locked => "locked",
            Self::Error => "error",
        }
    }
}

/// On whose word a second factor was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetLabel {
    /// A colleague's of the organisation.
    Colleague,
    /// The account manager's.
    AccountManager,
}

impl ResetLabel {
    /// Both, so that each series is there from the start.
    pub const ALL: [Self; 2] = [Self::Colleague, Self::AccountManager];

    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Colleague => "colleague",
            Self::AccountManager => "account_manager",
        }
    }
}

/// Whose allowance was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleScope {
    /// One user's wrong codes.
    User,
    /// One client address.
    Client,
    /// All of one portal.
    Portal,
}

impl ThrottleScope {
    /// Every scope, so that each series is there from the start.
    pub const ALL: [Self; 3] = [Self::User, Self::Client, Self::Portal];

    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Portal => "portal",
        }
    }
}

/// What kept a portal from answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamErrorLabel {
    /// No connection could be made.
    Connect,
    /// The portal's certificate or handshake was refused.
    Tls,
    /// The portal took too long.
    Timeout,
    /// The portal closed the connection in the middle.
    Closed,
    /// The portal's answer was no HTTP.
    Invalid,
}

impl UpstreamErrorLabel {
    /// Every kind, so that each series is there from the start.
    pub const ALL: [Self; 5] =
        [Self::Connect, Self::Tls, Self::Timeout, Self::Closed, Self::Invalid];

    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Invalid => "invalid",
        }
    }
}

/// Which call of the store was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOp {
    /// One record read.
    Get,
    /// A transaction.
    Commit,
    /// A failure counted.
    Hit,
    /// A counter read.
    Counter,
    /// Records read in order.
    Scan,
    /// Expired records removed.
    Sweep,
}

impl StoreOp {
    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Commit => "commit",
            Self::Hit => "hit",
            Self::Counter => "counter",
            Self::Scan => "scan",
            Self::Sweep => "sweep",
        }
    }
}
/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// The server took it.
    Sent,
    /// The server did not take it now, or could not be reached.
    Retried,
    /// The server will never take it.
    Refused,
    /// It waited for too long.
    Expired,
    /// The user has no address.
    Unaddressed,
}

impl MailOutcome {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Sent, Self::Retried, Self::Refused, Self::Expired, Self::Unaddressed];

    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retried => "retried",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Unaddressed => "unaddressed",
        }
    }
}

/// What became of an event for a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookOutcome {
    /// The other system took it.
    Sent,
    /// The other system did not take it now, or could not be reached.
    Retried,
    /// The other system will never take it.
    Refused,
    /// It waited for too long.
    Expired,
}

impl HookOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Retried, Self::Refused, Self::Expired];

    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retried => "retried",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}
