//! How people are told what happened: the server that takes mails.

use std::net::IpAddr;
use std::sync::Arc;

use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{keeping, webhook};
use crate::config::Secret;
use crate::config::fault::Findings;
use crate::config::file_notify::{NotifyFile, SmtpFile};
use crate::config::key_path::KeyPath;
use crate::config::notify::{Notify, Smtp, SmtpGuard, SmtpLogin};
use crate::config::surroundings::Surroundings;
use crate::net::email::EmailAddress;

/// The port of a server that other servers send to (RFC 5321 section 4.5.4.2).
const RELAY: u16 = 25;
/// The port for mails of those who have a login there (RFC 6409 section 3.1).
const SUBMISSION: u16 = 587;
/// The same under TLS (RFC 8314 section 7.3).
const SUBMISSIONS: u16 = 465;

/// Checks the whole block.
pub(super) fn notify(
    written: Option<NotifyFile>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Notify> {
    let written = written.unwrap_or_default();
    let smtp = super::optional(written.smtp, |smtp| {
        let at = at.key("smtp");
        let from = from(smtp.from.clone(), &at.key("from"), findings);
        let address = address(&smtp, &at.key("url"), around, findings);
        let Address { host, port, guard, login } = address?;
        Some(Arc::new(Smtp { host, port, guard, login, from: from? }))
    });
    let webhook = super::optional(written.webhook, |written| {
        webhook::webhook(written, &at.key("webhook"), around, findings).map(Arc::new)
    });
    Some(Notify { smtp: smtp?, webhook: webhook? })
}

fn from(written: Option<String>, at: &KeyPath, findings: &mut Findings) -> Option<Mailbox> {
    let mend = "write who the mails are from: \"MFA <mfa@example.com>\"";
    let text = findings.required(at, written, mend)?;
    let is_line = !text.chars().any(char::is_control);
    let mailbox: Option<Mailbox> = is_line.then(|| text.parse().ok()).flatten();
    let is_plain = |mailbox: &Mailbox| EmailAddress::parse(mailbox.email.as_ref()).is_some();
    let mailbox = mailbox.filter(is_plain);
    if mailbox.is_none() {
        findings.fault(at, "is no address, nor a name with one", mend);
    }
    mailbox
}

/// What the URL says.
struct Address {
    host: String,
    port: u16,
    guard: SmtpGuard,
    login: Option<SmtpLogin>,
}

fn address(
    written: &SmtpFile,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Address> {
    let source = findings.required(at, written.url.clone(), "write file:PATH")?;
    let text = keeping::fetched(&source, at, around, findings)?;
    let address = match read(&text) {
        Ok(address) => address,
        Err(sentence) => {
            findings.note(at, sentence.to_owned());
            return None;
        }
    };
    if address.guard == SmtpGuard::Plain && !is_here(&address.host) {
        let what = "sends mails over an open way, so codes in them can be read";
        findings.warn(at, what, "write smtps://, or ?tls=required");
    }
    Some(address)
}

/// The text is never repeated: there is a password in it.
fn read(text: &Secret) -> Result<Address, &'static str> {
    let mend = "is no address of a server; write smtp://USER:PASSWORD@HOST:587?tls=required";
    let text = std::str::from_utf8(text.reveal()).map_err(|_| mend)?;
    let url = Url::parse(text.trim()).map_err(|_| mend)?;
    let host = match url.host().ok_or(mend)? {
        Host::Domain(name) => name.to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    // The host of a scheme that browsers do not know is read as it stands.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_name) {
        return Err(mend);
    }
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err("has a path, which no server of mails has; leave it out");
    }
    let guard = guard(&url, &host)?;
    let usual = match guard {
        SmtpGuard::Tls => SUBMISSIONS,
        SmtpGuard::StartTls => SUBMISSION,
        SmtpGuard::Plain => RELAY,
    };
    Ok(Address { port: url.port().unwrap_or(usual), guard, login: login(&url)?, host })
}

fn guard(url: &Url, host: &str) -> Result<SmtpGuard, &'static str> {
    let asked: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let asked: Vec<(&str, &str)> =
        asked.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    match (url.scheme(), asked.as_slice()) {
        ("smtps", []) => Ok(SmtpGuard::Tls),
        ("smtps", _) => Err("has a query; smtps:// needs none, leave it out"),
        ("smtp", []) if is_here(host) => Ok(SmtpGuard::Plain),
        ("smtp", [] | [("tls", "required")]) => Ok(SmtpGuard::StartTls),
        ("smtp", [("tls", "none")]) => Ok(SmtpGuard::Plain),
        ("smtp", _) => Err("has a query that means nothing here; write ?tls=required"),
        _ => Err("is neither smtp:// nor smtps://; write smtps://USER:PASSWORD@HOST"),
    }
}

fn login(url: &Url) -> Result<Option<SmtpLogin>, &'static str> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => {
            let mend = "has a name or a password that is no text; encode its signs as %XX";
            let user = percent_decode_str(user).decode_utf8().map_err(|_| mend)?.into_owned();
            let password: Vec<u8> = percent_decode_str(password).collect();
            std::str::from_utf8(&password).map_err(|_| mend)?;
            Ok(Some(SmtpLogin { user, password: Secret::new(password) }))
        }
        _ => Err("has a name without a password, or the other way round; write USER:PASSWORD@"),
    }
}

/// Whether the host is this machine.
pub(super) fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
