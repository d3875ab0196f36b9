//! The login exchange: one attempt at a time, each by a visitor who was never there before,
//! with a page loaded anew, since its hidden fields may be good for one attempt alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Map, Value};
use url::Url;

use super::ProbeError;
use super::choose::{LoginForm, login_form, name_form};
use super::compare::Marks;
use super::page::Html;
use super::written::Mark;
use crate::cli::http::{Client, Extra, Page};
use crate::cli::jar::Jar;

/// How the portal takes a password.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// By a form of this page; the first form of two names the user alone.
    Form {
        page: Url,
        first: Option<LoginForm>,
        form: Box<LoginForm>,
        /// Fields that are filled in besides the name and the password.
        given: Vec<(String, String)>,
    },
    /// By a script.
    Script(ScriptLogin),
    /// With each request, by HTTP Basic, which this page judges.
    Basic(Url),
}

/// A login that a script sends.
#[derive(Clone, Debug)]
pub(super) struct ScriptLogin {
    /// Where it goes.
    pub(super) target: Url,
    /// As JSON, where names are pointers, or as a form.
    pub(super) is_json: bool,
    /// Where the name is.
    pub(super) user: Option<String>,
    /// Where the password is.
    pub(super) password: String,
    /// Members that are the same for everybody.
    pub(super) fields: Vec<(String, String)>,
}

/// What came of an attempt.
pub(super) struct Attempt {
    /// The answer to the request with the password.
    pub(super) answer: Page,
    /// The visitor's cookies after it.
    pub(super) jar: Jar,
    /// The value of `Authorization` that the visitor sends from then on.
    pub(super) authorization: Option<String>,
    /// The form that was filled in, as it was this time.
    pub(super) form: Option<LoginForm>,
}

impl Way {
    /// Tries a name and a password.
    ///
    /// # Errors
    /// When the portal cannot be read, or has no form this time.
    pub(super) async fn attempt(
        &self,
        client: &Client,
        user: &str,
        password: &str,
    ) -> Result<Attempt, ProbeError> {
        let mut jar = Jar::default();
        match self {
            Self::Form { page, first, given, .. } => {
                let (_, form) = open(client, &mut jar, page, first.is_some(), user).await?;
                let form = form.with(given);
                let answer = send(client, &mut jar, &form, user, password).await?;
                Ok(Attempt { answer, jar, authorization: None, form: Some(form) })
            }
            Self::Script(script) => {
                let (kind, body) = script.body(user, password);
                let extra = Extra {
                    accept: Some("application/json, */*;q=0.5"),
                    body: Some((kind, body.as_bytes())),
                    ..Extra::default()
                };
                let answer = client.send(&mut jar, &Method::POST, &script.target, extra).await?;
                Ok(Attempt { answer, jar, authorization: None, form: None })
            }
            Self::Basic(url) => {
                let value = basic(user, password);
                let extra = Extra { authorization: Some(&value), ..Extra::default() };
                let answer = client.send(&mut jar, &Method::GET, url, extra).await?;
                Ok(Attempt { answer, jar, authorization: Some(value), form: None })
            }
        }
    }

    /// Whether somebody's name goes along with the password.
    pub(super) fn names_users(&self) -> bool {
        match self {
            Self::Form { first, form, .. } => first.is_some() || form.user.is_some(),
            Self::Script(script) => script.user.is_some(),
            Self::Basic(_) => true,
        }
    }

    /// Whether an answer is one to a right password.
    pub(super) fn accepts(&self, marks: &Marks, answer: &Page) -> bool {
        match self {
            Self::Basic(_) => answer.status.is_success(),
            Self::Form { .. } | Self::Script(_) => {
                marks.success.iter().all(|mark| holds(&mark.value, answer))
                    && !marks.failure.iter().any(|mark| holds(&mark.value, answer))
            }
        }
    }
}

/// The value of `Authorization` for HTTP Basic.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Comes to the form with the password, over the one with the name where there are two, and
/// gives the address of its page too.
async fn open(
    client: &Client,
    jar: &mut Jar,
    page: &Url,
    has_name_step: bool,
    user: &str,
) -> Result<(Url, LoginForm), ProbeError> {
    let mut shown = last(client.visit(jar, page).await?)?;
    if has_name_step {
        let form = name_form(&Html::read(&shown.text()), &shown.url).ok_or(ProbeError::FormGone)?;
        shown = send(client, jar, &form, user, "").await?;
        if let Some(url) = shown.leads_to().filter(|url| client.is_own(url)) {
            shown = last(client.visit(jar, &url).await?)?;
        }
    }
    let form = login_form(&Html::read(&shown.text()), &shown.url).ok_or(ProbeError::FormGone)?;
    Ok((shown.url, form))
}

async fn send(
    client: &Client,
    jar: &mut Jar,
    form: &LoginForm,
    user: &str,
    password: &str,
) -> Result<Page, ProbeError> {
    if !client.is_own(&form.target) {
        return Err(ProbeError::ElsewhereForm);
    }
    let (kind, body) = form.filled(Some(user), password);
    let extra = Extra { body: Some((&kind, &body)), ..Extra::default() };
    Ok(client.send(jar, &Method::POST, &form.target, extra).await?)
}

/// The form with the password behind a form that asks for the name, and where it is.
///
/// # Errors
/// When the portal cannot be read, or has no such form.
pub(super) async fn second_form(
    client: &Client,
    page: &Url,
    user: &str,
) -> Result<(Url, LoginForm), ProbeError> {
    open(client, &mut Jar::default(), page, true, user).await
}

fn last(pages: Vec<Page>) -> Result<Page, ProbeError> {
    pages.into_iter().last().ok_or(ProbeError::FormGone)
}

impl ScriptLogin {
    fn body(&self, user: &str, password: &str) -> (&'static str, String) {
        if !self.is_json {
            let mut body = form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(&self.fields);
            body.extend_pairs(self.user.as_deref().map(|field| (field, user)));
            body.append_pair(&self.password, password);
            return ("application/x-www-form-urlencoded", body.finish());
        }
        let mut body = Value::Object(Map::new());
        for (name, value) in &self.fields {
            put(&mut body, &format!("/{name}"), value);
        }
        if let Some(pointer) = &self.user {
            put(&mut body, pointer, user);
        }
        put(&mut body, &self.password, password);
        ("application/json", body.to_string())
    }
}

/// Puts a text where the pointer says, and objects on the way to it.
fn put(body: &mut Value, pointer: &str, text: &str) {
    let mut place = body;
    for key in pointer.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else { return };
        place = members.entry(key).or_insert(Value::Null);
    }
    *place = Value::String(text.to_owned());
}

fn holds(mark: &Mark, answer: &Page) -> bool {
    let fits = |pattern: &str| {
        let to = answer.leads_to()?;
        let to = to.query().map_or(to.path().to_owned(), |query| format!("{}?{query}", to.path()));
        Some(crate::net::glob::Glob::new(pattern).matches(&to))
    };
    match mark {
        Mark::Status(status) => answer.status.as_u16() == *status,
        Mark::Location(pattern) => fits(pattern) == Some(true),
        Mark::LocationNot(pattern) => fits(pattern) == Some(false),
        Mark::SetCookie(pattern) => answer.cookies.iter().any(|change| {
            change.value.is_some() && crate::net::glob::Glob::new(pattern).matches(&change.name)
        }),
        Mark::Json(pointer, wanted) => {
            let read = serde_json::from_slice::<Value>(&answer.body).ok();
            let found = read.as_ref().and_then(|read| read.pointer(pointer));
            found.is_some_and(|found| wanted.as_ref().is_none_or(|wanted| wanted == found))
        }
        Mark::Body(text) => answer.text().contains(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_sends_what_the_pointers_say() {
        let script = ScriptLogin {
            target: Url::parse("http://api.test/login").unwrap(),
            is_json: true,
            user: Some("/user/name".to_owned()),
            password: "/user/secret".to_owned(),
            fields: vec![("grant_type".to_owned(), "password".to_owned())],
        };
        let (kind, sent) = script.body("alice", "x");
        assert_eq!(kind, "application/json");
        let sent: Value = serde_json::from_str(&sent).unwrap();
        let expected = serde_json::json!({
            "grant_type": "password", "user": { "name": "alice", "secret": "x" }
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_script_may_send_a_form() {
        let script = ScriptLogin {
            target: Url::parse("http://api.test/login").unwrap(),
            is_json: false,
            user: Some("name".to_owned()),
            password: "secret".to_owned(),
            fields: vec![("scope".to_owned(), String::new())],
        };
        assert_eq!(script.body("a b", "&").1, "scope=&name=a+b&secret=%26");
    }
}
