//! How people are told what happened: the server that takes mails, and who they are from; and
//! the other system that hears of it.

use std::fmt;
use std::sync::Arc;

use lettre::message::Mailbox;

use url::Url;

use super::Secret;

/// Where people are told.
#[derive(Debug)]
pub struct Notify {
    /// By mail, where there is a server for it.
    pub smtp: Option<Arc<Smtp>>,
    /// Another system, by its webhook, where there is one.
    pub webhook: Option<Arc<Webhook>>,
}

/// Another system that takes signed events.
pub struct Webhook {
    /// Where they are posted: https, or http on this machine.
    pub url: Url,
    /// What they are signed with, 24 to 64 bytes.
    pub key: Secret,
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

// A query may hold what only the two systems know, so it is not shown.
impl fmt::Debug for Webhook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Webhook({})", self.url.origin().ascii_serialization())
    }
}

// The login is part of the secret address, so it is not shown.
impl fmt::Debug for Smtp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Smtp({}:{}, {:?})", self.host, self.port, self.guard)
    }
}
