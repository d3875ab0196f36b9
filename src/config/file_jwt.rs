//! The part of the YAML that tells of a token which the portal itself signs, as it is written.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::file::List;
use super::jwt::Algorithm;
use super::secret::SecretSource;

/// A signed token of the portal's own (JWT) that names the user: in a cookie or as a bearer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct JwtFile {
    /// The cookie that holds the token; this or bearer.
    pub(super) cookie: Option<String>,
    /// Whether the token comes as Authorization: Bearer; this or cookie.
    pub(super) bearer: Option<bool>,
    /// The keys that verify it: one of jwks, pem and secret.
    #[schemars(required)]
    pub(super) keys: Option<JwtKeysFile>,
    /// The claim that names the user, or a JSON pointer to it such as /user/name; sub unless
    /// set.
    pub(super) claim: Option<String>,
    /// What the token has to have as iss.
    #[schemars(required)]
    pub(super) issuer: Option<String>,
    /// What the token has to have as aud, or among others there.
    #[schemars(required)]
    pub(super) audience: Option<String>,
    /// What the token may be signed with. Unless set: what the key itself names, else RS256,
    /// ES256, ES384, EdDSA or, with a secret, HS256, as the key is.
    #[schemars(length(min = 1))]
    pub(super) algorithms: Option<List<Algorithm>>,
}

/// The keys that verify a portal's token: one of the three.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct JwtKeysFile {
    /// A JWK Set (RFC 7517): file:PATH. Never an address.
    pub(super) jwks: Option<KeyFile>,
    /// A public key in PEM: file:PATH.
    pub(super) pem: Option<KeyFile>,
    /// The secret that the portal signs with, 32 bytes or more: file:PATH, env:NAME or
    /// credential:NAME. A line end after it is no part of it.
    pub(super) secret: Option<SecretSource>,
}

/// `file:PATH`, where keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFile(pub(super) PathBuf);

struct KeyFileVisitor;

impl Visitor<'_> for KeyFileVisitor {
    type Value = KeyFile;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("file:PATH")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KeyFile, E> {
        let path = text.strip_prefix("file:").filter(|path| {
            let is_address = path.starts_with("//");
            !path.is_empty() && !path.contains('\0') && !is_address
        });
        let fault = "is not file:PATH; save the keys in a file and name that, as keys are never \
                     fetched from an address";
        path.map(|path| KeyFile(path.into())).ok_or_else(|| E::custom(fault))
    }
}

impl<'de> Deserialize<'de> for KeyFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyFileVisitor)
    }
}

impl JsonSchema for KeyFile {
    fn schema_name() -> Cow<'static, str> {
        "KeyFile".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^file:.+$",
            "description": "Where the keys are: file:PATH."
        })
    }
}
