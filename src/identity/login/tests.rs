//! Which bodies are logins, and whose.

use proptest::prelude::*;
use regex::Regex;

use super::{
    Attempt, BodyKind, Sent, Sight, is_for_logins_alone, is_login_address, names_a_user,
    read_attempt,
};
use crate::config::identity::{Identity, Rotation, UsernameRule};
use crate::config::login_rule::{LoginRule, Outcome, Step, UsernameSource};
use crate::net::glob::Glob;
use crate::net::json::JsonPointer;
use crate::net::path::RequestPath;
use crate::user::UserName;

fn identity() -> Identity {
    let rule = |form: &[(&str, &str)]| LoginRule {
        method: "POST".to_owned(),
        path: "/login".to_owned(),
        form: form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        step: Step::Password,
        username: UsernameSource::Form("user".to_owned()),
        success: Outcome { status: vec![302], ..Outcome::default() },
        failure: Outcome::default(),
    };
    Identity {
        logins: vec![rule(&[("do", "login")])],
        session_cookies: vec![Glob::new("sid")],
        session_bearer: None,
        whoami: None,
        header: None,
        basic: None,
        jwt: None,
        announce: None,
        rotation: Rotation::Reverify,
        username: UsernameRule {
            fold_case: true,
            trim: true,
            pattern: Regex::new("^(?:[a-z0-9._@-]{1,128})$").unwrap(),
        },
        login_url: Some("/login".to_owned()),
        logout: None,
    }
}

fn path(raw: &str) -> RequestPath {
    RequestPath::parse(raw).unwrap()
}

/// The name that is learned; `?` for a name that fits no rule, `!` for two readings.
fn name(body: &str, query: Option<&str>) -> Option<String> {
    match see(&identity(), &BodyKind::UrlEncoded, query, body.as_bytes()) {
        Sight::Login(0, attempt) => Some(shown(attempt)),
        Sight::Login(..) => panic!("no such rule"),
        Sight::Other | Sight::Unclear => None,
    }
}

fn see(identity: &Identity, kind: &BodyKind, query: Option<&str>, body: &[u8]) -> Sight {
    read_attempt(identity, Sent { method: "POST", path: &path("/login"), query, kind, body })
}

/// A name, with `+` before one that has to be the remembered one; `*` where the portal says it.
fn shown(attempt: Attempt) -> String {
    match attempt {
        Attempt::By(name) => name.as_str().to_owned(),
        Attempt::Remembered(None) => "+".to_owned(),
        Attempt::Remembered(Some(name)) => format!("+{}", name.as_str()),
        Attempt::Unnamed => "*".to_owned(),
        Attempt::Nameless => "?".to_owned(),
        Attempt::Ambiguous => "!".to_owned(),
    }
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
        "do=login&user=alice%0abob",
    ];
    for body in bodies {
        assert_eq!(name(body, None).as_deref(), Some("?"), "{body}");
    }
}

/// Rules for one address: what names the user, and the fields that its form has to carry.
fn rules(sources: Vec<(UsernameSource, &[(&str, &str)])>) -> Identity {
    let mut all = identity();
    let plain = all.logins.remove(0);
    for (username, form) in sources {
        let form = form.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let (method, path) = (plain.method.clone(), plain.path.clone());
        let success = Outcome { status: vec![302], ..Outcome::default() };
        let failure = Outcome::default();
        let step = Step::Password;
        all.logins.push(LoginRule { method, path, form, step, username, success, failure });
    }
    all
}

fn form_field(name: &str) -> UsernameSource {
    UsernameSource::Form(name.to_owned())
}

fn json_place(text: &str) -> UsernameSource {
    UsernameSource::Json(JsonPointer::parse(text).unwrap())
}

/// The rule and what it reads; `-` for no login, `~` for what cannot be looked into.
fn sight(identity: &Identity, kind: &BodyKind, query: &str, body: &str) -> String {
    match see(identity, kind, Some(query), body.as_bytes()) {
        Sight::Login(number, attempt) => format!("{number} {}", shown(attempt)),
        Sight::Other => "-".to_owned(),
        Sight::Unclear => "~".to_owned(),
    }
}

fn multipart(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--b--\r\n"
}

#[test]
fn a_multipart_form_is_read_as_an_urlencoded_one() {
    let (identity, kind) = (identity(), BodyKind::Multipart("b".to_owned()));
    let one = |fields: &[(&str, &str)]| sight(&identity, &kind, "", &multipart(fields));
    assert_eq!(one(&[("do", "login"), ("user", " Alice")]), "0 alice");
    assert_eq!(one(&[("do", "search"), ("user", "alice")]), "~");
    assert_eq!(one(&[("do", "search"), ("x", "alice")]), "-");
    assert_eq!(one(&[("do", "login"), ("user", "a;b=c")]), "0 ?");
    for second in ["user", "User", "user[]", "user[0]", " user", "us%65r", "user%00"] {
        let found = one(&[("do", "login"), ("user", "alice"), (second, "bob")]);
        assert_eq!(found, "0 !", "{second}");
        let found = one(&[("do", "login"), (second, "bob"), ("user", "alice")]);
        assert_eq!(found, "0 !", "{second}");
    }
    assert_eq!(one(&[("do", "login"), ("user", "alice"), ("_charset_", "utf-16")]), "0 !");
    assert_eq!(one(&[("do", "login"), ("user", "alice"), ("_charset_", "UTF-8")]), "0 alice");
    let whole = multipart(&[("do", "login"), ("user", "alice")]);
    assert_eq!(sight(&identity, &kind, "user=bob", &whole), "0 !");
    assert_eq!(sight(&identity, &kind, "", &whole.replace("--b--", "--b")), "~");
    let file = whole.replace("name=\"user\"", "name=\"user\"; filename=\"x\"");
    assert_eq!(sight(&identity, &kind, "", &file), "0 ?");
}

#[test]
fn a_name_is_found_in_json() {
    let identity = rules(vec![(json_place("/user/name"), &[])]);
    let one = |body: &str| sight(&identity, &BodyKind::Json, "", body);
    assert_eq!(one(r#"{"user":{"name":"Alice"},"password":"x"}"#), "0 alice");
    for (body, expected) in [
        (r#"{"user":{"name":"alice"},"user":{"name":"bob"}}"#, "0 !"),
        (r#"{"user":{"name":"alice","name":"bob"}}"#, "0 !"),
        (r#"{"user":{"name":"alice","Name":"bob"}}"#, "0 !"),
        (r#"{"user":{"name":"alice","name\u0000":"bob"}}"#, "0 !"),
        (r#"{"user":{"name":"alice"},"USER":{}}"#, "0 !"),
        (r#"{"user":{"name":"alice"},"name":"bob"}"#, "0 alice"),
        (r#"{"user":{"name":"alice"}} {}"#, "0 !"),
        (r#"{"user":{"name":["alice"]}}"#, "0 ?"),
        (r#"{"user":"alice"}"#, "0 ?"),
        (r#"{"user":{"name":"alice\u0000"}}"#, "0 ?"),
        ("user=alice", "0 !"),
        ("", "0 !"),
    ] {
        assert_eq!(one(body), expected, "{body}");
    }
    let body = r#"{"user":{"name":"alice"}}"#;
    for query in ["user[name]=bob", "name=bob", "x=1;USER=bob"] {
        assert_eq!(sight(&identity, &BodyKind::Json, query, body), "0 !", "{query}");
    }
    // Nothing but logins goes there, and this is one of a kind that no rule takes.
    assert_eq!(sight(&identity, &BodyKind::UrlEncoded, "", "a=b"), "~");
    assert_eq!(sight(&identity, &BodyKind::Other, "", body), "~");
}

#[test]
fn the_kind_of_body_chooses_among_the_rules_of_an_address() {
    let identity = rules(vec![(json_place("/login"), &[]), (form_field("user"), &[])]);
    assert_eq!(sight(&identity, &BodyKind::Json, "", r#"{"login":"alice"}"#), "0 alice");
    assert_eq!(sight(&identity, &BodyKind::UrlEncoded, "", "user=bob"), "1 bob");
    // What the other rule reads might count as well.
    assert_eq!(sight(&identity, &BodyKind::UrlEncoded, "", "user=bob&login=alice"), "1 !");
    let both = r#"{"login":"alice","user":"bob"}"#;
    assert_eq!(sight(&identity, &BodyKind::Json, "", both), "0 !");
    for query in ["user=bob", "login=bob"] {
        assert_eq!(sight(&identity, &BodyKind::Json, query, r#"{"login":"alice"}"#), "0 !");
    }
}

#[test]
fn a_name_that_is_elsewhere_needs_none_in_the_body() {
    let everyone = UserName::canonical("everyone".to_owned());
    let fixed = rules(vec![(UsernameSource::Fixed(everyone), &[])]);
    let portal = rules(vec![(UsernameSource::Portal, &[])]);
    for (kind, body) in [
        (BodyKind::UrlEncoded, "password=x"),
        (BodyKind::Json, "{\"password\":\"x\"}"),
        (BodyKind::Multipart("b".to_owned()), &multipart(&[("password", "x")])),
        (BodyKind::Other, "<password>x</password>"),
    ] {
        assert_eq!(sight(&fixed, &kind, "", body), "0 everyone");
        assert_eq!(sight(&portal, &kind, "user=x", body), "0 *");
    }
}

#[test]
fn a_password_of_the_second_step_may_only_repeat_the_name() {
    let first: &[(&str, &str)] = &[("step", "1")];
    let second: &[(&str, &str)] = &[("step", "2")];
    let identity = rules(vec![(form_field("user"), first), (UsernameSource::Remembered, second)]);
    let one = |body: &str| sight(&identity, &BodyKind::UrlEncoded, "", body);
    assert_eq!(one("step=1&user=alice"), "0 alice");
    assert_eq!(one("step=2&password=x"), "1 +");
    assert_eq!(one("step=2&password=x&user=Bob"), "1 +bob");
    for body in ["user=a&user=b", "USER=bob", "user[]=bob", "x=1;user=bob", "user=%ff"] {
        assert_eq!(one(&format!("step=2&{body}")), "1 !", "{body}");
    }
    assert_eq!(one("step=2&step=1&password=x"), "0 !");
    assert_eq!(one("step=2&step=3&password=x"), "1 !");
    assert_eq!(sight(&identity, &BodyKind::UrlEncoded, "user=bob", "step=2"), "1 !");

    let identity = rules(vec![(UsernameSource::Remembered, &[]), (json_place("/user"), first)]);
    let one = |body: &str| sight(&identity, &BodyKind::Json, "", body);
    assert_eq!(one("{\"password\":\"x\"}"), "0 +");
    assert_eq!(one("{\"user\":\"bob\"}"), "0 +bob");
    for body in ["{\"User\":\"bob\"}", "{\"user\":1}", "{\"a\":1,\"a\":2}", "", "x"] {
        assert_eq!(one(body), "0 !", "{body}");
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
        let found = see(&identity, &BodyKind::UrlEncoded, query.as_deref(), &body);
        let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
        let login = fields.contains(&("do".to_owned(), "login".to_owned()));
        prop_assert_eq!(matches!(found, Sight::Login(..)), login);
        if let Sight::Login(_, Attempt::By(name)) = found {
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
