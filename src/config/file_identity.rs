//! The part of the YAML that tells how a portal's users are known, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::List;
use super::file_login::LoginFile;
use super::identity::Rotation;
use super::named::Named;

/// How users are learned from the portal's own login.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct IdentityFile {
    /// Every address at which the portal takes a password; at least one.
    #[schemars(required, length(min = 1))]
    pub(super) logins: Option<List<LoginFile>>,
    /// The cookies by which the portal knows its session; at least one. '*' stands for any
    /// run of characters.
    #[schemars(required, length(min = 1))]
    pub(super) session_cookies: Option<List<String>>,
    /// What a changed session cookie does to a proof; reverify unless set.
    pub(super) rotation: Option<Rotation>,
    /// How a name is made canonical.
    pub(super) username: Option<UsernameFile>,
    /// The login page: a path with an optional query.
    #[schemars(required)]
    pub(super) login_url: Option<String>,
    /// The request that signs a user out of the portal; none unless set.
    pub(super) logout: Option<LogoutFile>,
}

/// How a name is made canonical before anything else uses it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct UsernameFile {
    /// fold: Alice and alice are one user; exact: they are two. As the portal has it; fold
    /// unless set.
    pub(super) case: Option<Case>,
    /// White space around the name is dropped; true unless set.
    pub(super) trim: Option<bool>,
    /// The regular expression that the whole canonical name has to match; what does not is
    /// no login. `^[a-z0-9._@-]{1,128}$` unless set.
    pub(super) pattern: Option<String>,
}

/// Whether upper and lower case differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub(super) enum Case {
    Fold,
    Exact,
}

/// The portal's own sign-out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct LogoutFile {
    /// The exact path, without query.
    #[schemars(required)]
    pub(super) path: Option<String>,
    /// Query keys that have to be there with these values; none unless set.
    pub(super) query: Option<Named<String>>,
}
