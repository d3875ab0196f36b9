//! The portal's answer to a login: did it take the password?

use http::{HeaderMap, StatusCode};

use crate::config::login_rule::{LoginRule, Outcome};
use crate::net::set_cookie::CookieChange;

/// What a portal answered, as far as it is judged.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: StatusCode,
    /// All header lines.
    pub headers: &'a HeaderMap,
    /// What its `Set-Cookie` lines change.
    pub cookies: &'a [CookieChange],
    /// The whole body, where the rule asks for it and it was within the limit.
    pub body: Option<&'a [u8]>,
}

/// What a login came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The portal took the password.
    Success,
    /// It did not.
    Failure,
}

/// Judges an answer: every mark of success named has to hold, and none of failure. A mark
/// that cannot be read does not hold; one of failure that cannot be read holds.
pub fn judge(rule: &LoginRule, answer: &Answer<'_>) -> LoginOutcome {
    if answer.status.is_informational() || answer.status.is_server_error() {
        return LoginOutcome::Failure;
    }
    let success = marks(&rule.success, answer);
    let failure = marks(&rule.failure, answer);
    let taken = !success.is_empty()
        && success.iter().all(|mark| *mark == Some(true))
        && failure.iter().all(|mark| *mark == Some(false));
    if taken { LoginOutcome::Success } else { LoginOutcome::Failure }
}

/// Whether each mark that is named holds; nothing for one that cannot be read.
fn marks(outcome: &Outcome, answer: &Answer<'_>) -> Vec<Option<bool>> {
    let mut marks = Vec::new();
    if !outcome.status.is_empty() {
        marks.push(Some(outcome.status.contains(&answer.status.as_u16())));
    }
    let location = single(answer.headers, "location");
    if let Some(pattern) = &outcome.location {
        marks.push(Some(location.is_some_and(|location| pattern.matches(path_of(location)))));
    }
    if let Some(pattern) = &outcome.location_not {
        marks.push(Some(location.is_some_and(|location| !pattern.matches(path_of(location)))));
    }
    if let Some(pattern) = &outcome.set_cookie {
        let set = |change: &CookieChange| change.value.is_some() && pattern.matches(&change.name);
        marks.push(Some(answer.cookies.iter().any(set)));
    }
    if let Some(text) = &outcome.body_contains {
        marks.push(answer.body.map(|body| contains(body, text.as_bytes())));
    }
    marks
}

/// The one value of a header; none when it is missing, doubled or not text.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none());
    value.and_then(|value| value.to_str().ok())
}

/// `/login?x` of `https://wiki.example.com/login?x`, so that patterns speak of paths alone.
fn path_of(location: &str) -> &str {
    let rest = ["https://", "http://"].iter().find_map(|scheme| location.strip_prefix(scheme));
    match rest {
        Some(rest) => rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => location,
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    !text.is_empty() && body.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::{Answer, LoginOutcome, judge};
    use crate::config::login_rule::{LoginRule, Outcome};
    use crate::net::glob::Glob;
    use crate::net::set_cookie::CookieChange;

    fn rule(success: Outcome, failure: Outcome) -> LoginRule {
        LoginRule {
            method: "POST".to_owned(),
            path: "/login".to_owned(),
            form: Vec::new(),
            username_field: "user".to_owned(),
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
            .map(|name| CookieChange {
                name: name.to_owned(),
                value: Some("v".to_owned()),
                path: None,
            })
            .into_iter()
            .collect();
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            cookies: &cookies,
            body: body.map(str::as_bytes),
        };
        assert_eq!(judge(rule, &answer), expected, "{status} {location:?} {cookie:?} {body:?}");
    }

    #[test]
    fn every_mark_of_success_has_to_hold() {
        use LoginOutcome::{Failure, Success};
        let rule = redirect_rule();
        check(&rule, 302, Some("/home"), Some("sid"), None, Success);
        check(&rule, 303, Some("https://a.example/home"), Some("sid"), None, Success);
        check(&rule, 302, Some("/home"), None, None, Failure);
        check(&rule, 302, Some("/home"), Some("other"), None, Failure);
        check(&rule, 302, Some("/login?failed"), Some("sid"), None, Failure);
        check(&rule, 302, Some("http://a.example/login"), Some("sid"), None, Failure);
        check(&rule, 302, None, Some("sid"), None, Failure);
        check(&rule, 200, Some("/home"), Some("sid"), None, Failure);
        check(&rule, 500, Some("/home"), Some("sid"), None, Failure);
    }

    #[test]
    fn any_mark_of_failure_means_no() {
        use LoginOutcome::{Failure, Success};
        let status = Outcome { status: vec![200], ..Outcome::default() };
        let text = Outcome { body_contains: Some("invalid".to_owned()), ..Outcome::default() };
        let rule = rule(status, text);
        check(&rule, 200, None, None, Some("welcome"), Success);
        check(&rule, 200, None, None, Some("an invalid password"), Failure);
        check(&rule, 200, None, None, None, Failure);
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
        let answer =
            Answer { status: StatusCode::FOUND, headers: &headers, cookies: &cookies, body: None };
        assert_eq!(judge(&rule, &answer), LoginOutcome::Failure);
    }
}
