//! Who else names a portal's users: whoami, a proxy in front of us, HTTP Basic, announcements.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use regex::bytes::Regex;

use super::{all, path, some};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_source::{
    AnnounceFile, BasicFile, BearerFile, HeaderSourceFile, NameInAnswerFile, WhoamiFile,
};
use crate::config::key_path::KeyPath;
use crate::config::source::{BasicRule, HeaderRule, NameInAnswer, WhoamiRule};
use crate::config::units::{Span, show_duration};
use crate::net::headers::is_sent_by_us;

/// How long the portal's word counts unless set.
const CACHE: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(600);

/// Checks `whoami`.
pub(super) fn whoami(
    written: WhoamiFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<WhoamiRule> {
    let mend = "write the path that names the user, such as /api/me";
    let target = target(written.path, &at.key("path"), mend, findings);
    let place = at.key("username");
    let mend = "say where the answer has the name: { json: /login }";
    let name = findings.required(&place, written.username, mend);
    let name = name.and_then(|written| name_in_answer(written, &place, findings));
    let cache = written.cache.map_or(CACHE, |Span(cache)| cache);
    let cache = findings.in_range(&at.key("cache"), cache, SHORTEST..=LONGEST, show_duration);
    Some(WhoamiRule { target: target?, name: name?, cache: cache? })
}

fn name_in_answer(
    written: NameInAnswerFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<NameInAnswer> {
    match (written.json, written.header, written.pattern) {
        (Some(json), None, None) => {
            pointer(json, &at.key("json"), findings).map(NameInAnswer::Json)
        }
        (None, Some(header), None) => {
            header_name(&header, &at.key("header"), findings).map(NameInAnswer::Header)
        }
        (None, None, Some(pattern)) => {
            one_group(&pattern, &at.key("pattern"), findings).map(NameInAnswer::Pattern)
        }
        _ => {
            if !findings.knows_fault_within(at) {
                findings.fault(at, "has to name one place", "write json, header or pattern");
            }
            None
        }
    }
}

fn one_group(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<Regex> {
    let Ok(pattern) = Regex::new(text) else {
        findings.fault(at, "is not a regular expression", "mend it");
        return None;
    };
    if pattern.captures_len() != 2 {
        let mend = "put the name in brackets, and write other groups as (?:…)";
        findings.fault(at, "has to have one group", mend);
        return None;
    }
    Some(pattern)
}

/// Checks `header`.
pub(super) fn header(
    written: HeaderSourceFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<HeaderRule> {
    let place = at.key("name");
    let mend = "name the header that the proxy in front sets, such as X-Remote-User";
    let name = findings.required(&place, written.name, mend);
    let name = name.and_then(|name| header_name(&name, &place, findings));
    let from = networks(written.from, &at.key("from"), findings);
    Some(HeaderRule { name: name?, from: from? })
}

fn networks(
    written: Option<List<String>>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Vec<IpNet>> {
    let mend = "name the networks of the proxy, such as [10.0.0.5/32]";
    let written = some(written, at, mend, findings)?;
    let checked = written.into_iter().map(|(at, text)| network(&text, &at, findings));
    all(checked.collect())
}

fn network(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<IpNet> {
    let network = parse_network(text, at, findings)?;
    if network.prefix_len() == 0 {
        let mend = "name the proxy's own network";
        findings.fault(at, "is everybody, who could all name any user", mend);
        return None;
    }
    Some(network)
}

/// A network, or an address as a network of one.
pub(super) fn parse_network(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(network) = network else {
        findings.fault(at, format!("'{text}' is no network"), "write one, such as 10.0.0.0/8");
        return None;
    };
    Some(network)
}

/// Checks `basic`.
pub(super) fn basic(
    written: BasicFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<BasicRule> {
    let mend = "write a path that the portal shows to who is signed in alone";
    let target = target(written.probe, &at.key("probe"), mend, findings)?;
    Some(BasicRule { target })
}

/// Checks `announce`.
pub(super) fn announce(
    written: AnnounceFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<HeaderName> {
    let place = at.key("header");
    let mend = "name the response header, such as X-Portal-User";
    let name = findings.required(&place, written.header, mend)?;
    header_name(&name, &place, findings)
}

/// Checks `session_bearer`.
pub(super) fn bearer(written: BearerFile, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let place = at.key("json");
    let mend = "say where the login's answer has the token, such as /access_token";
    let text = findings.required(&place, written.json, mend)?;
    pointer(text, &place, findings)
}

/// Takes a JSON pointer (RFC 6901) to something inside the document.
pub(super) fn pointer(text: String, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if text.starts_with('/') && escapes {
        return Some(text);
    }
    let what = format!("'{text}' is no JSON pointer");
    findings.fault(at, what, "start with '/', and write ~0 for '~' and ~1 for '/' in a name");
    None
}

/// Takes the name of a header line that can name a user.
pub(super) fn header_name(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<HeaderName> {
    let Ok(name) = text.parse::<HeaderName>() else {
        findings.fault(at, format!("'{text}' is no name of a header"), "write the name alone");
        return None;
    };
    if is_sent_by_us(name.as_str()) {
        let what = format!("'{text}' is a header with a meaning of its own");
        findings.fault(at, what, "name the header that holds the user's name");
        return None;
    }
    Some(name)
}

/// A path of the portal with an optional query, as it is asked.
fn target(
    written: Option<String>,
    at: &KeyPath,
    mend: &str,
    findings: &mut Findings,
) -> Option<String> {
    let text = findings.required(at, written, mend)?;
    if let Some((what, mend)) = path::target_fault(&text) {
        findings.fault(at, format!("'{text}' {what}"), mend);
        return None;
    }
    Some(text)
}
