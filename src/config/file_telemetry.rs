//! Logs, as they are written in the YAML.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::LogFormat;
use super::units::Size;

/// Logs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub(super) struct TelemetryFile {
    /// What this gateway is called among those that share a store, in each line of its log: 1
    /// to 64 of a-z, A-Z, 0-9, '.', '-' and '_'; the machine's host name unless set.
    #[schemars(extend("pattern" = "^[a-zA-Z0-9._-]{1,64}$"))]
    pub(super) node: Option<String>,
    /// json or text; json unless set.
    pub(super) log: Option<LogFormat>,
    /// error, warn, info, debug or trace; info unless set.
    pub(super) level: Option<LogLevel>,
    /// One line per request; true unless set.
    pub(super) access_log: Option<bool>,
    /// The file of the audit log, made if absent, for its owner alone. Absent: no audit log.
    pub(super) audit: Option<PathBuf>,
    /// From which length on another file is begun: 1MiB to 1024MiB, 64MiB unless set.
    pub(super) audit_rotate: Option<Size>,
    /// A collector that gets the same lines: udp:HOST:PORT, tcp:HOST:PORT or unix:PATH, such as
    /// unix:/dev/log. Absent: none.
    pub(super) syslog: Option<String>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "a word")]
pub(super) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}
