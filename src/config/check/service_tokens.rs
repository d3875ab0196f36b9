//! Tokens of machines, by the hashes that stand in the YAML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{all, some};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_rules::ServiceTokenFile;
use crate::config::key_path::KeyPath;
use crate::policy::rules::{ServiceToken, ServiceTokens};

/// How to mend what has no tokens.
pub(super) const MEND: &str = "add what this prints: portcullis service-token";

/// The tokens of a rule, no two of one name or one hash.
pub(super) fn tokens(
    written: List<ServiceTokenFile>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<ServiceTokens> {
    let written = some(Some(written), at, MEND, findings)?;
    let mut seen: Vec<([u8; 32], String)> = Vec::new();
    let checked = written.into_iter().map(|(at, written)| {
        let (name, hash) = token(written, &at, findings)?;
        if seen.iter().any(|(_, other)| *other == name) {
            findings.fault(&at.key("name"), format!("'{name}' is there twice"), "rename one");
            return None;
        }
        if let Some((_, other)) = seen.iter().find(|(other, _)| *other == hash) {
            let what = format!("is the hash of '{other}' too");
            findings.fault(&at.key("hash"), what, "give each service a token of its own");
            return None;
        }
        seen.push((hash, name.clone()));
        Some(ServiceToken::new(name, hash))
    });
    all(checked.collect()).map(ServiceTokens::new)
}

fn token(
    written: ServiceTokenFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<(String, [u8; 32])> {
    let place = at.key("name");
    let name = findings.required(&place, written.name, "name the service, such as scraper");
    let name = name.and_then(|name| token_name(name, &place, findings));
    let place = at.key("hash");
    let hash = findings.required(&place, written.hash, MEND);
    let hash = hash.and_then(|hash| token_hash(&hash, &place, findings));
    Some((name?, hash?))
}

fn token_name(name: String, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if (1..=32).contains(&name.len()) && name.bytes().all(plain) {
        return Some(name);
    }
    findings.fault(at, "is no name for a service", "use 1 to 32 of a-z, 0-9, '-' and '_'");
    None
}

/// The text is not repeated: it may be the token.
fn token_hash(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<[u8; 32]> {
    let decoded = text.strip_prefix("sha256:").and_then(|text| STANDARD.decode(text).ok());
    let hash = decoded.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    if hash.is_none() {
        let mend = "write sha256: and 32 bytes in base64, as portcullis service-token prints them";
        findings.fault(at, "is no hash of a token", mend);
    }
    hash
}
