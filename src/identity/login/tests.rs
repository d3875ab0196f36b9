//! Which bodies are logins, and whose.

use proptest::prelude::*;
use regex::Regex;

use super::{Attempt, is_for_logins_alone, is_login_address, names_a_user, read_attempt};
use crate::config::identity::{Identity, Rotation, UsernameRule};
use crate::config::login_rule::{LoginRule, Outcome};
use crate::net::glob::Glob;
use crate::net::path::RequestPath;

fn identity() -> Identity {
    let rule = |form: &[(&str, &str)]| LoginRule {
        method: "POST".to_owned(),
        path: "/login".to_owned(),
        form: form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        username_field: "user".to_owned(),
        success: Outcome { status: vec![302], ..Outcome::default() },
        failure: Outcome::default(),
    };
    Identity {
        logins: vec![rule(&[("do", "login")])],
        session_cookies: vec![Glob::new("sid")],
        rotation: Rotation::Reverify,
        username: UsernameRule {
            fold_case: true,
            trim: true,
            pattern: Regex::new("^(?:[a-z0-9._@-]{1,128})$").unwrap(),
        },
        login_url: "/login".to_owned(),
        logout: None,
    }
}

fn path(raw: &str) -> RequestPath {
    RequestPath::parse(raw).unwrap()
}

/// The name that is learned; `?` for a name that fits no rule, `!` for two readings.
fn name(body: &str, query: Option<&str>) -> Option<String> {
    let identity = identity();
    let found = read_attempt(&identity, "POST", &path("/login"), query, body.as_bytes())?;
    Some(match found.1 {
        Attempt::By(name) => name.as_str().to_owned(),
        Attempt::Nameless => "?".to_owned(),
        Attempt::Ambiguous => "!".to_owned(),
    })
}

#[test]
fn a_login_is_told_by_method_and_path() {
    let identity = identity();
    assert!(is_login_address(&identity, "POST", &path("/login")));
    for (method, raw) in [
        ("GET", "/login"),
        ("post", "/login"),
        ("POST", "/login/"),
        ("POST", "//login"),
        ("POST", "/x/../login"),
        ("POST", "/Login"),
    ] {
        assert!(!is_login_address(&identity, method, &path(raw)), "{method} {raw}");
    }
}

#[test]
fn an_address_is_for_logins_alone_if_a_rule_takes_all_of_it() {
    let mut identity = identity();
    assert!(!is_for_logins_alone(&identity, &path("/login")), "its rule asks for a field");
    identity.logins[0].form.clear();
    assert!(is_for_logins_alone(&identity, &path("/login")));
    for other in ["/", "/login/", "/Login", "/login/../login"] {
        assert!(!is_for_logins_alone(&identity, &path(other)), "{other}");
    }
}

#[test]
fn one_name_is_learned() {
    assert_eq!(name("do=login&user=alice&password=x", None), Some("alice".to_owned()));
    assert_eq!(name("user=%41LICE+&do=login", Some("id=start")), Some("alice".to_owned()));
    // A password may hold what it likes.
    assert_eq!(name("do=login&user=alice&password=a;b=c", None), Some("alice".to_owned()));
}

#[test]
fn a_form_without_the_marks_is_no_login() {
    assert_eq!(name("user=alice&do=search", None), None);
    assert_eq!(name("user=alice", None), None);
}

#[test]
fn a_name_with_two_readings_is_nobodys() {
    let bodies = [
        "do=login&user=alice&user=bob",
        "do=login&user=alice&user[]=bob",
        "do=login&user=alice&user%5B0%5D=bob",
        "do=login&user=alice&User=bob",
        "do=login&user=alice&user%00=bob",
        "do=login&user=alice&%20user=bob",
        "do=login&do=search&user=alice",
        "do=login&do[show]=1&user=alice",
        "do=login&user=alice;user=bob",
        "do=login&x=1;user=bob&user=alice",
        "do=login&user=alice;x=1",
        "x=1;do=search&do=login&user=alice",
    ];
    for body in bodies {
        assert_eq!(name(body, None).as_deref(), Some("!"), "{body}");
    }
    for query in ["user=bob", "x=1&user%5B%5D=bob", "USER=bob", "x=1;user=bob"] {
        assert_eq!(name("do=login&user=alice", Some(query)).as_deref(), Some("!"), "{query}");
    }
}

#[test]
fn a_name_that_fits_no_rule_is_nobodys() {
    let bodies = [
        "do=login",
        "do=login&user=",
        "do=login&user=a,b",
        "do=login&user=alice%00",
        "do=login&user=%ff",
        "do=login&user=alice%0abob",
    ];
    for body in bodies {
        assert_eq!(name(body, None).as_deref(), Some("?"), "{body}");
    }
}

#[test]
fn a_field_for_a_name_is_found_wherever_it_stands() {
    let identity = identity();
    for fields in ["user=alice", "a=1&USER=bob", "a=1;user=bob", "user[]=x", "us%65r=x"] {
        assert!(names_a_user(&identity, fields.as_bytes()), "{fields}");
    }
    for fields in ["", "users=1", "next=user", "id=user", "x=1%3Buser=bob"] {
        assert!(!names_a_user(&identity, fields.as_bytes()), "{fields}");
    }
}

fn form() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "user=", "user", "User=", "user[]=", "us%65r=", "do=login", "do=", "&", "&", "&", "=",
            "+", "%", "%00", "%ff", "alice", "bob", "ALICE", ";",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// ID-2: a name is learned only where the form holds it once, under its one spelling.
    #[test]
    fn whatever_the_body_is_a_name_is_one_and_canonical(
        body in prop_oneof![form(), form().prop_map(|rest| [&b"do=login&"[..], &rest].concat())],
        query in prop::option::of("[a-z=&%\\[\\]]{0,12}"),
    ) {
        let identity = identity();
        let found = read_attempt(&identity, "POST", &path("/login"), query.as_deref(), &body);
        let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
        let login = fields.contains(&("do".to_owned(), "login".to_owned()));
        prop_assert_eq!(found.is_some(), login);
        if let Some((_, Attempt::By(name))) = found {
            let typed: Vec<&str> = fields
                .iter()
                .filter(|(key, _)| key.to_lowercase().starts_with("user"))
                .map(|(_, value)| value.as_str())
                .collect();
            prop_assert!(identity.username.pattern.is_match(name.as_str()));
            let named = typed.iter().any(|typed| typed.trim().to_lowercase() == name.as_str());
            prop_assert!(named, "{:?} was not typed", name.as_str());
            let exact = fields.iter().filter(|(key, _)| key == "user").count();
            prop_assert_eq!(exact, 1);
        }
    }
}
