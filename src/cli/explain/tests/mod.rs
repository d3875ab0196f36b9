//! The command as a whole: what it says of a request, and with which exit code.

mod recordings;
mod rules;

use std::fs;
use std::path::PathBuf;

use clap::Parser;

use super::{ExplainArguments, explain};

/// A portal with everything that an explanation may have to name.
pub(super) const YAML: &str = r#"listeners: [{ address: 127.0.0.1:8080 }]
store: { path: data/store }
keys: { master: file:secrets/master.key }
portals:
  wiki:
    hosts: [wiki.test]
    upstreams: ["http://127.0.0.1:8000"]
    public: [/static/**]
    identity:
      logins:
        - request: { method: POST, path: /login, form: { do: login } }
          username: { form: user }
          success: { status: [302], location: { not: "/login*" }, set_cookie: sid }
          failure: { body: { contains: "wrong password" } }
      session_cookies: [sid]
      rotation: reverify
      login_url: /login
      logout: { path: /logout }
"#;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: ExplainArguments,
}

/// What is printed for these arguments, or the exit code with the complaint.
pub(super) fn said(files: &[(&str, &str)], arguments: &[&str]) -> Result<String, (u8, String)> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let locate = |argument: &&str| match files.iter().any(|(name, _)| name == argument) {
        true => folder.path().join(argument),
        false => PathBuf::from(argument),
    };
    let config = folder.path().join("gateway.yaml");
    let line = ["explain".into(), "--config".into(), config];
    let parsed = Line::try_parse_from(line.into_iter().chain(arguments.iter().map(locate)));
    let arguments = parsed.map_err(|error| (2, error.to_string()))?.arguments;
    let mut out = Vec::new();
    explain(&arguments, &mut out).map_err(|error| (error.exit_code(), error.to_string()))?;
    Ok(String::from_utf8(out).unwrap())
}

fn request(arguments: &[&str]) -> String {
    said(&[("gateway.yaml", YAML)], arguments).unwrap()
}

#[test]
fn every_level_is_told_where_none_is_named() {
    let expected = "\
GET wiki.test/start?id=1
  portal   wiki
  path     canonical
  is for   a protected page: no rule opens it
  rule     no rule: the second factor
  stage    required
  visitor            as a page                                       as a call
  unknown            303 to /login                                   401 urn:portcullis:login_required
  named, first time  303 to /.mfa/enrol?return_to=%2Fstart%3Fid%3D1   401 urn:portcullis:enrolment_required
  named              303 to /.mfa/verify?return_to=%2Fstart%3Fid%3D1  401 urn:portcullis:mfa_required
  proven             goes to the portal                              goes to the portal
";
    let said = request(&["GET", "https://wiki.test/start?id=1"]);
    let squeeze =
        |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(&said), squeeze(expected));
}

#[test]
fn one_level_and_a_name_are_told_where_they_are_given() {
    let said = request(&["GET", "https://wiki.test/a", "--user", " Alice ", "--level", "named"]);
    assert!(said.contains("  user     alice\n"), "{said}");
    assert!(said.contains("named, first time") && !said.contains("proven"), "{said}");
    let said = request(&["GET", "https://wiki.test/a", "--user", "a b"]);
    assert!(said.contains("'a b' fits no rule for names"), "{said}");
}

#[test]
fn the_rule_that_decides_is_named() {
    for (method, url, words) in [
        ("GET", "https://wiki.test/static/a.css", "open to everybody, by public /static/**"),
        ("GET", "https://wiki.test/login", "the portal's login page, by login_url /login"),
        ("POST", "https://wiki.test/login", "the portal's login\n"),
        ("GET", "https://wiki.test/.mfa/verify", "a page of ours: '/verify' below /.mfa"),
        ("GET", "https://wiki.test/static/../a", "ambiguous, so no rule opens it: one of its"),
        ("GET", "https://wiki.test/static/%2e%2e/a", "ambiguous, so no rule opens it: it escapes"),
        ("GET", "https://wiki.test/logout", "it signs the user out of the portal"),
        ("GET", "https://other.test/", "refused  421: no portal has this host"),
        ("TRACE", "https://wiki.test/", "refused  405: "),
        ("GET", "https://wiki.test/%00", "refused  400: "),
    ] {
        let said = request(&[method, url]);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn json_is_one_object() {
    let said = request(&["GET", "https://wiki.test/a", "--output", "json", "--level", "unknown"]);
    let read: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(read["portal"], "wiki");
    assert_eq!(read["visitors"][0]["verdict"], "sign_in");
    assert_eq!(read["visitors"][0]["call"], "401 urn:portcullis:login_required");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn what_cannot_be_explained_has_its_own_exit_code() {
    let code =
        |yaml: &str, arguments: &[&str]| said(&[("gateway.yaml", yaml)], arguments).unwrap_err().0;
    assert_eq!(code(YAML, &["GET", "wiki.test"]), 2);
    assert_eq!(code(YAML, &["GET"]), 2);
    assert_eq!(code(YAML, &[]), 2);
    assert_eq!(code("listeners: 1\n", &["GET", "https://wiki.test/"]), 3);
}
