//! Which bodies are logins, and whose.

use regex::Regex;

use super::{Attempt, is_login_address, read_attempt};
use crate::config::identity::{Identity, LoginRule, Outcome, Rotation, UsernameRule};
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

fn name(body: &str, query: Option<&str>) -> Option<Option<String>> {
    let identity = identity();
    let found = read_attempt(&identity, "POST", &path("/login"), query, body.as_bytes())?;
    Some(match found.1 {
        Attempt::By(name) => Some(name.as_str().to_owned()),
        Attempt::Unclear => None,
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
fn one_name_is_learned() {
    assert_eq!(name("do=login&user=alice&password=x", None), Some(Some("alice".to_owned())));
    assert_eq!(name("user=%41LICE+&do=login", Some("id=start")), Some(Some("alice".to_owned())));
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
        "do=login",
        "do=login&user=",
        "do=login&user=a,b",
        "do=login&user=alice%00",
        "do=login&user=%ff",
        "do=login&user=alice%0abob",
    ];
    for body in bodies {
        assert_eq!(name(body, None), Some(None), "{body}");
    }
    assert_eq!(name("do=login&user=alice", Some("user=bob")), Some(None));
    assert_eq!(name("do=login&user=alice", Some("x=1&user%5B%5D=bob")), Some(None));
}
