//! The part of the YAML that tells what a portal's logins look like, as it is written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::file::List;
use super::named::Named;

/// One address that takes a password.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct LoginFile {
    /// Which request is a login.
    #[schemars(required)]
    pub(super) request: Option<LoginRequestFile>,
    /// Where the request names the user.
    #[schemars(required)]
    pub(super) username: Option<UsernameFieldFile>,
    /// Marks of an answer to a right password: all that are named have to hold.
    #[schemars(required, extend("minProperties" = 1))]
    pub(super) success: Option<OutcomeFile>,
    /// Marks of an answer to a wrong password: any that holds means no login.
    #[schemars(extend("minProperties" = 1))]
    pub(super) failure: Option<OutcomeFile>,
}

/// Which request is a login.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct LoginRequestFile {
    /// POST, PUT or PATCH.
    #[schemars(required)]
    pub(super) method: Option<String>,
    /// The exact path, without query.
    #[schemars(required)]
    pub(super) path: Option<String>,
    /// Form fields that have to be there with these values, for a path that takes other
    /// forms too; none unless set.
    pub(super) form: Option<Named<String>>,
}

/// Where a login names the user.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct UsernameFieldFile {
    /// The field of an urlencoded form.
    #[schemars(required)]
    pub(super) form: Option<String>,
}

/// Marks in the answer to a login.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct OutcomeFile {
    /// The status is one of these.
    #[schemars(length(min = 1))]
    pub(super) status: Option<List<u64>>,
    /// The Location header matches this, or is there and does not match { not: this }. '*'
    /// stands for any run of characters.
    pub(super) location: Option<LocationFile>,
    /// A cookie of this name is set and not removed. '*' stands for any run of characters.
    pub(super) set_cookie: Option<String>,
    /// The body.
    pub(super) body: Option<BodyFile>,
}

/// A mark in the body of an answer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct BodyFile {
    /// The body contains this text.
    #[schemars(required)]
    pub(super) contains: Option<String>,
}

/// What the Location header has to be, or must not be.
#[derive(Debug)]
pub(super) enum LocationFile {
    Is(String),
    Not(Option<String>),
}

/// The form of [`LocationFile`] that says no.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
struct NotFile {
    /// The Location header is there and does not match this.
    #[schemars(required)]
    not: Option<String>,
}

struct LocationVisitor;

impl<'de> Visitor<'de> for LocationVisitor {
    type Value = LocationFile;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a pattern such as /home*, or { not: /login* }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<LocationFile, E> {
        Ok(LocationFile::Is(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LocationFile, A::Error> {
        let written = NotFile::deserialize(MapAccessDeserializer::new(map))?;
        Ok(LocationFile::Not(written.not))
    }
}

impl<'de> Deserialize<'de> for LocationFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LocationVisitor)
    }
}

impl JsonSchema for LocationFile {
    fn schema_name() -> Cow<'static, str> {
        "Location".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let not = generator.subschema_for::<NotFile>();
        json_schema!({ "oneOf": [{ "type": "string", "minLength": 1 }, not] })
    }
}
