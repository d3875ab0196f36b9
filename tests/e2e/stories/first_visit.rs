//! The first visit, the next one, and the day without the phone.

use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again};
use crate::dsl::{ALICE, gateway, html, portal};

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_is_sent_to_the_portals_login() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut browser = gateway.browser("wiki");
    let answer = browser.open("/home").await;
    assert_eq!((answer.status, answer.location()), (303, "/login"));
    assert!(portal.seen_at("/home").is_empty());
    let open = browser.open("/public/style.css").await;
    assert_eq!(open.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_makes_nobody_known() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut browser = gateway.browser("wiki");
    let answer = sign_in(&mut browser, ("alice", "wrong")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("invalid credentials"));
    assert_eq!(browser.open("/home").await.location(), "/login");
    assert_eq!(browser.open("/.mfa/enrol").await.location(), "/login");
    let failed = gateway.metric("portcullis_logins_observed_total", &[("outcome", "failure")]);
    assert_eq!(failed.await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_visit_leads_through_enrolment_to_where_the_portal_led() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut browser = gateway.browser("wiki");
    let page = browser.go("/home?tab=2").await;
    let form = page.form("password").fill("user", ALICE.0).fill("password", ALICE.1);
    let led = browser.send(&page, &form.fill("next", "/home?tab=2")).await;
    assert_eq!((led.status, led.location()), (303, "/.mfa/enrol?return_to=%2Fhome%3Ftab%3D2"));
    assert_eq!(browser.open("/home").await.location(), "/.mfa/enrol?return_to=%2Fhome");
    let enrolled = enrol(&gateway, "wiki", ALICE).await;
    assert!(enrolled.phone.link.contains("alice"));
    let home = enrolled.browser.clone().open("/.mfa/").await;
    assert!(home.text().contains("alice"), "{}", home.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_codes_are_shown_once() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let again = alice.browser.open("/.mfa/recovery-codes").await;
    assert_eq!(again.status, 200);
    assert!(html::texts_of(&again.body, "recovery-code\"").is_empty());
    for code in &alice.codes {
        assert!(!again.body.contains(code.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_visit_asks_for_a_code_and_takes_it_once() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let spent = give_code(&mut browser, &page, &alice.phone.code(alice.spent)).await;
    assert_eq!(spent.status, 401, "the code of the enrolment was taken again");
    gateway.next_code();
    let code = alice.phone.code(gateway.now());
    let page = browser.open("/.mfa/verify?return_to=%2Fhome").await;
    let passed = give_code(&mut browser, &page, &code).await;
    assert_eq!((passed.status, passed.location()), (303, "/home"));
    assert!(browser.open("/home").await.body.contains("for alice alone"));
    let mut other = gateway.browser("wiki");
    let page = sign_in_again(&mut other, ALICE).await;
    let again = give_code(&mut other, &page, &code).await;
    assert_eq!(again.status, 401, "a code was taken twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_opens_once_in_the_same_field() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let code = alice.codes[4].to_lowercase();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    assert_eq!(give_code(&mut browser, &page, &code).await.status, 303);
    assert!(browser.open("/home").await.body.contains("for alice alone"));
    let mut other = gateway.browser("wiki");
    let page = sign_in_again(&mut other, ALICE).await;
    let again = give_code(&mut other, &page, &code).await;
    assert_eq!(again.status, 401);
    let used = gateway.metric(
        "portcullis_verifications_total",
        &[("factor", "recovery_code"), ("outcome", "accepted")],
    );
    assert_eq!(used.await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_are_counted_down_then_slowed_down() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    for left in ["4", "3", "2", "1"] {
        let wrong = give_code(&mut browser, &page, "000000").await;
        assert_eq!(wrong.status, 401);
        assert!(wrong.text().contains(left), "{left} tries: {}", wrong.text());
    }
    let locked = give_code(&mut browser, &page, "000000").await;
    assert_eq!(locked.status, 429);
    assert_eq!(locked.line("retry-after"), Some("30"));
    let right = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &right).await.status, 429);
    assert!(browser.open("/home").await.location().starts_with("/.mfa/verify"));
    let call = browser.call("GET", "/home").await;
    assert_eq!(call.status, 429);
    assert!(call.line("retry-after").is_some());
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    gateway.advance(std::time::Duration::from_secs(60));
    let page = browser.open("/.mfa/verify").await;
    let right = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &right).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_both_sessions() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let before = alice.browser.clone();
    let session = alice.browser.jar["portalsession"].clone();
    let page = alice.browser.open("/.mfa/logout").await;
    let out = alice.browser.send(&page, &page.form("csrf")).await;
    assert_eq!((out.status, out.location()), (303, "/login"));
    assert!(!alice.browser.jar.contains_key("__Host-mfa"));
    assert_eq!(portal.user_of(&session), None, "the portal's session goes on");
    assert_eq!(
        before.clone().open("/home").await.location(),
        "/login",
        "the old cookie still opens"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portals_own_sign_out_ends_the_session_too() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let before = alice.browser.clone();
    let out = alice.browser.open("/logout").await;
    assert_eq!((out.status, out.location()), (302, "/login"));
    assert_eq!(before.clone().open("/home").await.location(), "/login");
}
