//! The other system that hears what happened: where it is, and what its events are signed with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;
use zeroize::Zeroizing;

use super::keeping;
use super::notify::is_here;
use crate::config::Webhook;
use crate::config::fault::Findings;
use crate::config::file_notify::WebhookFile;
use crate::config::key_path::KeyPath;
use crate::config::secret::{Secret, SecretSource};
use crate::config::surroundings::Surroundings;

/// How long a key may be, in bytes (Standard Webhooks 1.0.0, "Signature scheme").
const KEY: std::ops::RangeInclusive<usize> = 24..=64;
/// What may stand before a key, so that people see what it is.
const PREFIX: &[u8] = b"whsec_";

/// Checks the block.
pub(super) fn webhook(
    written: WebhookFile,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Webhook> {
    let url = url(written.url, &at.key("url"), findings);
    let key = key(written.secret, &at.key("secret"), around, findings);
    Some(Webhook { url: url?, key: key? })
}

fn url(written: Option<String>, at: &KeyPath, findings: &mut Findings) -> Option<Url> {
    let mend = "write https://HOST/PATH";
    let text = findings.required(at, written, mend)?;
    let url = Url::parse(&text).ok().filter(|url| url.host_str().is_some());
    let Some(url) = url else {
        findings.fault(at, "is no address", mend);
        return None;
    };
    let here = url.host_str().is_some_and(|host| is_here(host.trim_matches(['[', ']'])));
    let fault = match url.scheme() {
        "https" => None,
        "http" if here => None,
        "http" => Some("goes over an open way to another machine"),
        _ => Some("is neither https:// nor http://"),
    };
    let has_login = !url.username().is_empty() || url.password().is_some();
    let login = "has a name or a password; events are signed, leave it out";
    if let Some(what) = fault {
        findings.fault(at, what, mend);
        return None;
    }
    if has_login {
        findings.note(at, login.to_owned());
        return None;
    }
    if url.fragment().is_some() {
        findings.note(at, "has a fragment, which no server sees; leave it out".to_owned());
        return None;
    }
    Some(url)
}

fn key(
    written: Option<SecretSource>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Secret> {
    let source = findings.required(at, written, "write file:PATH")?;
    let text = keeping::fetched(&source, at, around, findings)?;
    let text = text.reveal().trim_ascii();
    let text = text.strip_prefix(PREFIX).unwrap_or(text);
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let decoded = STANDARD.decode_vec(text, &mut bytes);
    if decoded.is_err() || !KEY.contains(&bytes.len()) {
        let (least, most) = (KEY.start(), KEY.end());
        let what = format!("is not {least} to {most} bytes in base64");
        findings.fault(at, what, "make one with: openssl rand -base64 32");
        return None;
    }
    Some(Secret::new(std::mem::take(&mut *bytes)))
}
