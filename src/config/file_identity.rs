//! The part of the YAML that tells how a portal's users are known, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::List;
use super::file_jwt::JwtFile;
use super::file_login::LoginFile;
use super::file_source::{AnnounceFile, BasicFile, BearerFile, HeaderSourceFile, WhoamiFile};
use super::identity::Rotation;
use super::named::Named;
use super::profiles;

/// How users are learned from the portal's own login.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
#[schemars(extend(
    "if" = { "not": { "required": ["profile"] } },
    "then" = { "anyOf": [
        { "required": ["logins", "login_url"] },
        { "required": ["whoami", "login_url"] },
        { "required": ["header"] },
        { "required": ["basic"] },
        { "required": ["jwt"] },
    ] },
))]
pub(super) struct IdentityFile {
    /// The name of a known portal, whose keys count wherever they are left out here.
    #[schemars(extend("enum" = profiles::names()))]
    #[expect(dead_code, reason = "heeded by `profiles` before this type is read")]
    pub(super) profile: Option<String>,
    /// Every address at which the portal takes a password; at least one, unless whoami,
    /// header or basic names the user.
    #[schemars(length(min = 1))]
    pub(super) logins: Option<List<LoginFile>>,
    /// The cookies by which the portal knows its session; at least one, unless it is carried
    /// in another way. '*' stands for any run of characters.
    #[schemars(length(min = 1))]
    pub(super) session_cookies: Option<List<String>>,
    /// The portal's session is carried in Authorization: Bearer; not so unless set.
    pub(super) session_bearer: Option<BearerFile>,
    /// What a changed session cookie does to a proof; follow with whoami, else reverify.
    pub(super) rotation: Option<Rotation>,
    /// The portal's own word on who a session belongs to; not asked unless set.
    pub(super) whoami: Option<WhoamiFile>,
    /// An authenticating proxy in front of us names the user; none unless set.
    pub(super) header: Option<HeaderSourceFile>,
    /// The portal takes HTTP Basic; not so unless set.
    pub(super) basic: Option<BasicFile>,
    /// The portal's session is a token that it signs; not so unless set.
    pub(super) jwt: Option<JwtFile>,
    /// The portal names the user in the answer to a login; not so unless set.
    pub(super) announce: Option<AnnounceFile>,
    /// How a name is made canonical.
    pub(super) username: Option<UsernameFile>,
    /// The login page: a path with an optional query. Not needed with header and basic.
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
