//! The part of the portal that takes notes: what it answers to a form, as the form asks for it.

use std::collections::HashMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// Answers a form of `user`.
pub(super) fn saved(user: Option<&str>, fields: &HashMap<String, String>) -> Response {
    let Some(user) = user else {
        return (StatusCode::FOUND, [(header::LOCATION, "/login")]).into_response();
    };
    let to = |status, place| (status, [(header::LOCATION, place)]).into_response();
    match fields.get("then").map(String::as_str) {
        Some("beside") => to(StatusCode::SEE_OTHER, "saved?id=7"),
        Some("elsewhere") => to(StatusCode::TEMPORARY_REDIRECT, "/notes/other"),
        Some("again") => {
            let page = format!("<html><head><title>Notes</title></head>{user}: no title</html>");
            (StatusCode::UNPROCESSABLE_ENTITY, html(), page).into_response()
        }
        Some("file") => ([(header::CONTENT_TYPE, "text/plain")], "<head>as is").into_response(),
        _ => {
            let page = format!(
                "<!doctype html><html><head><title>Notes</title></head><body><p id=\"saved\">saved for {user}</p><a href=\"next\">on</a></body></html>"
            );
            ([(header::SET_COOKIE, "lastnote=7")], html(), page).into_response()
        }
    }
}

fn html() -> [(header::HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, "text/html; charset=utf-8")]
}
