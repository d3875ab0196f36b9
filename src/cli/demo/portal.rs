//! The demo's portal: an intranet as it was built in 2009, with a login form, sessions of its
//! own, a page behind them and a WebSocket clock. It knows nothing of Portcullis, which learns
//! its users from the YAML alone, as it does with any portal.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use cookie::Cookie;
use minijinja::{Environment, context};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::net::TcpListener;

use super::accounts::{Account, Session, Sessions, account};
use crate::clock::Clock;

/// The cookie by which the portal knows a browser.
const SESSION_COOKIE: &str = "LEGACYSESSID";
/// A login form is a few dozen bytes.
const FORM_LIMIT: usize = 4 * 1024;

/// Why the portal does not run.
#[derive(Debug, thiserror::Error)]
pub enum PortalError {
    /// A page of it does not parse.
    #[error("a page of the demo's portal is broken: {0}")]
    Page(#[from] minijinja::Error),
    /// The operating system gave the listener up.
    #[error("the demo's portal cannot serve: {0}")]
    Listener(#[from] std::io::Error),
}

/// Serves the portal until the process or the task ends.
pub async fn serve(listener: TcpListener, clock: Arc<dyn Clock>) -> Result<(), PortalError> {
    let app = router(clock)?;
    Ok(axum::serve(listener, app).await?)
}

fn router(clock: Arc<dyn Clock>) -> Result<Router, PortalError> {
    let mut pages = Environment::new();
    pages.add_template("login.html", include_str!("login.html"))?;
    pages.add_template("home.html", include_str!("home.html"))?;
    let portal = Arc::new(Portal { pages, sessions: Sessions::default(), clock });
    Ok(Router::new()
        .route("/", get(home))
        .route("/login", get(login_form).post(log_in))
        .route("/logout", get(log_out))
        .route("/clock", get(show_clock))
        .route("/static/style.css", get(|| async { asset("text/css", include_str!("style.css")) }))
        .route(
            "/static/clock.js",
            get(|| async { asset("text/javascript", include_str!("clock.js")) }),
        )
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .with_state(portal))
}

struct Portal {
    pages: Environment<'static>,
    sessions: Sessions,
    clock: Arc<dyn Clock>,
}

impl Portal {
    /// The session that the browser's cookie names, with its identifier.
    fn session(&self, headers: &HeaderMap) -> Option<(String, Session)> {
        let id = session_cookie(headers)?;
        let session = self.sessions.find(&id)?;
        Some((id, session))
    }

    fn signed_in(&self, id: &str) -> Option<Account> {
        self.sessions.find(id)?.account
    }

    fn page(&self, name: &str, values: minijinja::Value) -> Result<Html<String>, Failure> {
        Ok(Html(self.pages.get_template(name)?.render(values)?))
    }

    /// The login form, in the session that is there or a new one: its token has to live
    /// somewhere before anybody has signed in.
    fn form(&self, headers: &HeaderMap, user: &str, failed: Failed) -> Result<Response, Failure> {
        let values = |session: &Session| {
            let failed = matches!(failed, Failed::Yes);
            context! { csrf => &session.csrf, user => user, failed => failed }
        };
        if let Some((_, session)) = self.session(headers) {
            return Ok(self.page("login.html", values(&session))?.into_response());
        }
        let (id, session) = self.sessions.start(None)?;
        let page = self.page("login.html", values(&session))?;
        Ok(([set_session(&id)], page).into_response())
    }
}

/// Whether the form is shown because a login failed.
#[derive(Clone, Copy)]
enum Failed {
    Yes,
    No,
}

async fn home(State(portal): State<Arc<Portal>>, headers: HeaderMap) -> Result<Response, Failure> {
    let account = portal.session(&headers).and_then(|(_, session)| session.account);
    match account {
        Some(account) => {
            Ok(portal.page("home.html", context! { name => account.name })?.into_response())
        }
        None => Ok(go_to("/login")),
    }
}

async fn login_form(
    State(portal): State<Arc<Portal>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    portal.form(&headers, "", Failed::No)
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    csrf: String,
}

async fn log_in(
    State(portal): State<Arc<Portal>>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Result<Response, Failure> {
    let before = portal.session(&headers).filter(|(_, session)| session.csrf == login.csrf);
    let (Some((old, _)), Some(account)) = (before, account(&login.user, &login.password)) else {
        return portal.form(&headers, &login.user, Failed::Yes);
    };
    // A new identifier, so that one which was planted before the login is worth nothing.
    portal.sessions.end(&old);
    let (id, _) = portal.sessions.start(Some(account))?;
    Ok(([set_session(&id)], go_to("/")).into_response())
}

async fn log_out(State(portal): State<Arc<Portal>>, headers: HeaderMap) -> Response {
    if let Some((id, _)) = portal.session(&headers) {
        portal.sessions.end(&id);
    }
    let removed = format!("{SESSION_COOKIE}=; Path=/; HttpOnly; Max-Age=0");
    ([(header::SET_COOKIE, removed)], go_to("/login")).into_response()
}

async fn show_clock(
    State(portal): State<Arc<Portal>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let signed_in = portal.session(&headers).filter(|(_, session)| session.account.is_some());
    let Some((id, _)) = signed_in else {
        return (StatusCode::UNAUTHORIZED, "log in first\n").into_response();
    };
    if !is_same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "not from this site\n").into_response();
    }
    match upgrade {
        Ok(upgrade) => upgrade.on_upgrade(move |socket| tick(portal, id, socket)),
        Err(rejection) => rejection.into_response(),
    }
}

/// Sends the time each second, until the browser leaves or the session ends.
async fn tick(portal: Arc<Portal>, id: String, mut socket: WebSocket) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = seconds.tick() => {
                let is_over = portal.signed_in(&id).is_none();
                let time = Message::text(time_of_day(portal.clock.as_ref()));
                if is_over || socket.send(time).await.is_err() {
                    return;
                }
            }
            message = socket.recv() => {
                let Some(Ok(_)) = message else { return };
            }
        }
    }
}

fn time_of_day(clock: &dyn Clock) -> String {
    let seconds = i64::try_from(clock.now().seconds()).unwrap_or(i64::MAX);
    let format = format_description!("[hour]:[minute]:[second] UTC");
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|now| now.format(format).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// A page of another site must not listen with the visitor's cookie.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, of_origin)| of_origin == host)
        }
        (Some(_), None) => false,
    }
}

fn session_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == SESSION_COOKIE)
        .map(|cookie| cookie.value().to_owned())
}

fn set_session(id: &str) -> (HeaderName, String) {
    (header::SET_COOKIE, format!("{SESSION_COOKIE}={id}; Path=/; HttpOnly"))
}

/// 302, as portals of that age answer a form.
fn go_to(path: &'static str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, path)]).into_response()
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// What went wrong while a page was made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("a page does not render: {0}")]
    Page(#[from] minijinja::Error),
    #[error("the system gave no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        tracing::error!(error = %self, "the demo's portal failed");
        (StatusCode::INTERNAL_SERVER_ERROR, "The intranet is out of order.\n").into_response()
    }
}

#[cfg(test)]
mod tests;
