//! Node-RED: a page for everybody that keeps a token, and a WebSocket that takes it again.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::dsl::browser::Shown;
use crate::dsl::socket::{self, Socket};
use crate::dsl::{ALICE, BOB, Browser, Call};
use crate::lines::{Keyed, Place, Way, whole_story};

pub const NODE_RED: Keyed = Keyed {
    name: "node-red",
    way: Way::Token { address: "/auth/token", fields: &FIELDS },
    page: "/flows",
    inside: "secret-flow",
};

const FIELDS: [(&str, &str); 3] =
    [("client_id", "node-red-editor"), ("grant_type", "password"), ("scope", "")];
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test(flavor = "multi_thread")]
async fn node_red_gets_a_second_factor() {
    whole_story(&NODE_RED).await;
}

/// The page comes before the login and has to load; nothing of the flows is in it.
#[tokio::test(flavor = "multi_thread")]
async fn the_editors_page_opens_to_everybody_and_says_nothing() {
    let place = Place::open(&NODE_RED).await;
    let mut browser = place.browser();
    for path in ["/", "/red/red.min.js", "/vendor/vendor.js", "/locales/editor", "/auth/login"] {
        let page = browser.open(path).await;
        assert_eq!(page.status, 200, "{path}: {:?}", page.answer);
        assert!(!NODE_RED.shows(&page), "{path}");
    }
    for path in ["/settings", "/nodes", "/icons", "/flow/f0a1b2c3d4e5f601", "/diagnostics"] {
        let told = browser.call("GET", path).await;
        assert_eq!(told.json()["type"], "urn:portcullis:login_required", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_in_json_is_one_too() {
    let place = Place::open(&NODE_RED).await;
    let mut browser = place.browser();
    let login = send(&mut browser, "/auth/token", JSON, json("alice").as_bytes()).await;
    assert_eq!(login.status, 200, "{:?}", login.answer);
    browser.authorization = line_of(&login);
    place.is_kept_out(&mut browser, "enrolment_required").await;
}

/// What the portal takes for a login and the gateway cannot read names nobody.
#[tokio::test(flavor = "multi_thread")]
async fn no_form_of_a_login_shows_a_page_before_the_code() {
    let place = Place::open(&NODE_RED).await;
    let alice = json("alice");
    let utf16: Vec<u8> = alice.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let twice = alice.replace("\"username\"", "\"username\":\"bob\",\"username\"");
    let form = form("alice");
    let tries: [(&str, &str, Vec<u8>); 9] = [
        ("/auth/token", "application/json; charset=utf-16le", utf16),
        ("/auth/token", JSON, twice.into_bytes()),
        ("/auth/token", JSON, [b"\xef\xbb\xbf", alice.as_bytes()].concat()),
        ("/auth/token", FORM, format!("{form}&username=bob").into_bytes()),
        ("/auth/token", FORM, form.replace("username=", "username[]=").into_bytes()),
        ("/auth/token", "text/plain", form.clone().into_bytes()),
        ("/auth/token/", FORM, form.clone().into_bytes()),
        ("/auth/TOKEN", FORM, form.clone().into_bytes()),
        ("/AUTH/token", JSON, alice.into_bytes()),
    ];
    let mut shown = Vec::new();
    for (path, kind, body) in &tries {
        let mut browser = place.browser();
        let login = send(&mut browser, path, kind, body).await;
        browser.authorization = line_of(&login);
        if place.shows(&mut browser).await {
            shown.push(format!("{path} {kind}"));
        }
    }
    assert!(shown.is_empty(), "shown without a code: {shown:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_login_is_none() {
    let place = Place::open(&NODE_RED).await;
    let mut browser = place.browser();
    let call = Call::new("POST", &browser.host, "/auth/token").line("content-type", JSON);
    let call = call.line("content-encoding", "gzip").body(packed(json("alice").as_bytes()));
    let login = browser.visit("/auth/token", call).await;
    browser.authorization = line_of(&login);
    assert!(!place.shows(&mut browser).await, "{:?}", login.answer);
}

/// Who has a phone of his own and somebody else's password or token.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_somebody_else_opens_nothing_in_a_proven_session() {
    let place = Place::open(&NODE_RED).await;
    let bob = place.enrol(BOB).await;
    for path in ["/AUTH/token", "/auth/token/"] {
        let mut browser = bob.browser.clone();
        let login = send(&mut browser, path, FORM, form("alice").as_bytes()).await;
        browser.authorization = line_of(&login);
        assert!(!place.shows(&mut browser).await, "{path}: {:?}", login.answer);
    }
    let past = NODE_RED.line_past_the_gateway(&place.portal, ALICE).await;
    let token = past.strip_prefix("Bearer ").unwrap();
    let field: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let mut shown = Vec::new();
    for query in ["access_token=", "access%5ftoken=", "x=1&access_token[]=", "access_token[0]="] {
        let (mut browser, path) = (bob.browser.clone(), format!("/flows?{query}{field}"));
        browser.authorization = None;
        if NODE_RED.shows(&*browser.call("GET", &path).await) {
            shown.push(path);
        }
    }
    for (kind, body) in [
        (FORM, format!("access_token={field}")),
        (JSON, format!("{{\"access_token\":\"{token}\"}}")),
    ] {
        let browser = bob.browser.clone();
        let call = browser.with_cookies(Call::get(&browser.host, "/flows"));
        let call = call.line("content-type", kind).body(&body);
        if NODE_RED.shows(&*browser.clone().visit("/flows", call).await) {
            shown.push(format!("{kind} {body}"));
        }
    }
    assert!(shown.is_empty(), "alice's token came in by bob's proof: {shown:#?}");
    place.lets_in(&mut bob.browser.clone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_editors_socket_opens_after_the_code_alone() {
    let place = Place::open(&NODE_RED).await;
    let mut named = place.browser();
    NODE_RED.sign_in(&mut named, ALICE).await;
    for browser in [place.browser(), named] {
        let head = socket::handshake(&browser, "/comms");
        let (status, answer) = socket::refusal(&place.gateway, &browser, &head).await;
        assert_eq!(status, 401, "{answer}");
    }
    let alice = place.enrol(ALICE).await;
    let line = alice.browser.authorization.clone().unwrap();
    let mut socket = Socket::open(&place.gateway, &alice.browser, "/comms").await;
    socket.say(&format!("{{\"auth\":\"{}\"}}", line.strip_prefix("Bearer ").unwrap())).await;
    assert_eq!(socket.next().await.as_deref(), Some("{\"auth\":\"ok\"}"));
    sign_out(&mut alice.browser.clone()).await;
    while socket.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn the_editors_own_sign_out_ends_the_session() {
    let place = Place::open(&NODE_RED).await;
    let alice = place.enrol(ALICE).await;
    let mut browser = alice.browser.clone();
    sign_out(&mut browser).await;
    place.is_kept_out(&mut browser, "login_required").await;
    place.is_kept_out(&mut alice.browser.clone(), "login_required").await;
}

/// What the editor's page sends.
async fn sign_out(browser: &mut Browser) {
    let line = browser.authorization.clone().unwrap();
    let fields = [("token", line.strip_prefix("Bearer ").unwrap())];
    let call = browser.with_cookies(Call::post(&browser.host, "/auth/revoke", &fields));
    let answer = browser.visit("/auth/revoke", call.line("authorization", &line)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.answer);
}

async fn send(browser: &mut Browser, path: &str, kind: &str, body: &[u8]) -> Shown {
    let call = browser.with_cookies(Call::new("POST", &browser.host, path));
    browser.visit(path, call.line("content-type", kind).body(body)).await
}

fn form(user: &str) -> String {
    let fields = [&FIELDS[..], &[("username", user), ("password", ALICE.1)]].concat();
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn json(user: &str) -> String {
    let fields = [&FIELDS[..], &[("username", user), ("password", ALICE.1)]].concat();
    let pairs: Vec<String> =
        fields.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect();
    format!("{{{}}}", pairs.join(","))
}

fn line_of(login: &Shown) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(&login.body).ok()?;
    Some(format!("Bearer {}", body.pointer("/access_token")?.as_str()?))
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip");
    let mut gzip = gzip.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    gzip.stdin.take().unwrap().write_all(bytes).unwrap();
    gzip.wait_with_output().unwrap().stdout
}
