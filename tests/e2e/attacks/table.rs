//! The contract's table "What who sees": each row, for pages and calls, over HTTP/1.1 and 2.

use std::time::Duration;

use crate::dsl::dates::enforcement;
use crate::dsl::socket::{handshake, refusal};
use crate::dsl::steps::{enrol, give_code, prove_here, sign_in, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Portal, gateway, portal};

/// What one visitor gets at one path: as a page, and as a call.
struct Row {
    path: &'static str,
    page: &'static str,
    call: &'static str,
}

const fn row(path: &'static str, page: &'static str, call: &'static str) -> Row {
    Row { path, page, call }
}

const RULES: &str = "\
rules:
  - { match: { path: /home/fresh }, require: fresh, within: 5m }
  - { match: { path: /echo/open/** }, require: none }
  - { match: { path: /echo/closed/** }, require: deny }
";

async fn scene(enforcement: &str) -> (Portal, Gateway) {
    let portal = portal::form().yaml(&format!("{RULES}{enforcement}")).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    (portal, gateway)
}

/// Every row, each way.
async fn check(who: &str, browser: &Browser, rows: &[Row]) {
    for http2 in [false, true] {
        let mut browser = browser.clone().over(http2);
        for Row { path, page, call } in rows {
            let shown = browser.clone().open(path).await;
            let got = match shown.status {
                303 => shown.location().to_owned(),
                status => status.to_string(),
            };
            assert_eq!(got, *page, "{who} at {path} as a page, HTTP/2 {http2}: {:?}", shown.answer);
            let told = browser.call("GET", path).await;
            let kind = told.json_kind();
            let got = format!("{}{kind}", told.status);
            assert_eq!(got, *call, "{who} at {path} as a call, HTTP/2 {http2}: {:?}", told.answer);
        }
    }
}

trait Problem {
    fn json_kind(&self) -> String;
}

impl Problem for crate::dsl::browser::Shown {
    /// The name of a problem of ours, with a space before it.
    fn json_kind(&self) -> String {
        if self.line("content-type") != Some("application/problem+json") {
            return String::new();
        }
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        kind.strip_prefix("urn:portcullis:").map(|name| format!(" {name}")).unwrap_or_default()
    }
}

const OPEN: [Row; 4] = [
    row("/.mfa/help", "200", "200"),
    row("/public/page", "200", "200"),
    row("/login", "200", "200"),
    row("/echo/open/x", "200", "200"),
];
const CLOSED: Row = row("/echo/closed/x", "403", "403");
const IN: [Row; 2] = [row("/home", "200", "200"), row("/wiki/x", "200", "200")];

#[tokio::test(flavor = "multi_thread")]
async fn in_force() {
    let (_portal, mut gateway) = scene("").await;
    let nobody = gateway.browser("wiki");
    check("nobody", &nobody, &OPEN).await;
    check("nobody", &nobody, &[CLOSED]).await;
    check("nobody", &nobody, &[row("/home", "/login", "401 login_required")]).await;
    let fresh = row("/home/fresh", "/login", "401 login_required");
    check("nobody", &nobody, &[fresh]).await;

    let mut newcomer = gateway.browser("wiki");
    sign_in(&mut newcomer, BOB).await;
    check("newcomer", &newcomer, &OPEN).await;
    let held = row("/home", "/.mfa/enrol?return_to=%2Fhome", "401 enrolment_required");
    check("newcomer", &newcomer, &[held, CLOSED]).await;

    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut named = gateway.browser("wiki");
    sign_in_again(&mut named, ALICE).await;
    check("named", &named, &OPEN).await;
    let held = row("/home", "/.mfa/verify?return_to=%2Fhome", "401 mfa_required");
    check("named", &named, &[held, CLOSED]).await;

    check("proven", &alice.browser, &OPEN).await;
    check("proven", &alice.browser, &IN).await;
    check("proven", &alice.browser, &[row("/home/fresh", "200", "200"), CLOSED]).await;
    gateway.advance(Duration::from_secs(301));
    let stale =
        row("/home/fresh", "/.mfa/verify?return_to=%2Fhome%2Ffresh&step_up=yes", "401 mfa_stale");
    check("proven too long ago", &alice.browser, &[stale]).await;
    check("proven too long ago", &alice.browser, &IN).await;
    let page = alice.browser.go("/home/fresh").await;
    assert!(page.text().contains("Enter a new code"), "{}", page.text());
    let led = give_code(&mut alice.browser, &page, &alice.phone.code(gateway.now())).await;
    assert_eq!((led.status, led.location()), (303, "/home/fresh"));
    check("proven again", &alice.browser, &[row("/home/fresh", "200", "200")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn locked() {
    let (_portal, mut gateway) = scene("").await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.advance(Duration::from_secs(301));
    let mut locked = gateway.browser("wiki");
    let page = sign_in_again(&mut locked, ALICE).await;
    for _ in 0..5 {
        give_code(&mut locked, &page, "000000").await;
    }
    let held = row("/home", "/.mfa/verify?return_to=%2Fhome", "429 mfa_locked");
    check("locked", &locked, &[held, CLOSED]).await;
    check("locked", &locked, &OPEN).await;
    check("locked elsewhere, proven here", &alice.browser, &IN).await;
    let stale = row("/home/fresh", "/.mfa/verify?return_to=%2Fhome%2Ffresh", "429 mfa_locked");
    check("locked elsewhere, proven too long ago here", &alice.browser, &[stale]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_date() {
    for enforcement in [enforcement("required", 2, ""), enforcement("optional", 0, "")] {
        let (_portal, mut gateway) = scene(&enforcement).await;
        let nobody = gateway.browser("wiki");
        check("nobody", &nobody, &[row("/home", "/login", "401 login_required"), CLOSED]).await;

        let mut newcomer = gateway.browser("wiki");
        let led = sign_in(&mut newcomer, BOB).await;
        assert_eq!(led.location(), "/.mfa/notice?return_to=%2Fhome");
        let told = row("/home", "/.mfa/notice?return_to=%2Fhome", "200");
        check("newcomer who was not told", &newcomer, &[told, CLOSED]).await;
        check("newcomer who was not told", &newcomer, &OPEN).await;
        newcomer.follow(led).await;
        check("newcomer who was told", &newcomer, &IN).await;
        check("newcomer who was told", &newcomer, &OPEN).await;
        let fresh = row("/home/fresh", "200", "200");
        check("newcomer who was told", &newcomer, &[fresh, CLOSED]).await;

        let page = newcomer.open("/.mfa/enrol").await;
        let alice = crate::dsl::steps::enrol_at(&gateway, newcomer, page).await;
        gateway.next_code();
        let mut named = gateway.browser("wiki");
        sign_in_again(&mut named, BOB).await;
        let held = row("/home", "/.mfa/verify?return_to=%2Fhome", "401 mfa_required");
        check("named", &named, &[held, CLOSED]).await;
        prove_here(&gateway, &mut named, &alice.phone).await;
        check("proven", &named, &IN).await;
        check("proven", &named, &[row("/.mfa/notice", "/", "303"), CLOSED]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_held() {
    for (mode, counted) in [("report", true), ("off", false)] {
        let (_portal, gateway) = scene(&enforcement(mode, 0, "")).await;
        let nobody = gateway.browser("wiki");
        // The portal itself sends away who is not signed in.
        check("nobody", &nobody, &[row("/wiki/x", "302", "302"), CLOSED]).await;
        let mut newcomer = gateway.browser("wiki");
        let led = sign_in(&mut newcomer, BOB).await;
        assert_eq!(led.location(), "/home", "the portal's own answer");
        check("newcomer", &newcomer, &IN).await;
        check("newcomer", &newcomer, &OPEN).await;
        check("newcomer", &newcomer, &[row("/home/fresh", "200", "200"), CLOSED]).await;
        let blocked = async |reason| {
            let labels = [("portal", "wiki"), ("reason", reason)];
            gateway.metric("portcullis_would_block_total", &labels).await
        };
        assert_eq!(blocked("unknown").await > 0.0, counted);
        assert_eq!(blocked("not_enrolled").await > 0.0, counted);
        let users = gateway.metric("portcullis_would_block_users", &[("portal", "wiki")]).await;
        assert_eq!(users, if counted { 1.0 } else { 0.0 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_and_a_socket() {
    let (_portal, gateway) = scene("").await;
    for http2 in [false, true] {
        for call in [Call::get("other.test", "/home"), Call::get("other.test", "/home").page()] {
            let mut call = call;
            call.http2 = http2;
            call.server_name = "wiki.test".to_owned();
            assert_eq!(gateway.send(call).await.status, 421);
        }
    }
    let mut newcomer = gateway.browser("wiki");
    sign_in(&mut newcomer, BOB).await;
    for (browser, path, status) in [
        (&newcomer, "/ws", 401),
        (&gateway.browser("wiki"), "/ws", 401),
        (&newcomer, "/echo/closed/ws", 403),
    ] {
        let head = format!("{}Origin: https://wiki.test\r\n", handshake(browser, path));
        let (got, answer) = refusal(&gateway, browser, &head).await;
        assert_eq!(got, status, "{path}: {answer}");
    }
}
