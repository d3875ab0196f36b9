//! Who may enrol at a portal, and where its users get mail.

use std::time::Duration;

use crate::net::email::EmailTemplate;

/// How enrolment goes at a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// What is needed beside the password.
    pub guard: EnrolmentGuard,
    /// How long after first being seen a user may still enrol without help; absent: always.
    pub within: Option<Duration>,
    /// How long a user may stay away before an enrolment needs help; absent: always.
    pub dormant: Option<Duration>,
    /// How long an invitation holds.
    pub invite: Duration,
    /// How names become mail addresses, where they are none.
    pub email: Option<EmailTemplate>,
}

/// What an enrolment needs beside the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub enum EnrolmentGuard {
    /// Nothing.
    #[default]
    None,
    /// A code of an invitation that ops handed out.
    Invite,
    /// A code that was sent by mail.
    Email,
}
