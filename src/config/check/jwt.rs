//! A portal's own token: where it is, what it has to say, and which keys are used with what.

use super::jwt_keys::{self, Found};
use super::{all, marks, optional, some, source};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_jwt::JwtFile;
use crate::config::jwt::{Algorithm, Carrier, JwtKey, JwtSource, JwtVerifier};
use crate::config::key_path::KeyPath;
use crate::config::surroundings::Surroundings;
use crate::net::glob::Glob;

/// The claim that names the user unless set (RFC 7519 section 4.1.2).
const CLAIM: &str = "sub";

/// Checks `jwt`.
pub(super) fn jwt(
    written: JwtFile,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<JwtSource> {
    let carrier = carrier(written.cookie, written.bearer, at, findings);
    let keys_at = at.key("keys");
    let mend = "name the file of the portal's keys: { jwks: file:jwks.json }";
    let found = findings.required(&keys_at, written.keys, mend);
    let found = found.and_then(|written| jwt_keys::keys(written, &keys_at, around, findings));
    let claim = claim(written.claim, &at.key("claim"), findings);
    let mend = "write what the portal's tokens have as iss";
    let issuer = marks::required_text(written.issuer, &at.key("issuer"), mend, findings);
    let mend = "write what the portal's tokens have as aud";
    let audience = marks::required_text(written.audience, &at.key("audience"), mend, findings);
    let place = at.key("algorithms");
    let named = optional(written.algorithms, |list| algorithms(list, &place, findings));
    let keys = assign(found?, named?, findings)?;
    let verifier = JwtVerifier { keys, issuer: issuer?, audience: audience?, claim: claim? };
    Some(JwtSource { carrier: carrier?, verifier })
}

fn carrier(
    cookie: Option<String>,
    bearer: Option<bool>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Carrier> {
    match (cookie, bearer.unwrap_or(false)) {
        (Some(name), false) => carrying_cookie(name, &at.key("cookie"), findings),
        (None, true) => Some(Carrier::Bearer),
        (Some(_), true) => {
            findings.fault(at, "has both cookie and bearer", "keep the one that has the token");
            None
        }
        (None, false) => {
            let is_told = findings.knows_fault_within(&at.key("cookie"))
                || findings.knows_fault_within(&at.key("bearer"));
            if !is_told {
                let mend = "write cookie: NAME, or bearer: true";
                findings.fault(at, "does not say where the token is", mend);
            }
            None
        }
    }
}

/// One cookie, so its name is no pattern.
fn carrying_cookie(name: String, at: &KeyPath, findings: &mut Findings) -> Option<Carrier> {
    if name.contains('*') {
        findings.fault(at, "is a pattern", "write the whole name of the cookie");
        return None;
    }
    let glob: Option<Glob> = super::identity::session_cookie(&name, at, findings);
    glob.map(|_| Carrier::Cookie(name))
}

fn claim(written: Option<String>, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let text = written.unwrap_or_else(|| CLAIM.to_owned());
    if text.starts_with('/') {
        return source::pointer(text, at, findings);
    }
    marks::required_text(Some(text), at, "name the claim, such as sub", findings)
}

type Placed = Vec<(KeyPath, Algorithm)>;

fn algorithms(written: List<Algorithm>, at: &KeyPath, findings: &mut Findings) -> Option<Placed> {
    let mend = "name what the portal signs with, such as [RS256], or leave it out";
    some(Some(written), at, mend, findings)
}

/// Gives every key what it is used with. One that is used with nothing is left out; an
/// algorithm that no key is for is a fault, as who named it expects more than there is.
fn assign(
    found: Vec<Found>,
    named: Option<Placed>,
    findings: &mut Findings,
) -> Option<Vec<JwtKey>> {
    let fit = all(named
        .iter()
        .flatten()
        .map(|(at, algorithm)| {
            let is_used = found.iter().any(|key| key.may_use(*algorithm));
            if !is_used {
                note_unfit(*algorithm, &found, at, findings);
            }
            is_used.then_some(())
        })
        .collect());
    fit?;
    let named: Option<Vec<Algorithm>> =
        named.map(|named| named.into_iter().map(|(_, algorithm)| algorithm).collect());
    let keys = found.into_iter().map(|key| key.used_with(named.as_deref()));
    Some(keys.filter(|key| !key.algorithms.is_empty()).collect())
}

fn note_unfit(algorithm: Algorithm, found: &[Found], at: &KeyPath, findings: &mut Findings) {
    let name = algorithm.name();
    let mend = match algorithm.least_secret() {
        Some(least) if found.iter().any(Found::is_secret) => {
            format!("it needs a secret of {least} bytes or more")
        }
        Some(_) => "it needs a secret, and these are public keys".to_owned(),
        None => "name what the portal signs with, or its key".to_owned(),
    };
    findings.fault(at, format!("'{name}' is for none of the keys"), mend);
}

#[cfg(test)]
mod tests;
