//! What another system is told: a closed list of what matters to it, in the words of the audit
//! log. Nothing that somebody typed goes along, and never a secret.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::queue::{PATIENCE, Times, Waits};
use super::{Mail, letters};
use crate::clock::UnixMillis;
use crate::store::Space;

/// Something that happened.
///
/// Of one moment, what stands first is told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A user has a second factor now.
    Enrolled,
    /// So many wrong codes that the factor is disabled.
    FactorDisabled,
    /// A user has one more authenticator.
    AuthenticatorAdded,
    /// An authenticator has another label.
    AuthenticatorRenamed,
    /// An authenticator is gone.
    AuthenticatorRemoved,
    /// A new phone took the place of an old one.
    AuthenticatorMoved,
    /// New recovery codes were made; the old ones are dead.
    RecoveryCodesMade,
    /// A recovery code proved a session.
    RecoveryCodeUsed,
    /// The cookie of a remembered device came twice.
    DeviceCopied,
    /// Somebody asked for a reset.
    ResetRequested,
    /// Enough at the desk approved a reset.
    ResetApproved,
    /// The desk did not want a reset.
    ResetDenied,
    /// The user stopped a reset that was approved.
    ResetStopped,
    /// Nobody decided in time.
    ResetExpired,
    /// Every factor of a user is gone.
    ResetDone,
    /// Signing keys were rotated.
    KeysRotated,
    /// A configuration was refused; the one before stays.
    ConfigurationRefused,
}

impl News {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Enrolled,
        Self::FactorDisabled,
        Self::AuthenticatorAdded,
        Self::AuthenticatorRenamed,
        Self::AuthenticatorRemoved,
        Self::AuthenticatorMoved,
        Self::RecoveryCodesMade,
        Self::RecoveryCodeUsed,
        Self::DeviceCopied,
        Self::ResetRequested,
        Self::ResetApproved,
        Self::ResetDenied,
        Self::ResetStopped,
        Self::ResetExpired,
        Self::ResetDone,
        Self::KeysRotated,
        Self::ConfigurationRefused,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::FactorDisabled => "factor_disabled",
            Self::AuthenticatorAdded => "authenticator_added",
            Self::AuthenticatorRenamed => "authenticator_renamed",
            Self::AuthenticatorRemoved => "authenticator_removed",
            Self::AuthenticatorMoved => "authenticator_moved",
            Self::RecoveryCodesMade => "recovery_codes_made",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::DeviceCopied => "device_copied",
            Self::ResetRequested => "reset_requested",
            Self::ResetApproved => "reset_approved",
            Self::ResetDenied => "reset_denied",
            Self::ResetStopped => "reset_stopped",
            Self::ResetExpired => "reset_expired",
            Self::ResetDone => "reset_done",
            Self::KeysRotated => "keys_rotated",
            Self::ConfigurationRefused => "configuration_refused",
        }
    }

    /// What a user's mail tells of, where it is worth telling another system.
    pub(super) const fn of(mail: &Mail) -> Option<Self> {
        match mail {
            Mail::Enrolled { .. } => Some(Self::Enrolled),
            Mail::Added { .. } => Some(Self::AuthenticatorAdded),
            Mail::Renamed { .. } => Some(Self::AuthenticatorRenamed),
            Mail::Removed { .. } => Some(Self::AuthenticatorRemoved),
            Mail::Moved { .. } => Some(Self::AuthenticatorMoved),
            Mail::RecoveryCodesMade { .. } => Some(Self::RecoveryCodesMade),
            Mail::RecoveryCodeUsed { .. } => Some(Self::RecoveryCodeUsed),
            Mail::DeviceAlarm { .. } => Some(Self::DeviceCopied),
            Mail::Reset { .. } => Some(Self::ResetDone),
            Mail::ResetStopped { .. } => Some(Self::ResetStopped),
            // Somebody wants to enrol: that is told when it is done. An approved reset is told
            // of whether or not it waits.
            Mail::Code { .. } | Mail::ResetWaiting { .. } => None,
        }
    }
}

/// News that wait.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    pub(super) news: News,
    pub(super) portal: Option<String>,
    user: Option<String>,
    /// When it happened.
    at: UnixMillis,
    until: UnixMillis,
    due: UnixMillis,
    put_off: u32,
}

impl Waiting {
    pub(super) fn new(now: UnixMillis, news: News, about: Option<(&str, &str)>) -> Self {
        Self {
            news,
            portal: about.map(|(portal, _)| letters::plain(portal)),
            user: about.map(|(_, user)| letters::plain(user)),
            at: now,
            until: now.plus(PATIENCE),
            due: now,
            put_off: 0,
        }
    }

    /// The text that is sent, the same at each try.
    pub(super) fn body(&self) -> String {
        let mut data = serde_json::Map::new();
        for (name, value) in [("portal", &self.portal), ("user", &self.user)] {
            if let Some(value) = value {
                data.insert(name.to_owned(), json!(value));
            }
        }
        let at = self.at.rfc3339_seconds().unwrap_or_default();
        json!({ "type": self.news.as_str(), "timestamp": at, "data": data }).to_string()
    }
}

impl Waits for Waiting {
    const SPACE: Space = Space::Hook;

    fn times(&self) -> Times {
        Times { until: self.until, due: self.due, put_off: self.put_off }
    }

    fn rank(&self) -> u8 {
        self.news as u8
    }

    fn set_times(&mut self, Times { until, due, put_off }: Times) {
        (self.until, self.due, self.put_off) = (until, due, put_off);
    }
}

#[cfg(test)]
mod tests {
    use super::{News, Waiting};
    use crate::clock::UnixMillis;

    #[test]
    fn a_text_says_what_when_and_to_whom() {
        let at = UnixMillis::from_seconds(1_795_529_100);
        let about = Some(("wiki", "alice \"the\nfirst\""));
        let body: serde_json::Value =
            serde_json::from_str(&Waiting::new(at, News::ResetDone, about).body()).unwrap();
        assert_eq!(body["type"], "reset_done");
        assert_eq!(body["timestamp"], "2026-11-24T14:05:00Z");
        assert_eq!(body["data"]["portal"], "wiki");
        assert_eq!(body["data"]["user"], "alice \"thefirst\"");
        let nobody = Waiting::new(at, News::ConfigurationRefused, None).body();
        assert!(nobody.contains("\"data\":{}"), "{nobody}");
    }

    #[test]
    fn each_has_the_word_that_the_store_knows_it_by() {
        for news in News::ALL {
            assert_eq!(serde_json::to_value(news).unwrap(), news.as_str());
        }
    }
}
