//! Which requests a rule is for.

use super::{all, host, optional, path, some, source};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_rules::MatchFile;
use crate::config::key_path::KeyPath;
use crate::config::named::Named;
use crate::net::path::PathPattern;
use crate::policy::rules::{Conditions, QueryCondition};

use super::rules::Portal;

/// Checks what a rule names of a request.
pub(super) fn conditions(
    written: MatchFile,
    at: &KeyPath,
    portal: &Portal<'_>,
    findings: &mut Findings,
) -> Option<Conditions> {
    let path = optional(written.path, |text| path(&text, &at.key("path"), portal, findings));
    let methods = optional(written.method, |list| methods(list, &at.key("method"), findings));
    let networks = optional(written.network, |list| {
        let mend = "name networks of clients, such as [10.1.0.0/16]";
        let written = some(Some(list), &at.key("network"), mend, findings)?;
        let checked =
            written.into_iter().map(|(at, text)| source::parse_network(&text, &at, findings));
        all(checked.collect())
    });
    let hosts = optional(written.host, |list| hosts(list, &at.key("host"), portal, findings));
    let query = optional(written.query, |named| query(named, &at.key("query"), findings));
    Some(Conditions {
        path: path?,
        methods: methods?.unwrap_or_default(),
        networks: networks?.unwrap_or_default(),
        hosts: hosts?.unwrap_or_default(),
        query: query?.unwrap_or_default(),
    })
}

fn path(
    text: &str,
    at: &KeyPath,
    portal: &Portal<'_>,
    findings: &mut Findings,
) -> Option<PathPattern> {
    if text.contains('?') {
        let mend = "write the path alone, and the rest under query";
        findings.fault(at, format!("'{text}' has a query"), mend);
        return None;
    }
    let pattern = match PathPattern::parse(text) {
        Ok(pattern) => pattern,
        Err(sentence) => {
            findings.note(at, sentence);
            return None;
        }
    };
    if let Some(prefix) = portal.prefix.filter(|prefix| path::is_hidden(text, prefix)) {
        let what = format!("'{text}' is hidden by the pages under {prefix}, which no rule rules");
        findings.fault(at, what, "remove the rule");
        return None;
    }
    Some(pattern)
}

fn methods(written: List<String>, at: &KeyPath, findings: &mut Findings) -> Option<Vec<String>> {
    let written = some(Some(written), at, "name methods, such as [GET, POST]", findings)?;
    let checked = written.into_iter().map(|(at, text)| method(text, &at, findings));
    all(checked.collect())
}

fn method(text: String, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.is_empty() || !text.bytes().all(is_sign) {
        findings.fault(at, "is no method", "write one in capitals, such as GET");
        return None;
    }
    let capitals = text.to_ascii_uppercase();
    if text != capitals {
        findings.fault(at, format!("'{text}' is no method"), format!("write {capitals}"));
        return None;
    }
    if text == "HEAD" {
        findings.fault(at, "HEAD is judged as GET", "write GET alone");
        return None;
    }
    Some(text)
}

fn hosts(
    written: List<String>,
    at: &KeyPath,
    portal: &Portal<'_>,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let written = some(Some(written), at, "name hosts of the portal", findings)?;
    let checked = written.into_iter().map(|(at, text)| {
        if let Err(sentence) = host::parse_host(&text) {
            findings.note(&at, sentence);
            return None;
        }
        if let Some(hosts) = portal.hosts.filter(|hosts| !hosts.contains(&text)) {
            let what = format!("'{text}' is no host of this portal, so nothing meets the rule");
            findings.fault(&at, what, format!("write one of {}", hosts.join(", ")));
            return None;
        }
        Some(text)
    });
    all(checked.collect())
}

fn query(
    Named(written): Named<String>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Vec<QueryCondition>> {
    let mend = "name a key and its value: { do: admin }";
    if written.is_empty() {
        findings.fault(at, "is empty", mend);
        return None;
    }
    let checked = written.into_iter().map(|(key, pattern)| {
        if key.is_empty() {
            findings.fault(at, "has a key without a name", mend);
            return None;
        }
        Some(QueryCondition::new(&key, &pattern?))
    });
    all(checked.collect())
}
