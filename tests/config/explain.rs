//! `portcullis explain` as operators call it: through the binary, with its exit codes.

use std::process::{Command, Output};

use crate::cases::{Folder, GOOD};

/// A sign-in to the wiki of [`GOOD`] as a browser writes it down.
const SESSION: &str = r#"{ "log": { "version": "1.2", "entries": [
  { "startedDateTime": "2026-03-01T10:00:00.000+01:00",
    "request": { "method": "POST", "url": "https://wiki.example.com/doku.php?id=start",
      "headers": [ { "name": "Sec-Fetch-Mode", "value": "navigate" } ],
      "postData": { "mimeType": "application/x-www-form-urlencoded",
                    "text": "do=login&u=Alice&p=hunter2hunter2" } },
    "response": { "status": 302, "content": { "size": 0 }, "headers": [
      { "name": "Location", "value": "/doku.php?id=start" },
      { "name": "Set-Cookie", "value": "DokuWiki=0a1b2c3d; path=/\nDW1=4e5f6a7b; path=/" } ] } },
  { "startedDateTime": "2026-03-01T10:00:01.000+01:00",
    "request": { "method": "GET", "url": "https://wiki.example.com/doku.php?id=start",
      "headers": [ { "name": "Cookie", "value": "DokuWiki=0a1b2c3d; DW1=4e5f6a7b" } ] },
    "response": { "status": 200, "content": { "size": 10 }, "headers": [] } } ] } }"#;

fn explain(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.current_dir(folder.path()).args(["explain", "--config", "gateway.yaml"]);
    command.args(arguments).output().unwrap()
}

fn folder(yaml: &str) -> Folder {
    let folder = Folder::new();
    folder.put("gateway.yaml", yaml);
    folder.put("session.har", SESSION);
    folder
}

#[test]
fn a_recorded_sign_in_is_explained_without_its_secrets() {
    let output = explain(&folder(GOOD), &["--har", "session.har"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    for words in [
        "1 POST wiki.example.com/doku.php?id=… [unknown] goes to the portal",
        "login by logins[0] POST /doku.php with do=login, names alice",
        "success: a cookie DW* is set: yes",
        "learned: alice, bound to DW1, DokuWiki",
        "2 GET wiki.example.com/doku.php?id=… [proven, alice] goes to the portal",
    ] {
        assert!(said.contains(words), "'{words}' is not in:\n{said}");
    }
    for secret in ["hunter2", "0a1b2c3d", "4e5f6a7b"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn nothing_is_made_by_an_explanation() {
    let folder = folder(GOOD);
    let url = "https://wiki.example.com/lib/a.css";
    let output = explain(&folder, &["GET", url, "--level", "unknown"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("open to everybody, by public /lib/**"), "{said}");
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["gateway.yaml", "session.har"], "a key or a store was made");
}

#[test]
fn wrong_usage_and_a_wrong_configuration_have_their_exit_codes() {
    let good = folder(GOOD);
    for arguments in [
        &["GET", "wiki.example.com"][..],
        &["GET"],
        &["--har", "gateway.yaml"],
        &["--har", "nowhere.har"],
        &["GET", "https://wiki.example.com/", "--level", "root"],
    ] {
        let output = explain(&good, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
    let output = explain(&folder("portals: 1\n"), &["GET", "https://wiki.example.com/"]);
    assert_eq!(output.status.code(), Some(3));
}
