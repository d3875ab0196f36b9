//! The part of the YAML that says how a portal is told of a proven visitor.

use schemars::JsonSchema;
use serde::Deserialize;

/// Request headers by which the portal is told of a visitor who gave the second factor; at
/// least one. From clients they are removed, in every spelling.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
#[schemars(extend("minProperties" = 1))]
pub(super) struct UpstreamHeadersFile {
    /// The header that carries the user's name, such as X-Portal-User. Letters, digits and
    /// - . _ ~ @ + / \ are as they are, every other byte of its UTF-8 is %XX.
    pub(super) user: Option<String>,
    /// The header that carries a signed token, such as X-Portcullis-Assertion: a JWT under
    /// EdDSA that counts for a minute, whose keys are at the portal's prefix in /jwks.json.
    pub(super) assertion: Option<String>,
}
