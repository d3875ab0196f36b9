//! A portal that is a single-page application: one page for every address, a script that
//! signs in, loads a text into a field and saves it, all by calls.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::dsl::ALICE;
use crate::dsl::gateway::Fronted;

const PAGE: &str = "<!doctype html>
<html lang=\"en\">
<head><title>Editor</title></head>
<body><main></main><script src=\"/app.js\"></script></body>
</html>";

/// Runs before the browser has shown anything, keeps no `defer`, and on any answer that it
/// does not expect throws away what was typed, as a careless application does.
const APP: &str = r#"'use strict';
const main = document.querySelector('main');

async function start() {
  const me = await fetch('/api/me');
  if (!me.ok) return showLogin();
  if (location.pathname === '/login') history.pushState(null, '', '/edit#draft');
  showEditor((await me.json()).user);
}

function showLogin() {
  main.innerHTML = '<form><input id="user"><input id="password" type="password"><button>Sign in</button></form>';
  main.querySelector('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const [user, password] = main.querySelectorAll('input');
    const body = new URLSearchParams({ user: user.value, password: password.value });
    const answer = await fetch('/api/login', { method: 'POST', body });
    if (!answer.ok) return;
    history.pushState(null, '', '/edit#draft');
    start();
  });
}

async function showEditor(user) {
  main.innerHTML = `<p id="who">${user}</p><input id="title"><input id="pin" autocomplete="one-time-code"><input id="key" type="password">`
    + '<label><input id="urgent" type="checkbox"></label>'
    + '<select id="kind"><option>note<option>letter</select><div id="rich" contenteditable></div>'
    + '<textarea id="text"></textarea><button id="save">Save</button><button id="old">Save as of old</button>'
    + '<button id="renew">Renew the session</button><p id="said"></p>';
  const at = (id) => document.getElementById(id);
  const said = (status) => {
    at('said').textContent = status === 200 ? 'saved' : `failed with ${status}`;
    if (status !== 200) at('text').value = '';
  };
  addEventListener('beforeunload', (event) => { if (at('text').value) event.preventDefault(); });
  at('save').onclick = async () => {
    const answer = await fetch('/api/text', { method: 'PUT', body: at('text').value });
    said(answer.status);
  };
  at('old').onclick = () => {
    const call = new XMLHttpRequest();
    call.open('PUT', '/api/text');
    call.onreadystatechange = () => { if (call.readyState === 4) said(call.status); };
    call.send(at('text').value);
  };
  at('renew').onclick = async () => said((await fetch('/api/renew', { method: 'POST' })).status);
  // The field is filled after it is shown.
  at('text').value = await (await fetch('/api/text')).text();
  at('said').textContent = 'loaded';
}

start();
"#;

/// A running editor.
pub struct Editor {
    address: SocketAddr,
    inner: Arc<Inner>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Inner {
    sessions: Mutex<HashMap<String, String>>,
    count: Mutex<u32>,
    text: Mutex<String>,
}

impl Editor {
    pub async fn run() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner::default());
        let app = Router::new()
            .route("/app.js", get(|| async { ([(header::CONTENT_TYPE, "text/javascript")], APP) }))
            .route("/api/login", post(sign_in))
            .route("/api/me", get(me))
            .route("/api/text", get(text).put(save))
            .route("/api/renew", post(renew))
            .fallback(page)
            .with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, inner, server }
    }

    /// What was last saved.
    pub fn text(&self) -> String {
        self.inner.text.lock().unwrap().clone()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fronted for Editor {
    fn entry(&self, host: &str) -> String {
        format!(
            "hosts: [{host}]
upstreams: [\"http://{}\"]
identity:
  logins:
    - request: {{ method: POST, path: /api/login }}
      username: {{ form: user }}
      success: {{ status: [200], set_cookie: appsession }}
  session_cookies: [appsession]
  rotation: reverify
  login_url: /login
public: [/, /edit, /app.js]
spa: true
",
            self.address
        )
    }
}

impl Inner {
    fn begin(&self, user: &str) -> [(header::HeaderName, String); 1] {
        let mut count = self.count.lock().unwrap();
        *count += 1;
        let name = format!("app{count}");
        self.sessions.lock().unwrap().insert(name.clone(), user.to_owned());
        [(header::SET_COOKIE, format!("appsession={name}; Path=/; HttpOnly"))]
    }

    fn user(&self, headers: &HeaderMap) -> Option<String> {
        let line = headers.get(header::COOKIE)?.to_str().ok()?;
        let name = line.split("; ").find_map(|pair| pair.strip_prefix("appsession="))?;
        self.sessions.lock().unwrap().get(name).cloned()
    }
}

/// The portal's own policy lets no script run but those of its own address.
async fn page() -> Response {
    let lines = [
        (header::CONTENT_TYPE, "text/html"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'self'"),
    ];
    (lines, PAGE).into_response()
}

async fn sign_in(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    let fields: HashMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
    if (fields["user"].as_str(), fields["password"].as_str()) != ALICE {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    (inner.begin(&fields["user"]), "{}").into_response()
}

async fn me(State(inner): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    match inner.user(&headers) {
        Some(user) => serde_json::json!({ "user": user }).to_string().into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn text(State(inner): State<Arc<Inner>>) -> String {
    inner.text.lock().unwrap().clone()
}

async fn save(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: String) -> StatusCode {
    if inner.user(&headers).is_none() {
        return StatusCode::UNAUTHORIZED;
    }
    *inner.text.lock().unwrap() = body;
    StatusCode::OK
}

async fn renew(State(inner): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    match inner.user(&headers) {
        Some(user) => inner.begin(&user).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
