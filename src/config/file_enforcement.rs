//! `enforcement` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::List;
use super::units::Span;
use crate::policy::Mode;

/// From when on nobody gets in without a second factor.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct EnforcementFile {
    /// required: of everybody, from the date on. optional: of who has enrolled. report: of
    /// nobody, and who would be held is counted. off: of nobody. required unless set.
    pub(super) mode: Option<Mode>,
    /// The date, with its zone, such as 2026-12-01T00:00:00+01:00; since ever unless set. Before
    /// it people without a second factor are told and go on.
    #[schemars(extend("format" = "date-time"))]
    pub(super) from: Option<String>,
    /// How long after one notice the next is due: 1h to 90d, 1d unless set.
    pub(super) reminder: Option<Span>,
    /// Users with a date of their own, such as a pilot group; the first that names a user
    /// counts.
    pub(super) groups: Option<List<GroupFile>>,
}

/// Users with a date of their own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct GroupFile {
    /// User names; this or a pattern, or both.
    pub(super) users: Option<List<String>>,
    /// A regular expression that the whole of a name has to fit, such as 'ict-.*'.
    pub(super) pattern: Option<String>,
    /// The date, with its zone.
    #[schemars(required, extend("format" = "date-time"))]
    pub(super) from: Option<String>,
}
