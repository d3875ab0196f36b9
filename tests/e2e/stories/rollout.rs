//! From the announcement to the day nobody gets in without a second factor.

use crate::dsl::dates::{DAY, enforcement, in_days};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{enrol_at, give_code, sign_in};
use crate::dsl::{ALICE, BOB, Gateway, Portal, gateway, member, portal};

async fn scene(enforcement: &str) -> (Portal, Gateway) {
    let portal = portal::form().yaml(enforcement).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    (portal, gateway)
}

async fn users(gateway: &Gateway, what: &str) -> f64 {
    gateway.metric(&format!("portcullis_{what}_users"), &[("portal", "wiki")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_told_once_in_a_while_and_may_wait() {
    let (_portal, mut gateway) = scene(&enforcement("required", 10, "")).await;
    let mut bob = gateway.browser("wiki");
    let led = sign_in(&mut bob, BOB).await;
    assert_eq!(led.location(), "/.mfa/notice?return_to=%2Fhome");
    let page = bob.follow(led).await;
    assert!(page.text().contains("cannot get in without it"), "{}", page.text());
    let form = page.form("csrf").fill("action", "later");
    let led = bob.send(&page, &form).await;
    assert_eq!((led.status, led.location()), (303, "/home"));
    assert!(bob.follow(led).await.body.contains("for bob alone"));
    assert_eq!(bob.open("/home").await.status, 200, "told twice");
    assert_eq!((users(&gateway, "seen").await, users(&gateway, "reminded").await), (1.0, 1.0));

    gateway.advance(DAY);
    let mut bob = gateway.browser("wiki");
    let led = sign_in(&mut bob, BOB).await;
    assert_eq!(led.location(), "/.mfa/notice?return_to=%2Fhome", "told again the next day");
    let page = bob.follow(led).await;
    // Whoever goes elsewhere by the address has seen it all the same.
    assert_eq!(bob.open("/home").await.status, 200);
    let led = bob.send(&page, &page.form("csrf").fill("action", "enrol")).await;
    assert_eq!(led.location(), "/.mfa/enrol?return_to=%2Fhome");
    let page = bob.follow(led).await;
    enrol_at(&gateway, bob, page).await;
    assert_eq!((users(&gateway, "seen").await, users(&gateway, "reminded").await), (1.0, 1.0));
    assert_eq!(users(&gateway, "enrolled").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_takes_no_form_but_its_own() {
    let (_portal, gateway) = scene(&enforcement("required", 10, "")).await;
    let mut bob = gateway.browser("wiki");
    sign_in(&mut bob, BOB).await;
    let page = bob.open("/.mfa/notice?return_to=//evil.test").await;
    assert!(page.form("csrf").field("return_to") == Some("/"), "{}", page.body);
    let foreign = [("csrf", "AAAA"), ("action", "later")];
    assert_eq!(bob.post("/.mfa/notice", &foreign).await.status, 403);
    let neither = bob.send(&page, &page.form("csrf").fill("action", "never")).await;
    assert_eq!(neither.status, 400);
}

/// People work on while the day comes: what runs is cut, and the next request leads to the
/// second factor.
#[tokio::test(flavor = "multi_thread")]
async fn the_day_comes_while_people_are_signed_in() {
    let limits = "session: { lifetime: 24h, idle: 24h }";
    let portal = portal::form().yaml(&enforcement("required", 1, "")).run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(limits).run().await;
    gateway.advance(DAY / 2);
    let mut bob = gateway.browser("wiki");
    let led = sign_in(&mut bob, BOB).await;
    bob.follow(led).await;
    assert_eq!(bob.open("/home").await.status, 200);
    let mut socket = Socket::open(&gateway, &bob, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello bob"));
    gateway.advance(DAY / 2);
    assert_eq!(socket.next().await, None, "the socket outlived the day");
    assert_eq!(bob.open("/home").await.location(), "/.mfa/enrol?return_to=%2Fhome");
    assert_eq!(bob.call("GET", "/home").await.status, 401);
    assert_eq!(bob.open("/.mfa/notice").await.location(), "/.mfa/enrol?return_to=%2F");
    let page = bob.go("/home").await;
    enrol_at(&gateway, bob, page).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pilot_group_goes_first() {
    let pilot = format!(
        ", groups: [{{ users: [Alice], from: {} }}, {{ pattern: 'member1.', from: {} }}]",
        in_days(-1),
        in_days(1)
    );
    let (_portal, mut gateway) = scene(&enforcement("required", 5, &pilot)).await;
    let led_to = async |gateway: &Gateway, who: (&str, &str)| {
        let led = sign_in(&mut gateway.browser("wiki"), who).await;
        led.location().split('?').next().unwrap().to_owned()
    };
    let crowd = member(12);
    let crowd = (crowd.0.as_str(), crowd.1.as_str());
    assert_eq!(led_to(&gateway, ALICE).await, "/.mfa/enrol");
    assert_eq!(led_to(&gateway, crowd).await, "/.mfa/notice");
    assert_eq!(led_to(&gateway, BOB).await, "/.mfa/notice");
    gateway.advance(2 * DAY);
    assert_eq!(led_to(&gateway, crowd).await, "/.mfa/enrol");
    assert_eq!(led_to(&gateway, BOB).await, "/.mfa/notice");
}

/// A portal that changes its session cookie: whoever goes on without a factor stays signed in.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_factor_follows_the_portals() {
    let portal = portal::form().yaml(&enforcement("required", 5, "")).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        let mut bob = gateway.browser("wiki").over(http2);
        let led = sign_in(&mut bob, BOB).await;
        bob.follow(led).await;
        let before = bob.jar.clone();
        for _ in 0..3 {
            assert_eq!(bob.open("/rotate").await.status, 200);
            assert!(bob.open("/home").await.body.contains("for bob alone"));
        }
        assert_ne!(before, bob.jar, "the portal's session did not change");
    }
}

/// Somebody who signs in as another within such a session is the other from then on.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_login_takes_the_session_over() {
    let (portal, gateway) = scene(&enforcement("required", 5, "")).await;

    let mut bob = gateway.browser("wiki");
    let led = sign_in(&mut bob, BOB).await;
    bob.follow(led).await;
    let page = bob.go("/home").await;
    assert!(page.body.contains("for bob alone"));
    let mut other = gateway.browser("wiki");
    let led = sign_in(&mut other, ALICE).await;
    other.follow(led).await;
    let page = other.open("/.mfa/enrol").await;
    let enrolled = enrol_at(&gateway, other, page).await;
    let token = portal.token_of(&bob.jar["portalsession"]);
    let fields = [("user", ALICE.0), ("password", ALICE.1), ("token", token.as_str())];
    let led = bob.post("/login", &fields).await;
    assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);
    assert!(bob.open("/home").await.location().starts_with("/.mfa/verify"));
    let page = bob.follow(led).await;
    let wrong = give_code(&mut bob, &page, "000000").await;
    assert_eq!(wrong.status, 401);
    drop(enrolled);
}
