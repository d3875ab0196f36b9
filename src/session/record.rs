//! What the store keeps of a session, by the portal session it is bound to.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::UnixMillis;
use crate::user::{Opaque, UserName};

/// A session that somebody signed in to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRecord {
    /// The portal's name.
    pub portal: String,
    /// Names the session from the sign-in to its end, wherever it moves.
    pub root: Opaque,
    /// Names this stretch of the session; new at each sign-in and each proof (ASVS 7.2.4).
    pub sid: Opaque,
    /// The user, opaque.
    pub sub: Opaque,
    /// The user, by name.
    pub user: UserName,
    /// The portal session it is bound to.
    pub bind: Opaque,
    /// Each cookie of that portal session by itself.
    pub parts: Vec<Opaque>,
    /// Those of them that browsers send below some folder only.
    #[serde(default)]
    pub scoped: Vec<Opaque>,
    /// When the portal took the password.
    pub started: UnixMillis,
    /// From when on it is over, whatever happens.
    pub ends: UnixMillis,
    /// How well it is proven.
    pub level: Level,
    /// How the user was learned.
    #[serde(default)]
    pub learned: Learned,
    /// Where it began.
    #[serde(default)]
    pub place: Place,
}

/// Where somebody signed in, as far as the request said. Users know their sessions by it, and
/// nothing is ever decided by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The address of the client.
    pub client: Option<IpAddr>,
    /// What the browser said it was, in a few words of ours.
    pub browser: String,
}

/// How the user of a session was learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learned {
    /// The portal's login was seen.
    #[default]
    Login,
    /// The portal, or a proxy in front of us, said so of a session that was there already.
    /// Whoever has that session gets the same record, until one of them proves it.
    Told,
}

/// How well a session is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Level {
    /// The portal took the password.
    Password,
    /// The second factor was given too.
    Proven {
        /// Which kind.
        factor: FactorUsed,
        /// When.
        at: UnixMillis,
    },
    /// It was ended. Kept for a while, so that nothing older can take its place.
    Ended,
}

/// Kinds of second factor, as metrics and tokens name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorUsed {
    /// A code of an authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// A remembered device stood in for a code.
    Device {
        /// Which of the user's devices, so that what it proved can end with it.
        series: Opaque,
    },
}

impl FactorUsed {
    /// Whether the user gave something at that moment. A device stands in for a code that was
    /// given long ago, so its proof is never fresh enough for what asks for a fresh one.
    pub const fn is_fresh_proof(self) -> bool {
        match self {
            Self::Totp | Self::RecoveryCode => true,
            Self::Device { .. } => false,
        }
    }
}

impl SessionRecord {
    /// Whether a request with these parts of a portal session belongs to this one: all that
    /// are sent everywhere are there, and none is there that is not its own. Where nothing is
    /// sent everywhere, a request without any belongs to it too: the portal sees nobody in it.
    pub fn fits(&self, request: &[Opaque]) -> bool {
        let own = |part: &Opaque| self.parts.contains(part);
        let missing = |part: &Opaque| !request.contains(part) && !self.scoped.contains(part);
        let is_bound = !self.parts.is_empty();
        is_bound && request.iter().all(own) && !self.parts.iter().any(missing)
    }

    /// This session with a second factor given. One that others may hold too moves to `bind`,
    /// where it is this visitor's alone.
    pub fn proven(&self, sid: Opaque, bind: Opaque, factor: FactorUsed, at: UnixMillis) -> Self {
        let bind = match self.learned {
            Learned::Login => self.bind,
            Learned::Told => bind,
        };
        Self { sid, bind, level: Level::Proven { factor, at }, ..self.clone() }
    }

    /// How long ago the second factor was given by the user; nothing where a remembered device
    /// stood in for it, which is never fresh.
    pub fn proof_age(&self, now: UnixMillis) -> Option<Duration> {
        match self.level {
            Level::Proven { factor, at } if factor.is_fresh_proof() => Some(now.since(at)),
            Level::Proven { .. } | Level::Password | Level::Ended => None,
        }
    }

    /// Whether it stands at `now`.
    pub fn stands(&self, now: UnixMillis) -> bool {
        self.level != Level::Ended && now < self.ends
    }
}
