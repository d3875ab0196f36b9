//! Login rules: which request is a login, and which answer says that the password was right.

use super::{all, identity, optional, path, some};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_identity::{LocationFile, LoginFile, LoginRequestFile, OutcomeFile};
use crate::config::identity::{LoginRule, Outcome};
use crate::config::key_path::KeyPath;
use crate::config::named::Named;
use crate::net::glob::Glob;

/// All addresses at which a portal takes a password.
pub(super) fn logins(
    written: Option<List<LoginFile>>,
    at: &KeyPath,
    prefix: Option<&str>,
    findings: &mut Findings,
) -> Option<Vec<LoginRule>> {
    let mend = "describe the request with which the portal's login form sends a password";
    let written = some(written, at, mend, findings)?;
    let checked = written.into_iter().map(|(at, written)| login(written, &at, prefix, findings));
    all(checked.collect())
}

fn login(
    written: LoginFile,
    at: &KeyPath,
    prefix: Option<&str>,
    findings: &mut Findings,
) -> Option<LoginRule> {
    let request_at = at.key("request");
    let mend = "say which request it is: { method: POST, path: /login }";
    let request = findings.required(&request_at, written.request, mend);
    let request = request.and_then(|written| request_rule(written, &request_at, prefix, findings));
    let name_at = at.key("username");
    let mend = "name the form field: { form: username }";
    let field = findings.required(&name_at, written.username, mend);
    let field = field.and_then(|written| {
        required_text(written.form, &name_at.key("form"), "name the form field", findings)
    });
    let success_at = at.key("success");
    let mend = "say what the answer to a right password looks like, and to a wrong one does not";
    let success = findings.required(&success_at, written.success, mend);
    let success = success.and_then(|written| outcome(written, &success_at, findings));
    let failure =
        optional(written.failure, |written| outcome(written, &at.key("failure"), findings));
    let failure = failure.map(Option::unwrap_or_default);
    if let Some(success) = &success {
        warn_of_weak_success(success, failure.as_ref(), &success_at, findings);
    }
    let (method, path, form) = request?;
    let (success, failure) = (success?, failure?);
    Some(LoginRule { method, path, form, username_field: field?, success, failure })
}

type RequestRule = (String, String, Vec<(String, String)>);

fn request_rule(
    written: LoginRequestFile,
    at: &KeyPath,
    prefix: Option<&str>,
    findings: &mut Findings,
) -> Option<RequestRule> {
    let method = method(written.method, &at.key("method"), findings);
    let place = at.key("path");
    let path = findings.required(&place, written.path, "write the path that takes the password");
    let path = path.and_then(|text| path::exact_path(&text, &place, findings));
    path::refuse_hidden(path.as_deref(), prefix, &place, findings);
    Some((method?, path?, fields(written.form)?))
}

fn method(written: Option<String>, at: &KeyPath, findings: &mut Findings) -> Option<String> {
    let method = findings.required(at, written, "write POST")?;
    if matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
        return Some(method);
    }
    let upper = method.to_ascii_uppercase();
    let mend = if matches!(upper.as_str(), "PUT" | "PATCH") { upper } else { "POST".to_owned() };
    findings.fault(at, "is no method that sends a form in its body", format!("write {mend}"));
    None
}

/// Names and values as they are. Nothing when a value was found wrong before.
pub(super) fn fields(written: Option<Named<String>>) -> Option<Vec<(String, String)>> {
    let Named(fields) = written.unwrap_or_default();
    fields.into_iter().map(|(name, value)| Some((name, value?))).collect()
}

/// Checks the marks of an answer. One that names none is a fault: as a success it would
/// be met by nothing, as a failure it would say nothing.
fn outcome(written: OutcomeFile, at: &KeyPath, findings: &mut Findings) -> Option<Outcome> {
    let names_none = written.status.is_none()
        && written.location.is_none()
        && written.set_cookie.is_none()
        && written.body.is_none();
    if names_none && !findings.knows_fault_within(at) {
        let mend = "name at least one of status, location, set_cookie and body";
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
    let (location, location_not) = location?.unwrap_or_default();
    Some(Outcome {
        status: status?.unwrap_or_default(),
        location,
        location_not,
        set_cookie: set_cookie?,
        body_contains: body_contains?,
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
fn warn_of_weak_success(
    success: &Outcome,
    failure: Option<&Outcome>,
    at: &KeyPath,
    findings: &mut Findings,
) {
    let has_failure = failure.is_none_or(|failure| {
        !failure.status.is_empty()
            || failure.location.is_some()
            || failure.location_not.is_some()
            || failure.set_cookie.is_some()
            || failure.body_contains.is_some()
    });
    let has_location = success.location.is_some() || success.location_not.is_some();
    let is_sure = has_failure
        || has_location
        || success.body_contains.is_some()
        || (!success.status.is_empty() && !success.status.contains(&200));
    if !is_sure {
        let what = "may also be met by the answer to a wrong password";
        findings.warn(at, what, "add location or body, or describe the failure");
    }
}

/// A path that shows other pages too, told apart by the query, often takes other forms too.
pub(super) fn warn_of_shared_path(
    logins: Option<&[LoginRule]>,
    login_url: Option<&str>,
    identity: &KeyPath,
    findings: &mut Findings,
) {
    let Some((path, _)) = login_url.and_then(|url| url.split_once('?')) else {
        return;
    };
    for (index, login) in logins.unwrap_or_default().iter().enumerate() {
        if login.path == path && login.form.is_empty() {
            findings.warn(
                &identity.key("logins").index(index).key("request"),
                format!("lets every {} to {path} through as a login", login.method),
                "add form with a field that only the login form has",
            );
        }
    }
}
