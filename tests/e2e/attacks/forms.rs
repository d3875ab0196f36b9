//! C14: a form of ours counts when it was made for this very session and sent by our page.

use crate::dsl::browser::Shown;
use crate::dsl::steps::{enrol, sign_in, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Phone, gateway, html, portal};

/// Sends a form with other lines than a browser would.
async fn send_as(
    browser: &mut Browser,
    path: &str,
    fields: &[(&str, &str)],
    change: impl Fn(Call) -> Call,
) -> Shown {
    let call = browser.with_cookies(Call::post(&browser.host.clone(), path, fields).page());
    browser.visit(path, change(call)).await
}

/// Alice at the page that asks for a code, with a code that is right.
async fn at_verify(gateway: &mut Gateway, phone: &Phone) -> (Browser, Shown, String) {
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let code = phone.code(gateway.now());
    (browser, page, code)
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_a_form_of_another_session_proves_nothing() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut bob = gateway.browser("wiki");
    let bobs = sign_in(&mut bob, BOB).await;
    let bobs = bob.follow(bobs).await.form("code").field("csrf").unwrap().to_owned();
    let mut before = gateway.browser("wiki");
    let old =
        sign_in_again(&mut before, ALICE).await.form("code").field("csrf").unwrap().to_owned();
    let (mut browser, page, code) = at_verify(&mut gateway, &alice.phone).await;
    let right = page.form("code").field("csrf").unwrap().to_owned();
    assert_ne!(right, old);
    for csrf in ["", "x", bobs.as_str(), old.as_str(), &right[1..], &format!("{right}A")] {
        let answer = browser.post("/.mfa/verify", &[("code", &code), ("csrf", csrf)]).await;
        assert_eq!(answer.status, 403, "{csrf}");
    }
    let twice =
        browser.post("/.mfa/verify", &[("code", &code), ("csrf", &right), ("csrf", &right)]).await;
    assert_eq!(twice.status, 403);
    assert_eq!(browser.post("/.mfa/verify", &[("code", &code)]).await.status, 403);
    assert!(browser.open("/home").await.location().starts_with("/.mfa/verify"));
    let passed = browser.post("/.mfa/verify", &[("code", &code), ("csrf", &right)]).await;
    assert_eq!(passed.status, 303, "the code was spent by a form that was refused");
    let stale = browser.post("/.mfa/logout", &[("csrf", &right)]).await;
    assert_eq!(stale.status, 403, "the token of before the proof still counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_a_form_from_another_site_proves_nothing() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let (mut browser, page, code) = at_verify(&mut gateway, &alice.phone).await;
    let csrf = page.form("code").field("csrf").unwrap().to_owned();
    let fields = [("code", code.as_str()), ("csrf", csrf.as_str())];
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", "https://evil.test", 403),
        ("origin", "https://wiki.test.evil.test", 403),
        ("origin", "https://shop.test", 403),
        ("sec-fetch-site", "", 403),
    ] {
        let answer =
            send_as(&mut browser, "/.mfa/verify", &fields, |call| call.line(name, value)).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
    for kind in ["text/plain", "application/json", "multipart/form-data; boundary=x", ""] {
        let answer = send_as(&mut browser, "/.mfa/verify", &fields, |mut call| {
            call.lines.retain(|(name, _)| name != "content-type");
            call.line("content-type", kind)
        })
        .await;
        assert_eq!(answer.status, 400, "{kind}");
    }
    let fat = "x".repeat(5000);
    let answer =
        send_as(&mut browser, "/.mfa/verify", &[("code", fat.as_str())], |call| call).await;
    assert_eq!(answer.status, 413);
    // Our pages send no referrer, so browsers say `null`.
    let answer =
        send_as(&mut browser, "/.mfa/verify", &fields, |call| call.line("origin", "null")).await;
    assert_eq!(answer.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_looking_changes_nothing() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let csrf = alice.open("/.mfa/logout").await.form("csrf").field("csrf").unwrap().to_owned();
    for (method, path) in [
        ("GET", format!("/.mfa/logout?csrf={csrf}")),
        ("HEAD", format!("/.mfa/logout?csrf={csrf}")),
        ("PUT", "/.mfa/logout".to_owned()),
        ("DELETE", "/.mfa/logout".to_owned()),
        ("PATCH", "/.mfa/logout".to_owned()),
    ] {
        let call = alice
            .with_cookies(Call::new(method, "wiki.test", &path))
            .line("x-http-method-override", "POST");
        alice.visit(&path, call).await;
        assert_eq!(alice.open("/home").await.status, 200, "{method} {path}");
    }
    let mut newcomer = gateway.browser("wiki");
    let led = sign_in(&mut newcomer, BOB).await;
    let page = newcomer.follow(led).await;
    let phone = Phone::scan(html::svg(&page.body).unwrap());
    let code = phone.code(gateway.now());
    let csrf = page.form("code").field("csrf").unwrap().to_owned();
    newcomer.open(&format!("/.mfa/enrol?code={code}&csrf={csrf}")).await;
    assert!(
        newcomer.open("/home").await.location().starts_with("/.mfa/enrol"),
        "enrolled by looking"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_nobody_can_be_made_to_sign_out() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let csrf = alice.open("/.mfa/logout").await.form("csrf").field("csrf").unwrap().to_owned();
    assert_eq!(alice.post("/.mfa/logout", &[]).await.status, 403);
    let fields = [("csrf", csrf.as_str())];
    let cross = |call: Call| call.line("sec-fetch-site", "cross-site");
    let forced = send_as(&mut alice, "/.mfa/logout", &fields, cross).await;
    assert_eq!(forced.status, 403);
    assert_eq!(alice.open("/home").await.status, 200);
}
