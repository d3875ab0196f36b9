//! Who signs in at the desk's console. A password is never in the configuration, nor in the
//! file that it names: only what it hashes to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{all, desk, keeping, placed};
use crate::config::desk::{Person, Staff, StaffKind};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_desk::PersonFile;
use crate::config::key_path::KeyPath;
use crate::config::secret::SecretSource;
use crate::config::surroundings::Surroundings;
use crate::password::PasswordHash;

const MEND: &str = "make one: portcullis desk-password";

/// The people, each by a name of its own.
pub(super) fn people(
    written: List<PersonFile>,
    at: &KeyPath,
    portals: &BTreeSet<String>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Vec<Person>> {
    let checked = placed(written, at).into_iter();
    let checked = checked.map(|(at, written)| person(written, &at, portals, around, findings));
    let people = all(checked.collect())?;
    for (index, person) in people.iter().enumerate() {
        let same = |other: &&Person| other.staff.name == person.staff.name;
        if people.iter().take(index).find(same).is_some() {
            let place = at.index(index).key("name");
            findings.fault(&place, "is the name of somebody above already", "give each its own");
        }
    }
    Some(people)
}

fn person(
    written: PersonFile,
    at: &KeyPath,
    portals: &BTreeSet<String>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Person> {
    let words = ("say who it is", "is no name of a person");
    let name = desk::name(written.name, &at.key("name"), words, findings);
    let mend = "write viewer, desk, account_manager or admin";
    let role = findings.required(&at.key("role"), written.role, mend);
    let password = password(written.password, &at.key("password"), around, findings);
    let limits = desk::limits(written.portals, &at.key("portals"), portals, findings);
    let staff = Staff { name: name?, kind: StaffKind::Person, role: role?, portals: limits? };
    Some(Person { staff, password: password? })
}

fn password(
    written: Option<SecretSource>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<PasswordHash> {
    let mend = "write file:PATH, with what portcullis desk-password prints in the file";
    let source = findings.required(at, written, mend)?;
    let secret = keeping::fetched(&source, at, around, findings)?;
    let text = std::str::from_utf8(secret.reveal()).unwrap_or_default();
    match PasswordHash::parse(text.trim()) {
        Ok(hash) => Some(hash),
        Err(fault) => {
            findings.fault(at, fault.to_string(), MEND);
            None
        }
    }
}

/// Warns where browsers would not keep the console's cookie, or others could read it.
pub(super) fn can_be_reached(
    people: &[Person],
    admin: IpAddr,
    at: &KeyPath,
    findings: &mut Findings,
) {
    if !people.is_empty() && !admin.is_loopback() {
        let what = "cannot sign in from other machines: browsers keep the console's cookie for \
                    https and localhost alone";
        let mend =
            "bind the admin listener to 127.0.0.1, and reach it by ssh -L 9443:127.0.0.1:9443";
        findings.warn(at, what, mend);
    }
}
