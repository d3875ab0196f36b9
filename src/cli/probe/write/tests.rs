//! Whatever the portal says, the YAML is YAML, and says it.

use std::path::Path;

use url::Url;

use super::{complete, json, portal, quoted};
use crate::cli::probe::written::{Learned, Login, Mark, NameSource, Told};
use crate::config;

/// A portal with the oddest names that a page can give.
fn odd() -> Learned {
    let url = Url::parse("http://127.0.0.1:8080/").unwrap();
    let mut learned = Learned::of(&url, Some("wiki.example.com"));
    learned.note("a note\nthat would end: the comment");
    learned.login_at(&url.join("/login?do=login&back=/x").unwrap(), "because");
    learned.session_cookies.push(Told::new("DW*".to_owned(), "so"));
    learned.logins.push(Login {
        path: "/login".to_owned(),
        form: vec![("do".to_owned(), "login".to_owned())],
        shares: true,
        is_name_step: false,
        why: None,
        username: Told::new(NameSource::Form("auth[name]: \"'#{}".to_owned()), "odd\nindeed"),
        success: vec![Told::new(Mark::Status(302), "x")],
        failure: vec![Told::new(Mark::Body("type=\"password\" \\ # no".to_owned()), "y")],
    });
    learned
}

#[test]
fn what_is_written_is_read_back_as_it_was() {
    let text = complete(&odd());
    let loaded = config::load_text(Path::new("x.yaml"), &text, &|_| None).unwrap();
    let read = &loaded.config.portals[0];
    assert_eq!(
        (read.name.as_str(), &read.hosts[..]),
        ("wiki", &["wiki.example.com".to_owned()][..])
    );
    assert_eq!(read.identity.login_url.as_deref(), Some("/login?do=login"));
    assert_eq!(read.identity.logins[0].form, [("do".to_owned(), "login".to_owned())]);
    assert_eq!(read.identity.session_cookies[0].as_str(), "DW*");
    let value: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    let login = &value["portals"]["wiki"]["identity"]["logins"][0];
    assert_eq!(login["username"]["form"], "auth[name]: \"'#{}");
    assert_eq!(login["failure"]["body"]["contains"], "type=\"password\" \\ # no");
}

#[test]
fn a_note_stays_a_comment() {
    let text = portal(&odd());
    let (head, _) = text.split_once("\nportals:\n").unwrap();
    assert!(head.lines().all(|line| line.starts_with('#')), "{head}");
    assert!(head.contains("# - a note that would end: the comment"), "{head}");
}

#[test]
fn json_says_the_same_with_the_notes_beside_it() {
    let read: serde_json::Value = serde_json::from_str(&json(&odd()).unwrap()).unwrap();
    assert_eq!(read["portals"]["wiki"]["identity"]["login_url"], "/login?do=login");
    assert_eq!(read["notes"][0], "a note\nthat would end: the comment");
}

#[test]
fn only_what_means_nothing_is_left_without_quotes() {
    for plain in ["sessionid", "/admin/login/", "a-b_c.d"] {
        assert_eq!(quoted(plain), plain);
    }
    for text in ["no", "on", "8080", "1e3", "*x", "a: b", "a #b", "?do=login", "", "null", "-"] {
        let read: serde_yaml::Value = serde_yaml::from_str(&quoted(text)).unwrap();
        assert_eq!(read.as_str(), Some(text));
    }
}
