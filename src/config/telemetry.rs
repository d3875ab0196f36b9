//! Where what happened is written down for good, as used.

use std::path::PathBuf;

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLog {
    /// The file that is written to.
    pub path: PathBuf,
    /// From which length on another file is begun, in bytes: 1 MiB to 1 GiB.
    pub rotate: u64,
    /// Who gets the same lines.
    pub syslog: Option<Syslog>,
}

/// A collector of logs that takes RFC 5424.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syslog {
    /// A datagram for each line (RFC 5426).
    Udp {
        /// Name or address; IPv6 without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A connection, with counted octets (RFC 6587 section 3.4.1).
    Tcp {
        /// Name or address; IPv6 without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// The socket of this machine's own log.
    Unix(PathBuf),
}
