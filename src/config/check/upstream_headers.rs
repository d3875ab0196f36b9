//! What a portal is told of a proven visitor: under which names.

use http::HeaderName;

use super::optional;
use crate::config::fault::Findings;
use crate::config::file_upstream_headers::UpstreamHeadersFile;
use crate::config::key_path::KeyPath;
use crate::config::{Identity, UpstreamHeaders};
use crate::net::headers::{is_of_the_protocol, is_spelling_of};

/// Checks `upstream_headers`.
pub(super) fn upstream_headers(
    written: Option<UpstreamHeadersFile>,
    at: &KeyPath,
    identity: Option<&Identity>,
    findings: &mut Findings,
) -> Option<UpstreamHeaders> {
    let Some(written) = written else { return Some(UpstreamHeaders::default()) };
    if written.user.is_none() && written.assertion.is_none() {
        if !findings.knows_fault_within(at) {
            findings.fault(at, "names no header", "name user, assertion or both, or remove it");
        }
        return None;
    }
    let mut named = |key: &str, written: Option<String>| {
        let at = at.key(key);
        optional(written, |text| header_name(&text, &at, identity, findings))
    };
    let (user, assertion) = (named("user", written.user), named("assertion", written.assertion));
    let (user, assertion) = (user?, assertion?);
    if let (Some(user), Some(other)) = (&user, &assertion)
        && is_spelling_of(other.as_str(), user.as_str())
    {
        let what = "is the name of user already";
        findings.fault(&at.key("assertion"), what, "choose another for one of them");
        return None;
    }
    Some(UpstreamHeaders { user, assertion })
}

fn header_name(
    text: &str,
    at: &KeyPath,
    identity: Option<&Identity>,
    findings: &mut Findings,
) -> Option<HeaderName> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_plain = text.bytes().all(plain) && !text.starts_with('-') && !text.ends_with('-');
    let Some(name) = text.parse::<HeaderName>().ok().filter(|_| is_plain) else {
        let mend = "write one of letters, digits and '-' alone, such as X-Portal-User";
        findings.fault(at, format!("'{text}' is no name of a header that all portals read"), mend);
        return None;
    };
    if is_of_the_protocol(name.as_str()) {
        let what = format!("'{text}' is a header with a meaning of its own");
        findings.fault(at, what, "choose a name that nothing else has, such as X-Portal-User");
        return None;
    }
    let in_front = identity.and_then(|identity| identity.header.as_ref());
    if in_front.is_some_and(|rule| is_spelling_of(rule.name.as_str(), name.as_str())) {
        let what = format!("'{text}' is the header by which identity.header names the user");
        findings.fault(at, what, "choose another: the portal gets that one with its session");
        return None;
    }
    Some(name)
}
