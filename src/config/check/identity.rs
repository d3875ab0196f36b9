//! How a portal's users are known: cookies, names, and where the login and logout are.

use regex::Regex;

use super::{all, login, optional, path, some};
use crate::config::fault::Findings;
use crate::config::file::List;
use crate::config::file_identity::{Case, IdentityFile, LogoutFile, UsernameFile};
use crate::config::identity::{Identity, LogoutRule, Rotation, UsernameRule};
use crate::config::key_path::KeyPath;
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
    findings: &mut Findings,
) -> Option<Identity> {
    let login_url = login_url(written.login_url, &at.key("login_url"), prefix, findings);
    let username = username(written.username, &at.key("username"), findings);
    let names = username.as_ref();
    let around = login::Around { prefix, names, is_asked: false, announces: false };
    let logins = login::logins(written.logins, &at.key("logins"), around, findings);
    login::warn_of_shared_path(logins.as_deref(), login_url.as_deref(), at, findings);
    let cookies = session_cookies(written.session_cookies, &at.key("session_cookies"), findings);
    let rotation = rotation(written.rotation, &at.key("rotation"), findings);
    let logout =
        optional(written.logout, |written| logout(written, &at.key("logout"), prefix, findings));
    Some(Identity {
        logins: logins?,
        session_cookies: cookies?,
        rotation,
        username: username?,
        login_url: login_url?,
        logout: logout?,
    })
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

fn session_cookie(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<Glob> {
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

fn rotation(written: Option<Rotation>, at: &KeyPath, findings: &mut Findings) -> Rotation {
    let rotation = written.unwrap_or(Rotation::Reverify);
    if rotation == Rotation::Follow {
        let what =
            "keeps a proof when the portal changes its session cookie, whoever it is for then";
        findings.warn(at, what, "choose reverify unless the portal changes it within a session");
    }
    rotation
}

fn username(
    written: Option<UsernameFile>,
    at: &KeyPath,
    findings: &mut Findings,
) -> Option<UsernameRule> {
    let written = written.unwrap_or_default();
    let text = written.pattern.unwrap_or_else(|| USERNAME_PATTERN.to_owned());
    let pattern = username_pattern(&text, &at.key("pattern"), findings)?;
    let fold_case = written.case.unwrap_or(Case::Fold) == Case::Fold;
    Some(UsernameRule { fold_case, trim: written.trim.unwrap_or(true), pattern })
}

/// Anchors the pattern at both ends. It has to be whole before that, or a stray bracket
/// would end the anchored part early.
fn username_pattern(text: &str, at: &KeyPath, findings: &mut Findings) -> Option<Regex> {
    let compiled = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
    let pattern = match compiled {
        Ok(pattern) => pattern,
        Err(error) => {
            // The error draws a picture over several lines; its last one says it.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            findings.fault(at, format!("is not a regular expression: {reason}"), "mend it");
            return None;
        }
    };
    if pattern.is_match("") {
        let what = "takes an empty name, which every empty form would give";
        findings.fault(at, what, "ask for one character at least, with '+' or {1,128}");
        return None;
    }
    Some(pattern)
}

fn login_url(
    written: Option<String>,
    at: &KeyPath,
    prefix: Option<&str>,
    findings: &mut Findings,
) -> Option<String> {
    let text = findings.required(at, written, "write the path of the portal's login page")?;
    let (path, query) = text.split_once('?').unwrap_or((&text, ""));
    let fault = if text.starts_with("http://") || text.starts_with("https://") {
        Some(("has a host", "write the path alone: the login page is on the portal itself"))
    } else if !query.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\\\"<>".contains(&byte)) {
        Some(("has a query that no address may hold", "escape it as a browser does"))
    } else {
        path::canonical_fault(path)
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
