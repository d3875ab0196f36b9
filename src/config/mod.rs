//! Everything ops decides, checked. [`load()`] reads the YAML as written and gives either a
//! [`Config`] in which nothing is missing or contradictory, or every fault at once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::net::language::Languages;

mod check;
pub mod desk;
pub mod device;
pub mod enrolment;
#[cfg(feature = "etcd")]
pub mod etcd;
mod explain;
mod fault;
mod file;
mod file_desk;
mod file_device;
mod file_enforcement;
mod file_enrolment;
mod file_identity;
mod file_jwt;
mod file_login;
mod file_notify;
mod file_rules;
mod file_source;
mod file_telemetry;
mod file_upstream_headers;
pub mod fixed;
pub mod identity;
pub mod jwt;
mod key_path;
mod later;
mod load;
pub mod login_rule;
mod named;
pub mod notify;
mod patterns;
mod position;
pub mod postgres;
mod profiles;
mod read;
mod schema;
pub mod secret;
pub mod source;
mod surroundings;
pub mod telemetry;
mod tree;
pub(crate) mod units;
pub mod upstream_headers;
mod workers;

pub use device::RememberDevice;
pub use enrolment::{Enrolment, EnrolmentGuard};
#[cfg(feature = "etcd")]
pub use etcd::EtcdConfig;
pub use fault::{Fault, Faults};
pub use fixed::{Fixed, Running};
pub use identity::{Identity, Rotation};
pub use load::{Loaded, load, load_again, load_text, load_with};
pub use login_rule::LoginRule;
pub use notify::{Notify, Smtp, SmtpGuard, Webhook};
pub use postgres::{PostgresConfig, PostgresServer, PostgresTls};
pub use schema::schema;
pub use secret::Secret;
pub use upstream_headers::UpstreamHeaders;
pub use workers::{BadNumber, workers};

/// A configuration that can be run as it is.
#[derive(Debug)]
pub struct Config {
    /// Where users arrive.
    pub listeners: Vec<Listener>,
    /// Where ops and Prometheus arrive; never a public address.
    pub admin: Option<Admin>,
    /// Peers whose `X-Forwarded-For`, `X-Forwarded-Proto` and PROXY header are believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// What is remembered, and where.
    pub store: StoreConfig,
    /// The key that seals the store.
    pub master_key: MasterKey,
    /// How long a proof lasts.
    pub session: SessionLimits,
    /// The codes.
    pub totp: TotpParameters,
    /// How many recovery codes an enrolment gives.
    pub recovery_codes: usize,
    /// The portals, in the order of the file.
    pub portals: Vec<Portal>,
    /// How people are told what happened.
    pub notify: Notify,
    /// What operators may make their own.
    pub branding: Branding,
    /// What a request may cost.
    pub limits: Limits,
    /// Logs.
    pub telemetry: Telemetry,
}

/// One public address.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where to bind.
    pub address: SocketAddr,
    /// Certificates, chosen by SNI; none means plain HTTP.
    pub tls: Option<Vec<CertificateFiles>>,
    /// Whether each connection begins with a PROXY header.
    pub proxy_protocol: bool,
}

/// A certificate chain and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The admin listener.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where to bind.
    pub address: SocketAddr,
    /// Keys to its API; without any nobody gets in there.
    pub tokens: Vec<desk::AdminToken>,
    /// How many requests one token may send in a minute.
    pub requests_per_minute: u32,
    /// Who signs in at its console; without any there is none.
    pub people: Vec<desk::Person>,
}

/// The engine and its place.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// A folder of this machine, for one gateway.
    Sled {
        /// The folder.
        path: PathBuf,
    },
    /// A database that gateways share.
    Postgres(PostgresConfig),
    /// An etcd that gateways share.
    #[cfg(feature = "etcd")]
    Etcd(EtcdConfig),
}

impl StoreConfig {
    /// The engine's name, as it is written.
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sled { .. } => "sled",
            Self::Postgres(_) => "postgres",
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => "etcd",
        }
    }

    /// Its folder, where it has one on this machine.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Sled { path } => Some(path),
            Self::Postgres(_) => None,
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => None,
        }
    }
}

/// Where the master key is found.
#[derive(Debug)]
pub enum MasterKey {
    /// 32 bytes in base64 in this file, made on first start if it is absent.
    File(PathBuf),
    /// Its 32 bytes, decoded, given through the environment or a systemd credential.
    Given(Secret),
}

/// Limits of a session (NIST SP 800-63B-4 section 2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// From sign-in to the end, whatever happens.
    pub lifetime: Duration,
    /// Without a request.
    pub idle: Duration,
}

/// Parameters of RFC 6238, the same for every new authenticator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpParameters {
    /// What the app shows above the account; no colon.
    pub issuer: String,
    /// 6 or 8.
    pub digits: u8,
    /// Length of a step.
    pub period: Duration,
    /// HMAC.
    pub algorithm: TotpAlgorithm,
    /// Steps accepted before and after the present one, 0 to 2.
    pub skew: u8,
}

/// HMACs of RFC 6238. Many apps know SHA-1 alone.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub enum TotpAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// A portal and how its users are known.
#[derive(Debug)]
pub struct Portal {
    /// The key in the YAML; the audience of its sessions.
    pub name: String,
    /// Lower-case host names or addresses as a Host header has them, without port; IPv6 in
    /// brackets. No two portals share one.
    pub hosts: Vec<String>,
    /// Where the portal is.
    pub upstream: Upstream,
    /// How users are learned.
    pub identity: Identity,
    /// From when on whom a second factor is asked of.
    pub enforcement: crate::policy::Enforcement,
    /// Paths that need no session.
    pub public: Vec<crate::net::path::PathPattern>,
    /// What requests need, with `public` behind all rules.
    pub rules: crate::policy::rules::Rules,
    /// Path under which our own pages are, `/.mfa` unless set; no trailing slash.
    pub prefix: String,
    /// Whether its pages get the script for single-page applications.
    pub spa: bool,
    /// On whose word its users' second factors are reset; without one, on nobody's.
    pub organisation: Option<desk::Organisation>,
    /// What a reset needs beside that word.
    pub reset: desk::ResetTerms,
    /// Whether its users may have a device remembered.
    pub remember_device: Option<RememberDevice>,
    /// What it is told of a proven visitor.
    pub upstream_headers: UpstreamHeaders,
    /// Who may enrol, and where its users get mail.
    pub enrolment: Enrolment,
}

/// The portal's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Host name or address to connect to; IPv6 without brackets.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// Whether to speak TLS; name and chain are verified.
    pub tls: bool,
}

/// What operators may make their own.
#[derive(Clone, Debug)]
pub struct Branding {
    /// A folder whose templates replace ours, by name.
    pub templates: Option<PathBuf>,
    /// Who speaks to the user.
    pub name: String,
    /// In which languages.
    pub languages: Languages,
}

/// What a request may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All header lines of a request, in bytes.
    pub headers: usize,
    /// The request target, in bytes.
    pub uri: usize,
    /// The body of a login, in bytes; at most 65,000, since the framework keeps 64 KiB of a
    /// body and loses all of a longer one.
    pub login_body: usize,
    /// From the first byte to the end of the head.
    pub header_deadline: Duration,
    /// Connections of one address at a time.
    pub connections_per_client: usize,
}

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// What this gateway is called among those that share a store.
    pub node: String,
    /// `json` or `text`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: tracing::Level,
    /// One line per request.
    pub access_log: bool,
    /// What happened, for good, where that is wanted.
    pub audit: Option<telemetry::AuditLog>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub enum LogFormat {
    Json,
    Text,
}

impl LogFormat {
    /// As the YAML has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}
