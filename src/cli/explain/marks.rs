//! Each mark of a login's rule by itself, and whether it holds in an answer. The gateway's own
//! judge says so: it is asked about a rule that has this one mark alone.

use super::line::MarkLine;
use super::words::plain;
use crate::config::LoginRule;
use crate::config::login_rule::{HeaderMark, JsonMark, Outcome, Step, UsernameSource};
use crate::identity::{Answer, LoginOutcome, judge};

/// All marks of a rule, and whether they hold.
pub(super) fn of(rule: &LoginRule, answer: &Answer<'_>) -> Vec<MarkLine> {
    let lines = |of: &'static str, outcome: &Outcome| {
        let one = |(mark, alone)| MarkLine { of, mark, holds: holds(alone, answer) };
        single(outcome).into_iter().map(one).collect::<Vec<_>>()
    };
    let mut all = lines("success", &rule.success);
    all.extend(lines("failure", &rule.failure));
    all
}

/// Whether a mark holds, told by what it makes as the only mark of success; nothing when it
/// cannot be read.
fn holds(alone: impl Fn() -> Outcome, answer: &Answer<'_>) -> Option<bool> {
    match judge(&asking(alone()), answer) {
        LoginOutcome::Success => Some(true),
        LoginOutcome::Failure => Some(false),
        LoginOutcome::Unclear => None,
    }
}

fn asking(success: Outcome) -> LoginRule {
    LoginRule {
        method: String::new(),
        path: String::new(),
        form: Vec::new(),
        step: Step::Password,
        username: UsernameSource::Portal,
        success,
        failure: Outcome::default(),
    }
}

/// An outcome that asks for one mark alone, as often as it is needed.
type Alone<'a> = Box<dyn Fn() -> Outcome + 'a>;

/// The marks that are named, each by itself.
fn single(outcome: &Outcome) -> Vec<(String, Alone<'_>)> {
    let mut all = of_head(outcome);
    if let Some(text) = &outcome.body_contains {
        let alone = || Outcome { body_contains: Some(text.clone()), ..Outcome::default() };
        all.push((format!("the body contains '{}'", plain(text)), Box::new(alone)));
    }
    for (pointer, mark) in &outcome.json {
        let alone =
            || Outcome { json: vec![(pointer.clone(), mark.clone())], ..Outcome::default() };
        all.push((format!("{pointer} in the body is {}", json_word(mark)), Box::new(alone)));
    }
    all
}

fn of_head(outcome: &Outcome) -> Vec<(String, Alone<'_>)> {
    let mut all: Vec<(String, Alone<'_>)> = Vec::new();
    if !outcome.status.is_empty() {
        let status: Vec<String> = outcome.status.iter().map(ToString::to_string).collect();
        let alone = || Outcome { status: outcome.status.clone(), ..Outcome::default() };
        all.push((format!("the status is {}", status.join(" or ")), Box::new(alone)));
    }
    if let Some(pattern) = &outcome.location {
        let alone = || Outcome { location: Some(pattern.clone()), ..Outcome::default() };
        all.push((format!("the Location is {}", pattern.as_str()), Box::new(alone)));
    }
    if let Some(pattern) = &outcome.location_not {
        let alone = || Outcome { location_not: Some(pattern.clone()), ..Outcome::default() };
        let mark = format!("there is a Location and it is not {}", pattern.as_str());
        all.push((mark, Box::new(alone)));
    }
    if let Some(pattern) = &outcome.set_cookie {
        let alone = || Outcome { set_cookie: Some(pattern.clone()), ..Outcome::default() };
        all.push((format!("a cookie {} is set", pattern.as_str()), Box::new(alone)));
    }
    for (name, mark) in &outcome.headers {
        let alone =
            || Outcome { headers: vec![(name.clone(), mark.clone())], ..Outcome::default() };
        all.push((format!("the header {name} is {}", header_word(mark)), Box::new(alone)));
    }
    all
}

fn header_word(mark: &HeaderMark) -> String {
    match mark {
        HeaderMark::Present => "there".to_owned(),
        HeaderMark::Absent => "not there".to_owned(),
        HeaderMark::Like(pattern) => pattern.as_str().to_owned(),
    }
}

fn json_word(mark: &JsonMark) -> String {
    match mark {
        JsonMark::Present => "there".to_owned(),
        JsonMark::Absent => "not there".to_owned(),
        JsonMark::Text(text) => format!("'{}'", plain(text)),
        JsonMark::Number(number) => number.to_string(),
        JsonMark::Bool(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::of;
    use crate::config::LoginRule;
    use crate::config::login_rule::Outcome;
    use crate::identity::Answer;

    #[test]
    fn each_mark_is_told_by_itself() {
        let success = Outcome {
            status: vec![200, 302],
            body_contains: Some("welcome".to_owned()),
            ..Outcome::default()
        };
        let failure = Outcome { body_contains: Some("wrong".to_owned()), ..Outcome::default() };
        let rule = LoginRule { failure, ..super::asking(success) };
        let told = |body: Option<&'static str>| {
            let headers = HeaderMap::new();
            let body = body.map(str::as_bytes);
            let status = StatusCode::OK;
            let answer = Answer { status, headers: &headers, cookies: &[], body, user: None };
            let lines = of(&rule, &answer).into_iter();
            lines.map(|line| (line.of, line.holds)).collect::<Vec<_>>()
        };
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(told(Some("welcome")), [("success", yes), ("success", yes), ("failure", no)]);
        assert_eq!(told(Some("wrong")), [("success", yes), ("success", no), ("failure", yes)]);
        assert_eq!(told(None), [("success", yes), ("success", None), ("failure", None)]);
    }
}
