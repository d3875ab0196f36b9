//! Which answers are a yes, and which may only look like one.

use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Answer, LoginOutcome, judge};
use crate::config::login_rule::{HeaderMark, JsonMark, LoginRule, Outcome, Step, UsernameSource};
use crate::net::glob::Glob;
use crate::net::json::JsonPointer;
use crate::net::set_cookie::CookieChange;
use crate::user::UserName;

fn rule(success: Outcome, failure: Outcome) -> LoginRule {
    LoginRule {
        method: "POST".to_owned(),
        path: "/login".to_owned(),
        form: Vec::new(),
        step: Step::Password,
        username: UsernameSource::Form("user".to_owned()),
        success,
        failure,
    }
}

fn redirect_rule() -> LoginRule {
    rule(
        Outcome {
            status: vec![302, 303],
            location_not: Some(Glob::new("/login*")),
            set_cookie: Some(Glob::new("sid")),
            ..Outcome::default()
        },
        Outcome::default(),
    )
}

fn check(
    rule: &LoginRule,
    status: u16,
    location: Option<&str>,
    cookie: Option<&str>,
    body: Option<&str>,
    expected: LoginOutcome,
) {
    let mut headers = HeaderMap::new();
    if let Some(location) = location {
        headers.append("location", HeaderValue::from_str(location).unwrap());
    }
    let cookies: Vec<CookieChange> = cookie
        .map(|name| CookieChange { name: name.to_owned(), value: Some("v".to_owned()), path: None })
        .into_iter()
        .collect();
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &headers,
        cookies: &cookies,
        body: body.map(str::as_bytes),
        user: None,
    };
    assert_eq!(judge(rule, &answer), expected, "{status} {location:?} {cookie:?} {body:?}");
}

#[test]
fn every_mark_of_success_has_to_hold() {
    use LoginOutcome::{Failure, Success, Unclear};
    let rule = redirect_rule();
    check(&rule, 302, Some("/home"), Some("sid"), None, Success);
    check(&rule, 303, Some("https://a.example/home"), Some("sid"), None, Success);
    check(&rule, 302, Some("/home"), None, None, Failure);
    check(&rule, 302, Some("/home"), Some("other"), None, Failure);
    check(&rule, 302, Some("/login?failed"), Some("sid"), None, Failure);
    check(&rule, 302, Some("http://a.example/login"), Some("sid"), None, Failure);
    check(&rule, 302, None, Some("sid"), None, Failure);
    check(&rule, 200, Some("/home"), Some("sid"), None, Failure);
    check(&rule, 500, Some("/home"), Some("sid"), None, Unclear);
    check(&rule, 500, None, None, None, Unclear);
}

#[test]
fn any_mark_of_failure_means_no() {
    use LoginOutcome::{Failure, Success, Unclear};
    let status = Outcome { status: vec![200], ..Outcome::default() };
    let text = Outcome { body_contains: Some("invalid".to_owned()), ..Outcome::default() };
    let rule = rule(status, text);
    check(&rule, 200, None, None, Some("welcome"), Success);
    check(&rule, 200, None, None, Some("an invalid password"), Failure);
    check(&rule, 200, None, None, None, Unclear);
}

#[test]
fn a_rule_without_marks_of_success_learns_nobody() {
    let rule = rule(Outcome::default(), Outcome::default());
    check(&rule, 200, None, Some("sid"), Some(""), LoginOutcome::Failure);
}

#[test]
fn a_doubled_location_is_none() {
    let rule = redirect_rule();
    let mut headers = HeaderMap::new();
    headers.append("location", HeaderValue::from_static("/home"));
    headers.append("location", HeaderValue::from_static("/login"));
    let cookies =
        [CookieChange { name: "sid".to_owned(), value: Some("v".to_owned()), path: None }];
    let answer = Answer {
        status: StatusCode::FOUND,
        headers: &headers,
        cookies: &cookies,
        body: None,
        user: None,
    };
    assert_eq!(judge(&rule, &answer), LoginOutcome::Failure);
}

/// How an answer of 200 with these lines and this body is judged.
fn judged(rule: &LoginRule, lines: &[(&'static str, &'static str)], body: Option<&str>) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_static(value));
    }
    let user = UserName::canonical("welcome-alice".to_owned());
    let answer = Answer {
        status: StatusCode::OK,
        headers: &headers,
        cookies: &[],
        body: body.map(str::as_bytes),
        user: Some(&user),
    };
    judge(rule, &answer) == LoginOutcome::Success
}

/// An answer of a portal that broke on the way.
fn broken() -> Answer<'static> {
    static NO_LINES: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Answer { status, headers: &NO_LINES, cookies: &[], body: Some(b"yes"), user: None }
}

#[test]
fn a_portal_that_broke_says_neither_yes_nor_no_unless_it_does() {
    let text = |text: &str| Outcome { body_contains: Some(text.to_owned()), ..Outcome::default() };
    let yes = rule(text("yes"), Outcome::default());
    assert_eq!(judge(&yes, &broken()), LoginOutcome::Unclear);
    let no = rule(text("no"), Outcome::default());
    assert_eq!(judge(&no, &broken()), LoginOutcome::Unclear);
    let no = rule(text("yes"), text("yes"));
    assert_eq!(judge(&no, &broken()), LoginOutcome::Failure);
}

fn header(mark: HeaderMark) -> Outcome {
    let headers = vec![(http::HeaderName::from_static("x-user"), mark)];
    Outcome { headers, ..Outcome::default() }
}

#[test]
fn a_header_is_there_or_not_or_fits() {
    let one = [("x-user", "alice")];
    let two = [("x-user", "alice"), ("x-user", "alice")];
    let like = || HeaderMark::Like(Glob::new("al*"));
    for (mark, with_none, with_one, with_two) in [
        (HeaderMark::Present, false, true, true),
        (HeaderMark::Absent, true, false, false),
        (like(), false, true, false),
        (HeaderMark::Like(Glob::new("bob")), false, false, false),
    ] {
        let yes = rule(header(mark.clone()), Outcome::default());
        assert_eq!(judged(&yes, &[], None), with_none, "{mark:?}");
        assert_eq!(judged(&yes, &one, None), with_one, "{mark:?}");
        assert_eq!(judged(&yes, &two, None), with_two, "{mark:?}");
    }
    let no = rule(Outcome { status: vec![200], ..Outcome::default() }, header(like()));
    assert!(judged(&no, &[], None) && !judged(&no, &one, None));
}

fn json(place: &str, mark: JsonMark) -> Outcome {
    let json = vec![(JsonPointer::parse(place).unwrap(), mark)];
    Outcome { json, ..Outcome::default() }
}

#[test]
fn a_body_in_json_says_what_it_says_and_no_more() {
    let yes = rule(json("/ok", JsonMark::Bool(true)), Outcome::default());
    assert!(judged(&yes, &[], Some("{\"ok\": true}")));
    for body in [
        "{\"ok\": false}",
        "{\"ok\": \"true\"}",
        "{\"ok\": 1}",
        "{\"x\": {\"ok\": true}}",
        "{\"ok\": true, \"ok\": false}",
        "{\"ok\": true, \"OK\": false}",
        "{\"ok\": true}x",
        "{\"error\": \"\\\",\\\"ok\\\":true\"}",
        "",
    ] {
        assert!(!judged(&yes, &[], Some(body)), "{body}");
    }
    assert!(!judged(&yes, &[], None));
    for (mark, body, holds) in [
        (JsonMark::Present, "{\"ok\": null}", true),
        (JsonMark::Present, "{}", false),
        (JsonMark::Absent, "{}", true),
        (JsonMark::Absent, "{\"ok\": null}", false),
        (JsonMark::Absent, "no json", false),
        (JsonMark::Text("yes".to_owned()), "{\"ok\": \"yes\"}", true),
        (JsonMark::Text("yes".to_owned()), "{\"ok\": \"yes!\"}", false),
        (JsonMark::Number(0.into()), "{\"ok\": 0}", true),
        (JsonMark::Number(0.into()), "{\"ok\": 0.0}", true),
        (JsonMark::Number(0.into()), "{\"ok\": 1}", false),
    ] {
        let yes = rule(json("/ok", mark.clone()), Outcome::default());
        assert_eq!(judged(&yes, &[], Some(body)), holds, "{mark:?} {body}");
    }
    let status = || Outcome { status: vec![200], ..Outcome::default() };
    let no = rule(status(), json("/error", JsonMark::Present));
    assert!(judged(&no, &[], Some("{}")));
    for body in [Some("{\"error\": 1}"), Some("no json"), None] {
        assert!(!judged(&no, &[], body), "{body:?}");
    }
}

#[test]
fn a_text_that_may_be_the_typed_name_says_nothing() {
    let contains =
        |text: &str| Outcome { body_contains: Some(text.to_owned()), ..Outcome::default() };
    let shown = Some("<p>Welcome-Alice is unknown</p>");
    assert!(!judged(&rule(contains("Welcome"), Outcome::default()), &[], shown));
    assert!(judged(&rule(contains("<p>Welcome"), Outcome::default()), &[], shown));
}

#[test]
fn a_step_that_names_the_user_needs_no_mark() {
    let mut step = rule(Outcome::default(), Outcome::default());
    step.step = Step::Name;
    assert!(judged(&step, &[], None));
    assert_eq!(judge(&step, &broken()), LoginOutcome::Unclear);
    step.failure = json("/error", JsonMark::Present);
    assert!(!judged(&step, &[], Some("{\"error\": 1}")));
}
