//! How a portal's users are known: cookies, names, and where the login and logout are.

use super::{all, jwt, login, optional, path, some, source};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_identity::{Case, IdentityFile, LogoutFile, UsernameFile};
use crate::config::identity::{Identity, LogoutRule, Rotation, UsernameRule};
use crate::config::jwt::{Carrier, JwtSource};
use crate::config::key_path::KeyPath;
use crate::config::patterns::{Outcome, Pattern};
use crate::config::surroundings::Surroundings;
use crate::net::glob::Glob;

/// The cookies of Portcullis. They never reach a portal, so no portal session is in them.
const OUR_COOKIES: [&str; 2] = ["__Host-mfa", "__Host-mfa-device"];

/// What a canonical name looks like unless set.
const USERNAME_PATTERN: &str = "^[a-z0-9._@-]{1,128}$";

/// Checks the identity of one portal.
pub(super) fn identity(
    written: IdentityFile,
    at: &KeyPath,
    prefix: Option<&str>,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<Identity> {
    let whoami = optional(written.whoami, |w| source::whoami(w, &at.key("whoami"), findings));
    let header = optional(written.header, |w| source::header(w, &at.key("header"), findings));
    let basic = optional(written.basic, |w| source::basic(w, &at.key("basic"), findings));
    let jwt = optional(written.jwt, |w| jwt::jwt(w, &at.key("jwt"), around, findings));
    let announce =
        optional(written.announce, |w| source::announce(w, &at.key("announce"), findings));
    let bearer = optional(written.session_bearer, |w| {
        source::bearer(w, &at.key("session_bearer"), findings)
    });
    // A key that was found wrong is there all the same.
    let is_there = |key: &str, found: bool| found || findings.knows_fault_within(&at.key(key));
    let asks = is_there("whoami", is_some(&whoami));
    let announces = is_there("announce", is_some(&announce));
    let signs = is_there("jwt", is_some(&jwt));
    let per_request =
        is_there("header", is_some(&header)) || is_there("basic", is_some(&basic)) || signs;
    let in_header = per_request || is_there("session_bearer", is_some(&bearer));
    let login_url = match (written.login_url, per_request) {
        (None, true) => Some(None),
        (url, _) => login_url(url, &at.key("login_url"), prefix, findings).map(Some),
    };
    let username = username(written.username, &at.key("username"), around, findings);
    let names_around =
        login::Around { prefix, names: username.as_ref(), is_asked: asks || signs, announces };
    let logins = match (written.logins, asks || per_request) {
        (None, true) => Some(Vec::new()),
        (logins, _) => login::logins(logins, &at.key("logins"), names_around, findings),
    };
    let url = login_url.as_ref().and_then(Option::as_deref);
    login::warn_of_shared_path(logins.as_deref(), url, at, findings);
    let place = at.key("session_cookies");
    let cookies = match (written.session_cookies, in_header) {
        (None, true) => Some(Vec::new()),
        (cookies, _) => session_cookies(cookies, &place, findings),
    };
    let cookies = cookies.map(|cookies| with_token(cookies, jwt.as_ref()));
    let rotation = rotation(written.rotation, asks, signs, &at.key("rotation"), findings);
    let logout =
        optional(written.logout, |written| logout(written, &at.key("logout"), prefix, findings));
    Some(Identity {
        logins: logins?,
        session_cookies: cookies?,
        session_bearer: bearer?,
        rotation,
        whoami: whoami?,
        header: header?,
        basic: basic?,
        jwt: jwt?,
        announce: announce?,
        username: username?,
        login_url: login_url?,
        logout: logout?,
    })
}

/// The cookie of a token is a session cookie, named as one or not.
fn with_token(mut cookies: Vec<Glob>, jwt: Option<&Option<JwtSource>>) -> Vec<Glob> {
    let source = jwt.and_then(Option::as_ref);
    if let Some(Carrier::Cookie(name)) = source.map(|source| &source.carrier)
        && !cookies.iter().any(|pattern| pattern.matches(name))
    {
        cookies.push(Glob::new(name.clone()));
    }
    cookies
}

fn is_some<T>(checked: &Option<Option<T>>) -> bool {
    matches!(checked, Some(Some(_)))
}

fn session_cookies(
    written: Option<List<String>>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Vec<Glob>> {
    let mend = "name the cookies by which the portal knows its session";
    let written = some(written, at, mend, findings)?;
    let checked = written.into_iter().map(|(at, text)| session_cookie(&text, &at, findings));
    all(checked.collect())
}

pub(super) fn session_cookie(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<Glob> {
    let glob = cookie_pattern(text, at, findings)?;
    let mend = "name the portal's session cookie more closely";
    if text.bytes().all(|byte| byte == b'*') {
        findings.fault(at, "stands for every cookie, and any change would end a session", mend);
        return None;
    }
    if let Some(ours) = OUR_COOKIES.iter().find(|name| glob.matches(name)) {
        findings.fault(at, format!("'{text}' fits {ours}, a cookie of Portcullis"), mend);
        return None;
    }
    Some(glob)
}

/// Takes the name of a cookie (a token of RFC 9110) with stars.
pub(super) fn cookie_pattern(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<Glob> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_token) {
        findings.fault(at, "is no name of a cookie", "write the name alone, without '=' and value");
        return None;
    }
    Some(Glob::new(text))
}

/// Where the portal itself says who a session belongs to, a proof may follow it.
fn rotation(
    written: Option<Rotation>,
    asks: bool,
    signs: bool,
    at: &KeyPath,
    findings: &mut Findings,
) -> Rotation {
    let usual = if asks { Rotation::Follow } else { Rotation::Reverify };
    let rotation = written.unwrap_or(usual);
    if rotation == Rotation::Follow && !asks && !signs {
        let what =
            "keeps a proof when the portal changes its session cookie, whoever it is for then";
        findings.warn(at, what, "add whoami, or choose reverify");
    }
    rotation
}

fn username(
    written: Option<UsernameFile>,
    at: &KeyPath,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Option<UsernameRule> {
    let written = written.unwrap_or_default();
    let text = written.pattern.unwrap_or_else(|| USERNAME_PATTERN.to_owned());
    let place = at.key("pattern");
    let pattern = whole_pattern(around.patterns().of(&text), &place, findings)?;
    let Pattern { regex: pattern, is_wide } = pattern;
    // Such names would be users of their own, to whom a second factor is offered.
    if is_wide {
        let what = "takes names that the portal may read as another user's";
        findings.warn(&place, what, "let only those signs through that names of the portal have");
    }
    let fold_case = written.case.unwrap_or(Case::Fold) == Case::Fold;
    Some(UsernameRule { fold_case, trim: written.trim.unwrap_or(true), pattern })
}

/// A pattern, unless it has a fault.
pub(super) fn whole_pattern(
    pattern: Outcome,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<Pattern> {
    pattern.map_err(|(what, mend)| findings.fault(at, what, mend)).ok()
}

fn login_url(
    written: Option<String>,
    at: &KeyPath,
    prefix: Option<&str>,
    findings: &mut Findings,
) -> Option<String> {
    let text = findings.required(at, written, "write the path of the portal's login page")?;
    let fault = if text.starts_with("http://") || text.starts_with("https://") {
        Some(("has a host", "write the path alone: the login page is on the portal itself"))
    } else {
        path::target_fault(&text)
    };
    if let Some((what, mend)) = fault {
        findings.fault(at, format!("'{text}' {what}"), mend);
        return None;
    }
    path::refuse_hidden(Some(&text), prefix, at, findings);
    Some(text)
}

fn logout(
    written: LogoutFile,
    at: &KeyPath,
    prefix: Option<&str>,
    findings: &mut Findings,
) -> Option<LogoutRule> {
    let place = at.key("path");
    let text = findings.required(&place, written.path, "write the path that signs a user out")?;
    let path = path::exact_path(&text, &place, findings);
    path::refuse_hidden(path.as_deref(), prefix, &place, findings);
    Some(LogoutRule { path: path?, query: login::fields(written.query)? })
}
