//! Login rules: which request is a login, and which answer says that the password was right.

use super::marks::{outcome, pointer, required_text, warn_of_weak_success};
use super::{all, optional, path, some};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_login::{LoginFile, LoginRequestFile, StepFile, UsernameFieldFile};
use crate::config::identity::UsernameRule;
use crate::config::key_path::KeyPath;
use crate::config::login_rule::{LoginRule, Outcome, Step, UsernameSource};
use crate::config::named::Named;
use crate::user::UserName;

/// What a login may lean on elsewhere in the portal's identity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'a> {
    /// Where the pages of Portcullis are.
    pub(super) prefix: Option<&'a str>,
    /// What a name has to look like; nothing where that was found wrong.
    pub(super) names: Option<&'a UsernameRule>,
    /// Whether the portal itself is asked, at `whoami`, who a session belongs to.
    pub(super) is_asked: bool,
    /// Whether the portal itself names the user in its login's answer, by `announce`.
    pub(super) announces: bool,
}

/// All addresses at which a portal takes a password.
pub(super) fn logins(
    written: Option<List<LoginFile>>,
    at: &KeyPath,
    around: Around<'_>,
    findings: &mut Findings,
) -> Option<Vec<LoginRule>> {
    let mend = "describe the request with which the portal's login form sends a password";
    let written = some(written, at, mend, findings)?;
    let places: Vec<KeyPath> = written.iter().map(|(at, _)| at.clone()).collect();
    let checked = written.into_iter().map(|(at, written)| login(written, &at, around, findings));
    let logins = all(checked.collect())?;
    steps_follow(&logins, &places, findings);
    Some(logins)
}

fn login(
    written: LoginFile,
    at: &KeyPath,
    around: Around<'_>,
    findings: &mut Findings,
) -> Option<LoginRule> {
    let request_at = at.key("request");
    let mend = "say which request it is: { method: POST, path: /login }";
    let request = findings.required(&request_at, written.request, mend);
    let request =
        request.and_then(|written| request_rule(written, &request_at, around.prefix, findings));
    let step = match written.step {
        Some(StepFile::Name) => Step::Name,
        None => Step::Password,
    };
    let source = username(written.username, step, &at.key("username"), around, findings);
    let success_at = at.key("success");
    let success = match (written.success, step) {
        (None, Step::Name) if !findings.knows_fault_within(&success_at) => Some(Outcome::default()),
        (success, _) => {
            let mend =
                "say what the answer to a right password looks like, and to a wrong one does not";
            let success = findings.required(&success_at, success, mend);
            success.and_then(|written| outcome(written, &success_at, findings))
        }
    };
    let failure =
        optional(written.failure, |written| outcome(written, &at.key("failure"), findings));
    let failure = failure.map(Option::unwrap_or_default);
    if let (Some(success), Step::Password) = (&success, step) {
        warn_of_weak_success(success, failure.as_ref(), &success_at, findings);
    }
    let (method, path, form) = request?;
    let username = source?;
    if matches!(username, UsernameSource::Json(_)) && !form.is_empty() {
        let mend = "remove form, or name the user by { form: FIELD }";
        let what = "asks for a form, while the user is named in a JSON body";
        findings.fault(&request_at.key("form"), what, mend);
        return None;
    }
    Some(LoginRule { method, path, form, step, username, success: success?, failure: failure? })
}

/// Where the name is: one place, or none where the portal says it.
fn username(
    written: Option<UsernameFieldFile>,
    step: Step,
    at: &KeyPath,
    around: Around<'_>,
    findings: &mut Findings,
) -> Option<UsernameSource> {
    let mend =
        "name the form field, { form: username }, or the place in a JSON body, { json: /user }";
    if written.is_none() && (around.is_asked || around.announces) && step == Step::Password {
        return (!findings.knows_fault_within(at)).then_some(UsernameSource::Portal);
    }
    let written = findings.required(at, written, mend)?;
    let (form_at, multipart_at) = (at.key("form"), at.key("multipart"));
    let named = [
        written.form.map(|field| {
            let field = required_text(Some(field), &form_at, "name the form field", findings);
            field.map(UsernameSource::Form)
        }),
        written.multipart.map(|field| {
            let field = required_text(Some(field), &multipart_at, "name the form field", findings);
            field.map(UsernameSource::Form)
        }),
        written
            .json
            .map(|text| pointer(&text, &at.key("json"), findings).map(UsernameSource::Json)),
        written.fixed.map(|name| fixed(&name, &at.key("fixed"), around.names, findings)),
        written.remembered.map(|given| remembered(given, step, &at.key("remembered"), findings)),
    ];
    let mut named = named.into_iter().flatten();
    let Some(source) = named.next() else {
        if !findings.knows_fault_within(at) {
            findings.fault(at, "names no place", mend);
        }
        return None;
    };
    if named.next().is_some() {
        let mend = "keep one; a path that takes bodies of two kinds has a login for each";
        findings.fault(at, "names the user in more than one place", mend);
        return None;
    }
    source
}

fn fixed(
    name: &str,
    at: &KeyPath,
    names: Option<&UsernameRule>,
    findings: &mut Findings,
) -> Option<UsernameSource> {
    let names = names?;
    let folded = if names.fold_case { name.to_lowercase() } else { name.to_owned() };
    if folded != name || !names.pattern.is_match(name) || name.chars().any(char::is_control) {
        let mend = "choose another, or change username.case or username.pattern";
        findings.fault(at, "is no canonical name at this portal", mend);
        return None;
    }
    Some(UsernameSource::Fixed(UserName::canonical(folded)))
}

fn remembered(
    given: bool,
    step: Step,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<UsernameSource> {
    let mend = "name the field of this request that holds the name";
    let what = match (given, step) {
        (true, Step::Password) => return Some(UsernameSource::Remembered),
        (true, Step::Name) => "stands where the step itself names the user",
        (false, _) => "says no more than nothing would",
    };
    findings.fault(at, what, mend);
    None
}

/// A remembered name was given before, and a name that was given is used later.
fn steps_follow(logins: &[LoginRule], places: &[KeyPath], findings: &mut Findings) {
    let names = logins.iter().any(|login| login.step == Step::Name);
    let is_remembered = |login: &LoginRule| matches!(login.username, UsernameSource::Remembered);
    let remembers = logins.iter().any(is_remembered);
    for (login, at) in logins.iter().zip(places) {
        if is_remembered(login) && !names {
            let mend = "add the login that names the user before, with step: name";
            findings.fault(
                &at.key("username").key("remembered"),
                "remembers what nobody said",
                mend,
            );
        }
        if login.step == Step::Name && !remembers {
            let mend = "add the login with the password, with username: { remembered: true }";
            findings.warn(&at.key("step"), "names a user whom no login remembers", mend);
        }
    }
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
