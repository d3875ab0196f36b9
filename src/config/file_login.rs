//! The part of the YAML that tells what a portal's logins look like, as it is written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::file::List;
use super::named::Named;

/// One address that takes a password, or a name for the password that follows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct LoginFile {
    /// Which request is a login.
    #[schemars(required)]
    pub(super) request: Option<LoginRequestFile>,
    /// name: this request only names the user, for a later one with the password, whose
    /// username is { remembered: true }. Absent: it carries the password.
    pub(super) step: Option<StepFile>,
    /// Where the request names the user: exactly one of these.
    pub(super) username: Option<UsernameFieldFile>,
    /// Marks of an answer to a right password: all that are named have to hold. Has to be
    /// there, except for a step that only names the user.
    #[schemars(extend("minProperties" = 1))]
    pub(super) success: Option<OutcomeFile>,
    /// Marks of an answer to a wrong password: any that holds means no login.
    #[schemars(extend("minProperties" = 1))]
    pub(super) failure: Option<OutcomeFile>,
}

/// What a request is in a login of two steps.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub(super) enum StepFile {
    Name,
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
    /// Form fields, urlencoded or multipart, that have to be there with these values, for a
    /// path that takes other forms too; none unless set.
    pub(super) form: Option<Named<String>>,
}

/// Where a login names the user: exactly one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct UsernameFieldFile {
    /// The field of a form, urlencoded or multipart.
    pub(super) form: Option<String>,
    /// The same as form.
    pub(super) multipart: Option<String>,
    /// The place in a JSON body, as a pointer (RFC 6901): /user/name.
    pub(super) json: Option<String>,
    /// Everybody is this user: for a portal with one password for all.
    pub(super) fixed: Option<String>,
    /// true: the name is the one that a login with step: name gave before, in the same
    /// session of the portal.
    pub(super) remembered: Option<bool>,
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
    /// Header lines by name: present, absent, or what the one value is; '*' stands for any
    /// run of characters.
    #[schemars(extend("minProperties" = 1))]
    pub(super) header: Option<Named<String>>,
    /// The body.
    pub(super) body: Option<BodyFile>,
    /// What a body in JSON says, by pointer (RFC 6901), such as /ok: present, absent, or the
    /// text, number or truth value that stands there.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "pattern": "^/" }))]
    pub(super) json: Option<Named<ScalarFile>>,
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

/// A value of JSON that holds no others.
#[derive(Debug)]
pub(super) enum ScalarFile {
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = ScalarFile;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text, a number, true or false")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<ScalarFile, E> {
        Ok(ScalarFile::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<ScalarFile, E> {
        Ok(ScalarFile::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<ScalarFile, E> {
        Ok(ScalarFile::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<ScalarFile, E> {
        let number = serde_json::Number::from_f64(value);
        number
            .map(ScalarFile::Number)
            .ok_or_else(|| E::custom("is no number of JSON; write digits"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ScalarFile, E> {
        Ok(ScalarFile::Text(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ScalarFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl JsonSchema for ScalarFile {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "number", "string"] })
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
