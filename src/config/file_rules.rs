//! The part of the YAML that says what each request needs, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::List;
use super::named::Named;
use super::units::Span;

/// What the requests need that fit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RuleFile {
    /// Which requests these are: all that is named has to hold. {} is every request.
    #[serde(rename = "match")]
    #[schemars(required)]
    pub(super) matches: Option<MatchFile>,
    /// none: nothing; service: a token of the rule, or the second factor; mfa: the second
    /// factor; fresh: the second factor, given within a time; deny: nobody gets there.
    #[schemars(required)]
    pub(super) require: Option<RequireFile>,
    /// For fresh: how long ago the code may have been given, 1m to 12h.
    pub(super) within: Option<Span>,
    /// For service: who may come without a second factor.
    #[schemars(length(min = 1))]
    pub(super) tokens: Option<List<ServiceTokenFile>>,
}

/// Which requests meet a rule.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct MatchFile {
    /// The path: '*' stands for one segment, '**' for any number, once before the end.
    pub(super) path: Option<String>,
    /// The methods, in capitals; GET is HEAD too.
    #[schemars(length(min = 1))]
    pub(super) method: Option<List<String>>,
    /// The networks that the client may be in.
    #[schemars(length(min = 1))]
    pub(super) network: Option<List<String>>,
    /// Hosts of the portal.
    #[schemars(length(min = 1))]
    pub(super) host: Option<List<String>>,
    /// Keys of the query with their values; '*' stands for any run of characters. Forms are
    /// not looked at.
    #[schemars(extend("minProperties" = 1))]
    pub(super) query: Option<Named<String>>,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub(super) enum RequireFile {
    None,
    Service,
    Mfa,
    Fresh,
    Deny,
}

/// Somebody who can give no code, such as a job or a probe.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct ServiceTokenFile {
    /// What to call it in logs: 1 to 32 of a-z, 0-9, '-' and '_'.
    #[schemars(required)]
    pub(super) name: Option<String>,
    /// The hash of its token, as portcullis service-token prints it.
    #[schemars(required)]
    pub(super) hash: Option<String>,
}
