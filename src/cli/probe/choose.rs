//! Which form of a page takes the password, and which of its fields is what. A page may ask
//! for a new password or for an e-mail address as well; the reasons are kept, to be told.

use form_urlencoded::Serializer;
use url::Url;

use super::page::{Field, Form, Html, Kind};

/// A form that signs somebody in.
#[derive(Clone, Debug)]
pub(super) struct LoginForm {
    /// Where it goes.
    pub(super) target: Url,
    /// Whether it is sent as multipart.
    pub(super) is_multipart: bool,
    /// The field for the name; none where the portal has one password for all.
    pub(super) user: Option<String>,
    /// The field for the password; none where it is asked for on the next page.
    pub(super) password: Option<String>,
    /// All else that a browser sends with it.
    pub(super) others: Vec<(String, String)>,
    /// Those of the others that are hidden.
    pub(super) hidden: Vec<(String, String)>,
    /// Whether other forms of the page go to the same path.
    pub(super) shares_path: bool,
    /// Why this form, where there was a choice.
    pub(super) why: Option<String>,
    /// Why this field for the name.
    pub(super) why_user: String,
}

/// Words that say what a form is for, in its address or its fields.
const SIGN_IN: &[&str] = &["login", "logon", "signin", "sign_in", "sign-in", "auth", "session"];
const OTHER: &[&str] =
    &["register", "signup", "sign_up", "sign-up", "join", "reset", "lost", "forgot", "recover"];

/// The form that signs in: the likeliest of those that take a password and are sent by POST.
pub(super) fn login_form(page: &Html, at: &Url) -> Option<LoginForm> {
    let takes_password =
        |form: &&Form| form.is_post && form.passwords().any(|field| !field.name.is_empty());
    let candidates: Vec<&Form> = page.forms.iter().filter(takes_password).collect();
    // The first of equals: `max_by_key` would take the last.
    let best = candidates.iter().rev().max_by_key(|form| likelihood(form))?;
    let mut found = read(best, page, at)?;
    if candidates.len() > 1 {
        found.why = Some(format!(
            "the page has {} forms with a password; this one looks most like signing in, since \
             it has a name, one password, and no word of registering or resetting",
            candidates.len()
        ));
    }
    Some(found)
}

/// A form that asks for the name alone, as the first of two steps.
pub(super) fn name_form(page: &Html, at: &Url) -> Option<LoginForm> {
    let asks_for_name = |form: &&Form| {
        form.is_post
            && form.passwords().next().is_none()
            && form.fields.iter().any(|field| is_text(field) && names_a_user(field))
    };
    let form = page.forms.iter().filter(asks_for_name).rev().max_by_key(|form| likelihood(form))?;
    read(form, page, at)
}

fn likelihood(form: &Form) -> i32 {
    let passwords = form.passwords().count();
    let names = form.fields.iter().any(is_text);
    let about: String = form
        .fields
        .iter()
        .map(|field| format!("{} {} ", field.name, field.value))
        .chain(form.action.clone())
        .collect::<String>()
        .to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| about.contains(word));
    let new_password = form.passwords().any(|field| field.autocomplete.contains("new-password"));
    let mut points = 0;
    points += if passwords <= 1 { 4 } else { -4 };
    points += if names { 2 } else { 0 };
    points += if says(SIGN_IN) { 2 } else { 0 };
    points -= if says(OTHER) { 3 } else { 0 };
    points - if new_password { 6 } else { 0 }
}

fn read(form: &Form, page: &Html, at: &Url) -> Option<LoginForm> {
    let target = target(form, page, at)?;
    let password = form.passwords().find(|field| !field.name.is_empty());
    let (user, why_user) = match user_field(form) {
        Some((field, why)) => (Some(field.name.clone()), why.to_owned()),
        None => (None, "the form has no field for a name".to_owned()),
    };
    let mut others = Vec::new();
    let mut pressed = false;
    for field in form.fields.iter().filter(|field| !field.name.is_empty()) {
        let is_ours = Some(&field.name) == user.as_ref()
            || password.is_some_and(|password| password.name == field.name);
        let is_sent = match field.kind {
            Kind::Text | Kind::Hidden | Kind::Chosen => true,
            // Only the button that was pressed is sent; pressing Enter presses the first.
            Kind::Submit => !std::mem::replace(&mut pressed, true),
            Kind::Password | Kind::Other => false,
        };
        if is_sent && !is_ours {
            others.push((field.name.clone(), field.value.clone()));
        }
    }
    let hidden = form.fields.iter().filter(|field| field.kind == Kind::Hidden);
    let hidden = hidden.map(|field| (field.name.clone(), field.value.clone())).collect();
    let twins = page
        .forms
        .iter()
        .filter(|other| other.is_post)
        .filter_map(|other| self::target(other, page, at));
    let shares_path = twins.filter(|other| other.path() == target.path()).count() > 1;
    Some(LoginForm {
        target,
        is_multipart: form.is_multipart,
        user,
        password: password.map(|field| field.name.clone()),
        others,
        hidden,
        shares_path,
        why: None,
        why_user,
    })
}

fn target(form: &Form, page: &Html, at: &Url) -> Option<Url> {
    let action = form.action.as_deref().unwrap_or_default();
    // An empty action is the page itself, whatever its base says.
    if action.is_empty() {
        return Some(at.clone());
    }
    let base = page.base.as_deref().and_then(|base| at.join(base).ok());
    base.as_ref().unwrap_or(at).join(action).ok()
}

/// The field for the name: as browsers choose it when they fill a form in.
fn user_field(form: &Form) -> Option<(&Field, &'static str)> {
    let is_password = |field: &Field| field.kind == Kind::Password;
    let end = form.fields.iter().position(is_password).unwrap_or(form.fields.len());
    let before = || form.fields.iter().take(end).rev().filter(|field| is_text(field));
    let says = |field: &&Field| {
        ["username", "email"]
            .iter()
            .any(|word| field.autocomplete.split_ascii_whitespace().any(|said| said == *word))
    };
    if let Some(field) = form.fields.iter().filter(|field| is_text(field)).find(says) {
        return Some((field, "the field says so itself, by its autocomplete"));
    }
    if let Some(field) = before().find(|field| names_a_user(field)) {
        return Some((field, "by its name, the field for the user before the password"));
    }
    if let Some(field) = before().next() {
        return Some((field, "the last field for text before the password"));
    }
    let field = form.fields.iter().find(|field| is_text(field) && names_a_user(field))?;
    Some((field, "by its name, the field for the user"))
}

fn is_text(field: &Field) -> bool {
    field.kind == Kind::Text && !field.name.is_empty()
}

fn names_a_user(field: &Field) -> bool {
    let name = field.name.to_lowercase();
    let words = ["user", "login", "email", "mail", "account", "uid", "name", "ident"];
    words.iter().any(|word| name.contains(word))
        || matches!(name.as_str(), "u" | "log" | "id" | "usr")
        || field.autocomplete.contains("username")
}

impl LoginForm {
    /// The same with some fields filled in.
    pub(super) fn with(mut self, given: &[(String, String)]) -> Self {
        self.others.retain(|(name, _)| given.iter().all(|(other, _)| name != other));
        self.others.extend_from_slice(given);
        self
    }

    /// The body of the form, filled in, and its kind.
    pub(super) fn filled(&self, user: Option<&str>, password: &str) -> (String, Vec<u8>) {
        let mut fields: Vec<(&str, &str)> =
            self.others.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.extend(self.user.as_deref().zip(user));
        fields.extend(self.password.as_deref().map(|field| (field, password)));
        if !self.is_multipart {
            let body = Serializer::new(String::new()).extend_pairs(fields).finish();
            return ("application/x-www-form-urlencoded".to_owned(), body.into_bytes());
        }
        let edge = "portcullis-probe-8c1f0d5b7e";
        let mut body = String::new();
        for (name, value) in fields {
            let name = name.replace('"', "%22").replace(['\r', '\n'], "");
            body.push_str(&format!(
                "--{edge}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str(&format!("--{edge}--\r\n"));
        (format!("multipart/form-data; boundary={edge}"), body.into_bytes())
    }

    /// The hidden fields that tell this form from others at its path: a short word that is
    /// the same each time, which a token against forgery is not.
    pub(super) fn discriminators(&self, again: &Self) -> Vec<(String, String)> {
        let is_word = |value: &str| {
            (2..=24).contains(&value.len())
                && value.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte))
        };
        let speaks = |name: &str, value: &str| {
            let names = [
                "do", "action", "act", "op", "cmd", "mode", "task", "form", "form_id", "page",
                "view", "route", "type",
            ];
            names.contains(&name) || SIGN_IN.iter().any(|word| value.contains(word))
        };
        let stays = |field: &&(String, String)| again.hidden.contains(field);
        let found = self.hidden.iter().filter(stays);
        found.filter(|(name, value)| is_word(value) && speaks(name, value)).cloned().collect()
    }
}

#[cfg(test)]
mod tests;
