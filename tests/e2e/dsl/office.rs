//! A portal that lets people in by many doors: a form, a token, HTTP Basic, a callback of
//! single sign-on, a cookie that remembers them. It says at `/api/me` whose a session is, the
//! truth or whatever a test wants, and remembers every request as it saw it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;

use super::gateway::Fronted;
use super::is_known;
use super::portal::{Seen, cookie, page, redirect};

/// The identity of an office that is asked whose a session is.
pub const ASKED: &str = "logins:
  - request: { method: POST, path: /login }
    username: { form: user }
    success: { status: [302] }
session_cookies: [officesession]
whoami: { path: \"/api/me?brief=1\", username: { json: /login }, cache: 30s }
login_url: /login
logout: { path: /logout }
";

/// What `/api/me` says.
#[derive(Clone, Copy, Debug)]
pub enum Word {
    /// Whose account the session is, or 401.
    Truth,
    /// The name as it was typed at the login.
    AsTyped,
    /// This document, whoever asks.
    Json(&'static str),
    /// This status, with the truth in the body.
    Status(u16),
    /// Nothing at all.
    Silence,
    /// The truth, after which the body does not end.
    Endless,
    /// The truth, said to be compressed.
    Compressed,
    /// That somebody else knows.
    Elsewhere(SocketAddr),
}

/// A running office.
pub struct Office {
    pub address: SocketAddr,
    inner: Arc<Inner>,
    server: tokio::task::JoinHandle<()>,
}

struct Inner {
    identity: String,
    /// By the name of the session or the token: the name as it was typed.
    sessions: Mutex<HashMap<String, String>>,
    seen: Mutex<Vec<Seen>>,
    word: Mutex<Word>,
    turns: AtomicBool,
    count: AtomicU64,
}

/// Runs an office whose users are known by these keys below `identity`.
pub async fn run(identity: &str) -> Office {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let inner = Arc::new(Inner {
        identity: identity.to_owned(),
        sessions: Mutex::default(),
        seen: Mutex::default(),
        word: Mutex::new(Word::Truth),
        turns: AtomicBool::new(false),
        count: AtomicU64::new(0),
    });
    let app = Router::new().fallback(serve).with_state(Arc::clone(&inner));
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Office { address, inner, server }
}

impl Office {
    /// Signs somebody in without any gateway; gives the name of the session, which is a token
    /// as well.
    pub fn sign_in_directly(&self, typed: &str) -> String {
        self.inner.begin(typed)
    }

    /// From now on `/api/me` says this.
    pub fn says(&self, word: Word) {
        *self.inner.word.lock().unwrap() = word;
    }

    /// From now on it changes its session cookie with every answer, or no longer.
    pub fn turns(&self, turns: bool) {
        self.inner.turns.store(turns, Ordering::SeqCst);
    }

    /// From now on a session is this user's, or nobody's.
    pub fn becomes(&self, session: &str, user: Option<&str>) {
        let mut sessions = self.inner.sessions.lock().unwrap();
        match user {
            Some(user) => sessions.insert(session.to_owned(), user.to_owned()),
            None => sessions.remove(session),
        };
    }

    /// Whether it knows a session.
    pub fn knows(&self, session: &str) -> bool {
        self.inner.sessions.lock().unwrap().contains_key(session)
    }

    /// Every request since the last time, which are then forgotten.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.inner.seen.lock().unwrap())
    }

    /// The requests for this path, of those that are not forgotten.
    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        let mut seen = self.inner.seen.lock().unwrap().clone();
        seen.retain(|seen| seen.target.split('?').next() == Some(path));
        seen
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fronted for Office {
    fn entry(&self, host: &str) -> String {
        let identity: String =
            self.inner.identity.lines().map(|line| format!("  {line}\n")).collect();
        format!(
            "hosts: [{host}]\nupstreams: [\"http://{}\"]\nidentity:\n{identity}public: [/public/**]\n",
            self.address
        )
    }
}

/// The account that a typed name is: the office is generous.
pub fn account(typed: &str) -> String {
    let plain = typed.trim().to_lowercase();
    let plain = plain.strip_prefix("dom\\").unwrap_or(&plain);
    plain.strip_suffix("@example.com").unwrap_or(plain).to_owned()
}

impl Inner {
    fn begin(&self, typed: &str) -> String {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let name = format!("office{number}x{:08x}", number.wrapping_mul(2_654_435_761) as u32);
        self.sessions.lock().unwrap().insert(name.clone(), typed.to_owned());
        name
    }

    /// The name that was typed by whom a request is from, by whatever says so.
    fn typed(&self, headers: &HeaderMap) -> Option<String> {
        let known = |name: String| self.sessions.lock().unwrap().get(&name).cloned();
        if let Some(typed) = cookie(headers, "officesession").and_then(known) {
            return Some(typed);
        }
        match headers.get("x-remote-user").or_else(|| headers.get("x-plant-man")) {
            Some(named) => named.to_str().ok().map(str::to_owned),
            None => self.by_line(headers),
        }
    }

    fn by_line(&self, headers: &HeaderMap) -> Option<String> {
        let line = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, rest) = line.split_once(' ')?;
        // As many do, it knows the usual spelling of a scheme alone.
        if scheme == "Bearer" {
            return self.sessions.lock().unwrap().get(rest).cloned();
        }
        if scheme != "Basic" {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (typed, password) = text.split_once(':')?;
        is_known(&account(typed), password).then(|| typed.to_owned())
    }
}

async fn serve(State(office): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let seen = note(&parts.method, &parts.uri, &parts.headers, &body);
    office.seen.lock().unwrap().push(seen.clone());
    let typed = office.typed(&parts.headers);
    let query = fields(parts.uri.query().unwrap_or_default().as_bytes());
    let fields = fields(&body);
    let mut response = match (parts.method.as_str(), parts.uri.path()) {
        // Its pages go by the cookie first; whoever calls with a line is whom the line names.
        ("GET", "/api/me") if parts.headers.contains_key(header::AUTHORIZATION) => {
            me(&office, office.by_line(&parts.headers).as_deref()).await
        }
        ("GET", "/api/me") => me(&office, typed.as_deref()).await,
        ("POST", "/login") => by_form(&office, &fields),
        ("POST", "/token") => by_token(&office, &fields),
        ("GET", "/public/sso") => by_callback(&office, &query),
        ("GET", "/logout") => {
            let session = cookie(&parts.headers, "officesession").unwrap_or_default();
            office.sessions.lock().unwrap().remove(&session);
            redirect("/login", None)
        }
        (_, "/echo" | "/public/echo") => {
            serde_json::json!({ "lines": seen.lines }).to_string().into_response()
        }
        ("GET", path) if path.starts_with("/public/") => remembered(&office, &parts.headers),
        (_, path) => shown(path, typed.as_deref()),
    };
    if let (true, Some(typed)) = (office.turns.load(Ordering::SeqCst), typed) {
        set_session(&mut response, &office.begin(&typed));
    }
    response
}

fn note(method: &http::Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Seen {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Seen {
        method: method.to_string(),
        target: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        lines: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.to_vec(),
    }
}

/// Whose the session is, as far as the office says.
async fn me(office: &Inner, typed: Option<&str>) -> Response {
    let word = *office.word.lock().unwrap();
    let name = |name: &str| serde_json::json!({ "login": name }).to_string();
    let truth = typed.map(|typed| name(&account(typed)));
    match (word, truth) {
        (Word::Json(document), _) => document.into_response(),
        (Word::Silence, _) => std::future::pending().await,
        (Word::Elsewhere(other), _) => redirect(&format!("http://{other}/api/me"), None),
        (_, None) => StatusCode::UNAUTHORIZED.into_response(),
        (Word::Truth, Some(truth)) => truth.into_response(),
        (Word::AsTyped, Some(_)) => name(typed.unwrap()).into_response(),
        (Word::Status(status), Some(truth)) => {
            (StatusCode::from_u16(status).unwrap(), truth).into_response()
        }
        (Word::Compressed, Some(truth)) => {
            ([(header::CONTENT_ENCODING, "gzip")], truth).into_response()
        }
        (Word::Endless, Some(truth)) => {
            let space = Bytes::from(vec![b' '; 8 * 1024]);
            let parts = std::iter::once(Bytes::from(truth)).chain(std::iter::repeat(space));
            Body::from_stream(stream::iter(parts.map(Ok::<_, std::io::Error>))).into_response()
        }
    }
}

fn by_form(office: &Inner, fields: &HashMap<String, String>) -> Response {
    let Some(session) = taken(office, fields) else { return login_page("wrong password") };
    let mut response = redirect("/home", None);
    set_session(&mut response, &session);
    announce(&mut response, [fields["user"].as_str()]);
    response
}

fn by_token(office: &Inner, fields: &HashMap<String, String>) -> Response {
    match taken(office, fields) {
        Some(token) => serde_json::json!({ "access_token": token }).to_string().into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// Single sign-on comes back here; the test says who it was, and how often that is said.
fn by_callback(office: &Inner, query: &HashMap<String, String>) -> Response {
    let mut response = redirect("/home", None);
    set_session(&mut response, &office.begin(&query["user"]));
    if let Some(says) = query.get("says") {
        announce(&mut response, says.split('|'));
    }
    response
}

/// An open page, at which a browser that is remembered gets a session.
fn remembered(office: &Inner, headers: &HeaderMap) -> Response {
    let mut response = page(StatusCode::OK, "open to all");
    if let Some(typed) = cookie(headers, "remember") {
        set_session(&mut response, &office.begin(&typed));
    }
    response
}

fn shown(path: &str, typed: Option<&str>) -> Response {
    match typed.map(account) {
        Some(user) => page(StatusCode::OK, &format!("<p id=\"secret-page\">for {user} alone</p>")),
        None if path == "/login" => login_page(""),
        None => (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Basic realm=\"office\"")],
            "who are you?",
        )
            .into_response(),
    }
}

fn taken(office: &Inner, fields: &HashMap<String, String>) -> Option<String> {
    let (typed, password) = (fields.get("user")?, fields.get("password")?);
    is_known(&account(typed), password).then(|| office.begin(typed))
}

fn login_page(fault: &str) -> Response {
    let form = format!(
        "<p>{fault}</p><form method=\"post\" action=\"/login\"><input name=\"user\"><input name=\"password\" type=\"password\"><button>Sign in</button></form>"
    );
    page(StatusCode::OK, &form)
}

fn announce<'a>(response: &mut Response, names: impl IntoIterator<Item = &'a str>) {
    for name in names {
        response.headers_mut().append("x-portal-user", name.parse().unwrap());
    }
}

fn set_session(response: &mut Response, name: &str) {
    let line = format!("officesession={name}; Path=/; HttpOnly").parse().unwrap();
    response.headers_mut().append(header::SET_COOKIE, line);
}

fn fields(text: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}
