//! Requests that carry a password: which they are, and whose name they carry.

use crate::config::identity::Identity;
use crate::config::login_rule::LoginRule;
use crate::net::path::RequestPath;
use crate::user::UserName;

use super::normalise;

/// What a login request says.
#[derive(Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Exactly one name, and it fits the portal's rule.
    By(UserName),
    /// No name, or none that fits the portal's rule: whatever comes of it, nobody is learned.
    Nameless,
    /// A field that counts can be read in two ways, so nobody knows what the portal reads.
    Ambiguous,
}

/// Whether the portal takes a password at this address. Which rule applies, if any, depends
/// on the form, which is read later.
pub fn is_login_address(identity: &Identity, method: &str, path: &RequestPath) -> bool {
    let here =
        |path: &str| identity.logins.iter().any(|rule| rule.method == method && rule.path == path);
    path.canonical().is_some_and(here)
}

/// Whether nothing but logins goes to this path: some rule takes all that is sent there.
pub fn is_for_logins_alone(identity: &Identity, path: &RequestPath) -> bool {
    let here =
        |path: &str| identity.logins.iter().any(|rule| rule.path == path && rule.form.is_empty());
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
    let old_style: Vec<(String, String)> =
        form_urlencoded::parse(&ended_by_semicolons(body)).into_owned().collect();
    let counted =
        std::iter::once(&rule.username_field).chain(rule.form.iter().map(|(name, _)| name));
    let one_reading = counted.into_iter().all(|name| {
        let values = readings(&fields, name);
        values.len() <= 1 && values == readings(&old_style, name)
    });
    let in_query = query.is_some_and(|query| {
        form_urlencoded::parse(&ended_by_semicolons(query.as_bytes()))
            .any(|(name, _)| is_reading_of(&name, &rule.username_field))
    });
    let attempt = match one_reading && !in_query {
        true => attempt(identity, rule, &fields),
        false => Attempt::Ambiguous,
    };
    Some((rule, attempt))
}

fn carries(rule: &LoginRule, fields: &[(String, String)]) -> bool {
    rule.form.iter().all(|wanted| fields.contains(wanted))
}

fn attempt(identity: &Identity, rule: &LoginRule, fields: &[(String, String)]) -> Attempt {
    let wanted = rule.username_field.as_str();
    let typed = fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let strict = typed.filter(|typed| !typed.contains(char::REPLACEMENT_CHARACTER));
    strict
        .and_then(|typed| normalise(&identity.username, typed))
        .map_or(Attempt::Nameless, Attempt::By)
}

/// What some portal may take for the value of a field.
fn readings<'a>(fields: &'a [(String, String)], wanted: &str) -> Vec<&'a str> {
    let found = fields.iter().filter(|(name, _)| is_reading_of(name, wanted));
    found.map(|(_, value)| value.as_str()).collect()
}

/// The same fields for portals old enough to end one at `;` too. Browsers write `%3B`.
fn ended_by_semicolons(fields: &[u8]) -> Vec<u8> {
    fields.iter().map(|byte| if *byte == b';' { b'&' } else { *byte }).collect()
}

/// Whether some field of a form or of a query may be taken for a user's name, at an address
/// where no rule says so: some portals take a password from any request.
pub fn names_a_user(identity: &Identity, fields: &[u8]) -> bool {
    form_urlencoded::parse(&ended_by_semicolons(fields)).any(|(name, _)| {
        identity.logins.iter().any(|rule| is_reading_of(&name, &rule.username_field))
    })
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
