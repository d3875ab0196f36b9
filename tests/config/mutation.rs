//! A slip in a configuration never opens a portal: each line is deleted, each key mistyped,
//! and what still loads is never more open than before.

use std::ffi::OsStr;
use std::path::Path;

use portcullis::config::{Config, Portal};
use portcullis::net::path::RequestPath;
use proptest::prelude::{any, proptest};

use crate::cases::{Folder, GOOD};

/// Keys whose mapping has names of the operator's own: another name is another portal or
/// another condition, and no typo.
const NAMES: [&str; 3] = ["wiki", "do", "do"];

/// Paths to try the public rules on.
const PATHS: [&str; 10] = [
    "/",
    "/lib",
    "/lib/",
    "/lib/a",
    "/lib/a/b",
    "/robots.txt",
    "/doku.php",
    "/admin",
    "/.mfa",
    "/.mfa/enrol",
];

fn never_more_open(changed: &Config, what: &str) {
    let folder = Folder::new();
    let good = folder.config(GOOD);
    for portal in &changed.portals {
        let before = &good.portals[0];
        for path in PATHS {
            let opens = |portal: &Portal| {
                let path = RequestPath::parse(path).unwrap();
                portal.public.iter().any(|pattern| pattern.matches(&path))
            };
            assert!(opens(before) || !opens(portal), "{what}: opens {path}");
        }
        assert!(portal.public.len() <= before.public.len(), "{what}");
        assert_eq!(portal.prefix, before.prefix, "{what}");
        assert_eq!(portal.hosts, before.hosts, "{what}");
        never_fewer_checks(portal, before, what);
    }
    assert!(changed.session.lifetime <= good.session.lifetime, "{what}");
    assert!(changed.session.idle <= good.session.idle, "{what}");
    assert!(changed.totp.skew <= good.totp.skew && changed.totp.digits >= 6, "{what}");
    assert_eq!(store_of(changed), store_of(&good), "{what}");
}

fn store_of(config: &Config) -> Option<&OsStr> {
    config.store.folder().and_then(Path::file_name)
}

fn never_fewer_checks(portal: &Portal, before: &Portal, what: &str) {
    let (identity, good) = (&portal.identity, &before.identity);
    assert_eq!(identity.logins.len(), good.logins.len(), "{what}");
    for login in &identity.logins {
        let success = &login.success;
        let marks = usize::from(!success.status.is_empty())
            + usize::from(success.location.is_some())
            + usize::from(success.location_not.is_some())
            + usize::from(success.set_cookie.is_some())
            + usize::from(success.body_contains.is_some());
        assert!(marks >= 1, "{what}: success without a mark");
        assert_eq!(login.method, "POST", "{what}");
        assert_eq!(login.path, "/doku.php", "{what}");
        let names: Vec<&str> = login.name_fields().collect();
        assert_eq!(names, ["u"], "{what}");
    }
    assert_eq!(identity.session_cookies, good.session_cookies, "{what}");
    assert_eq!(identity.rotation, good.rotation, "{what}");
    assert_eq!(identity.login_url, good.login_url, "{what}");
    for odd in ["", "alice\n", "a b", "alice\0"] {
        assert!(!identity.username.pattern.is_match(odd), "{what}: takes {odd:?}");
    }
}

#[test]
fn a_deleted_line_never_opens_a_portal() {
    let lines: Vec<&str> = GOOD.lines().collect();
    let mut loaded = 0;
    for deleted in 0..lines.len() {
        let kept = lines.iter().enumerate().filter(|(index, _)| *index != deleted);
        let text: String = kept.map(|(_, line)| format!("{line}\n")).collect();
        if let Ok(outcome) = Folder::new().load(&text) {
            loaded += 1;
            never_more_open(&outcome.config, &format!("without '{}'", lines[deleted]));
        }
    }
    assert!(loaded > 5, "the test should meet deletions that load, and met {loaded}");
}

/// The line with its key mistyped, when it has a key.
fn mistyped(line: &str, slip: impl Fn(&str) -> String) -> Option<String> {
    let start = line.find(|sign: char| sign.is_ascii_lowercase())?;
    let (indent, rest) = line.split_at(start);
    let (key, value) = rest.split_once(':')?;
    (!NAMES.contains(&key)).then(|| format!("{indent}{}:{value}", slip(key)))
}

#[test]
fn a_mistyped_key_is_always_a_fault() {
    let lines: Vec<&str> = GOOD.lines().collect();
    let slips: [fn(&str) -> String; 3] =
        [|key| format!("{key}x"), |key| key[1..].to_owned(), |key| key.to_uppercase()];
    let mut tried = 0;
    for (index, line) in lines.iter().enumerate() {
        for slip in slips {
            let Some(wrong) = mistyped(line, slip) else {
                continue;
            };
            let mut text: Vec<&str> = lines.clone();
            text[index] = &wrong;
            let faults = Folder::new().faults(&text.join("\n"));
            assert!(!faults.is_empty(), "'{wrong}' was accepted");
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} keys were tried");
}

#[test]
fn a_lost_or_added_indent_never_opens_a_portal() {
    let lines: Vec<&str> = GOOD.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        for moved in [format!("  {line}"), line.strip_prefix("  ").unwrap_or(line).to_owned()] {
            let mut text = lines.clone();
            text[index] = &moved;
            if let Ok(outcome) = Folder::new().load(&text.join("\n")) {
                never_more_open(&outcome.config, &format!("with '{moved}'"));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_slip_of_the_keyboard_makes_the_reader_panic(
        at in 0..GOOD.len(),
        length in 0..8_usize,
        typed in "[-a-z0-9:{}\\[\\]'\"#&*!|>%@, \n\t]{0,6}",
    ) {
        let mut text = GOOD.to_owned();
        text.replace_range(at..(at + length).min(GOOD.len()), &typed);
        let _ = Folder::new().load(&text);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>()) {
        let folder = Folder::new();
        let file = folder.put("gateway.yaml", bytes);
        assert!(portcullis::config::load(&file).is_err());
    }
}
