//! Profiles of known portals: all of them load, what the file says counts before them, and
//! what is wrong with them is told where they are named.

use std::fs;

use portcullis::config::Portal;
use portcullis::net::path::RequestPath;

use crate::cases::{Folder, GOOD};

/// [`GOOD`] with another portal in it: the lines of its identity, and of the portal itself.
fn with(identity: &str, portal: &str) -> String {
    let (before, rest) = GOOD.split_once("    public:").unwrap();
    let (_, after) = rest.split_once("limits:").unwrap();
    let lines: String = identity.lines().map(|line| format!("      {line}\n")).collect();
    format!("{before}{portal}    identity:\n{lines}limits:{after}")
}

fn portal(identity: &str, portal: &str) -> Portal {
    Folder::new().config(&with(identity, portal)).portals.remove(0)
}

fn opens(portal: &Portal, path: &str) -> bool {
    let path = RequestPath::parse(path).unwrap();
    portal.public.iter().any(|pattern| pattern.matches(&path))
}

#[test]
fn every_profile_is_all_that_a_portal_needs() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/profiles");
    let mut tried = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let faults = Folder::new().faults(&with(&format!("profile: {name}"), ""));
        assert_eq!(faults, [""; 0], "{name}");
        tried += 1;
    }
    assert!(tried > 1);
}

#[test]
fn what_the_file_says_counts_before_the_profile_key_by_key() {
    let plain = portal("profile: dokuwiki", "");
    assert_eq!(plain.identity.login_url.as_deref(), Some("/doku.php?do=login"));
    assert!(opens(&plain, "/lib/exe/css.php") && !opens(&plain, "/doku.php"));
    assert!(!plain.identity.username.pattern.is_match("alice@"));
    let changed = portal(
        "profile: dokuwiki\nlogin_url: /wiki/doku.php?do=login\nusername: { case: exact }",
        "    public: []\n",
    );
    assert_eq!(changed.identity.login_url.as_deref(), Some("/wiki/doku.php?do=login"));
    assert!(!opens(&changed, "/lib/exe/css.php"));
    assert_eq!(changed.identity.logins.len(), 1);
    // A key is taken as a whole: the profile's pattern does not go with the file's case.
    assert!(!changed.identity.username.fold_case);
    assert!(changed.identity.username.pattern.is_match("alice@"));
}

#[test]
fn a_key_without_value_is_not_filled_in() {
    let faults = Folder::new().faults(&with("profile: dokuwiki\nlogins:", ""));
    assert_eq!(
        faults,
        ["gateway.yaml:20:7: portals.wiki.identity.logins: has no value; give it one, or remove \
             the key"]
    );
}

#[test]
fn an_unknown_profile_is_one_fault() {
    let place = "gateway.yaml:19:7: portals.wiki.identity.profile";
    let faults = Folder::new().faults(&with("profile: dokuwik", ""));
    let near =
        format!("{place}: is not a known profile; did you mean 'dokuwiki'? There are adminer");
    assert!(faults.len() == 1 && faults[0].starts_with(&near), "{faults:?}");
    let faults = Folder::new().faults(&with("profile: sharepoint", ""));
    let none = format!("{place}: is not a known profile; use one of adminer");
    assert!(faults.len() == 1 && faults[0].starts_with(&none), "{faults:?}");
    for (wrong, kind) in [("12", "a number"), ("[django]", "a list"), ("{ a: b }", "a mapping")] {
        let faults = Folder::new().faults(&with(&format!("profile: {wrong}"), ""));
        let told = format!("{place}: {kind} stands where a text belongs; ");
        assert!(faults.len() == 1 && faults[0].starts_with(&told), "{faults:?}");
    }
    let faults = Folder::new().faults(&with("profile:", ""));
    assert!(faults.contains(&format!("{place}: has no value; give it one, or remove the key")));
}

#[test]
fn what_is_wrong_with_a_profile_is_told_where_it_is_named() {
    // The pages of Portcullis would cover the login of the profile.
    let faults = Folder::new().faults(&with("profile: django", "    prefix: /admin\n"));
    assert!(!faults.is_empty());
    for fault in faults {
        assert!(fault.starts_with("gateway.yaml:20:7: portals.wiki.identity.log"), "{fault}");
        assert!(fault.ends_with(" (from profile django)"), "{fault}");
    }
    let written = "profile: django\nlogout: { path: /admin/bye }\nlogin_url: /in\nlogins: 1";
    let faults = Folder::new().faults(&with(written, "    prefix: /admin\n"));
    assert_eq!(faults.len(), 2, "{faults:?}");
    for fault in faults {
        assert!(!fault.contains("(from profile"), "{fault}");
    }
}

#[test]
fn a_profile_helps_only_who_names_it() {
    let faults = Folder::new().faults(&with("login_url: /in", ""));
    assert_eq!(faults.len(), 2, "{faults:?}");
    let misplaced = Folder::new().faults(&with("login_url: /in", "    profile: django\n"));
    assert!(misplaced[0].contains("portals.wiki.profile: is not a known key"), "{misplaced:?}");
}
