//! The YAML of a portal, each choice with its reason beside or above it. Nothing that a
//! visitor typed, and no cookie's or token's value, is ever part of it.

use std::fmt::Write as _;

use serde_json::Value;

use super::ProbeError;
use super::written::{Learned, Login, Mark, NameIn, NameSource, Names, Told};

/// What a configuration needs besides its portals. The gateway stands at another port than the
/// portal, or requests would go round in circles.
fn head(learned: &Learned) -> String {
    let port = if learned.upstream.ends_with(":8080") { 8090 } else { 8080 };
    format!(
        "listeners:
  - {{ address: 127.0.0.1:{port} }}   # plain HTTP, to try it: give it a certificate for users
store: {{ engine: sled, path: data/store }}
keys: {{ master: file:secrets/master.key }}
telemetry: {{ audit: data/audit.jsonl }}
"
    )
}

/// The portal's part, below a head in comments.
pub(super) fn portal(learned: &Learned) -> String {
    let mut text = notes(learned);
    text.push_str("#\n# Besides this a configuration needs:\n");
    for line in head(learned).lines() {
        let _ = writeln!(text, "# {line}");
    }
    text.push_str(&body(learned));
    text
}

/// A configuration that runs as it is.
pub(super) fn complete(learned: &Learned) -> String {
    notes(learned) + &head(learned) + &body(learned)
}

/// The same as JSON, with the notes beside it.
///
/// # Errors
/// When it cannot be read back, which would be a fault of this writer.
pub(super) fn json(learned: &Learned) -> Result<String, ProbeError> {
    let failed = |error: &dyn std::fmt::Display| ProbeError::Output(error.to_string());
    let mut read: Value = serde_yaml::from_str(&body(learned)).map_err(|error| failed(&error))?;
    if let Some(members) = read.as_object_mut() {
        members.insert("notes".to_owned(), learned.notes.clone().into());
    }
    let text = serde_json::to_string_pretty(&read).map_err(|error| failed(&error))?;
    Ok(text + "\n")
}

fn notes(learned: &Learned) -> String {
    let mut text = format!("# Written by `portcullis probe` for {}.\n", learned.upstream);
    for note in &learned.notes {
        // A note may quote the portal, which must not end the comment.
        let note = note.replace(|sign: char| sign.is_control(), " ");
        let _ = writeln!(text, "# - {note}");
    }
    text
}

fn body(learned: &Learned) -> String {
    let mut out = Lines(String::from("portals:\n"));
    out.line(1, &format!("{}:", learned.name), "");
    let hosts = format!("hosts: [{}]", quoted(&learned.host));
    out.line(2, &hosts, "the name by which users will reach it through the gateway");
    out.line(2, &format!("upstreams: [{}]", quoted(&learned.upstream)), "");
    out.line(2, "identity:", "");
    if let Some(basic) = &learned.basic {
        out.told(3, &format!("basic: {{ probe: {} }}", quoted(&basic.value)), basic);
    }
    if !learned.logins.is_empty() {
        out.line(3, "logins:", "");
    }
    for login in &learned.logins {
        login_entry(&mut out, login);
    }
    session(&mut out, learned);
    names(&mut out, &learned.names);
    if let Some(url) = &learned.login_url {
        out.told(3, &format!("login_url: {}", quoted(&url.value)), url);
    }
    if let Some(logout) = &learned.logout {
        let query = match logout.value.query.as_slice() {
            [] => String::new(),
            query => format!(", query: {}", mapping(query)),
        };
        let path = quoted(&logout.value.path);
        out.told(3, &format!("logout: {{ path: {path}{query} }}"), logout);
    }
    if learned.is_spa {
        out.line(2, "spa: true", "its scripts are told when a code is due");
    }
    if !learned.public.is_empty() {
        out.line(2, "public:", "what the login page loads; all else is protected");
        for path in &learned.public {
            out.line(3, &format!("- {}", quoted(path)), "");
        }
    }
    out.0
}

fn login_entry(out: &mut Lines, login: &Login) {
    let form = match login.form.as_slice() {
        [] => String::new(),
        fields => format!(", form: {}", mapping(fields)),
    };
    if let Some(why) = &login.why {
        out.comment(4, why);
    }
    let request = format!("- request: {{ method: POST, path: {}{form} }}", quoted(&login.path));
    let why = if form.is_empty() { "" } else { "other forms go to this path too" };
    out.line(4, &request, why);
    if login.is_name_step {
        out.line(5, "step: name", "this request only names the user");
    }
    let source = match &login.username.value {
        NameSource::Form(field) => format!("{{ form: {} }}", quoted(field)),
        NameSource::Multipart(field) => format!("{{ multipart: {} }}", quoted(field)),
        NameSource::Json(pointer) => format!("{{ json: {} }}", quoted(pointer)),
        NameSource::Remembered => "{ remembered: true }".to_owned(),
        NameSource::Fixed(name) => format!("{{ fixed: {} }}", quoted(name)),
    };
    out.told(5, &format!("username: {source}"), &login.username);
    marks(out, "success", &login.success);
    marks(out, "failure", &login.failure);
}

fn marks(out: &mut Lines, key: &str, marks: &[Told<Mark>]) {
    if marks.is_empty() {
        return;
    }
    out.line(5, &format!("{key}:"), "");
    for mark in marks {
        let text = match &mark.value {
            Mark::Status(status) => format!("status: [{status}]"),
            Mark::Location(pattern) => format!("location: {}", quoted(pattern)),
            Mark::LocationNot(pattern) => format!("location: {{ not: {} }}", quoted(pattern)),
            Mark::SetCookie(name) => format!("set_cookie: {}", quoted(name)),
            Mark::Json(pointer, None) => format!("json: {{ {}: present }}", quoted(pointer)),
            Mark::Json(pointer, Some(value)) => {
                format!("json: {{ {}: {value} }}", quoted(pointer))
            }
            Mark::Body(text) => format!("body: {{ contains: {} }}", quoted(text)),
        };
        out.told(6, &text, mark);
    }
}

fn session(out: &mut Lines, learned: &Learned) {
    if !learned.session_cookies.is_empty() {
        out.line(3, "session_cookies:", "");
        for name in &learned.session_cookies {
            out.told(4, &format!("- {}", quoted(&name.value)), name);
        }
    }
    if let Some(bearer) = &learned.bearer {
        out.told(3, &format!("session_bearer: {{ json: {} }}", quoted(&bearer.value)), bearer);
    }
    if let Some(rotation) = &learned.rotation {
        out.told(3, &format!("rotation: {}", rotation.value), rotation);
    }
    if let Some(whoami) = &learned.whoami {
        let path = quoted(&whoami.value.path);
        let name = match &whoami.value.name {
            NameIn::Json(pointer) => format!("json: {}", quoted(pointer)),
            NameIn::Pattern(pattern) => format!("pattern: {}", single_quoted(pattern)),
        };
        let text = format!("whoami: {{ path: {path}, username: {{ {name} }} }}");
        out.told(3, &text, whoami);
    }
}

fn names(out: &mut Lines, names: &Names) {
    out.line(3, "username:", "");
    let case = if names.folds.value { "fold" } else { "exact" };
    out.told(4, &format!("case: {case}"), &names.folds);
    out.told(4, &format!("trim: {}", names.trims.value), &names.trims);
    let pattern = single_quoted(&names.pattern.value);
    out.told(4, &format!("pattern: {pattern}"), &names.pattern);
}

/// As people write regular expressions: no backslash is doubled.
fn single_quoted(text: &str) -> String {
    if text.contains(char::is_control) {
        return Value::from(text).to_string();
    }
    format!("'{}'", text.replace('\'', "''"))
}

fn mapping(fields: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}: {}", quoted(name), quoted(value))).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A text as YAML reads it: as it is where nothing in it means anything, else as JSON does.
fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|sign: char| sign.is_ascii_lowercase() || sign == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
        && !matches!(text, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    if is_plain { text.to_owned() } else { Value::from(text).to_string() }
}

struct Lines(String);

impl Lines {
    fn told<T>(&mut self, depth: usize, text: &str, told: &Told<T>) {
        self.line(depth, text, &told.why);
    }

    /// A line with its reason beside it, or above it where both together are long.
    fn line(&mut self, depth: usize, text: &str, why: &str) {
        if !why.is_empty() && text.len() + why.len() + 2 * depth > 96 {
            self.comment(depth, why);
            self.line(depth, text, "");
            return;
        }
        let gap = "  ".repeat(depth);
        let why = if why.is_empty() { String::new() } else { format!("   # {}", one_line(why)) };
        let _ = writeln!(self.0, "{gap}{text}{why}");
    }

    fn comment(&mut self, depth: usize, why: &str) {
        let _ = writeln!(self.0, "{}# {}", "  ".repeat(depth), one_line(why));
    }
}

fn one_line(text: &str) -> String {
    text.replace(|sign: char| sign.is_control() || sign == '\u{2028}' || sign == '\u{2029}', " ")
}

#[cfg(test)]
mod tests;
