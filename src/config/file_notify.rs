//! The part of the YAML that says how people are told what happened, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::secret::SecretSource;

/// How people are told what happened.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct NotifyFile {
    /// By mail. Absent: nobody is told.
    pub(super) smtp: Option<SmtpFile>,
    /// Another system, by signed requests. Absent: none.
    pub(super) webhook: Option<WebhookFile>,
}

/// A server that takes mails.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct SmtpFile {
    /// Its address, a secret for its password: smtps://USER:PASSWORD@HOST for TLS, or
    /// smtp://USER:PASSWORD@HOST:587?tls=required for STARTTLS, which is also what smtp: means
    /// unless the host is this machine; ?tls=none for neither.
    #[schemars(required)]
    pub(super) url: Option<SecretSource>,
    /// Who the mails are from: an address, or `NAME <ADDRESS>`.
    #[schemars(required)]
    pub(super) from: Option<String>,
}

/// Another system that is told what happened, as Standard Webhooks has it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct WebhookFile {
    /// Where events are posted: https://HOST/PATH; http:// for this machine alone.
    #[schemars(required)]
    pub(super) url: Option<String>,
    /// What they are signed with: 24 to 64 random bytes in base64, with `whsec_` before them or
    /// without; the other system has the same.
    #[schemars(required)]
    pub(super) secret: Option<SecretSource>,
}
