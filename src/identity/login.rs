//! Requests that carry a password: which they are, and whose name they carry.

use crate::config::identity::{Identity, LoginRule};
use crate::net::path::RequestPath;
use crate::user::UserName;

use super::normalise;

/// What a login request says.
#[derive(Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Exactly one name, and it fits the portal's rule.
    By(UserName),
    /// No name, several, or none that fits: whatever comes of it, nobody is learned.
    Unclear,
}

/// Whether the portal takes a password at this address. Which rule applies, if any, depends
/// on the form, which is read later.
pub fn is_login_address(identity: &Identity, method: &str, path: &RequestPath) -> bool {
    let here =
        |path: &str| identity.logins.iter().any(|rule| rule.method == method && rule.path == path);
    path.canonical().is_some_and(here)
}

/// Reads an urlencoded body against the rules of its address and gives the one whose form
/// fields it carries. Nothing when it is no login after all.
///
/// A field that counts may come once, in the body, and not in the query: portals differ in
/// which of two they take (ID-2).
pub fn read_attempt<'a>(
    identity: &'a Identity,
    method: &str,
    path: &RequestPath,
    query: Option<&str>,
    body: &[u8],
) -> Option<(&'a LoginRule, Attempt)> {
    let path = path.canonical()?;
    let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let here = |rule: &&LoginRule| rule.method == method && rule.path == path;
    let rule = identity.logins.iter().filter(here).find(|rule| carries(rule, &fields))?;
    Some((rule, attempt(identity, rule, &fields, query)))
}

fn carries(rule: &LoginRule, fields: &[(String, String)]) -> bool {
    rule.form.iter().all(|wanted| fields.contains(wanted))
}

fn attempt(
    identity: &Identity,
    rule: &LoginRule,
    fields: &[(String, String)],
    query: Option<&str>,
) -> Attempt {
    let wanted = rule.username_field.as_str();
    let counted = std::iter::once(wanted).chain(rule.form.iter().map(|(name, _)| name.as_str()));
    let doubled = counted.into_iter().any(|name| occurrences(fields, name) != 1);
    let in_query = query.is_some_and(|query| {
        form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_reading_of(&name, wanted))
    });
    if doubled || in_query {
        return Attempt::Unclear;
    }
    let typed = fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let strict = typed.filter(|typed| !typed.contains(char::REPLACEMENT_CHARACTER));
    strict
        .and_then(|typed| normalise(&identity.username, typed))
        .map_or(Attempt::Unclear, Attempt::By)
}

fn occurrences(fields: &[(String, String)], wanted: &str) -> usize {
    fields.iter().filter(|(name, _)| is_reading_of(name, wanted)).count()
}

/// Whether some portal reads a field `name` as `wanted`: `user[]` and `user[0]` are `user`
/// to PHP and Rails, dots and spaces are underscores to PHP, some fold case.
fn is_reading_of(name: &str, wanted: &str) -> bool {
    let base = |text: &str| {
        let head = text.split(['[', '\0']).next().unwrap_or_default();
        head.trim().replace(['.', ' '], "_").to_lowercase()
    };
    base(name) == base(wanted)
}

#[cfg(test)]
mod tests;
