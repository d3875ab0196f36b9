//! The part of the YAML that tells who may work at the desk, and on whose word.

use schemars::JsonSchema;
use serde::Deserialize;

use super::desk::{Approval, Role};
use super::file::List;
use super::secret::SecretSource;
use super::units::Span;

/// A key to the admin API.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct TokenFile {
    /// Who holds it, as the log says; 1 to 32 of a-z, 0-9, '-' and '_'.
    #[schemars(required)]
    pub(super) name: Option<String>,
    /// viewer, desk, account_manager or admin; each may do all that those before it may.
    #[schemars(required)]
    pub(super) role: Option<Role>,
    /// The token: at least 22 letters, drawn at random.
    #[schemars(required)]
    pub(super) secret: Option<SecretSource>,
    /// The portals that it is for; all unless set.
    #[schemars(length(min = 1))]
    pub(super) portals: Option<List<String>>,
}

/// On whose word a user's second factor is reset.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct OrganisationFile {
    /// Domains of the organisation's own mail, whose colleagues may speak for each other;
    /// each exact, none unless set.
    pub(super) domains: Option<List<String>>,
    /// Addresses of the account managers who may speak for it; none unless set.
    pub(super) managers: Option<List<String>>,
}

/// What a reset needs beside the word of who asks for it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct ResetFile {
    /// How many at the desk have to approve, none of whom may be who asks: one or two; one
    /// unless set.
    pub(super) approval: Option<Approval>,
    /// How long an approved reset waits, in which the user can stop it: 0s to 7d, 0s unless set.
    pub(super) wait: Option<Span>,
}
