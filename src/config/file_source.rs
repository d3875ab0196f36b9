//! The part of the YAML that tells who else names a portal's users: the portal itself when it
//! is asked, a proxy in front of us, or the credentials of each request.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::List;
use super::units::Span;

/// The portal's own word on who a session belongs to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct WhoamiFile {
    /// Where it says so: a path with an optional query, asked with the session alone.
    #[schemars(required)]
    pub(super) path: Option<String>,
    /// Where in the answer the name is.
    #[schemars(required)]
    pub(super) username: Option<NameInAnswerFile>,
    /// How long an answer counts before the portal is asked again: 1s to 10m, 30s unless set.
    pub(super) cache: Option<Span>,
}

/// Where an answer names the user: one of the three.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct NameInAnswerFile {
    /// A JSON pointer into the body (RFC 6901), such as /user/name.
    pub(super) json: Option<String>,
    /// A response header.
    pub(super) header: Option<String>,
    /// A regular expression over the body, whose one group is the name.
    pub(super) pattern: Option<String>,
}

/// An authenticating proxy in front of us that names the user.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct HeaderSourceFile {
    /// The request header that it sets.
    #[schemars(required)]
    pub(super) name: Option<String>,
    /// The networks it speaks from; nobody else is believed.
    #[schemars(required, length(min = 1))]
    pub(super) from: Option<List<String>>,
}

/// HTTP Basic: every request carries the password, which the portal is asked about.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct BasicFile {
    /// A path with an optional query that the portal shows to who is signed in alone.
    #[schemars(required)]
    pub(super) probe: Option<String>,
}

/// A portal that names the user itself in the answer to a login.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct AnnounceFile {
    /// The response header; browsers never get it.
    #[schemars(required)]
    pub(super) header: Option<String>,
}

/// A portal whose session is carried in `Authorization: Bearer`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct BearerFile {
    /// Where the answer to a login has the token: a JSON pointer, such as /access_token.
    #[schemars(required)]
    pub(super) json: Option<String>,
}
