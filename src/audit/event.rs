//! Everything that can be in the audit log.

use serde::Serialize;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    // Signing in.
    /// The portal took a password.
    LoginSucceeded,
    /// The portal refused a password.
    LoginFailed,
    /// A login could be read in two ways, or its answer not at all: nobody was learned.
    LoginRefused,
    /// A code of an app or a recovery code proved the session.
    CodeAccepted,
    /// A wrong code.
    CodeWrong,
    /// A right code that was spent already.
    CodeReused,
    /// A code while the user has to wait; it was not looked at.
    CodeHeldBack,
    /// So many wrong codes that the factor is disabled.
    FactorDisabled,
    /// A remembered device stood in for a code.
    DeviceAccepted,
    /// The cookie of a remembered device came twice.
    DeviceCopied,
    /// Somebody signed out.
    SignedOut,
    /// A rule denies what was asked for, or asks for what the visitor cannot give.
    AccessDenied,

    // Enrolment and what a user changes.
    /// A secret was shown to be scanned.
    EnrolmentStarted,
    /// An enrolment was refused: a wrong code, no invitation, somebody was quicker.
    EnrolmentRefused,
    /// A user has a second factor now.
    Enrolled,
    /// A user put an enrolment off.
    EnrolmentPostponed,
    /// An authenticator was added.
    AuthenticatorAdded,
    /// An authenticator has another label.
    AuthenticatorRenamed,
    /// An authenticator is gone.
    AuthenticatorRemoved,
    /// A new phone took the place of an old one.
    AuthenticatorMoved,
    /// A change of a user's own was refused.
    ChangeRefused,
    /// New recovery codes were made; the old ones are dead.
    RecoveryCodesMade,
    /// A device is remembered.
    DeviceRemembered,
    /// A remembered device is remembered no longer.
    DeviceForgotten,
    /// A user or the desk ended sessions.
    SessionsEnded,

    // Resets.
    /// A reset was asked for.
    ResetRequested,
    /// A reset was refused by the rules.
    ResetRefused,
    /// Somebody at the desk approved.
    ResetApproved,
    /// Somebody at the desk denied.
    ResetDenied,
    /// The user stopped a reset.
    ResetStopped,
    /// Nobody decided in time.
    ResetExpired,
    /// Every factor of the user is gone.
    ResetDone,

    // The desk.
    /// Waits were forgiven.
    Unlocked,
    /// An unlock was refused.
    UnlockRefused,
    /// A user was invited to enrol.
    Invited,
    /// An invitation was refused.
    InviteRefused,
    /// Somebody read what the desk can read of a user or a portal.
    DeskRead,
    /// Somebody signed in at the console.
    DeskSignedIn,
    /// Somebody did not get into the console.
    DeskSignInRefused,
    /// Somebody signed out of the console.
    DeskSignedOut,
    /// A request to the API was refused: no token, a wrong one, too small a role.
    DeskRefused,
    /// A token of the API was made.
    TokenMade,
    /// A token of the API was ended.
    TokenEnded,

    // Ops.
    /// The gateway started.
    Started,
    /// The gateway stopped.
    Stopped,
    /// Another configuration is in force.
    ConfigurationLoaded,
    /// A configuration was refused; the one before stays.
    ConfigurationRefused,
    /// Signing keys were rotated.
    KeysRotated,
    /// The store was exported.
    StoreExported,
    /// A store was imported.
    StoreImported,
    /// The chain of the log begins anew, since its end was not what was written last.
    ChainBroken,
}

impl Event {
    /// Every event there is.
    pub const ALL: [Self; 51] = [
        Self::LoginSucceeded,
        Self::LoginFailed,
        Self::LoginRefused,
        Self::CodeAccepted,
        Self::CodeWrong,
        Self::CodeReused,
        Self::CodeHeldBack,
        Self::FactorDisabled,
        Self::DeviceAccepted,
        Self::DeviceCopied,
        Self::SignedOut,
        Self::AccessDenied,
        Self::EnrolmentStarted,
        Self::EnrolmentRefused,
        Self::Enrolled,
        Self::EnrolmentPostponed,
        Self::AuthenticatorAdded,
        Self::AuthenticatorRenamed,
        Self::AuthenticatorRemoved,
        Self::AuthenticatorMoved,
        Self::ChangeRefused,
        Self::RecoveryCodesMade,
        Self::DeviceRemembered,
        Self::DeviceForgotten,
        Self::SessionsEnded,
        Self::ResetRequested,
        Self::ResetRefused,
        Self::ResetApproved,
        Self::ResetDenied,
        Self::ResetStopped,
        Self::ResetExpired,
        Self::ResetDone,
        Self::Unlocked,
        Self::UnlockRefused,
        Self::Invited,
        Self::InviteRefused,
        Self::DeskRead,
        Self::DeskSignedIn,
        Self::DeskSignInRefused,
        Self::DeskSignedOut,
        Self::DeskRefused,
        Self::TokenMade,
        Self::TokenEnded,
        Self::Started,
        Self::Stopped,
        Self::ConfigurationLoaded,
        Self::ConfigurationRefused,
        Self::KeysRotated,
        Self::StoreExported,
        Self::StoreImported,
        Self::ChainBroken,
    ];

    /// The event that the log knows by this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }

    /// Whether anybody at all can cause it as often as they like. Of these no more are written
    /// than a log can hold; how many were left out is said in the next line.
    pub(super) const fn is_cheap(self) -> bool {
        matches!(
            self,
            Self::LoginFailed
                | Self::LoginRefused
                | Self::CodeHeldBack
                | Self::AccessDenied
                | Self::ChangeRefused
                | Self::EnrolmentRefused
                | Self::DeskRefused
                | Self::DeskSignInRefused
        )
    }

    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoginSucceeded => "login_succeeded",
            Self::LoginFailed => "login_failed",
            Self::LoginRefused => "login_refused",
            Self::CodeAccepted => "code_accepted",
            Self::CodeWrong => "code_wrong",
            Self::CodeReused => "code_reused",
            Self::CodeHeldBack => "code_held_back",
            Self::FactorDisabled => "factor_disabled",
            Self::DeviceAccepted => "device_accepted",
            Self::DeviceCopied => "device_copied",
            Self::SignedOut => "signed_out",
            Self::AccessDenied => "access_denied",
            Self::EnrolmentStarted => "enrolment_started",
            Self::EnrolmentRefused => "enrolment_refused",
            Self::Enrolled => "enrolled",
            Self::EnrolmentPostponed => "enrolment_postponed",
            Self::AuthenticatorAdded => "authenticator_added",
            Self::AuthenticatorRenamed => "authenticator_renamed",
            Self::AuthenticatorRemoved => "authenticator_removed",
            Self::AuthenticatorMoved => "authenticator_moved",
            Self::ChangeRefused => "change_refused",
            Self::RecoveryCodesMade => "recovery_codes_made",
            Self::DeviceRemembered => "device_remembered",
            Self::DeviceForgotten => "device_forgotten",
            Self::SessionsEnded => "sessions_ended",
            Self::ResetRequested => "reset_requested",
            Self::ResetRefused => "reset_refused",
            Self::ResetApproved => "reset_approved",
            Self::ResetDenied => "reset_denied",
            Self::ResetStopped => "reset_stopped",
            Self::ResetExpired => "reset_expired",
            Self::ResetDone => "reset_done",
            Self::Unlocked => "unlocked",
            Self::UnlockRefused => "unlock_refused",
            Self::Invited => "invited",
            Self::InviteRefused => "invite_refused",
            Self::DeskRead => "desk_read",
            Self::DeskSignedIn => "desk_signed_in",
            Self::DeskSignInRefused => "desk_sign_in_refused",
            Self::DeskSignedOut => "desk_signed_out",
            Self::DeskRefused => "desk_refused",
            Self::TokenMade => "token_made",
            Self::TokenEnded => "token_ended",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::ConfigurationLoaded => "configuration_loaded",
            Self::ConfigurationRefused => "configuration_refused",
            Self::KeysRotated => "keys_rotated",
            Self::StoreExported => "store_exported",
            Self::StoreImported => "store_imported",
            Self::ChainBroken => "chain_broken",
        }
    }
}
