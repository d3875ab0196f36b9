//! What people are told by mail, and another system by its webhook. Whoever changes something
//! puts the news of it into the transaction that changes it ([`Post::queued`]); a worker for each
//! way sends what waits. No request ever waits for a server of mails or a webhook.

mod addressee;
mod carrier;
mod dates;
mod hook;
mod letters;
mod mails;
mod news;
mod outbox;
mod queue;
mod smtp;
mod speaker;
mod templates;
mod worker;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::random::NoRandomness;
use crate::store::StoreError;

pub use addressee::Addressee;
pub use carrier::Trouble;
pub use hook::Hook;
pub use letters::{LetterError, Letters};
pub use mails::Mails;
pub use news::News;
pub use outbox::{Post, Ways};
pub use smtp::Courier;
pub use speaker::Speaker;
pub use worker::{send_mails, send_news};

/// What somebody is told. Whatever stands in it is shown to its addressee.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Mail {
    /// An authenticator was added.
    Enrolled {
        /// What the user calls it.
        label: String,
        /// When.
        at: UnixMillis,
    },
    /// One more authenticator was added.
    Added {
        /// What the user calls it.
        label: String,
        /// When.
        at: UnixMillis,
    },
    /// An authenticator has another label.
    Renamed {
        /// The label before.
        from: String,
        /// The label now.
        to: String,
        /// When.
        at: UnixMillis,
    },
    /// An authenticator was removed.
    Removed {
        /// What the user called it.
        label: String,
        /// When.
        at: UnixMillis,
    },
    /// An authenticator took the place of another one.
    Moved {
        /// What the user called the one that ended.
        from: String,
        /// What the user calls the new one.
        to: String,
        /// When.
        at: UnixMillis,
    },
    /// A recovery code let somebody in.
    RecoveryCodeUsed {
        /// How many are left.
        left: usize,
        /// When.
        at: UnixMillis,
    },
    /// New recovery codes were made, and the old ones have ended.
    RecoveryCodesMade {
        /// When.
        at: UnixMillis,
    },
    /// The cookie of a remembered device came twice, so that none of them counts any longer.
    DeviceAlarm {
        /// When.
        at: UnixMillis,
    },
    /// A code that an enrolment needs.
    Code {
        /// The code, as it is typed.
        code: String,
        /// How long it holds, in minutes; afterwards it is not sent any more.
        minutes: u64,
    },
    /// A reset is approved, and waits for the user to stop it.
    ResetWaiting {
        /// On whose word.
        by: Speaker,
        /// When it is carried out.
        until: UnixMillis,
    },
    /// A reset that waited was stopped.
    ResetStopped {
        /// When.
        at: UnixMillis,
    },
    /// Every factor was removed.
    Reset {
        /// On whose word.
        by: Speaker,
        /// When.
        at: UnixMillis,
    },
}

impl Mail {
    /// How long what it says holds, where that is not for good: later it is not worth sending.
    const fn holds_for(&self) -> Option<Duration> {
        match self {
            Self::Code { minutes, .. } => Some(Duration::from_secs(minutes.saturating_mul(60))),
            Self::Enrolled { .. }
            | Self::ResetWaiting { .. }
            | Self::ResetStopped { .. }
            | Self::Added { .. }
            | Self::Renamed { .. }
            | Self::Removed { .. }
            | Self::Moved { .. }
            | Self::RecoveryCodeUsed { .. }
            | Self::RecoveryCodesMade { .. }
            | Self::DeviceAlarm { .. }
            | Self::Reset { .. } => None,
        }
    }
}

/// Why news cannot be queued or sent.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No name for it can be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// They cannot be written down.
    #[error("news cannot be written down")]
    Unwritable,
    /// The address of the server cannot be used with TLS.
    #[error("notify.smtp.url: no TLS to this server: {0}")]
    Tls(String),
}
