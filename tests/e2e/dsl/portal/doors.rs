//! Other ways in than a form: a script that speaks JSON, and the name before the password.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::{Inner, host, is_known, login_page, page, redirect, set_session};

/// What a login looks like.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Door {
    #[default]
    Form,
    Script,
    TwoSteps,
}

/// The rules for a script.
pub(super) const SCRIPT: &str = "- request: { method: POST, path: /login }
  username: { json: /user }
  success: { status: [200], json: { /ok: true } }
  failure: { json: { /error: present } }";

/// The rules for two steps.
pub(super) const TWO_STEPS: &str = "- request: { method: POST, path: /name }
  step: name
  username: { form: user }
- request: { method: POST, path: /password }
  username: { remembered: true }
  success: { status: [302], location: { not: \"/public/password*\" } }
  failure: { body: { contains: invalid } }";

/// Where the form of the login page goes, and its field for a password.
pub(super) fn form_of(portal: &Inner) -> (&'static str, &'static str) {
    match portal.ways.door {
        Door::TwoSteps => ("/name", ""),
        Door::Form | Door::Script => ("/login", "<input name=\"password\" type=\"password\">"),
    }
}

/// The second page of two.
pub(super) fn password_page(portal: &Inner, headers: &HeaderMap) -> Response {
    let Some((_, session)) = portal.session(headers) else {
        return redirect("/login", None);
    };
    let form = format!(
        "<form method=\"post\" action=\"/password\"><p>{}</p><input name=\"token\" type=\"hidden\" value=\"{}\"><input name=\"password\" type=\"password\"></form>",
        session.named.unwrap_or_default(),
        session.token
    );
    page(StatusCode::OK, &form)
}

/// Whatever is sent by another way than a form.
pub(super) fn login(
    portal: &Inner,
    headers: &HeaderMap,
    path: &str,
    fields: &HashMap<String, String>,
) -> Response {
    let Some((name, session)) = portal.session(headers) else {
        return page(StatusCode::FORBIDDEN, "invalid token: no session");
    };
    if fields.get("token") != Some(&session.token) {
        return page(StatusCode::FORBIDDEN, "invalid token");
    }
    let typed = fields.get("user").cloned();
    if path == "/name" {
        portal.sessions.lock().unwrap().get_mut(&name).unwrap().named = typed;
        return redirect("/public/password", None);
    }
    // A careless portal: a name beside the password counts more than the one before.
    let typed = typed.or(session.named).unwrap_or_default();
    let user = typed.trim().to_lowercase();
    let right = is_known(&user, &fields.get("password").cloned().unwrap_or_default());
    match (portal.ways.door, right) {
        (Door::TwoSteps, true) => redirect("/home", Some(&portal.sign_in(&name, &user))),
        (_, true) => {
            let mut response = greeting(&user, fields.get("then").map(String::as_str));
            set_session(&mut response, &portal.sign_in(&name, &user));
            response
        }
        (Door::TwoSteps, false) => redirect("/public/password?again", None),
        (_, false) => script_refusal(portal.ways.error, &typed),
    }
}

/// What a script gets that brought the right password; or more than anybody should read.
fn greeting(user: &str, then: Option<&str>) -> Response {
    let body = serde_json::json!({ "ok": true, "user": user }).to_string();
    match then {
        Some("big") => {
            let pad = "x".repeat(64 * 1024 * 1024);
            json(serde_json::json!({ "ok": true, "pad": pad }).to_string())
        }
        Some("bomb") => {
            let mut response = json(bomb());
            response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
            response
        }
        _ => json(body),
    }
}

/// A right answer behind 64 MiB of blanks, in some 64 KiB of gzip.
fn bomb() -> Vec<u8> {
    let mut gzip =
        Command::new("gzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        input.write_all(b"{\"ok\":true,\"x\":1").unwrap();
        input.write_all(&vec![b' '; 64 * 1024 * 1024]).unwrap();
        input.write_all(b"}").unwrap();
    });
    let packed = gzip.wait_with_output().unwrap();
    writer.join().unwrap();
    packed.stdout
}

/// Portals say no in many ways; none of them may be taken for a yes.
pub(super) fn refusal(portal: &Inner, headers: &HeaderMap, name: &str, user: &str) -> Response {
    match portal.ways.error {
        0 => login_page(portal, headers, &format!("invalid credentials of {user}")),
        1 => redirect("/login?failed", None),
        2 => page(StatusCode::UNAUTHORIZED, "invalid"),
        3 => page(StatusCode::FORBIDDEN, "invalid"),
        4 => redirect("/login", Some(name)),
        5 => page(StatusCode::INTERNAL_SERVER_ERROR, "invalid"),
        6 => redirect(&format!("https://{}/login?again", host(headers)), None),
        7 => (StatusCode::FOUND, "invalid").into_response(),
        8 => {
            let mut response = redirect("/home", Some(name));
            response.headers_mut().append(header::LOCATION, "/login".parse().unwrap());
            response
        }
        // The typed name is shown again, and may look like a sign of success.
        _ => page(StatusCode::OK, &format!("invalid user {user}: Welcome")),
    }
}

/// How many ways a script is told no.
pub(super) const REFUSALS: usize = 8;

/// Ways to say no to a script, some of which repeat what was typed.
fn script_refusal(way: usize, typed: &str) -> Response {
    let told = serde_json::json!({ "ok": false, "error": format!("invalid: {typed}") }).to_string();
    match way {
        0 => json(told),
        1 => (StatusCode::UNAUTHORIZED, json(told)).into_response(),
        2 => json(
            serde_json::json!({ "ok": false, "was": { "ok": true, "user": typed } }).to_string(),
        ),
        3 => json("{\"ok\":false,\"ok\":true}"),
        4 => json("{\"ok\":\"true\"}"),
        5 => json(format!("{{\"ok\":true,\"error\":{}}}", serde_json::json!(typed))),
        // No JSON at all, and the typed name as it came.
        6 => page(StatusCode::OK, typed),
        _ => json("{\"ok\":true}{\"ok\":false}"),
    }
}

fn json(body: impl Into<axum::body::Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
