//! C21: every page of ours and a protected path, by every kind of visitor and in every way.
//! The table is what the contract promises, and an answer that is not in it is a fault.

use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::steps::{enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, gateway, portal};

/// What lets colleagues vouch for each other.
const COLLEAGUES: &str = "organisation: { domains: [example.com] }";
/// What makes the portal's keys public.
const TELLS: &str = "upstream_headers: { assertion: X-Portcullis-Assertion }";

/// A row: the path, and what a page, a call and an empty POST get. A number is a status, a
/// path is where a 303 leads, `=` is the same as for a page. A form that waits for a code gets
/// a page that says so.
type Row = (&'static str, &'static str, &'static str, &'static str);

const NOBODY: [Row; 18] = [
    ("/.mfa/", "/login", "=", "405"),
    ("/.mfa/enrol", "/login", "=", "/login"),
    ("/.mfa/recovery-codes", "/login", "=", "/login"),
    ("/.mfa/verify", "/login", "=", "/login"),
    ("/.mfa/help", "200", "=", "405"),
    ("/.mfa/devices", "/login", "=", "/login"),
    ("/.mfa/vouch", "/login", "=", "/login"),
    ("/.mfa/reset", "/login", "=", "/login"),
    ("/.mfa/authenticators", "/login", "=", "/login"),
    ("/.mfa/authenticators/add", "/login", "=", "/login"),
    ("/.mfa/authenticators/move", "/login", "=", "/login"),
    ("/.mfa/sessions", "/login", "=", "/login"),
    ("/.mfa/logout", "/login", "=", "/login"),
    ("/.mfa/style.css", "200", "=", "405"),
    ("/.mfa/spa.js", "200", "=", "405"),
    ("/.mfa/jwks.json", "200", "=", "405"),
    ("/.mfa/nothing", "404", "=", "404"),
    ("/home", "/login", "401 login_required", "401 login_required"),
];

const NOT_ENROLLED: [Row; 18] = [
    ("/.mfa/", "200", "=", "405"),
    ("/.mfa/enrol", "200", "=", "403"),
    ("/.mfa/recovery-codes", "/.mfa/verify?return_to=%2F", "=", "403"),
    ("/.mfa/verify", "/.mfa/enrol?return_to=%2F", "=", "/.mfa/enrol?return_to=%2F"),
    ("/.mfa/help", "200", "=", "405"),
    ("/.mfa/devices", "/.mfa/verify?return_to=%2F", "=", "403"),
    ("/.mfa/vouch", "/.mfa/verify?return_to=%2F%2Emfa%2Fvouch", "=", "403"),
    ("/.mfa/reset", "/", "=", "403"),
    ("/.mfa/authenticators", "/.mfa/verify?return_to=%2F%2Emfa%2Fauthenticators", "=", "403"),
    (
        "/.mfa/authenticators/add",
        "/.mfa/verify?return_to=%2F%2Emfa%2Fauthenticators%2Fadd",
        "=",
        "403",
    ),
    (
        "/.mfa/authenticators/move",
        "/.mfa/verify?return_to=%2F%2Emfa%2Fauthenticators%2Fmove",
        "=",
        "403",
    ),
    ("/.mfa/sessions", "/.mfa/verify?return_to=%2F%2Emfa%2Fsessions", "=", "403"),
    ("/.mfa/logout", "200", "=", "403"),
    ("/.mfa/style.css", "200", "=", "405"),
    ("/.mfa/spa.js", "200", "=", "405"),
    ("/.mfa/jwks.json", "200", "=", "405"),
    ("/.mfa/nothing", "404", "=", "404"),
    ("/home", "/.mfa/enrol?return_to=%2Fhome", "401 enrolment_required", "401 enrolment_required"),
];

const ENROLLED: [Row; 18] = [
    ("/.mfa/", "200", "=", "405"),
    ("/.mfa/enrol", "/.mfa/verify?return_to=%2F", "=", "/.mfa/verify?return_to=%2F"),
    ("/.mfa/recovery-codes", "/.mfa/verify?return_to=%2F", "=", "403"),
    ("/.mfa/verify", "200", "=", "403"),
    ("/.mfa/help", "200", "=", "405"),
    ("/.mfa/devices", "/.mfa/verify?return_to=%2F", "=", "403"),
    ("/.mfa/vouch", "/.mfa/verify?return_to=%2F%2Emfa%2Fvouch", "=", "403"),
    ("/.mfa/reset", "/", "=", "403"),
    ("/.mfa/authenticators", "/.mfa/verify?return_to=%2F%2Emfa%2Fauthenticators", "=", "403"),
    (
        "/.mfa/authenticators/add",
        "/.mfa/verify?return_to=%2F%2Emfa%2Fauthenticators%2Fadd",
        "=",
        "403",
    ),
    (
        "/.mfa/authenticators/move",
        "/.mfa/verify?return_to=%2F%2Emfa%2Fauthenticators%2Fmove",
        "=",
        "403",
    ),
    ("/.mfa/sessions", "/.mfa/verify?return_to=%2F%2Emfa%2Fsessions", "=", "403"),
    ("/.mfa/logout", "200", "=", "403"),
    ("/.mfa/style.css", "200", "=", "405"),
    ("/.mfa/spa.js", "200", "=", "405"),
    ("/.mfa/jwks.json", "200", "=", "405"),
    ("/.mfa/nothing", "404", "=", "404"),
    ("/home", "/.mfa/verify?return_to=%2Fhome", "401 mfa_required", "401 mfa_required, a page"),
];

const PROVEN: [Row; 18] = [
    ("/.mfa/", "200", "=", "405"),
    ("/.mfa/enrol", "/.mfa/", "=", "/.mfa/"),
    ("/.mfa/recovery-codes", "200", "=", "403"),
    ("/.mfa/verify", "/", "=", "/"),
    ("/.mfa/help", "200", "=", "405"),
    ("/.mfa/devices", "200", "=", "403"),
    ("/.mfa/vouch", "200", "=", "403"),
    ("/.mfa/reset", "/", "=", "403"),
    ("/.mfa/authenticators", "200", "=", "403"),
    ("/.mfa/authenticators/add", "200", "=", "403"),
    ("/.mfa/authenticators/move", "200", "=", "403"),
    ("/.mfa/sessions", "200", "=", "403"),
    ("/.mfa/logout", "200", "=", "403"),
    ("/.mfa/style.css", "200", "=", "405"),
    ("/.mfa/spa.js", "200", "=", "405"),
    ("/.mfa/jwks.json", "200", "=", "405"),
    ("/.mfa/nothing", "404", "=", "404"),
    ("/home", "200", "=", "200"),
];

/// Whoever has to wait, or to ask the desk: like who has enrolled, but for the call.
fn held(challenge: &'static str) -> [Row; 18] {
    let mut rows = ENROLLED;
    rows[17] = ("/home", "/.mfa/verify?return_to=%2Fhome", challenge, challenge);
    rows
}

/// An answer in the words of the table.
fn told(shown: &Shown) -> String {
    match shown.status {
        303 => shown.location().to_owned(),
        401 if shown.line("content-type") == Some("text/html; charset=utf-8") => {
            let challenge = shown.line("portcullis-challenge").unwrap();
            format!("401 {}, a page", challenge.split(';').next().unwrap())
        }
        status @ (401 | 429) => {
            let kind = shown.json()["type"].as_str().unwrap().to_owned();
            format!("{status} {}", kind.strip_prefix("urn:portcullis:").unwrap())
        }
        status => status.to_string(),
    }
}

async fn check(state: &str, browser: &Browser, rows: &[Row]) {
    for http2 in [false, true] {
        let browser = browser.clone().over(http2);
        for (path, page, call, post) in rows {
            let call = if *call == "=" { page } else { call };
            let seen = [
                ("page", page, browser.clone().open(path).await),
                ("call", call, browser.clone().call("GET", path).await),
                ("POST", post, browser.clone().post(path, &[]).await),
            ];
            for (kind, expected, shown) in seen {
                assert_eq!(told(&shown), *expected, "{kind} {path} by {state}");
                let behind = shown.body.contains("secret-page");
                assert_eq!(behind, state == "proven" && *path == "/home", "{path} by {state}");
            }
            let other = browser.clone().call("DELETE", path).await.status;
            let expected: &[u16] = match (path.starts_with("/.mfa"), state) {
                (true, _) => &[405],
                (false, "proven") => &[200],
                (false, _) => &[401, 429],
            };
            assert!(expected.contains(&other), "DELETE {path} by {state}: {other}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c21_every_page_answers_every_visitor_as_the_contract_says() {
    let portal =
        portal::form().yaml("spa: true").yaml("remember_device: {}").yaml(TELLS).yaml(COLLEAGUES);
    let portal = portal.run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut nobody = gateway.browser("wiki");
    check("nobody", &nobody, &NOBODY).await;
    nobody.open("/login").await;
    check("a guest", &nobody, &NOBODY).await;
    let mut bob = gateway.browser("wiki");
    sign_in_anew(&mut bob, BOB).await;
    check("not enrolled", &bob, &NOT_ENROLLED).await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    check("proven", &alice, &PROVEN).await;
    let mut named = gateway.browser("wiki");
    let page = sign_in_again(&mut named, ALICE).await;
    check("enrolled", &named, &ENROLLED).await;
    for _ in 0..5 {
        give_code(&mut named, &page, "000000").await;
    }
    check("locked", &named, &held("429 mfa_locked")).await;
    check("proven", &alice, &PROVEN).await;
    gateway.advance(Duration::from_secs(2 * 3600));
    // A session that was left alone wants the code again, and only that.
    check("idle", &alice, &ENROLLED).await;
    check("idle before the proof", &named, &ENROLLED).await;
    let before = named.clone();
    // Forty-five more wrong codes, each after the longest wait.
    for _ in 5..50 {
        named = gateway.browser("wiki");
        let page = sign_in_again(&mut named, ALICE).await;
        give_code(&mut named, &page, "000000").await;
        gateway.advance(Duration::from_secs(3600));
    }
    named = gateway.browser("wiki");
    sign_in_again(&mut named, ALICE).await;
    check("disabled", &named, &held("429 mfa_locked")).await;
    check("expired", &alice, &NOBODY).await;
    check("expired before the proof", &before, &NOBODY).await;
}

/// Before a guard the table is the same: the page asks for a code in place of the secret.
#[tokio::test(flavor = "multi_thread")]
async fn c21_a_guard_changes_no_answer_but_the_page() {
    let yaml = "enrolment: { guard: invite }";
    let portal =
        portal::form().yaml("spa: true").yaml("remember_device: {}").yaml(TELLS).yaml(yaml);
    let portal = portal.yaml(COLLEAGUES).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut bob = gateway.browser("wiki");
    let page = sign_in_anew(&mut bob, BOB).await;
    assert!(page.form("invite").field("csrf").is_some() && !page.body.contains("otpauth"));
    check("not enrolled", &bob, &NOT_ENROLLED).await;
}
