//! The part of the YAML that says who may enrol at a portal, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::enrolment::EnrolmentGuard;
use super::units::Span;

/// Who may enrol, and where users get mail.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct EnrolmentFile {
    /// What an enrolment needs beside the password: none, a code of an invitation (invite), or a
    /// code sent by mail (email); none unless set.
    pub(super) guard: Option<EnrolmentGuard>,
    /// How long after first being seen a user may still enrol without an invitation: 1d to
    /// 3650d, always unless set.
    pub(super) within: Option<Span>,
    /// How long a user may stay away before an enrolment needs an invitation: 1d to 3650d,
    /// always unless set.
    pub(super) dormant: Option<Span>,
    /// How long an invitation holds: 10m to 30d, 7d unless set.
    pub(super) invite: Option<Span>,
    /// How names become mail addresses, such as `{user}@example.com`; a name that is an address
    /// itself needs none.
    pub(super) email: Option<String>,
}
