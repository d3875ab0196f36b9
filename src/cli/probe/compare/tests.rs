//! Pairs of answers, and what tells them apart.

use http::{HeaderMap, StatusCode};
use serde_json::json;
use url::Url;

use super::{Marks, compare};
use crate::cli::http::Page;
use crate::cli::probe::written::Mark;
use crate::clock::UnixMillis;
use crate::net::set_cookie;

fn answer(status: u16, lines: &[(&'static str, &str)], body: &str) -> Page {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    let cookies = set_cookie::changes(&headers, UnixMillis::from_seconds(1_800_000_000));
    Page {
        url: Url::parse("http://wiki.test/login").unwrap(),
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        cookies,
        body: body.as_bytes().to_vec(),
    }
}

fn success(marks: &Marks) -> Vec<Mark> {
    marks.success.iter().map(|mark| mark.value.clone()).collect()
}

#[test]
fn a_redirect_with_a_session_is_told_from_the_form_again() {
    let wrong = answer(200, &[("set-cookie", "pre=1")], "<input type=password>");
    let right = [("location", "/home"), ("set-cookie", "pre=2"), ("set-cookie", "sid=3")];
    let marks = compare(&wrong, &answer(302, &right, ""), "/login");
    assert_eq!(success(&marks), [Mark::Status(302), Mark::SetCookie("sid".to_owned())]);
    assert!(marks.failure.is_empty());
}

#[test]
fn a_cookie_that_is_removed_is_not_set() {
    let wrong = answer(403, &[("set-cookie", "sid=x; Max-Age=0")], "");
    let right = answer(302, &[("location", "/"), ("set-cookie", "sid=3")], "");
    let marks = compare(&wrong, &right, "/login");
    assert_eq!(success(&marks), [Mark::Status(302), Mark::SetCookie("sid".to_owned())]);
}

#[test]
fn two_redirects_are_told_by_where_they_lead() {
    let check = |wrong: &str, right: &str, expected: Mark| {
        let marks = compare(
            &answer(302, &[("location", wrong)], ""),
            &answer(302, &[("location", right)], ""),
            "/login",
        );
        assert_eq!(success(&marks), [Mark::Status(302), expected], "{wrong} {right}");
        assert!(marks.failure.is_empty());
    };
    check("/login?error=1", "/home", Mark::LocationNot("/login*".to_owned()));
    check("http://wiki.test/login", "/", Mark::LocationNot("/login*".to_owned()));
    check("/", "/home", Mark::Location("/home*".to_owned()));
    check("/?error=7", "/", Mark::LocationNot("/?error*".to_owned()));
    check("/", "/?welcome", Mark::Location("/?welcome".to_owned()));
}

#[test]
fn a_token_in_the_answer_is_the_session() {
    let right = json!({ "user": "alice", "data": { "access_token": "0123456789abcdef0123" } });
    let marks = compare(
        &answer(401, &[], &json!({ "error": "wrong" }).to_string()),
        &answer(200, &[], &right.to_string()),
        "/",
    );
    assert_eq!(marks.bearer.as_ref().unwrap().value, "/data/access_token");
    let present = Mark::Json("/data/access_token".to_owned(), None);
    assert_eq!(success(&marks), [Mark::Status(200), present]);
}

#[test]
fn a_flag_in_the_answer_is_a_mark() {
    let marks = compare(
        &answer(200, &[], &json!({ "ok": false, "n": 1 }).to_string()),
        &answer(200, &[], &json!({ "ok": true, "n": 2 }).to_string()),
        "/",
    );
    assert_eq!(success(&marks)[1], Mark::Json("/ok".to_owned(), Some(json!(true))));
}

#[test]
fn the_form_that_comes_again_is_a_failure_in_every_language() {
    let form = "<form method=post><input name=\"u\"><input type=\"password\" name=\"pw\"></form>";
    let wrong = answer(200, &[], &format!("<p>Falsches Kennwort</p>{form}"));
    let marks = compare(&wrong, &answer(200, &[], "<p>Willkommen</p>"), "/login");
    let failure: Vec<&Mark> = marks.failure.iter().map(|mark| &mark.value).collect();
    assert_eq!(failure, [&Mark::Body("name=\"pw\"".to_owned())]);
}

#[test]
fn texts_are_the_last_resort_and_hold_no_number() {
    let wrong = answer(200, &[], "<p>Access denied</p><i>token 1234567</i>");
    let marks = compare(&wrong, &answer(200, &[], "<p>Hi</p><i>token 7654321</i>"), "/login");
    assert_eq!(marks.failure[0].value, Mark::Body("Access denied".to_owned()));
}

#[test]
fn the_same_answer_has_no_mark_that_counts() {
    let page = answer(200, &[], "<p>Thank you</p>");
    let marks = compare(&page, &page.clone(), "/login");
    assert_eq!(success(&marks), [Mark::Status(200)]);
    assert!(marks.failure.is_empty());
}
