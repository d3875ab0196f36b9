//! Scripts and programs: they cannot fill in a page, so they are told what is missing.

use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again};
use crate::dsl::{ALICE, Answer, Browser, Call, gateway, portal};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_what_is_missing() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        let mut browser = gateway.browser("wiki");
        browser.http2 = http2;
        let nobody = browser.call("GET", "/api/items?page=2").await;
        assert_told(&nobody, 401, "login_required", "/login");
        sign_in(&mut browser, ALICE).await;
        let newcomer = browser.call("GET", "/api/items").await;
        assert_told(&newcomer, 401, "enrolment_required", "/.mfa/enrol");
    }
    enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        let mut browser = gateway.browser("wiki");
        browser.http2 = http2;
        sign_in(&mut browser, ALICE).await;
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
            let named = browser.call(method, "/api/items").await;
            assert_told(&named, 401, "mfa_required", "/.mfa/verify");
        }
    }
    assert!(portal.seen_at("/api/items").is_empty(), "a call without proof came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_locked_user_is_told_when_to_come_back() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    for _ in 0..5 {
        give_code(&mut browser, &page, "000000").await;
    }
    for http2 in [false, true] {
        browser.http2 = http2;
        let told = browser.call("GET", "/api/items").await;
        assert_told(&told, 429, "mfa_locked", "/.mfa/verify");
        let wait: u64 = told.line("retry-after").unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait} s");
    }
    gateway.advance(Duration::from_secs(31));
    let told = browser.call("GET", "/api/items").await;
    assert_told(&told, 401, "mfa_required", "/.mfa/verify");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proven_call_goes_to_the_portal() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        alice.browser.http2 = http2;
        let answer = alice.browser.call("DELETE", "/echo/items/7?force=1").await;
        assert_eq!(answer.status, 200);
        let seen = answer.json();
        assert_eq!(
            (&seen["method"], &seen["target"]),
            (&"DELETE".into(), &"/echo/items/7?force=1".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_ask_for_a_page_is_a_call() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let get = || Call::get("wiki.test", "/home");
    let calls = [
        get(),
        get().line("accept", "*/*"),
        get().line("accept", "application/json, text/plain;q=0.9"),
        get().line("accept", "text/html").line("sec-fetch-mode", "cors"),
        get().line("accept", "text/html").line("sec-fetch-mode", "no-cors"),
        Call::post("wiki.test", "/home", &[("a", "b")]).line("accept", "text/html"),
    ];
    for call in calls {
        let (plain, over_http2) = (gateway.send(call.clone()), gateway.send(call.clone().http2()));
        for answer in [plain.await, over_http2.await] {
            assert_told(&answer, 401, "login_required", "/login");
        }
    }
    let pages = [
        get().line("accept", "text/html"),
        get().line("accept", "application/xhtml+xml, text/html;q=0.9, */*;q=0.8"),
        get().line("accept", "*/*").line("sec-fetch-mode", "navigate"),
    ];
    for page in pages {
        let (plain, over_http2) = (gateway.send(page.clone()), gateway.send(page.clone().http2()));
        for answer in [plain.await, over_http2.await] {
            assert_eq!((answer.status, answer.line("location")), (303, Some("/login")), "{page:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_as_get_without_the_body() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        let head = |call: Call| Call { http2, ..call };
        let page = head(Call::new("HEAD", "wiki.test", "/home").page());
        let led = gateway.send(page).await;
        assert_eq!((led.status, led.line("location")), (303, Some("/login")));
        let call = head(Call::new("HEAD", "wiki.test", "/home").line("accept", "*/*"));
        let told = gateway.send(call).await;
        assert_eq!((told.status, told.body.as_str()), (401, ""));
        assert_eq!(challenge(&told), "login_required; url=\"/login\"");
    }
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let before = portal.seen_at("/home").len();
    for http2 in [false, true] {
        alice.browser.http2 = http2;
        let answer = alice.browser.call("HEAD", "/home").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    }
    let seen = portal.seen_at("/home");
    assert_eq!(
        seen[before..].iter().map(|seen| &seen.method).collect::<Vec<_>>(),
        ["HEAD", "HEAD"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_a_script_keeps_the_portals_answer() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        let mut browser = gateway.browser("wiki");
        browser.http2 = http2;
        let answer = sign_in_by_script(&mut browser).await;
        assert_eq!((answer.status, answer.location(), &*answer.body), (302, "/home", "moved"));
        let set: Vec<_> =
            answer.all("set-cookie").iter().filter_map(|line| line.split('=').next()).collect();
        assert_eq!(set, ["portalsession", "__Host-mfa"]);
        let call = browser.call("GET", "/home").await;
        assert_told(&call, 401, "enrolment_required", "/.mfa/enrol");
        let page = browser.open("/home").await;
        assert_eq!((page.status, page.location()), (303, "/.mfa/enrol?return_to=%2Fhome"));
    }
    assert!(portal.seen_at("/home").is_empty());
    enrol(&gateway, "wiki", ALICE).await;
    let mut browser = gateway.browser("wiki");
    assert_eq!(sign_in_by_script(&mut browser).await.location(), "/home");
    let page = browser.open("/home").await;
    assert_eq!((page.status, page.location()), (303, "/.mfa/verify?return_to=%2Fhome"));
}

/// As a page does that sends its form by `fetch`.
async fn sign_in_by_script(browser: &mut Browser) -> Shown {
    let page = browser.go("/login").await;
    let form = page.form("password").fill("user", ALICE.0).fill("password", ALICE.1);
    let call = browser.with_cookies(Call::post(&browser.host, "/login", &form.pairs()));
    let call = call.line("accept", "application/json").line("sec-fetch-mode", "cors");
    browser.visit("/login", call).await
}

/// What a call is told (RFC 9457), in the body and in a line for programs that read no JSON.
fn assert_told(answer: &Answer, status: u16, name: &str, place: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.line("content-type"), Some("application/problem+json"));
    assert_eq!(answer.line("cache-control"), Some("no-store"));
    assert_eq!(answer.line("location"), None);
    assert_eq!(challenge(answer), format!("{name}; url=\"{place}\""));
    let problem = answer.json();
    assert_eq!(problem["type"], format!("urn:portcullis:{name}"));
    assert_eq!(problem["status"], status);
    assert!(!problem["title"].as_str().unwrap().is_empty());
}

fn challenge(answer: &Answer) -> &str {
    answer.line("portcullis-challenge").unwrap_or_else(|| panic!("no challenge: {answer:?}"))
}
