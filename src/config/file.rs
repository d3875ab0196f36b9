//! The YAML as it is written: names and kinds, nothing of meaning. Everything may be
//! absent here, so that one run can tell all that is missing; [`super::check`] decides what
//! has to be there. The comments are the descriptions in the JSON Schema.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::TotpAlgorithm;
use super::file_desk::{OrganisationFile, PersonFile, ResetFile, TokenFile};
use super::file_device::RememberDeviceFile;
use super::file_enforcement::EnforcementFile;
use super::file_enrolment::EnrolmentFile;
use super::file_identity::IdentityFile;
use super::file_notify::NotifyFile;
use super::file_rules::RuleFile;
use super::file_telemetry::TelemetryFile;
use super::file_upstream_headers::UpstreamHeadersFile;
use super::named::Named;
use super::secret::SecretSource;
use super::units::{Size, Span};
use crate::net::language::Language;

/// A list whose elements are blank where one was found wrong.
pub(super) type List<T> = Vec<Option<T>>;

/// A second factor in front of web portals that keep their own login.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
#[schemars(title = "Portcullis configuration")]
pub(super) struct File {
    /// Where users arrive; at least one.
    #[schemars(required, length(min = 1))]
    pub(super) listeners: Option<List<ListenerFile>>,
    /// Where ops and Prometheus arrive: metrics and health. Absent: nowhere.
    pub(super) admin: Option<AdminFile>,
    /// Networks of the proxies in front of us, whose X-Forwarded-For and X-Forwarded-Proto
    /// are believed; nobody's unless set.
    pub(super) trusted_proxies: Option<List<String>>,
    /// What is remembered, and where.
    #[schemars(required)]
    pub(super) store: Option<StoreFile>,
    /// Keys that ops keeps.
    #[schemars(required)]
    pub(super) keys: Option<KeysFile>,
    /// How long a proof lasts.
    pub(super) session: Option<SessionFile>,
    /// The codes of authenticator apps (RFC 6238).
    pub(super) totp: Option<TotpFile>,
    /// Codes for the day the phone is lost.
    pub(super) recovery_codes: Option<RecoveryCodesFile>,
    /// The portals by name; at least one. A name is 1 to 32 of a-z, 0-9 and '-', and stays:
    /// users and sessions belong to it.
    #[schemars(required, extend(
        "minProperties" = 1,
        "propertyNames" = { "pattern": "^[a-z0-9-]{1,32}$" },
    ))]
    pub(super) portals: Option<Named<PortalFile>>,
    /// How people are told what happened.
    pub(super) notify: Option<NotifyFile>,
    /// What operators may make their own.
    pub(super) branding: Option<BrandingFile>,
    /// What a request may cost.
    pub(super) limits: Option<LimitsFile>,
    /// Logs.
    pub(super) telemetry: Option<TelemetryFile>,
}

/// One public address.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct ListenerFile {
    /// IP address and port, such as `0.0.0.0:443` or `[::]:443`.
    #[schemars(required)]
    pub(super) address: Option<String>,
    /// Certificates; absent means plain HTTP, for localhost or behind another TLS end.
    pub(super) tls: Option<TlsFile>,
    /// Whether each connection begins with a PROXY header, version 1 or 2, which
    /// `trusted_proxies` alone may send; false unless set.
    pub(super) proxy_protocol: Option<bool>,
}

/// TLS 1.2 and 1.3.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct TlsFile {
    /// Chosen by the host name that the client asks for; the first is for all others.
    #[schemars(required, length(min = 1))]
    pub(super) certificates: Option<List<CertificateFile>>,
}

/// A certificate and its key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct CertificateFile {
    /// The chain in PEM, leaf first.
    #[schemars(required)]
    pub(super) certificate: Option<PathBuf>,
    /// The private key in PEM, readable for this user alone.
    #[schemars(required)]
    pub(super) key: Option<PathBuf>,
}

/// The admin listener.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct AdminFile {
    /// IP address and port; never a public address, such as 127.0.0.1:9443.
    #[schemars(required)]
    pub(super) address: Option<String>,
    /// Keys to the API of the desk; none unless set, and then nobody gets in there.
    pub(super) tokens: Option<List<TokenFile>>,
    /// How many requests one token may send in a minute, 60 to 60000; 600 unless set.
    #[schemars(range(min = 60, max = 60_000))]
    pub(super) requests_per_minute: Option<u32>,
    /// Who signs in at the desk's console; nobody unless set, and then there is no console.
    pub(super) people: Option<List<PersonFile>>,
}

/// The store.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
#[schemars(extend("anyOf" = [{ "required": ["path"] }, { "required": ["url"] }]))]
pub(super) struct StoreFile {
    /// The engine; sled unless set, a folder on this machine. postgres and etcd are for several
    /// gateways that share one store.
    pub(super) engine: Option<Engine>,
    /// The folder of sled. It has no default: another folder is an empty one, in which nobody
    /// has enrolled.
    pub(super) path: Option<PathBuf>,
    /// Where the url of postgres or etcd is:
    /// postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?sslmode=verify-full.
    pub(super) url: Option<SecretSource>,
    /// Whether postgres is only used where a second server has each write before it counts; true
    /// unless set.
    pub(super) require_sync_replication: Option<bool>,
}

/// Engines of this version.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub(super) enum Engine {
    Sled,
    Postgres,
    Etcd,
}

/// Keys that ops keeps.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct KeysFile {
    /// Seals the store: 32 random bytes in base64. A file is made on first start if absent;
    /// keep a copy apart from the store.
    #[schemars(required)]
    pub(super) master: Option<SecretSource>,
}

/// Limits of a session (NIST SP 800-63B-4 section 2.2.3).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct SessionFile {
    /// From sign-in to the end, whatever happens: 1m to 24h, 12h unless set.
    pub(super) lifetime: Option<Span>,
    /// Without a request: 1m to the lifetime, 1h unless set.
    pub(super) idle: Option<Span>,
}

/// Parameters of RFC 6238, for authenticators enrolled from now on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct TotpFile {
    /// What the app shows above the account; the branding's name unless set. No colon.
    pub(super) issuer: Option<String>,
    /// 6 or 8; 6 unless set. Many apps know 6 alone.
    pub(super) digits: Option<u64>,
    /// Length of a step: 15s to 60s, 30s unless set. Many apps know 30s alone.
    pub(super) period: Option<Span>,
    /// sha1, sha256 or sha512; sha1 unless set. Many apps know sha1 alone.
    pub(super) algorithm: Option<TotpAlgorithm>,
    /// Steps accepted before and after the present one, for clocks that are off: 0 to 2, 1
    /// unless set.
    #[schemars(range(max = 2))]
    pub(super) skew: Option<u64>,
}

/// Recovery codes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct RecoveryCodesFile {
    /// How many an enrolment gives: 8 to 20, 10 unless set.
    #[schemars(range(min = 8, max = 20))]
    pub(super) count: Option<u64>,
}

/// A portal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct PortalFile {
    /// Host names under which users reach it, lower-case and without port; at least one.
    #[schemars(required, length(min = 1))]
    pub(super) hosts: Option<List<String>>,
    /// Where it is: `http://HOST[:PORT]` or `https://HOST[:PORT]`, exactly one in this version.
    /// https verifies name and chain.
    #[schemars(required, length(min = 1, max = 1))]
    pub(super) upstreams: Option<List<String>>,
    /// How its users are known.
    #[schemars(required)]
    pub(super) identity: Option<IdentityFile>,
    /// From when on whom a second factor is asked of; everybody since ever unless set.
    pub(super) enforcement: Option<EnforcementFile>,
    /// Paths that need no session; none unless set. '*' stands for one segment, a closing
    /// '**' for all below. Everything else is protected.
    pub(super) public: Option<List<String>>,
    /// What requests need; none unless set. The first rule that a request meets counts, before
    /// public. What no rule says needs the second factor.
    pub(super) rules: Option<List<RuleFile>>,
    /// The path under which the pages of Portcullis are; /.mfa unless set.
    pub(super) prefix: Option<String>,
    /// Whether the portal's pages get a small script of ours that turns a 401 of ours into a
    /// visit to the page that is needed, and back; for single-page applications, false unless
    /// set.
    pub(super) spa: Option<bool>,
    /// On whose word the desk resets a user's second factor; on nobody's unless set.
    pub(super) organisation: Option<OrganisationFile>,
    /// How many at the desk approve a reset, and how long it waits then; one and not at all
    /// unless set.
    pub(super) reset: Option<ResetFile>,
    /// Devices that need no code for a while. Absent: none, a code at every sign-in.
    pub(super) remember_device: Option<RememberDeviceFile>,
    /// What the portal is told of a visitor who gave the second factor. Absent: nothing.
    pub(super) upstream_headers: Option<UpstreamHeadersFile>,
    /// Who may enrol, and where its users get mail.
    pub(super) enrolment: Option<EnrolmentFile>,
}

/// What operators may make their own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct BrandingFile {
    /// A folder whose templates replace the built-in ones, by name; none unless set.
    pub(super) templates: Option<PathBuf>,
    /// Who speaks to the user; Portcullis unless set.
    pub(super) name: Option<String>,
    /// What users are told in, the default first: en, nl, de, fr; en alone unless set.
    pub(super) languages: Option<List<Language>>,
}

/// What a request may cost.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct LimitsFile {
    /// All header lines of a request: 4KiB to 64KiB, 32KiB unless set.
    pub(super) headers: Option<Size>,
    /// The path and query: 1KiB to 32KiB, 8KiB unless set.
    pub(super) uri: Option<Size>,
    /// The body of a login: 1KiB to 64KiB, 64KiB unless set; at most 65,000 bytes of it
    /// are used.
    pub(super) login_body: Option<Size>,
    /// From the first byte of a request to the end of its head: 1s to 60s, 10s unless set.
    pub(super) header_deadline: Option<Span>,
    /// Connections of one address at a time: 1 to 65536, 256 unless set.
    #[schemars(range(min = 1, max = 65_536))]
    pub(super) connections_per_client: Option<u64>,
}
