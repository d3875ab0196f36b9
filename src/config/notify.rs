//! How people are told what happened: the server that takes mails, and who they are from.

use std::fmt;
use std::sync::Arc;

use lettre::message::Mailbox;

use super::Secret;

/// Where people are told.
#[derive(Debug)]
pub struct Notify {
    /// By mail, where there is a server for it.
    pub smtp: Option<Arc<Smtp>>,
}

/// A server that takes mails.
pub struct Smtp {
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the way to it is guarded.
    pub guard: SmtpGuard,
    /// Who we are to it.
    pub login: Option<SmtpLogin>,
    /// Who the mails are from.
    pub from: Mailbox,
}

/// How the way to a server of mails is guarded. Nothing that an attacker on the way could
/// talk us out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpGuard {
    /// TLS from the first byte (RFC 8314 section 3.3).
    Tls,
    /// STARTTLS, without which nothing is sent (RFC 3207).
    StartTls,
    /// Nothing.
    Plain,
}

/// A name and a password for the server.
pub struct SmtpLogin {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

// The login is part of the secret address, so it is not shown.
impl fmt::Debug for Smtp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Smtp({}:{}, {:?})", self.host, self.port, self.guard)
    }
}
