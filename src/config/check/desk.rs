//! Who may work at the desk: tokens of the admin API; and on whose word: organisations.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{all, keeping, network, people, placed, some};
use crate::config::Admin;
use crate::config::desk::{
    AdminToken, Organisation, ResetTerms, Staff, StaffKind, TokenHash, is_token_name,
};
use crate::config::fault::Findings;
use crate::config::file::{AdminFile, List, PortalFile};
use crate::config::file_desk::{OrganisationFile, ResetFile, TokenFile};
use crate::config::key_path::KeyPath;
use crate::config::named::Named;
use crate::config::secret::SecretSource;
use crate::config::surroundings::Surroundings;
use crate::config::units::{Span, show_duration};
use crate::net::mail_address::{self, MailAddress};
use crate::net::public_mail;

/// 128 bits in base64url.
const SHORTEST: usize = 22;
/// 128 bits in hexadecimal digits.
const SHORTEST_HEX: usize = 32;
/// Longer than any token that is drawn, and shorter than a header may be.
const LONGEST: usize = 512;
const MEND: &str = "make one: openssl rand -base64 32";
/// Who cannot get in for longer than this is lost to the portal.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The names of all portals, for those who are named with some of them.
pub(super) fn portal_names(written: Option<&Named<PortalFile>>) -> BTreeSet<String> {
    let named = written.into_iter().flat_map(|Named(portals)| portals);
    named.map(|(name, _)| name.clone()).collect()
}

/// The admin listener with its tokens.
pub(super) fn admin(
    mut written: AdminFile,
    at: &KeyPath,
    portals: &BTreeSet<String>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Admin> {
    let tokens = written.tokens.take().unwrap_or_default();
    let people = written.people.take().unwrap_or_default();
    let admin = network::admin(written, at, findings);
    let people = people::people(people, &at.key("people"), portals, around, findings);
    if let (Some(admin), Some(people)) = (&admin, &people) {
        people::can_be_reached(people, admin.address.ip(), &at.key("people"), findings);
    }
    let at = at.key("tokens");
    let checked = placed(tokens, &at).into_iter();
    let checked = checked.map(|(at, written)| token(written, &at, portals, around, findings));
    let tokens = all(checked.collect());
    no_two_alike(tokens.as_deref().unwrap_or_default(), &at, findings);
    let (admin, tokens, people) = (admin?, tokens?, people?);
    if !tokens.is_empty() && !admin.address.ip().is_loopback() {
        let what = "are sent without TLS to an address that other machines reach, so that they \
                    can be read on the way";
        findings.warn(&at, what, "bind the admin listener to 127.0.0.1");
    }
    Some(Admin { tokens, people, ..admin })
}

fn token(
    written: TokenFile,
    at: &KeyPath,
    portals: &BTreeSet<String>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<AdminToken> {
    let words = ("say who holds the token", "is no name for a token");
    let name = name(written.name, &at.key("name"), words, findings);
    let mend = "write viewer, desk, account_manager or admin";
    let role = findings.required(&at.key("role"), written.role, mend);
    let hash = hash(written.secret, &at.key("secret"), around, findings);
    let limits = limits(written.portals, &at.key("portals"), portals, findings);
    let staff = Staff { name: name?, kind: StaffKind::Token, role: role?, portals: limits? };
    Some(AdminToken { staff, hash: hash? })
}

/// The name of whoever works at the desk. The words say what to do where it is missing, and what
/// another text is not.
pub(super) fn name(
    written: Option<String>,
    at: &KeyPath,
    (missing, wrong): (&str, &str),
    findings: &mut Findings,
) -> Option<String> {
    let name = findings.required(at, written, missing)?;
    if is_token_name(&name) {
        return Some(name);
    }
    findings.fault(at, wrong, "use 1 to 32 of a-z, 0-9, '-' and '_'");
    None
}

fn hash(
    written: Option<SecretSource>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<TokenHash> {
    let source = findings.required(at, written, "write file:PATH")?;
    let secret = keeping::fetched(&source, at, around, findings)?;
    let token = secret.reveal().trim_ascii();
    if let Some(what) = weakness(token) {
        findings.fault(at, what, MEND);
        return None;
    }
    Some(TokenHash::of(token))
}

/// What is wrong with a token. It is not measured how well it was drawn, but what could never
/// hold 128 bits is found.
fn weakness(token: &[u8]) -> Option<&'static str> {
    let is_hex = token.iter().all(u8::is_ascii_hexdigit);
    let kinds = token.iter().collect::<BTreeSet<_>>().len();
    if !token.iter().all(u8::is_ascii_graphic) {
        return Some("holds what a header cannot carry");
    }
    if token.len() > LONGEST {
        return Some("is longer than 512 letters");
    }
    if token.len() < SHORTEST || (is_hex && token.len() < SHORTEST_HEX) || kinds < 8 {
        return Some("is too short to be safe from guessing: a token has 128 bits or more");
    }
    None
}

/// The portals that somebody is for, or all of them. The outer nothing is a fault.
pub(super) fn limits(
    named: Option<List<String>>,
    at: &KeyPath,
    portals: &BTreeSet<String>,
    findings: &mut Findings,
) -> Option<Option<Vec<String>>> {
    let Some(named) = named else { return Some(None) };
    let mend = "name the portals, or leave the key out for all";
    let named = some(Some(named), at, mend, findings)?;
    let checked = named.into_iter().map(|(at, name)| {
        if portals.contains(&name) {
            return Some(name);
        }
        findings.fault(&at, format!("'{name}' is no portal of this file"), "name one of portals");
        None
    });
    all(checked.collect()).map(Some)
}

/// A name says who it was, and a secret whose token it is.
fn no_two_alike(tokens: &[AdminToken], at: &KeyPath, findings: &mut Findings) {
    for (index, token) in tokens.iter().enumerate() {
        let before = tokens.iter().take(index);
        for (first, other) in before.enumerate() {
            let place = at.index(first);
            if other.staff.name == token.staff.name {
                let what = format!("is the name of {place} already");
                findings.fault(&at.index(index).key("name"), what, "give each its own");
            }
            if bool::from(other.hash.is(&token.hash)) {
                let what = format!("is the secret of {place} too");
                findings.fault(&at.index(index).key("secret"), what, MEND);
            }
        }
    }
}

/// On whose word a factor is reset.
pub(super) fn organisation(
    written: OrganisationFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Organisation> {
    let domains = placed(written.domains.unwrap_or_default(), &at.key("domains"));
    let managers = placed(written.managers.unwrap_or_default(), &at.key("managers"));
    if domains.is_empty() && managers.is_empty() && !findings.knows_fault_within(at) {
        findings.fault(at, "names nobody", "write domains, managers or both");
        return None;
    }
    let domains = domains.into_iter().map(|(at, text)| domain(text, &at, findings)).collect();
    let domains = all(domains);
    let managers = managers.into_iter().map(|(at, text)| manager(&text, &at, findings)).collect();
    Some(Organisation { domains: domains?, managers: all(managers)? })
}

/// What a reset needs beside the word of who asks.
pub(super) fn reset(
    written: Option<ResetFile>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<ResetTerms> {
    let written = written.unwrap_or_default();
    let wait = written.wait.map_or(Duration::ZERO, |Span(span)| span);
    let range = Duration::ZERO..=LONGEST_WAIT;
    let wait = findings.in_range(&at.key("wait"), wait, range, show_duration)?;
    Some(ResetTerms { approval: written.approval.unwrap_or_default(), wait })
}

fn domain(text: String, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    if !mail_address::is_domain(&text) {
        let what = format!("'{text}' is no domain of mail");
        findings.fault(at, what, "write it in lower case, such as example.com");
        return None;
    }
    not_public(&text, at, findings).then_some(text)
}

fn manager(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<MailAddress> {
    let Some(address) = MailAddress::parse(text) else {
        findings.fault(at, "is no plain address", "write one such as am@vendor.example");
        return None;
    };
    not_public(address.domain(), at, findings).then_some(address)
}

fn not_public(domain: &str, at: &KeyPath, findings: &mut Findings) -> bool {
    let is_public = public_mail::is_public(domain);
    if is_public {
        let what = format!("'{domain}' is a public mail provider, where anybody gets an address");
        findings.fault(at, what, "name a domain of the organisation's own");
    }
    !is_public
}
