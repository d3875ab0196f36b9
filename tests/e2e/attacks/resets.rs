//! Who cannot bring a reset about, whatever the trick; and C23: what a reset leaves of what
//! stood before, within a second, on every way in.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::dsl::browser::Shown;
use crate::dsl::desk::{DESK, ORGANISATION, Token, VIEWER, ask, call, call_with, command};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Portal, gateway, portal};

const A_SECOND: Duration = Duration::from_secs(1);
/// Names at the desk that are those of users, too.
const AS_BOB: Token =
    Token { name: "bob", role: "desk", secret: "b0bQwErTyUiOpAsDfGhJkLzXc", portals: "" };
const AS_ALICE: Token =
    Token { name: "alice", role: "desk", secret: "al1QwErTyUiOpAsDfGhJkLzXc", portals: "" };
const SHOP: Token =
    Token { name: "shop", role: "admin", secret: "sH0pQwErTyUiOpAsDfGhJkLz", portals: "[shop]" };

async fn house(wiki: &str) -> ([Portal; 2], Gateway) {
    let shop = portal::form().yaml(ORGANISATION).run().await;
    let wiki = portal::form().yaml(ORGANISATION).yaml(wiki).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop);
    let gateway = gateway.token(VIEWER).token(DESK).token(AS_BOB).token(AS_ALICE).token(SHOP);
    ([wiki, shop], gateway.run().await)
}

async fn list(gateway: &Gateway, token: Token) -> Vec<Value> {
    let answer = ask(gateway, call(token, "GET", "/api/v1/reset-requests")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["requests"].as_array().unwrap().clone()
}

fn wish(requested_by: &str) -> String {
    let channel = "colleague";
    json!({ "requested_by": requested_by, "channel": channel, "reason": "lost" }).to_string()
}

async fn vouch(browser: &mut Browser, colleague: &str) -> Shown {
    let page = browser.open("/.mfa/vouch").await;
    let form = page.form("colleague").fill("colleague", colleague);
    browser.send(&page, &form.fill("reason", "lost the phone")).await
}

/// A portal whose users get mail at this domain: what a name makes is its address.
fn mail_at(domain: &str) -> String {
    format!("enrolment: {{ email: \"{{user}}@{domain}\" }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_vouches_for_oneself_under_any_spelling() {
    let (_portals, gateway) = house(&mail_at("example.com")).await;
    let mut bob = enrol(&gateway, "wiki", BOB).await;
    for own in ["bob", "BOB", " bob ", "bob@example.com", "Bob@Example.COM", "bob@example.org"] {
        let refused = vouch(&mut bob.browser, own).await;
        assert_eq!(refused.status, 403, "{own}");
        assert!(
            refused.text().contains("You cannot ask for yourself"),
            "{own}: {}",
            refused.text()
        );
    }
    // What is no name of this portal is nobody's, whatever a person would read in it.
    for trick in [
        "bob+phone@example.com",
        "corp\\bob",
        "Bob <alice@example.com>",
        "alice,bob",
        "al\u{131}ce",
        "",
    ] {
        let refused = vouch(&mut bob.browser, trick).await;
        assert_eq!(refused.status, 422, "{trick:?}");
        assert!(!refused.body.contains("<alice"), "{}", refused.body);
    }
    assert!(list(&gateway, VIEWER).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_of_another_domain_is_refused_however_alike() {
    for domain in [
        "vendor.example",
        "examp1e.com",
        "mail.example.com",
        "example.com.evil.example",
        "notexample.com",
        "gmail.com",
    ] {
        let (_portals, gateway) = house(&mail_at(domain)).await;
        let alice = enrol(&gateway, "wiki", ALICE).await;
        let mut bob = enrol(&gateway, "wiki", BOB).await;
        let refused = vouch(&mut bob.browser, "alice").await;
        assert_eq!(refused.status, 403, "{domain}");
        assert!(refused.text().contains("You cannot ask here"), "{domain}: {}", refused.text());
        assert!(list(&gateway, VIEWER).await.is_empty(), "{domain}");
        assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_vouches_where_no_organisation_is_named() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(VIEWER).run().await;
    let bob = enrol(&gateway, "wiki", BOB).await;
    assert_eq!(bob.browser.clone().open("/.mfa/vouch").await.status, 404);
    let forced = bob.browser.clone().post("/.mfa/vouch", &[("colleague", "alice")]).await;
    assert_eq!(forced.status, 404);
    let help = gateway.browser("wiki").open("/.mfa/help").await;
    assert!(!help.body.contains("/vouch"), "{}", help.body);
    assert!(list(&gateway, VIEWER).await.is_empty());
}

/// A form of the voucher's own, sent without the proof that it needs.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_vouches_without_a_proof_of_a_moment_ago() {
    let (_portals, mut gateway) = house("remember_device: {}").await;
    let bob = enrol(&gateway, "wiki", BOB).await;
    let page = bob.browser.clone().open("/.mfa/vouch").await;
    let form = page.form("colleague").fill("colleague", "alice").fill("reason", "lost");
    let mut guest = gateway.browser("wiki");
    assert_eq!(guest.send(&page, &form).await.location(), "/login");
    let mut named = gateway.browser("wiki");
    let asks = sign_in_again(&mut named, BOB).await;
    assert_eq!(named.send(&page, &form).await.status, 403, "a form of another session");
    let csrf = asks.form("code").field("csrf").unwrap().to_owned();
    let fields = [("csrf", csrf.as_str()), ("colleague", "alice"), ("reason", "lost")];
    let sent = named.clone().post("/.mfa/vouch", &fields).await;
    assert_eq!(sent.location(), "/.mfa/verify?return_to=%2F%2Emfa%2Fvouch");
    // Proven, but five minutes ago.
    gateway.advance(Duration::from_secs(301));
    let stale = bob.browser.clone().send(&page, &form).await;
    assert_eq!(stale.location(), "/.mfa/verify?return_to=%2F%2Emfa%2Fvouch&step_up=yes");
    // A remembered device is no proof of a moment ago.
    let asks = named.open("/.mfa/verify").await;
    let code = bob.phone.code(gateway.now());
    let given = asks.form("code").fill("code", &code).fill("remember", "yes");
    named.send(&asks, &given).await;
    let mut device = gateway.browser("wiki");
    device.jar.insert("__Host-mfa-device".to_owned(), named.jar["__Host-mfa-device"].clone());
    let led = sign_in(&mut device, BOB).await;
    let led = device.follow(led).await;
    assert!(device.follow(led).await.body.contains("for bob alone"));
    let led = device.open("/.mfa/vouch").await;
    assert!(led.location().ends_with("&step_up=yes"), "{}", led.location());
    assert!(list(&gateway, VIEWER).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_learns_nothing_of_a_colleague_and_asks_a_few_times_a_day() {
    let (_portals, gateway) = house("").await;
    enrol(&gateway, "wiki", ALICE).await;
    let mut bob = enrol(&gateway, "wiki", BOB).await;
    let known = vouch(&mut bob.browser, "alice").await;
    let unknown = vouch(&mut bob.browser, "nobody1").await;
    let again = vouch(&mut bob.browser, "alice").await;
    let plain = |shown: &Shown, name: &str| {
        let text = shown.text().replace(name, "NAME");
        text.split("Request ").next().unwrap().to_owned()
    };
    assert_eq!((known.status, unknown.status, again.status), (200, 200, 200));
    assert_eq!(plain(&known, "alice"), plain(&unknown, "nobody1"));
    assert_eq!(plain(&known, "alice"), plain(&again, "alice"));
    let seen: Vec<Value> =
        list(&gateway, VIEWER).await.iter().map(|one| one["seen"].clone()).collect();
    assert_eq!(seen, [true, false], "the desk alone learns who was never seen");
    for name in ["nobody2", "nobody3"] {
        assert_eq!(vouch(&mut bob.browser, name).await.status, 200);
    }
    let refused = vouch(&mut bob.browser, "nobody4").await;
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("Try again tomorrow"), "{}", refused.text());
    assert_eq!(list(&gateway, VIEWER).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_or_is_asked_for_never_approves_and_nobody_twice() {
    let (_portals, gateway) = house("reset: { approval: two }").await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let reset = "/api/v1/portals/wiki/users/alice/reset";
    for (token, by, reason) in [
        (AS_BOB, "bob@example.com", "requester_approves"),
        (AS_BOB, "Bob+desk@Example.COM", "requester_approves"),
        (AS_BOB, "b.o.b@example.com", "requester_approves"),
        (AS_ALICE, "bob@example.com", "user_approves"),
        (DESK, "alice@example.com", "oneself"),
        (DESK, "bob@gmail.com", "public_mail"),
        (DESK, "bob@examp1e.com", "not_of_organisation"),
        (DESK, "Bob <alice@example.com>", "not_an_address"),
        (DESK, "\"bob@example.com\" <alice@example.com>", "not_an_address"),
    ] {
        let answer = ask(&gateway, call_with(token, "POST", reset, &wish(by))).await;
        assert_eq!((answer.status, &answer.json()["reason"]), (422, &reason.into()), "{by}");
    }
    assert!(list(&gateway, VIEWER).await.is_empty());

    let asked = ask(&gateway, call_with(DESK, "POST", reset, &wish("bob@example.com"))).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    let approve = format!("/api/v1/reset-requests/{id}/approve");
    for (token, reason) in
        [(DESK, "approved_already"), (AS_BOB, "requester_approves"), (AS_ALICE, "user_approves")]
    {
        let answer = ask(&gateway, call(token, "POST", &approve)).await;
        assert_eq!((answer.status, &answer.json()["reason"]), (422, &reason.into()), "{answer:?}");
    }
    // A token of another portal finds none.
    for path in [approve.clone(), approve.replace("approve", "deny")] {
        let call = match path.ends_with("deny") {
            true => call_with(SHOP, "POST", &path, r#"{"reason":"no"}"#),
            false => call(SHOP, "POST", &path),
        };
        assert_eq!(ask(&gateway, call).await.status, 404, "{path}");
    }
    assert!(list(&gateway, SHOP).await.is_empty());
    assert_eq!(list(&gateway, VIEWER).await[0]["state"], "open");
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
}

async fn download(gateway: &Gateway, browser: &Browser) -> Response<Incoming> {
    let _running = gateway;
    let call = browser.with_cookies(Call::get(&browser.host, "/drip"));
    browser.connect().await.begin(&call).await
}

async fn part(answer: &mut Response<Incoming>) -> Option<Bytes> {
    let frame = answer.body_mut().frame().await?;
    frame.ok()?.into_data().ok()
}

/// What somebody else holds of alice's: her cookies, a remembered device, streams that run.
struct Held {
    socket: Socket,
    downloads: Vec<Response<Incoming>>,
    browser: Browser,
}

async fn hold(gateway: &Gateway, alice: &Enrolled) -> Held {
    let mut socket = Socket::open(gateway, &alice.browser, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    let mut downloads = Vec::new();
    for http2 in [false, true] {
        let mut answer = download(gateway, &alice.browser.clone().over(http2)).await;
        assert_eq!(part(&mut answer).await.unwrap(), "first");
        downloads.push(answer);
    }
    Held { socket, downloads, browser: alice.browser.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn c23_within_a_second_of_a_reset_nothing_of_before_opens_anything() {
    let (portals, mut gateway) = house("remember_device: {}").await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let elsewhere = enrol(&gateway, "shop", ALICE).await;
    gateway.next_code();
    // A device that is remembered, and an enrolment's worth of streams.
    let mut device = gateway.browser("wiki");
    let page = sign_in_again(&mut device, ALICE).await;
    let code = alice.phone.code(gateway.now());
    let form = page.form("code").fill("code", &code).fill("remember", "yes");
    device.send(&page, &form).await;
    let mut held = hold(&gateway, &alice).await;
    let mut kept = hold(&gateway, &elsewhere).await;

    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "stolen"];
    let words = [&words[..], &["--requested-by", "bob@example.com"]].concat();
    let done = command(&gateway, DESK, &words);
    let told = Instant::now();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(held.socket.next().await, None, "the socket is still open");
    for download in &mut held.downloads {
        assert!(part(download).await.is_none(), "a download goes on");
    }
    assert!(told.elapsed() < A_SECOND, "{:?}", told.elapsed());
    nothing_opens(&gateway, &alice, &held.browser, &device).await;

    // The same user's other portal has not noticed.
    kept.socket.say("still here").await;
    assert_eq!(kept.socket.next().await.as_deref(), Some("still here"));
    for download in &mut kept.downloads {
        portals[1].release();
        portals[1].release();
        assert_eq!(part(download).await.unwrap(), "last");
    }
    assert!(kept.browser.clone().open("/home").await.body.contains("for alice alone"));

    gateway.kill();
    gateway.start().await;
    gateway.advance(Duration::from_secs(180));
    nothing_opens(&gateway, &alice, &held.browser, &device).await;
    assert!(kept.browser.clone().open("/home").await.body.contains("for alice alone"));
}

/// Neither cookies nor phone, recovery codes or a remembered device open anything; the next
/// sign-in leads to enrolment.
async fn nothing_opens(gateway: &Gateway, alice: &Enrolled, session: &Browser, device: &Browser) {
    for http2 in [false, true] {
        for browser in [session, device] {
            let mut browser = browser.clone().over(http2);
            assert!(!browser.open("/home").await.body.contains("secret-page"));
            assert!(!browser.call("GET", "/home").await.body.contains("secret-page"));
        }
        let mut browser = gateway.browser("wiki").over(http2);
        let remembered = device.jar.get("__Host-mfa-device").cloned();
        browser.jar.insert("__Host-mfa-device".to_owned(), remembered.unwrap());
        let offered = sign_in_anew(&mut browser, ALICE).await;
        for old in [alice.phone.code(gateway.now()), alice.codes[0].clone()] {
            let refused = give_code(&mut browser, &offered, &old).await;
            assert_ne!(refused.status, 303, "{refused:?}");
            assert!(!refused.body.contains("secret-page"));
        }
        assert!(!browser.open("/home").await.body.contains("secret-page"));
    }
}
