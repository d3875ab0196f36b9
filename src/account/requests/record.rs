//! What the store keeps of a reset that was asked for: on whose word, who at the desk approved
//! it, and what became of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::account::requester::{Channel, Requester};
use crate::clock::UnixMillis;
use crate::config::desk::{Staff, StaffKind};
use crate::notify::Speaker;
use crate::user::{Opaque, UserName};

/// How long the desk has to decide.
pub const OPEN_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// A reset that was asked for. The names in it are for the desk alone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    /// Names it; the later, the greater.
    pub id: Opaque,
    /// The portal's name.
    pub portal: String,
    /// Whose factor it is about.
    pub user: UserName,
    /// On whose word: an address of mail, or a user's name where it was vouched.
    pub requested_by: String,
    /// As what that person spoke.
    pub channel: Channel,
    /// How the word came.
    pub way: Way,
    /// Why, in that person's words or the desk's.
    pub reason: String,
    /// The desk's ticket.
    #[serde(default)]
    pub ticket: Option<String>,
    /// Whether anybody of that name was seen at the portal when it was asked for.
    pub seen: bool,
    /// When it was asked for.
    pub made: UnixMillis,
    /// Who at the desk approved it, each once.
    pub approvals: Vec<Approved>,
    /// What became of it.
    pub state: RequestState,
}

/// How somebody's word came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// At our page, by a user who had just given a code.
    Vouched,
    /// To the desk, which wrote it down.
    Recorded,
}

impl Way {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vouched => "vouched",
            Self::Recorded => "recorded",
        }
    }
}

/// Somebody at the desk, as a record names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hand {
    /// A token or a person.
    pub kind: StaffKind,
    /// The name; one that both have is taken for one somebody.
    pub name: String,
}

impl Hand {
    /// Whose hand it is.
    pub fn of(staff: &Staff) -> Self {
        Self { kind: staff.kind, name: staff.name.clone() }
    }
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approved {
    /// By whom.
    pub by: Hand,
    /// When.
    pub at: UnixMillis,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RequestState {
    /// The desk has to decide.
    Open,
    /// It is approved, and the user can stop it until then.
    Waiting {
        /// When the gateway carries it out.
        until: UnixMillis,
    },
    /// The factor is gone.
    Done {
        /// Since when.
        at: UnixMillis,
    },
    /// The desk did not want it.
    Denied {
        /// Who.
        by: Hand,
        /// Why.
        reason: String,
        /// When.
        at: UnixMillis,
    },
    /// The user did not want it.
    Stopped {
        /// When.
        at: UnixMillis,
    },
    /// Nobody decided in time.
    Expired {
        /// When.
        at: UnixMillis,
    },
}

impl RequestState {
    /// Every word that [`RequestState::as_str`] gives.
    pub const WORDS: [&'static str; 6] =
        ["open", "waiting", "done", "denied", "stopped", "expired"];

    /// The word for programs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting { .. } => "waiting",
            Self::Done { .. } => "done",
            Self::Denied { .. } => "denied",
            Self::Stopped { .. } => "stopped",
            Self::Expired { .. } => "expired",
        }
    }

    /// When it was decided for good; nothing while it is not.
    pub const fn decided(&self) -> Option<UnixMillis> {
        match self {
            Self::Open | Self::Waiting { .. } => None,
            Self::Done { at }
            | Self::Denied { at, .. }
            | Self::Stopped { at }
            | Self::Expired { at } => Some(*at),
        }
    }
}

impl ResetRequest {
    /// When the gateway has to do something about it by itself; never once it is decided.
    pub fn due(&self) -> Option<UnixMillis> {
        match self.state {
            RequestState::Open => Some(self.made.plus(OPEN_FOR)),
            RequestState::Waiting { until } => Some(until),
            RequestState::Done { .. }
            | RequestState::Denied { .. }
            | RequestState::Stopped { .. }
            | RequestState::Expired { .. } => None,
        }
    }

    /// How it stands at `now`: what nobody decided in time has expired, whether or not that was
    /// written down.
    pub fn state(&self, now: UnixMillis) -> RequestState {
        match (&self.state, self.due()) {
            (RequestState::Open, Some(due)) if due <= now => RequestState::Expired { at: due },
            (state, _) => state.clone(),
        }
    }

    /// Whether it is approved and its time has come.
    pub fn is_ripe(&self, now: UnixMillis) -> bool {
        matches!(self.state, RequestState::Waiting { until } if until <= now)
    }

    /// Whose word was judged when it was asked for.
    pub(in crate::account) const fn requester(&self) -> Requester {
        Requester::judged(self.channel)
    }

    /// On whose word, as far as the user is told: a role, never a name.
    pub const fn speaker(&self) -> Speaker {
        self.requester().speaker()
    }

    /// The portal and the user.
    pub(in crate::account) fn about(&self) -> (&str, &UserName) {
        (&self.portal, &self.user)
    }

    /// The names of who approved it, for a line of a log.
    pub fn approvers(&self) -> String {
        let names: Vec<&str> = self.approvals.iter().map(|one| one.by.name.as_str()).collect();
        names.join(", ")
    }
}
