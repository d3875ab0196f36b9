//! The portal's answer to a login: did it take the password?

use http::{HeaderMap, StatusCode};

use super::form::is_reading_of;
use crate::config::login_rule::{HeaderMark, JsonMark, LoginRule, Outcome, Step};
use crate::net::json::{self, Found};
use crate::net::set_cookie::CookieChange;
use crate::user::UserName;

/// The most of an answer's body that is held to judge it, in bytes.
pub const LONGEST_JUDGED: usize = 1024 * 1024;

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
    /// Whose login it answers, where the request says so.
    pub user: Option<&'a UserName>,
}

/// What a login came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The portal took the password.
    Success,
    /// It did not.
    Failure,
    /// It may have: nothing that can be read says no, but not all of it can be read.
    Unclear,
}

/// Judges an answer: every mark of success named has to hold, and none of failure. A step that
/// only names the user may ask for no mark of success.
pub fn judge(rule: &LoginRule, answer: &Answer<'_>) -> LoginOutcome {
    let success = marks(&rule.success, answer);
    let failure = marks(&rule.failure, answer);
    let is_asked = !success.is_empty() || rule.step == Step::Name;
    if !is_asked || failure.contains(&Some(true)) {
        return LoginOutcome::Failure;
    }
    // A portal that broke may have taken the password before.
    if answer.status.is_informational() || answer.status.is_server_error() {
        return LoginOutcome::Unclear;
    }
    match (success.contains(&Some(false)), [success, failure].concat().contains(&None)) {
        (true, _) => LoginOutcome::Failure,
        (false, true) => LoginOutcome::Unclear,
        (false, false) => LoginOutcome::Success,
    }
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
    let says = |(name, mark)| Some(header_says(answer.headers, name, mark));
    marks.extend(outcome.headers.iter().map(|(name, mark)| says((name.as_str(), mark))));
    if let Some(text) = &outcome.body_contains {
        let body = answer.body.filter(|_| !is_part_of_name(text, answer.user));
        marks.push(body.map(|body| contains(body, text.as_bytes())));
    }
    for (pointer, mark) in &outcome.json {
        let found = answer.body.and_then(|body| json::find(body, pointer, is_reading_of).ok());
        marks.push(found.map(|found| json_says(&found, mark)));
    }
    marks
}

/// Whether a text may stand in the answer only because somebody typed it as a name, which
/// many portals show again. Then it says nothing.
fn is_part_of_name(text: &str, user: Option<&UserName>) -> bool {
    user.is_some_and(|user| user.as_str().to_lowercase().contains(&text.trim().to_lowercase()))
}

fn header_says(headers: &HeaderMap, name: &str, mark: &HeaderMark) -> bool {
    match mark {
        HeaderMark::Present => headers.contains_key(name),
        HeaderMark::Absent => !headers.contains_key(name),
        HeaderMark::Like(pattern) => {
            single(headers, name).is_some_and(|text| pattern.matches(text))
        }
    }
}

fn json_says(found: &Found<'_>, mark: &JsonMark) -> bool {
    match (mark, found) {
        (JsonMark::Present, found) => *found != Found::Absent,
        (JsonMark::Absent, found) => *found == Found::Absent,
        (JsonMark::Text(wanted), Found::Text(text)) => wanted == text,
        (JsonMark::Number(wanted), Found::Number(number)) => {
            wanted == number || wanted.as_f64() == number.as_f64()
        }
        (JsonMark::Bool(wanted), Found::Bool(value)) => wanted == value,
        (JsonMark::Text(_) | JsonMark::Number(_) | JsonMark::Bool(_), _) => false,
    }
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
mod tests;
