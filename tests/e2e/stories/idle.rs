//! After a pause the code alone is asked for again; after the session's whole time, everything.

use std::time::Duration;

use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Portal, gateway, portal};

const LIMITS: &str = "session: { lifetime: 4h, idle: 30m }";

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

async fn scene() -> (Portal, Gateway, Enrolled) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(LIMITS).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    (portal, gateway, alice)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_alone_brings_an_idle_session_back() {
    let (portal, mut gateway, mut alice) = scene().await;
    for http2 in [false, true] {
        alice.browser.http2 = http2;
        gateway.advance(minutes(31));
        let before = alice.browser.clone();
        let page = alice.browser.go("/home").await;
        assert!(page.path.starts_with("/.mfa/verify"), "{}", page.path);
        portal.take_seen();
        let led = give_code(&mut alice.browser, &page, &alice.phone.code(gateway.now())).await;
        assert_eq!((led.status, led.location()), (303, "/home"));
        assert!(alice.browser.open("/home").await.body.contains("for alice alone"));
        assert!(portal.seen_at("/login").is_empty(), "the password was asked for");
        assert_eq!(before.clone().open("/home").await.location(), "/login", "the old cookie");
    }
}

/// Whatever needs a proof needs one anew.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_is_proven_nowhere() {
    let (portal, mut gateway, mut alice) = scene().await;
    gateway.advance(minutes(31));
    portal.take_seen();
    let home = alice.browser.open("/.mfa/").await;
    assert!(!home.text().contains("password and a code"), "{}", home.text());
    assert!(
        alice.browser.open("/.mfa/recovery-codes").await.location().starts_with("/.mfa/verify")
    );
    assert!(alice.browser.open("/.mfa/enrol").await.location().starts_with("/.mfa/verify"));
    let call = alice.browser.call("GET", "/home").await;
    assert_eq!((call.status, &call.json()["type"]), (401, &"urn:portcullis:mfa_required".into()));
    alice.browser.clone().open("/public/page").await;
    assert!(!alice.browser.clone().open("/login").await.body.contains("for alice alone"));
    for seen in portal.take_seen() {
        assert!(!seen.all("cookie").concat().contains("portalsession"), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_whole_time_an_idle_session_is_nobodys() {
    let (_portal, mut gateway, mut alice) = scene().await;
    gateway.advance(minutes(239));
    assert!(alice.browser.clone().open("/home").await.location().starts_with("/.mfa/verify"));
    gateway.advance(minutes(2));
    assert_eq!(alice.browser.open("/home").await.location(), "/login");
}

/// What was signed out, and what belongs to another portal session, stays outside.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cookie_is_worth_nothing_without_its_sessions() {
    let (portal, mut gateway, alice) = scene().await;
    gateway.next_code();
    let mut other = gateway.browser("wiki");
    let page = sign_in_again(&mut other, ALICE).await;
    give_code(&mut other, &page, &alice.phone.code(gateway.now())).await;
    let page = other.open("/.mfa/logout").await;
    let ended = other.clone();
    other.send(&page, &page.form("csrf")).await;
    gateway.advance(minutes(31));
    assert_eq!(ended.clone().open("/home").await.location(), "/login");
    let mut moved: Browser = alice.browser.clone();
    moved.jar.insert("portalsession".to_owned(), portal.sign_in_directly("bob"));
    assert_eq!(moved.open("/home").await.location(), "/login");
}

/// Whoever finds a browser that was left alone on the way to enrolment does not enrol.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_enrols_in_an_idle_session() {
    let (_portal, mut gateway, _alice) = scene().await;
    let mut bob = gateway.browser("wiki");
    sign_in_anew(&mut bob, BOB).await;
    gateway.advance(minutes(31));
    assert_eq!(bob.open("/.mfa/enrol").await.location(), "/login");
    assert_eq!(bob.open("/home").await.location(), "/login");
}
