//! Who signs in at the desk's console, each case with the exact lines.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use portcullis::config::desk::{Role, StaffKind};
use portcullis::password::PasswordHash;

use crate::cases::{Folder, edited};

const ADDRESS: &str = "  address: 127.0.0.1:9443";
const MEND: &str = "make one: portcullis desk-password";

/// The good file with these people, each on a line of its own from line 6 on.
fn with_people(people: &[&str]) -> String {
    let lines: String = people.iter().map(|person| format!("\n    - {{ {person} }}")).collect();
    edited(&[(ADDRESS, &format!("{ADDRESS}\n  people:{lines}"))])
}

fn folder() -> Folder {
    let folder = Folder::new();
    let good = PasswordHash::made(b"ann has a long one", [7; 16]).unwrap();
    let put = |name: &str, text: &str| {
        let file = folder.put(name, text);
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    put("ann", &format!("{good}\n"));
    put("weak", &good.replace("m=19456", "m=1024"));
    put("costly", &good.replace("m=19456", "m=4194304"));
    put("plain", "ann has a long one");
    folder
}

fn refused(people: &[&str], expected: &[&str]) {
    let expected: Vec<String> =
        expected.iter().map(|fault| format!("gateway.yaml:{fault}")).collect();
    assert_eq!(folder().faults(&with_people(people)), expected, "{people:?}");
}

#[test]
fn a_person_is_kept_with_a_hash_alone() {
    let config = folder().config(&with_people(&[
        "name: ann, role: desk, password: file:ann, portals: [wiki]",
        "name: ada_1, role: admin, password: file:ann",
    ]));
    let shown = format!("{config:?}");
    let people = config.admin.unwrap().people;
    assert_eq!((people[0].staff.name.as_str(), people[0].staff.role), ("ann", Role::Desk));
    assert_eq!(people[0].staff.kind, StaffKind::Person);
    assert_eq!(people[0].staff.portals.as_deref(), Some(&["wiki".to_owned()][..]));
    assert_eq!(people[0].password.is_of(b"ann has a long one"), Ok(true));
    assert_eq!((people[1].staff.role, &people[1].staff.portals), (Role::Admin, &None));
    assert!(!shown.contains("argon2id$"), "{shown}");
}

#[test]
fn a_hash_that_is_none_or_too_cheap_or_too_dear_is_refused() {
    for (file, what) in [
        ("plain", "is no Argon2id hash"),
        ("weak", "is a hash at which guessing is too cheap: 19456 KiB and 2 passes are the least"),
        ("costly", "is a hash that costs too much: 262144 KiB, 16 passes and 8 lanes are the most"),
    ] {
        let fault = format!("6:32: admin.people[0].password: {what}; {MEND}");
        refused(&[&format!("name: ann, role: desk, password: file:{file}")], &[&fault]);
    }
}

#[test]
fn people_are_whole_and_each_of_one_name() {
    refused(
        &["name: ann"],
        &[
            "6:7: admin.people[0].role: is missing; write viewer, desk, account_manager or admin",
            "6:7: admin.people[0].password: is missing; write file:PATH, with what portcullis \
             desk-password prints in the file",
        ],
    );
    refused(
        &["name: Ann B, role: desk, password: file:ann"],
        &[
            "6:9: admin.people[0].name: is no name of a person; use 1 to 32 of a-z, 0-9, '-' and '_'",
        ],
    );
    refused(
        &["name: ann, role: desk, password: file:ann, portals: [shop]"],
        &[
            "6:62: admin.people[0].portals[0]: 'shop' is no portal of this file; name one of portals",
        ],
    );
    let ann = "name: ann, role: desk, password: file:ann";
    refused(
        &[ann, ann],
        &["7:9: admin.people[1].name: is the name of somebody above already; give each its own"],
    );
}

#[test]
fn people_who_could_not_sign_in_are_told() {
    let yaml = with_people(&["name: ann, role: desk, password: file:ann"]);
    let folder = folder();
    assert_eq!(folder.warnings(&yaml), [""; 0]);
    let warnings = folder.warnings(&yaml.replace("127.0.0.1:9443", "10.0.0.1:9443"));
    assert!(warnings.iter().any(|warning| warning.contains("ssh -L 9443")), "{warnings:?}");
}
