//! Requests that carry a password: which they are, and whose name they carry.

use super::body::BodyKind;
use super::form::{Field, ended_by_semicolons, is_reading_of, names_other_letters, urlencoded};
use super::{multipart, normalise};
use crate::config::identity::Identity;
use crate::config::login_rule::{LoginRule, UsernameSource};
use crate::net::json::{self, Found, JsonPointer};
use crate::net::path::RequestPath;
use crate::user::UserName;

/// A request at a login address, all of it.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    /// The method.
    pub method: &'a str,
    /// The path.
    pub path: &'a RequestPath,
    /// The query, where there is one.
    pub query: Option<&'a str>,
    /// What kind of body it says that it has.
    pub kind: &'a BodyKind,
    /// The body.
    pub body: &'a [u8],
}

/// What a request at a login address is.
#[derive(Debug, PartialEq, Eq)]
pub enum Sight {
    /// A login, by the rule of this number.
    Login(usize, Attempt),
    /// Certainly no login.
    Other,
    /// The portal may find a password in it where we cannot look.
    Unclear,
}

/// What a login request says.
#[derive(Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Exactly one name, and it fits the portal's rule.
    By(UserName),
    /// The name that the step before gave. Where this request says one too, portals differ in
    /// which they take, so both have to be the same.
    Remembered(Option<UserName>),
    /// The request names nobody: the portal itself says who it was.
    Unnamed,
    /// No name, or none that fits the portal's rule: whatever comes of it, nobody is learned.
    Nameless,
    /// A field that counts can be read in two ways, so nobody knows what the portal reads.
    Ambiguous,
}

impl Attempt {
    /// Whose it is, where it says so.
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Self::By(user) => Some(user),
            Self::Remembered(_) | Self::Unnamed | Self::Nameless | Self::Ambiguous => None,
        }
    }

    /// Whether the rule counts on the name of the step before.
    pub const fn needs_a_step_before(&self) -> bool {
        matches!(self, Self::Remembered(_))
    }

    /// With the name that was `given` in the step before, where the rule counts on it: as the
    /// portal session has it now. Where the request says a name too, both have to be the same.
    #[must_use]
    pub fn recalled(self, given: Option<UserName>) -> Self {
        let Self::Remembered(said) = self else { return self };
        let agreed = given.filter(|given| said.as_ref().is_none_or(|said| said == given));
        agreed.map_or(Self::Nameless, Self::By)
    }
}

/// Whether the portal takes a password at this address. Which rule applies, if any, depends
/// on the body, which is read later.
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

/// Whether some field of a form or of a query may be taken for a user's name, at an address
/// where no rule says so: some portals take a password from any request.
pub fn names_a_user(identity: &Identity, fields: &[u8]) -> bool {
    ended_by_semicolons(fields).any(|field| is_name(&field.name, &identity.logins))
}

/// Reads a body against the rules of its address; the first that takes such a body counts.
///
/// A field that counts may come once, in the body, and not in the query: portals differ in
/// which of two they take (ID-2).
pub fn read_attempt(identity: &Identity, sent: Sent<'_>) -> Sight {
    let content = Content::of(sent.kind, sent.body);
    let Some(path) = sent.path.canonical() else {
        return Sight::Unclear;
    };
    let here = |rule: &&LoginRule| rule.method == sent.method && rule.path == path;
    let rules: Vec<&LoginRule> = identity.logins.iter().filter(here).collect();
    let number = identity.logins.iter().position(|rule| here(&rule) && content.is_taken_by(rule));
    if let Some((number, rule)) =
        number.and_then(|number| Some((number, identity.logins.get(number)?)))
    {
        let look = Look { identity, here: &rules, rule, query: sent.query };
        return Sight::Login(number, look.attempt(&content));
    }
    let in_query = sent.query.is_some_and(|query| names_a_user(identity, query.as_bytes()));
    let certain = match &content {
        Content::Form { old_style, .. } => {
            !old_style.iter().any(|field| is_name(&field.name, &identity.logins))
        }
        Content::Json(text) => json::keys(text)
            .is_ok_and(|keys| !keys.iter().any(|key| is_name(key, &identity.logins))),
        Content::Other => sent.body.is_empty(),
    };
    // What no rule takes where nothing but logins goes is a login of an unknown kind.
    let stray = !sent.body.is_empty() && is_for_logins_alone(identity, sent.path);
    if certain && !in_query && !stray { Sight::Other } else { Sight::Unclear }
}

/// A body as far as it can be read.
enum Content<'a> {
    Form {
        fields: Vec<Field<'a>>,
        /// The same as portals read it that end a field at a semicolon.
        old_style: Vec<Field<'a>>,
    },
    Json(&'a [u8]),
    Other,
}

impl<'a> Content<'a> {
    fn of(kind: &BodyKind, body: &'a [u8]) -> Self {
        match kind {
            BodyKind::UrlEncoded => Self::Form {
                fields: urlencoded(body),
                old_style: ended_by_semicolons(body).collect(),
            },
            BodyKind::Multipart(boundary) => {
                match (multipart::read(body, boundary), multipart::read(body, boundary)) {
                    (Some(fields), Some(old_style)) => Self::Form { fields, old_style },
                    (_, _) => Self::Other,
                }
            }
            BodyKind::Json => Self::Json(body),
            BodyKind::Other => Self::Other,
        }
    }

    fn is_taken_by(&self, rule: &LoginRule) -> bool {
        match (self, &rule.username) {
            (Self::Form { fields, .. }, source) => {
                !matches!(source, UsernameSource::Json(_)) && carries(rule, fields)
            }
            (Self::Json(_), source) => {
                !matches!(source, UsernameSource::Form(_)) && rule.form.is_empty()
            }
            // The name stands elsewhere, so it does not matter how the password came.
            (Self::Other, UsernameSource::Fixed(_) | UsernameSource::Portal) => {
                rule.form.is_empty()
            }
            (
                Self::Other,
                UsernameSource::Form(_) | UsernameSource::Json(_) | UsernameSource::Remembered,
            ) => false,
        }
    }
}

fn carries(rule: &LoginRule, fields: &[Field<'_>]) -> bool {
    rule.form.iter().all(|(name, value)| {
        let is_wanted = |field: &Field<'_>| {
            field.name == *name && field.value.text().is_some_and(|text| text == *value)
        };
        fields.iter().any(is_wanted)
    })
}

/// Whether a field may be taken for the user's name of one of these rules.
fn is_name<'a>(field: &str, rules: impl IntoIterator<Item = &'a LoginRule>) -> bool {
    let mut names = rules.into_iter().flat_map(LoginRule::name_fields);
    names.any(|name| is_reading_of(field, name))
}

/// A login and the rule that takes it.
struct Look<'a> {
    identity: &'a Identity,
    /// All rules of its address.
    here: &'a [&'a LoginRule],
    rule: &'a LoginRule,
    query: Option<&'a str>,
}

impl Look<'_> {
    fn attempt(&self, content: &Content<'_>) -> Attempt {
        match (&self.rule.username, content) {
            (UsernameSource::Portal, _) => Attempt::Unnamed,
            (UsernameSource::Fixed(name), _) => match self.names_anybody(content) {
                true => Attempt::Ambiguous,
                false => Attempt::By(name.clone()),
            },
            (UsernameSource::Form(wanted), Content::Form { fields, old_style }) => {
                self.in_form(wanted, fields, old_style)
            }
            (UsernameSource::Json(pointer), Content::Json(text)) => self.in_json(pointer, text),
            (UsernameSource::Remembered, content) => self.remembered(content),
            (UsernameSource::Form(_) | UsernameSource::Json(_), _) => Attempt::Ambiguous,
        }
    }

    fn in_form(&self, wanted: &str, fields: &[Field<'_>], old_style: &[Field<'_>]) -> Attempt {
        let counted =
            std::iter::once(wanted).chain(self.rule.form.iter().map(|(name, _)| name.as_str()));
        let one_reading = counted.into_iter().all(|name| is_once(name, fields, old_style));
        let another = |field: &Field<'_>| {
            !is_reading_of(&field.name, wanted) && is_name(&field.name, self.here.iter().copied())
        };
        let two_readings = !one_reading
            || old_style.iter().any(another)
            || names_other_letters(fields)
            || self.query_names(self.here.iter().copied());
        if two_readings {
            return Attempt::Ambiguous;
        }
        let typed = fields.iter().find(|field| field.name == wanted);
        typed.and_then(|field| field.value.text()).map_or(Attempt::Nameless, |text| self.by(&text))
    }

    fn in_json(&self, pointer: &JsonPointer, text: &[u8]) -> Attempt {
        let first = pointer.tokens().first().map(String::as_str).unwrap_or_default();
        let another =
            |key: &String| !is_reading_of(key, first) && is_name(key, self.others(pointer));
        let found = json::find(text, pointer, is_reading_of);
        let keys = json::keys(text).unwrap_or_default();
        match found {
            Err(_) => Attempt::Ambiguous,
            Ok(_) if keys.iter().any(another) => Attempt::Ambiguous,
            Ok(_) if self.query_names(self.here.iter().copied()) => Attempt::Ambiguous,
            Ok(Found::Text(typed)) => self.by(&typed),
            Ok(Found::Absent | Found::Number(_) | Found::Bool(_) | Found::Other) => {
                Attempt::Nameless
            }
        }
    }

    /// The rules of this address that name the user elsewhere.
    fn others<'a>(&'a self, pointer: &'a JsonPointer) -> impl Iterator<Item = &'a LoginRule> {
        let same = move |rule: &&LoginRule| matches!(&rule.username, UsernameSource::Json(other) if other == pointer);
        self.here.iter().copied().filter(move |rule| !same(rule))
    }

    /// Portals differ in whether a name beside the password counts or the one before.
    fn remembered(&self, content: &Content<'_>) -> Attempt {
        if self.query_names(&self.identity.logins) {
            return Attempt::Ambiguous;
        }
        let said = match content {
            Content::Form { fields, old_style } if !names_other_letters(fields) => {
                self.said_in_form(fields, old_style)
            }
            Content::Json(text) => self.said_in_json(text),
            Content::Form { .. } | Content::Other => None,
        };
        match said {
            None => Attempt::Ambiguous,
            Some(None) => Attempt::Remembered(None),
            Some(Some(typed)) => match normalise(&self.identity.username, &typed) {
                Some(name) => Attempt::Remembered(Some(name)),
                None => Attempt::Nameless,
            },
        }
    }

    /// The one name in a form, if any; nothing outside when there are two readings of it.
    fn said_in_form(&self, fields: &[Field<'_>], old: &[Field<'_>]) -> Option<Option<String>> {
        let counted = |name: &str| is_name(name, &self.identity.logins);
        let conditions = self.rule.form.iter().all(|(name, _)| is_once(name, fields, old));
        let mut said = old.iter().filter(|field| counted(&field.name));
        let Some(field) = said.next() else {
            return conditions.then_some(None);
        };
        let exact = self
            .identity
            .logins
            .iter()
            .any(|rule| rule.name_fields().any(|name| name == field.name));
        let once = said.next().is_none() && is_once(&field.name, fields, old);
        let text = field.value.text().filter(|_| conditions && exact && once)?;
        Some(Some(text.into_owned()))
    }

    /// The same in JSON.
    fn said_in_json(&self, text: &[u8]) -> Option<Option<String>> {
        let keys = json::keys(text).ok()?;
        let said: Vec<&String> =
            keys.iter().filter(|key| is_name(key, &self.identity.logins)).collect();
        let pointers = self.identity.logins.iter().filter_map(|rule| match &rule.username {
            UsernameSource::Json(pointer) => Some(pointer),
            UsernameSource::Form(_)
            | UsernameSource::Fixed(_)
            | UsernameSource::Remembered
            | UsernameSource::Portal => None,
        });
        let pointers: Vec<&JsonPointer> = pointers.collect();
        // A text is checked as a whole even where nobody is named by a pointer.
        let whole = JsonPointer::parse("/").into_iter();
        for pointer in whole.chain(pointers.iter().copied().cloned()) {
            match json::find(text, &pointer, is_reading_of).ok()? {
                Found::Text(typed) if said.len() == 1 && pointers.contains(&&pointer) => {
                    return Some(Some(typed.into_owned()));
                }
                Found::Absent => {}
                Found::Text(_) | Found::Number(_) | Found::Bool(_) | Found::Other => return None,
            }
        }
        said.is_empty().then_some(None)
    }

    fn names_anybody(&self, content: &Content<'_>) -> bool {
        let all = &self.identity.logins;
        let in_body = match content {
            Content::Form { old_style, .. } => {
                old_style.iter().any(|field| is_name(&field.name, all))
            }
            Content::Json(text) => match json::keys(text) {
                Ok(keys) => keys.iter().any(|key| is_name(key, all)),
                Err(_) => {
                    self.identity.logins.iter().any(|rule| rule.name_fields().next().is_some())
                }
            },
            Content::Other => all.iter().any(|rule| rule.name_fields().next().is_some()),
        };
        in_body || self.query_names(all)
    }

    fn query_names<'a>(&self, rules: impl IntoIterator<Item = &'a LoginRule> + Clone) -> bool {
        let query = self.query.unwrap_or_default().as_bytes();
        ended_by_semicolons(query).any(|field| is_name(&field.name, rules.clone()))
    }

    fn by(&self, typed: &str) -> Attempt {
        normalise(&self.identity.username, typed).map_or(Attempt::Nameless, Attempt::By)
    }
}

/// Whether all portals find the field `wanted` at most once, and with the same value.
fn is_once(wanted: &str, fields: &[Field<'_>], old_style: &[Field<'_>]) -> bool {
    let readings = |fields: &[Field<'_>]| {
        let found = fields.iter().filter(|field| is_reading_of(&field.name, wanted));
        found.map(|field| field.value.text().map(|text| text.into_owned())).collect::<Vec<_>>()
    };
    let found = readings(fields);
    found.len() <= 1 && found == readings(old_style)
}

#[cfg(test)]
mod tests;
