//! Jupyter Server: one password for all and no names, and kernels behind WebSockets.

use std::time::{Duration, Instant};

use crate::dsl::socket::{self, Socket};
use crate::dsl::{ALICE, Browser, Call};
use crate::habits::JUPYTER;
use crate::visits::{Place, whole_story};

#[tokio::test(flavor = "multi_thread")]
async fn jupyter_gets_a_second_factor() {
    whole_story(&JUPYTER).await;
}

/// Whatever is typed, or sent as a name, all are one user.
#[tokio::test(flavor = "multi_thread")]
async fn who_shares_the_password_shares_the_phone() {
    let place = Place::open(&JUPYTER).await;
    place.enrol(ALICE).await;
    for name in ["alice", "bob", "everyone"] {
        let mut browser = place.browser();
        let page = browser.go(JUPYTER.form).await;
        let form = page.form("password").fill("password", ALICE.1).fill("username", name);
        let led = browser.send(&page, &form).await;
        assert!(led.location().starts_with("/.mfa/verify"), "{name}: {:?}", led.answer);
        place.is_kept_out(&mut browser, "/.mfa/verify").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_answers_to_a_proven_session_until_it_ends() {
    let place = Place::open(&JUPYTER).await;
    let mut alice = place.enrol(ALICE).await;
    let channels = start_kernel(&mut alice.browser).await;
    let mut socket = Socket::open(&place.gateway, &alice.browser, &channels).await;
    socket.say(&run("print(6 * 7)")).await;
    while !socket.next().await.expect("the kernel said nothing").contains("42\\n") {}
    let began = Instant::now();
    alice.browser.clone().open("/logout").await;
    while socket.next().await.is_some() {}
    let lasted = began.elapsed();
    assert!(lasted < Duration::from_secs(2), "the socket outlived its session by {lasted:?}");
    refused(&place, &alice.browser, &channels, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_is_reached_from_no_other_session() {
    let place = Place::open(&JUPYTER).await;
    let mut alice = place.enrol(ALICE).await;
    let channels = start_kernel(&mut alice.browser).await;
    let mut named = place.browser();
    JUPYTER.sign_in(&mut named, ALICE).await;
    let mut direct = place.browser();
    direct.jar = JUPYTER.sign_in_past_the_gateway(&place.portal, ALICE).await;
    let mut mixed = direct.clone();
    mixed.jar.insert("__Host-mfa".to_owned(), alice.browser.jar["__Host-mfa"].clone());
    let own = "Origin: https://jupyter.test\r\n";
    for visitor in [place.browser(), named, direct, mixed] {
        refused(&place, &visitor, &channels, own).await;
    }
    refused(&place, &alice.browser, &channels, "Origin: https://evil.test\r\n").await;
    Socket::open(&place.gateway, &alice.browser, &channels).await;
}

/// The cookie says who it is by itself, and the server would take it still.
#[tokio::test(flavor = "multi_thread")]
async fn jupyters_own_sign_out_ends_the_session() {
    let place = Place::open(&JUPYTER).await;
    let mut alice = place.enrol(ALICE).await;
    let before = alice.browser.jar.clone();
    let out = alice.browser.open("/logout").await;
    assert_eq!(out.status, 200, "{:?}", out.answer);
    for jar in [alice.browser.jar.clone(), before] {
        alice.browser.jar = jar;
        place.is_kept_out(&mut alice.browser, JUPYTER.login).await;
    }
}

/// Starts a kernel as the page does; gives where its channels are.
async fn start_kernel(browser: &mut Browser) -> String {
    let token = browser.jar["_xsrf"].clone();
    let call = browser.with_cookies(Call::new("POST", &browser.host, "/api/kernels"));
    let call = call.line("x-xsrftoken", token).line("sec-fetch-mode", "cors");
    let call = call.line("origin", format!("https://{}", browser.host));
    let call = call.line("content-type", "application/json").body("{\"name\":\"python3\"}");
    let begun = browser.visit("/api/kernels", call).await;
    assert_eq!(begun.status, 201, "{:?}", begun.answer);
    format!("/api/kernels/{}/channels", begun.json()["id"].as_str().unwrap())
}

/// What the page sends to have some code run.
fn run(code: &str) -> String {
    serde_json::json!({
        "channel": "shell",
        "header": {
            "msg_id": "1", "msg_type": "execute_request", "session": "1", "username": "",
            "version": "5.3", "date": "2025-01-01T00:00:00Z",
        },
        "parent_header": {},
        "metadata": {},
        "content": {
            "code": code, "silent": false, "store_history": false, "user_expressions": {},
            "allow_stdin": false, "stop_on_error": true,
        },
    })
    .to_string()
}

async fn refused(place: &Place, browser: &Browser, path: &str, more: &str) {
    let head = format!("{}{more}", socket::handshake(browser, path));
    let (status, answer) = socket::refusal(&place.gateway, browser, &head).await;
    assert!(matches!(status, 401 | 403), "{answer}");
}
