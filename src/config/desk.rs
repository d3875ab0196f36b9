//! Who may work at the desk, and on whose word, as used.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::net::mail_address::MailAddress;

/// What the holder of a token may do; each role may do all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "a word")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Helps users, on the word of a colleague.
    Desk,
    /// Helps users on its own word too, where the organisation names it.
    AccountManager,
    /// Does whatever the API can.
    Admin,
}

impl Role {
    /// The word in the YAML.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Desk => "desk",
            Self::AccountManager => "account_manager",
            Self::Admin => "admin",
        }
    }
}

/// Who works at the desk: the holder of a token, or a person who signed in at the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff {
    /// Says in the audit log who it was; unique among its kind.
    pub name: String,
    /// By what it is known.
    pub kind: StaffKind,
    /// What it may do.
    pub role: Role,
    /// Where; nothing means at every portal.
    pub portals: Option<Vec<String>>,
}

/// By what somebody at the desk is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffKind {
    /// A token of the API.
    Token,
    /// A name, a password and a code at the console.
    Person,
}

impl StaffKind {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Person => "person",
        }
    }
}

impl Staff {
    /// Whether it may act at this portal at all.
    pub fn is_for(&self, portal: &str) -> bool {
        let named = |portals: &Vec<String>| portals.iter().any(|name| name == portal);
        self.portals.as_ref().is_none_or(named)
    }
}

/// A key to the admin API.
#[derive(Clone, Debug)]
pub struct AdminToken {
    /// Whose it is.
    pub staff: Staff,
    /// What its secret hashes to.
    pub hash: TokenHash,
}

/// SHA-256 of a token's secret. The secret is long and random, so that nothing slower is
/// needed, and it is kept nowhere.
#[derive(Clone)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a secret.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Whether both are of one secret, in constant time.
    pub fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TokenHash(…)")
    }
}

/// Whose word counts for the users of a portal.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// The domains of its own mail, in lower case, each exact.
    pub domains: Vec<String>,
    /// Who may speak for it where there is no colleague.
    pub managers: Vec<MailAddress>,
}

/// How many at the desk have to approve a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub enum Approval {
    /// One.
    #[default]
    One,
    /// Two who are not the same.
    Two,
}

impl Approval {
    /// As a number.
    pub const fn needed(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// What a reset needs beside the word of who asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetTerms {
    /// How many approve it.
    pub approval: Approval,
    /// How long it waits then, 0 to 7 days, for the user to stop it.
    pub wait: Duration,
}
