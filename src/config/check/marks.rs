//! Marks of an answer to a login: which say that the password was right, and which that not.

use http::HeaderName;

use super::{all, identity, optional, some};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_login::{LocationFile, OutcomeFile, ScalarFile};
use crate::config::key_path::KeyPath;
use crate::config::login_rule::{HeaderMark, JsonMark, Outcome};
use crate::config::named::Named;
use crate::net::glob::Glob;
use crate::net::json::JsonPointer;

/// Checks the marks of an answer. One that names none is a fault: as a success it would
/// be met by nothing, as a failure it would say nothing.
pub(super) fn outcome(
    written: OutcomeFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Outcome> {
    let names_none = written.status.is_none()
        && written.location.is_none()
        && written.set_cookie.is_none()
        && written.header.is_none()
        && written.body.is_none()
        && written.json.is_none();
    if names_none && !findings.knows_fault_within(at) {
        let mend = "name at least one of status, location, set_cookie, header, body and json";
        findings.fault(at, "names no mark of an answer", mend);
    }
    let status = optional(written.status, |list| status(list, &at.key("status"), findings));
    let location =
        optional(written.location, |written| location(written, &at.key("location"), findings));
    let set_cookie = optional(written.set_cookie, |text| {
        identity::cookie_pattern(&text, &at.key("set_cookie"), findings)
    });
    let body_contains = optional(written.body, |body| {
        let mend = "write a text that such an answer holds";
        required_text(body.contains, &at.key("body").key("contains"), mend, findings)
    });
    let headers = optional(written.header, |named| headers(named, &at.key("header"), findings));
    let json = optional(written.json, |named| json(named, &at.key("json"), findings));
    let (location, location_not) = location?.unwrap_or_default();
    Some(Outcome {
        status: status?.unwrap_or_default(),
        location,
        location_not,
        set_cookie: set_cookie?,
        headers: headers?.unwrap_or_default(),
        body_contains: body_contains?,
        json: json?.unwrap_or_default(),
    })
}

fn status(written: List<u64>, at: &KeyPath, findings: &mut Findings) -> Option<Vec<u16>> {
    let show = |status: u64| status.to_string();
    let written = some(Some(written), at, "write status codes, such as [302, 303]", findings)?;
    let checked = written.into_iter().map(|(at, status)| {
        let status = findings.in_range(&at, status, 200..=599, show)?;
        u16::try_from(status).ok()
    });
    all(checked.collect())
}

/// The pattern to match, and the one not to match: one of the two.
fn location(
    written: LocationFile,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<(Option<Glob>, Option<Glob>)> {
    let mend = "write a pattern, such as /login*";
    match written {
        LocationFile::Is(text) => {
            let text = required_text(Some(text), at, mend, findings)?;
            Some((Some(Glob::new(text)), None))
        }
        LocationFile::Not(text) => {
            let text = required_text(text, &at.key("not"), mend, findings)?;
            Some((None, Some(Glob::new(text))))
        }
    }
}

fn headers(
    written: Named<String>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Vec<(HeaderName, HeaderMark)>> {
    let mend = "name a header line: { X-User: present }";
    let checked = named(written, at, mend, findings)?.into_iter().map(|(name, at, text)| {
        let Ok(name) = HeaderName::try_from(name) else {
            findings.fault(&at, "is no name of a header line", mend);
            return None;
        };
        let mark =
            match required_text(Some(text), &at, "write present, absent or a pattern", findings)?
                .as_str()
            {
                "present" => HeaderMark::Present,
                "absent" => HeaderMark::Absent,
                pattern => HeaderMark::Like(Glob::new(pattern)),
            };
        Some((name, mark))
    });
    all(checked.collect())
}

fn json(
    written: Named<ScalarFile>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Vec<(JsonPointer, JsonMark)>> {
    let mend = "name a place in the answer: { /ok: true }";
    let checked = named(written, at, mend, findings)?.into_iter().map(|(place, at, scalar)| {
        let pointer = pointer(&place, &at, findings)?;
        let mark = match scalar {
            ScalarFile::Text(word) if word == "present" => JsonMark::Present,
            ScalarFile::Text(word) if word == "absent" => JsonMark::Absent,
            ScalarFile::Text(text) => JsonMark::Text(text),
            ScalarFile::Number(number) => JsonMark::Number(number),
            ScalarFile::Bool(value) => JsonMark::Bool(value),
        };
        Some((pointer, mark))
    });
    all(checked.collect())
}

/// The entries of a mapping that has to have one, each with its place.
fn named<T>(
    Named(written): Named<T>,
    at: &KeyPath,
    mend: &str,
    findings: &mut Findings,
) -> Option<Vec<(String, KeyPath, T)>> {
    if written.is_empty() {
        findings.fault(at, "is empty", mend);
        return None;
    }
    let placed = written.into_iter().map(|(name, value)| {
        let place = at.key(&name);
        Some((name, place, value?))
    });
    all(placed.collect())
}

/// A place in JSON.
pub(super) fn pointer(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<JsonPointer> {
    let pointer = JsonPointer::parse(text);
    if pointer.is_none() {
        let mend = "write the keys on the way, each after a slash: /user/name";
        findings.fault(at, "is no JSON pointer (RFC 6901)", mend);
    }
    pointer
}

/// A text that is there and not empty.
pub(super) fn required_text(
    written: Option<String>,
    at: &KeyPath,
    mend: &str,
    findings: &mut Findings,
) -> Option<String> {
    let text = findings.required(at, written, mend)?;
    if text.is_empty() {
        findings.fault(at, "is empty", mend);
        return None;
    }
    Some(text)
}

/// Most portals answer a wrong password with 200 and the form again, and many set a
/// session cookie on any request.
pub(super) fn warn_of_weak_success(
    success: &Outcome,
    failure: Option<&Outcome>,
    at: &KeyPath,
    findings: &mut Findings,
) {
    let names_a_header = |(_, mark): &(HeaderName, HeaderMark)| *mark != HeaderMark::Absent;
    let names_a_value = |(_, mark): &(JsonPointer, JsonMark)| *mark != JsonMark::Absent;
    let is_sure = failure.is_none_or(|failure| !failure.is_empty())
        || success.location.is_some()
        || success.location_not.is_some()
        || success.body_contains.is_some()
        || success.headers.iter().any(names_a_header)
        || success.json.iter().any(names_a_value)
        || (!success.status.is_empty() && !success.status.contains(&200));
    if !is_sure {
        let what = "may also be met by the answer to a wrong password";
        findings.warn(at, what, "add location, body or json, or describe the failure");
    }
}
