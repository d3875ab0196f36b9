//! From [`File`] to [`Config`]: what has to be there, ranges, and what has to fit together.
//! Each check notes its faults and gives nothing then; all of them run before any result is
//! looked at, so that no fault hides another.

use crate::config::Config;
use crate::config::fault::Findings;
use crate::config::file::{File, List};
use crate::config::key_path::KeyPath;
use crate::config::surroundings::Surroundings;

mod branding;
mod certificate;
mod desk;
mod device;
mod enforcement;
mod enrolment;
mod host;
mod identity;
mod jwk;
mod jwt;
mod jwt_keys;
mod keeping;
mod limits;
mod login;
mod marks;
mod network;
mod notify;
mod path;
mod people;
mod portal;
mod proof;
mod proxies;
mod public_key;
mod rule_doubts;
mod rule_match;
mod rules;
mod service_tokens;
mod source;
mod telemetry;
mod upstream_headers;
mod webhook;

/// Checks the whole file.
pub(super) fn check(
    file: File,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Config> {
    let root = KeyPath::root();
    let listeners = network::listeners(file.listeners, &root.key("listeners"), around, findings);
    let names = desk::portal_names(file.portals.as_ref());
    let place = root.key("admin");
    let admin = optional(file.admin, |admin| desk::admin(admin, &place, &names, around, findings));
    let taken = network::addresses_differ(listeners.as_deref(), admin.as_ref(), findings);
    let trusted_proxies = proxies::trusted(file.trusted_proxies, findings);
    proxies::headers_have_senders(listeners.as_deref(), trusted_proxies.as_deref(), findings);
    let store = keeping::store(file.store, &root.key("store"), around, findings);
    let master_key = keeping::master_key(file.keys, &root.key("keys"), around, findings);
    keeping::stand_apart(store.as_ref(), master_key.as_ref(), findings);
    let session = proof::session(file.session, &root.key("session"), findings);
    let branding = branding::branding(file.branding, &root.key("branding"), around, findings);
    let issuer = branding.as_ref().map(|branding| branding.name.as_str());
    let totp = proof::totp(file.totp, &root.key("totp"), issuer, findings);
    let recovery_codes = proof::recovery_codes(file.recovery_codes, findings);
    let notify = notify::notify(file.notify, &root.key("notify"), around, findings);
    let mails = notify.as_ref().is_some_and(|notify| notify.smtp.is_some());
    let house = portal::House { taken, around, mails };
    let portals = portal::portals(file.portals, &root.key("portals"), &house, findings);
    let telemetry = telemetry::telemetry(file.telemetry, &root.key("telemetry"), around, findings);
    telemetry::is_told(portals.as_deref(), telemetry.as_ref(), findings);
    let limits = limits::limits(file.limits, &root.key("limits"), findings);
    Some(Config {
        listeners: listeners?,
        admin: admin?,
        trusted_proxies: trusted_proxies?,
        store: store?,
        master_key: master_key?,
        session: session?,
        totp: totp?,
        recovery_codes: recovery_codes?,
        portals: portals?,
        notify: notify?,
        branding: branding?,
        limits: limits?,
        telemetry: telemetry?,
    })
}

/// The elements of a list that has to have at least one, each with its place. Elements
/// that were found wrong are left out; they have their fault.
fn some<T>(
    written: Option<List<T>>,
    at: &KeyPath,
    mend: &str,
    findings: &mut Findings,
) -> Option<Vec<(KeyPath, T)>> {
    let list = findings.required(at, written, mend)?;
    if list.is_empty() {
        findings.fault(at, "is an empty list", mend);
        return None;
    }
    Some(placed(list, at))
}

/// The elements of a list, each with its place.
fn placed<T>(list: List<T>, at: &KeyPath) -> Vec<(KeyPath, T)> {
    let placed = list.into_iter().enumerate();
    placed.filter_map(|(index, element)| Some((at.index(index), element?))).collect()
}

/// All of them, or nothing when one is missing: for after each has been looked at.
fn all<T>(checked: Vec<Option<T>>) -> Option<Vec<T>> {
    checked.into_iter().collect()
}

/// Checks what is there. The outer nothing is a fault, the inner one means it is not there.
fn optional<T, U>(written: Option<T>, check: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    match written {
        None => Some(None),
        Some(written) => check(written).map(Some),
    }
}
