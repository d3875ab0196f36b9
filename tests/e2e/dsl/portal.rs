//! A legacy portal with its own login, as old as they come: a form, a session before the
//! login with a token in it, a page behind it. It remembers every request as it saw it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

pub use streams::LINES;
use streams::{big, drip, echo, events, flood, mine, sink, upload};

use super::gateway::Fronted;
use super::{fields, is_known, notes};

mod doors;
mod streams;

/// Starts to describe a portal with a login form.
pub fn form() -> Builder {
    Builder { ways: Ways::default() }
}

/// A portal to be.
pub struct Builder {
    ways: Ways,
}

#[derive(Clone, Default)]
struct Ways {
    /// The login leaves the session's name as it is.
    keeps_session: bool,
    /// How it says that the password was wrong.
    error: usize,
    /// What a changed session does to a proof.
    rotation: &'static str,
    /// Fails if the rule for a login looks at the body.
    judged_by_body: bool,
    /// A second session cookie for `/private` alone is set at the login.
    folder_cookie: bool,
    /// What its login looks like, where it is another than the form.
    door: doors::Door,
    /// The rules for its logins, where they are others than for the form.
    logins: String,
    /// More keys below `identity`.
    identity: String,
    extra: String,
}

impl Builder {
    pub fn keeps_session_at_login(mut self) -> Self {
        self.ways.keeps_session = true;
        self
    }

    /// Sets a second session cookie at the login, which browsers send below `/private` alone.
    pub fn sets_a_cookie_for_a_folder(mut self) -> Self {
        self.ways.folder_cookie = true;
        self
    }

    /// One of [`ERRORS`] ways to say no.
    pub fn says_no_in_way(mut self, way: usize) -> Self {
        self.ways.error = way;
        self
    }

    pub fn rotation(mut self, rotation: &'static str) -> Self {
        self.ways.rotation = rotation;
        self
    }

    pub fn judged_by_body(mut self) -> Self {
        self.ways.judged_by_body = true;
        self
    }

    /// Its login page is a script that sends JSON and is answered in JSON.
    pub fn by_script(mut self) -> Self {
        self.ways.door = doors::Door::Script;
        self.logins(doors::SCRIPT)
    }

    /// It asks for the name first, and on the next page for the password.
    pub fn in_two_steps(mut self) -> Self {
        self.ways.door = doors::Door::TwoSteps;
        self.logins(doors::TWO_STEPS)
    }

    /// Other rules for its logins.
    pub fn logins(mut self, yaml: &str) -> Self {
        self.ways.logins = yaml.to_owned();
        self
    }

    /// Adds keys below `identity` in the configuration.
    pub fn identity(mut self, yaml: &str) -> Self {
        self.ways.identity.push_str(&format!("  {yaml}\n"));
        self
    }

    /// Adds keys to the portal's entry in the configuration.
    pub fn yaml(mut self, yaml: &str) -> Self {
        self.ways.extra.push_str(yaml);
        self.ways.extra.push('\n');
        self
    }

    pub async fn run(self) -> Portal {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner { ways: self.ways, ..Inner::default() });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Portal { address, inner, server }
    }
}

/// How many ways to say no there are.
pub const ERRORS: usize = 10;
/// How many there are to say it to a script.
pub const REFUSALS: usize = doors::REFUSALS;

/// A running portal.
pub struct Portal {
    pub address: SocketAddr,
    inner: Arc<Inner>,
    server: tokio::task::JoinHandle<()>,
}

/// A request as the portal saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub lines: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn all(&self, name: &str) -> Vec<&str> {
        let here = |line: &&(String, String)| line.0 == name;
        self.lines.iter().filter(here).map(|(_, value)| value.as_str()).collect()
    }
}

#[derive(Default)]
struct Inner {
    ways: Ways,
    sessions: Mutex<HashMap<String, Session>>,
    seen: Mutex<Vec<Seen>>,
    count: std::sync::atomic::AtomicU64,
    uploaded: Mutex<Vec<u8>>,
    held: tokio::sync::Notify,
}

#[derive(Clone, Default)]
struct Session {
    user: Option<String>,
    token: String,
    /// Whom the first of two steps named.
    named: Option<String>,
}

impl Portal {
    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// Every request since the last time, which are then forgotten.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.inner.seen.lock().unwrap())
    }

    /// The requests for this path.
    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.target.split('?').next() == Some(path));
        seen
    }

    /// Signs somebody in without any gateway, and gives the session's name.
    pub fn sign_in_directly(&self, user: &str) -> String {
        self.inner.begin(Some(user.to_owned()))
    }

    /// Whose a session is.
    pub fn user_of(&self, session: &str) -> Option<String> {
        self.inner.sessions.lock().unwrap().get(session).and_then(|session| session.user.clone())
    }

    /// Hands over what was last sent to `/upload`.
    pub fn uploaded(&self) -> Vec<u8> {
        std::mem::take(&mut *self.inner.uploaded.lock().unwrap())
    }

    /// The token that its forms carry.
    pub fn token_of(&self, session: &str) -> String {
        self.inner.sessions.lock().unwrap()[session].token.clone()
    }

    /// Lets one request to `/held` or `/drip`, or one login that is held, end.
    pub fn release(&self) {
        self.inner.held.notify_one();
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fronted for Portal {
    fn entry(&self, host: &str) -> String {
        let ways = &self.inner.ways;
        let rotation = if ways.rotation.is_empty() { "reverify" } else { ways.rotation };
        let success = match ways.judged_by_body {
            true => "{ body: { contains: \"Welcome\" } }",
            false => "{ status: [302], location: { not: \"/login*\" } }",
        };
        let form = format!(
            "- request: {{ method: POST, path: /login }}
  username: {{ form: user }}
  success: {success}
  failure: {{ body: {{ contains: \"invalid\" }} }}"
        );
        let logins = if ways.logins.is_empty() { &form } else { &ways.logins };
        let logins = logins.replace('\n', "\n    ");
        format!(
            "hosts: [{host}]
upstreams: [\"http://{}\"]
identity:
  logins:
    {logins}
  session_cookies: [portalsession, portalfolder]
  rotation: {rotation}
  login_url: /login
  logout: {{ path: /logout }}
{}public: [/public/**]
{}",
            self.address, ways.identity, ways.extra
        )
    }
}

impl Inner {
    fn begin(&self, user: Option<String>) -> String {
        let number = self.count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let name = format!("session{number}x{:08x}", number.wrapping_mul(2_654_435_761) as u32);
        let session = Session { user, token: format!("token{number}"), named: None };
        self.sessions.lock().unwrap().insert(name.clone(), session);
        name
    }

    fn session(&self, headers: &HeaderMap) -> Option<(String, Session)> {
        let name = cookie(headers, "portalsession")?;
        let session = self.sessions.lock().unwrap().get(&name).cloned()?;
        Some((name, session))
    }

    fn sign_in(&self, old: &str, user: &str) -> String {
        if self.ways.keeps_session {
            let mut sessions = self.sessions.lock().unwrap();
            sessions.get_mut(old).unwrap().user = Some(user.to_owned());
            return old.to_owned();
        }
        self.sessions.lock().unwrap().remove(old);
        self.begin(Some(user.to_owned()))
    }
}

async fn serve(State(portal): State<Arc<Inner>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if path == "/upload" {
        return upload(&portal, body).await;
    }
    if path == "/sink" {
        return sink(body).await;
    }
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let upgrade = parts.headers.contains_key(header::UPGRADE);
    let body = match upgrade {
        true => Bytes::new(),
        false => axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default(),
    };
    let seen = Seen {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        lines: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.to_vec(),
    };
    portal.seen.lock().unwrap().push(seen.clone());
    let user = portal.session(&parts.headers).and_then(|(_, session)| session.user);
    match (parts.method.as_str(), path.as_str()) {
        ("GET", "/login") => login_page(&portal, &parts.headers, ""),
        ("GET", "/public/password") => doors::password_page(&portal, &parts.headers),
        ("POST", "/login" | "/name" | "/password") if portal.ways.door != doors::Door::Form => {
            let fields = fields::read(&parts.headers, &body, parts.uri.query());
            doors::login(&portal, &parts.headers, &path, &fields)
        }
        ("POST", "/login") => {
            let fields = fields::read(&parts.headers, &body, parts.uri.query());
            let answer = login(&portal, &parts.headers, &fields);
            misbehave(&portal, answer, fields.get("then").map(String::as_str)).await
        }
        ("POST", "/public/api-login") => api_login(&portal, &body),
        ("GET", "/logout") => logout(&portal, &parts.headers),
        ("GET", "/rotate") => rotate(&portal, &parts.headers),
        ("GET", "/held") => {
            portal.held.notified().await;
            page(StatusCode::OK, "held")
        }
        ("GET", "/big") => big(),
        ("GET", "/flood") => flood(parts.uri.query().unwrap().parse().unwrap()),
        ("GET", "/drip") => drip(Arc::clone(&portal)),
        ("GET", "/ws") if upgrade => {
            match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
                Ok(upgrade) => upgrade.on_upgrade(move |socket| echo(socket, user)),
                Err(refused) => refused.into_response(),
            }
        }
        (_, path) if path.starts_with("/echo") || path.starts_with("/public/echo") => {
            let lines: Vec<_> = seen.lines.iter().map(|(name, value)| [name, value]).collect();
            let body = String::from_utf8_lossy(&seen.body).into_owned();
            serde_json::json!({ "method": seen.method, "target": seen.target, "lines": lines, "body": body }).to_string().into_response()
        }
        ("GET", "/public/cached") => {
            ([(header::CACHE_CONTROL, "public, max-age=60")], "for all").into_response()
        }
        ("POST", "/notes/save") => {
            let fields = fields::read(&parts.headers, &body, None);
            notes::saved(user.as_deref(), &fields)
        }
        (_, path) if path.starts_with("/public/") => page(StatusCode::OK, "open to all"),
        _ => match user {
            Some(user) if path == "/events" => events(&user),
            Some(user) if path == "/mine" => mine(&user, parts.uri.query() == Some("held")),
            Some(user) => page(
                StatusCode::OK,
                &format!("<h1>Welcome, {user}</h1><p id=\"secret-page\">for {user} alone</p>"),
            ),
            None => redirect("/login", None),
        },
    }
}

fn login_page(portal: &Inner, headers: &HeaderMap, fault: &str) -> Response {
    // As careless portals do, this one greets who is signed in at the login page itself.
    let known = portal.session(headers);
    if let Some((_, Session { user: Some(user), .. })) = &known {
        return page(
            StatusCode::OK,
            &format!("already signed in, <p id=\"secret-page\">for {user} alone</p>"),
        );
    }
    let name = known.map_or_else(|| portal.begin(None), |(name, _)| name);
    let token = portal.sessions.lock().unwrap()[&name].token.clone();
    let (action, password) = doors::form_of(portal);
    let form = format!(
        "<form method=\"post\" action=\"{action}\"><p>{fault}</p><input name=\"token\" type=\"hidden\" value=\"{token}\"><input name=\"user\">{password}<button>Sign in</button></form>"
    );
    let mut response = page(StatusCode::OK, &form);
    set_session(&mut response, &name);
    response
}

fn login(portal: &Inner, headers: &HeaderMap, fields: &HashMap<String, String>) -> Response {
    let Some((name, session)) = portal.session(headers) else {
        return page(StatusCode::FORBIDDEN, "invalid token: no session");
    };
    if fields.get("token") != Some(&session.token) {
        return page(StatusCode::FORBIDDEN, "invalid token");
    }
    let typed = fields.get("user").cloned().unwrap_or_default();
    let user = typed.trim().to_lowercase();
    let password = fields.get("password").cloned().unwrap_or_default();
    if !is_known(&user, &password) {
        return doors::refusal(portal, headers, &name, &typed);
    }
    let name = portal.sign_in(&name, &user);
    if portal.ways.judged_by_body {
        let mut response = page(StatusCode::OK, &format!("Welcome, {user}"));
        set_session(&mut response, &name);
        return response;
    }
    let mut response = redirect(fields.get("next").map_or("/home", String::as_str), Some(&name));
    if portal.ways.folder_cookie {
        let line = format!("portalfolder={name}f; Path=/private; HttpOnly").parse().unwrap();
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

/// What may go wrong after the portal took a password.
async fn misbehave(portal: &Inner, answer: Response, then: Option<&str>) -> Response {
    match then {
        Some("held") => portal.held.notified().await,
        Some("fail") => return page(StatusCode::INTERNAL_SERVER_ERROR, "something broke"),
        Some("cut") => {
            let broken = std::io::Error::other("the portal stopped here");
            let parts = [Ok(Bytes::from_static(b"Wel")), Err(broken)];
            return Body::from_stream(stream::iter(parts)).into_response();
        }
        _ => {}
    }
    answer
}

/// A second way in, which the gateway is not told of.
fn api_login(portal: &Inner, body: &[u8]) -> Response {
    let fields: HashMap<String, String> = serde_json::from_slice(body).unwrap_or_default();
    if !is_known(&fields["user"], &fields["password"]) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut response = "{\"ok\":true}".into_response();
    set_session(&mut response, &portal.begin(Some(fields["user"].clone())));
    response
}

fn logout(portal: &Inner, headers: &HeaderMap) -> Response {
    if let Some((name, _)) = portal.session(headers) {
        portal.sessions.lock().unwrap().remove(&name);
    }
    let mut response = redirect("/login", None);
    let line = "portalsession=; Path=/; Max-Age=0".parse().unwrap();
    response.headers_mut().append(header::SET_COOKIE, line);
    response
}

fn rotate(portal: &Inner, headers: &HeaderMap) -> Response {
    let (old, session) = portal.session(headers).unwrap();
    let name = portal.begin(session.user);
    portal.sessions.lock().unwrap().remove(&old);
    let mut response = page(StatusCode::OK, "rotated");
    set_session(&mut response, &name);
    response
}

pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs =
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    values.next()
}

fn host(headers: &HeaderMap) -> &str {
    headers[header::HOST].to_str().unwrap()
}

pub(super) fn page(status: StatusCode, body: &str) -> Response {
    let body = format!("<!doctype html><title>Portal</title>{body}");
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

pub(super) fn redirect(location: &str, session: Option<&str>) -> Response {
    let mut response = (StatusCode::FOUND, [(header::LOCATION, location)], "moved").into_response();
    if let Some(session) = session {
        set_session(&mut response, session);
    }
    response
}

fn set_session(response: &mut Response, name: &str) {
    let line = format!("portalsession={name}; Path=/; HttpOnly").parse().unwrap();
    response.headers_mut().append(header::SET_COOKIE, line);
}
