//! What tells the answer to a right password from that to a wrong one. A mark is worth most
//! where it holds for one alone: status, then Location, cookies, JSON, and text last.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::page::Html;
use super::written::{Mark, Told};
use crate::cli::http::Page;

/// Marks of both answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// All of these hold for the right password, and not all for the wrong one.
    pub(super) success: Vec<Told<Mark>>,
    /// Any of these holds for the wrong password alone.
    pub(super) failure: Vec<Told<Mark>>,
    /// Where the answer carries the portal's session for scripts.
    pub(super) bearer: Option<Told<String>>,
}

/// Compares the answers. `form_path` is where the login page is.
pub(super) fn compare(wrong: &Page, right: &Page, form_path: &str) -> Marks {
    let mut marks = Marks::default();
    status(wrong, right, &mut marks);
    set_cookie(wrong, right, &mut marks);
    location(wrong, right, form_path, &mut marks);
    json(wrong, right, &mut marks);
    if !tells(&marks, wrong, right) {
        text(wrong, right, &mut marks);
    }
    marks
}

fn status(wrong: &Page, right: &Page, marks: &mut Marks) {
    let status = right.status.as_u16();
    let why = if wrong.status == right.status {
        "a wrong password gets the same, so this alone says nothing".to_owned()
    } else {
        format!("a wrong password gets {}", wrong.status.as_u16())
    };
    marks.success.push(Told::new(Mark::Status(status), why));
}

fn location(wrong: &Page, right: &Page, form_path: &str, marks: &mut Marks) {
    let Some(to) = right.leads_to() else { return };
    let to = target(&to);
    let path = path_of(&to).to_owned();
    let wrong_to = wrong.leads_to().map(|url| target(&url));
    let Some(wrong_to) = wrong_to else {
        // Later failures, such as a locked account, may lead back to the form; but so may a
        // success that has more to say, where a cookie tells them apart already.
        let has_cookie = marks.success.iter().any(|mark| matches!(mark.value, Mark::SetCookie(_)));
        if !has_cookie && form_path.len() > 1 && !to.starts_with(form_path) {
            let why = "no way back to the login page";
            marks.success.push(Told::new(Mark::LocationNot(format!("{form_path}*")), why));
        }
        return;
    };
    let wrong_path = path_of(&wrong_to).to_owned();
    if wrong_path != "/" && !to.starts_with(&wrong_path) {
        let why = "where a wrong password leads";
        marks.success.push(Told::new(Mark::LocationNot(format!("{wrong_path}*")), why));
    } else if path != "/" && !wrong_to.starts_with(&path) {
        let why = format!("a wrong password leads to {wrong_path}");
        marks.success.push(Told::new(Mark::Location(format!("{path}*")), why));
    } else if to != wrong_to {
        let (pattern, is_not) = apart(&to, &wrong_to);
        let why = "a wrong password leads to the same path with another query";
        let mark = if is_not { Mark::LocationNot(pattern) } else { Mark::Location(pattern) };
        marks.success.push(Told::new(mark, why));
    }
}

/// A pattern that tells two targets of one path apart, and whether it is the wrong one's.
fn apart(to: &str, wrong_to: &str) -> (String, bool) {
    let key = |target: &str| {
        let (path, query) = target.split_once('?')?;
        Some(format!("{path}?{}*", query.split(['=', '&']).next()?))
    };
    match key(wrong_to).filter(|pattern| !crate::net::glob::Glob::new(pattern).matches(to)) {
        Some(pattern) => (pattern, true),
        None => match wrong_to.contains('?') {
            true => (wrong_to.to_owned(), true),
            false => (to.to_owned(), false),
        },
    }
}

fn set_cookie(wrong: &Page, right: &Page, marks: &mut Marks) {
    let set = |page: &Page| -> Vec<String> {
        let kept = page.cookies.iter().filter(|change| change.value.is_some());
        kept.map(|change| super::cookies::pattern(&change.name, &page.url)).collect()
    };
    let of_wrong = set(wrong);
    let mut only: Vec<String> =
        set(right).into_iter().filter(|name| !of_wrong.contains(name)).collect();
    // What says "session" or "auth" is more likely to be set at every login than a greeting.
    only.sort_by_key(|name| !super::cookies::sounds_like_a_session(name));
    if let Some(name) = only.into_iter().next() {
        let why = "no such cookie is set for a wrong password";
        marks.success.push(Told::new(Mark::SetCookie(name), why));
    }
}

const TOKENS: &[&str] =
    &["access_token", "accesstoken", "token", "jwt", "id_token", "auth_token", "authtoken"];

fn json(wrong: &Page, right: &Page, marks: &mut Marks) {
    let Some(of_right) = scalars(right) else { return };
    let of_wrong = scalars(wrong).unwrap_or_default();
    let is_token = |pointer: &str, value: &Value| {
        let key = pointer.rsplit('/').next().unwrap_or_default().to_lowercase();
        TOKENS.contains(&key.as_str()) && value.as_str().is_some_and(|text| text.len() >= 16)
    };
    let token = TOKENS.iter().find_map(|wanted| {
        let found = of_right.iter().filter(|(pointer, value)| is_token(pointer, value));
        let mut found = found.map(|(pointer, _)| pointer);
        found.find(|pointer| pointer.to_lowercase().ends_with(&format!("/{wanted}")))
    });
    if let Some(pointer) = token.filter(|pointer| !of_wrong.contains_key(*pointer)) {
        let why = "the answer carries a token, which the portal's scripts send from then on";
        marks.bearer = Some(Told::new(pointer.clone(), why));
        let why = "no token for a wrong password";
        marks.success.push(Told::new(Mark::Json(pointer.clone(), None), why));
        return;
    }
    let flag = of_right.iter().find(|(pointer, value)| {
        value.is_boolean() && of_wrong.get(*pointer).is_some_and(|other| other != *value)
    });
    let word = || {
        of_right.iter().find(|(pointer, value)| {
            let short = value.as_str().is_some_and(|text| text.len() <= 16);
            short && of_wrong.get(*pointer).is_some_and(|other| other != *value)
        })
    };
    if let Some((pointer, value)) = flag.or_else(word) {
        let why = "a wrong password gets another value";
        marks.success.push(Told::new(Mark::Json(pointer.clone(), Some(value.clone())), why));
    } else if let Some((pointer, _)) =
        of_right.iter().find(|(pointer, _)| !of_wrong.contains_key(*pointer))
    {
        let why = "not in the answer to a wrong password";
        marks.success.push(Told::new(Mark::Json(pointer.clone(), None), why));
    }
}

/// All values of a JSON answer that hold no others, by their pointers.
pub(super) fn scalars(page: &Page) -> Option<BTreeMap<String, Value>> {
    let value: Value = serde_json::from_slice(&page.body).ok()?;
    let mut found = BTreeMap::new();
    collect(&value, String::new(), 4, &mut found);
    (value.is_object() || value.is_array()).then_some(found)
}

fn collect(value: &Value, pointer: String, depth: u8, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if depth > 0 => {
            for (key, value) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(value, format!("{pointer}/{key}"), depth - 1, found);
            }
        }
        Value::Object(_) | Value::Array(_) => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.insert(pointer, value.clone());
        }
    }
}

/// Whether the marks so far tell the answers apart.
fn tells(marks: &Marks, wrong: &Page, right: &Page) -> bool {
    wrong.status != right.status
        || marks.success.iter().any(|mark| match mark.value {
            Mark::Status(_) => false,
            // A cookie may be set for every new visitor; the other marks are the login's own.
            Mark::SetCookie(_) => right.leads_to().is_some(),
            Mark::Location(_) | Mark::LocationNot(_) | Mark::Json(..) | Mark::Body(_) => true,
        })
}

/// Both answers are pages with the same status: the form that comes again is the best sign
/// of a wrong password, since it is the same in every language.
fn text(wrong: &Page, right: &Page, marks: &mut Marks) {
    let (wrong_text, right_text) = (wrong.text(), right.text());
    let only_wrong = |text: &String| wrong_text.contains(text) && !right_text.contains(text);
    let field =
        Html::read(&wrong_text).forms.iter().flat_map(|form| &form.fields).find_map(|field| {
            let is_password = field.kind == super::page::Kind::Password;
            let quoted = [format!("name=\"{}\"", field.name), format!("name='{}'", field.name)];
            quoted.into_iter().filter(|_| is_password).find(only_wrong)
        });
    let kinds = ["type=\"password\"", "type='password'", "type=password"];
    let kind = || kinds.map(str::to_owned).into_iter().find(only_wrong);
    if let Some(text) = field.or_else(kind) {
        let why = "a wrong password gets the form again";
        marks.failure.push(Told::new(Mark::Body(text), why));
        return;
    }
    if let Some(line) = line_of_one(&wrong_text, &right_text) {
        let why = "stands in the answer to a wrong password alone; mind other languages";
        marks.failure.push(Told::new(Mark::Body(line), why));
    } else if let Some(line) = line_of_one(&right_text, &wrong_text) {
        let why = "stands in the answer to a right password alone; mind other languages";
        marks.success.push(Told::new(Mark::Body(line), why));
    }
}

/// A piece of text that one page has and the other has not: without digits or quotes, since
/// those change, and the shorter the better.
fn line_of_one(one: &str, other: &str) -> Option<String> {
    let pieces = one.split(['<', '>', '\n', '"', '\'']).map(str::trim);
    let fit = pieces.filter(|piece| {
        (6..=80).contains(&piece.len())
            && piece.chars().all(|sign| sign.is_alphabetic() || " .,-_".contains(sign))
            && !other.contains(piece)
    });
    fit.min_by_key(|piece| piece.len()).map(str::to_owned)
}

/// The path and query of an address.
fn target(url: &Url) -> String {
    url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

#[cfg(test)]
mod tests;
