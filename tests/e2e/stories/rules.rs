//! What rules of ops ask for beyond a sign-in: a fresh code, a token of a service, a place.

use std::process::Command;
use std::time::Duration;

use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again};
use crate::dsl::{ALICE, BOB, Call, Gateway, Portal, gateway, portal};

const SAVE: &str = "/notes/save?page=7";

async fn scene(rules: &str) -> (Portal, Gateway) {
    let portal = portal::form().yaml(&format!("rules:\n{rules}")).run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    (portal, gateway)
}

/// What was typed survives that the code was given too long ago.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_for_a_path_that_needs_a_fresh_code_waits_for_it() {
    let (portal, mut gateway) =
        scene("  - { match: { path: /notes/** }, require: fresh, within: 5m }").await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        alice.browser.http2 = http2;
        gateway.advance(Duration::from_secs(301));
        portal.take_seen();
        let page = alice.browser.post(SAVE, &[("text", "typed for an hour")]).await;
        assert_eq!(page.status, 401, "{:?}", page.answer);
        assert_eq!(
            page.line("portcullis-challenge"),
            Some("mfa_stale; url=\"/.mfa/verify?step_up=yes\"")
        );
        assert!(page.text().contains("Your form is kept"), "{}", page.text());
        let wrong = give_code(&mut alice.browser, &page, "000000").await;
        assert_eq!(wrong.status, 401);
        assert!(portal.seen_at("/notes/save").is_empty(), "the form went on without a code");
        let code = alice.phone.code(gateway.now());
        let saved = give_code(&mut alice.browser, &wrong, &code).await;
        assert_eq!(saved.status, 200, "{:?}", saved.answer);
        assert!(saved.body.contains("saved for alice"), "{}", saved.body);
        assert_eq!(portal.seen_at("/notes/save").len(), 1);
        assert_eq!(alice.browser.open("/notes/list").await.status, 200);
    }
}

/// A new code makes a new session of ours: the old cookie is worth nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_is_one_persons_and_leaves_no_old_cookie_behind() {
    let (_portal, mut gateway) =
        scene("  - { match: { path: /home/** }, require: fresh, within: 5m }").await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let bob = enrol(&gateway, "wiki", BOB).await;
    gateway.advance(Duration::from_secs(301));
    let old = alice.browser.clone();
    let page = alice.browser.go("/home/x").await;
    let theirs = bob.phone.code(gateway.now());
    assert_eq!(give_code(&mut alice.browser, &page, &theirs).await.status, 401);
    let led = give_code(&mut alice.browser, &page, &alice.phone.code(gateway.now())).await;
    assert_eq!(led.location(), "/home/x");
    assert!(alice.browser.open("/home/x").await.body.contains("for alice alone"));
    assert!(!old.clone().open("/home/x").await.body.contains("for alice alone"));
    // Who is asked for nothing more is not asked: the page leads on.
    assert_eq!(alice.browser.open("/.mfa/verify?return_to=%2Fhome").await.location(), "/home");
}

fn token() -> (String, String) {
    let made = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["service-token", "--name", "scraper"])
        .output()
        .unwrap();
    let text = String::from_utf8(made.stdout).unwrap() + &String::from_utf8(made.stderr).unwrap();
    let words: Vec<&str> = text.split(|sign: char| sign.is_whitespace() || sign == '"').collect();
    let found =
        |start: &str| words.iter().find(|word| word.starts_with(start)).unwrap().to_string();
    (found("portcullis_"), found("sha256:"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_comes_by_its_token_alone() {
    let (secret, hash) = token();
    let rules = format!(
        "  - match: {{ path: /echo/metrics }}\n    require: service\n    tokens: [{{ name: scraper, hash: \"{hash}\" }}]\n  - {{ match: {{ path: /echo/** }}, require: mfa }}"
    );
    let (portal, gateway) = scene(&rules).await;
    for http2 in [false, true] {
        let ask = async |path: &str, name: &str, value: &str| {
            let mut call = Call::get("wiki.test", path).line(name, value);
            call.http2 = http2;
            gateway.send(call).await
        };
        let bearer = format!("Bearer {secret}");
        for (name, value) in [("authorization", &bearer), ("portcullis-service-token", &secret)] {
            let told = ask("/echo/metrics", name, value).await;
            assert_eq!(told.status, 200, "{name}: {told:?}");
            assert!(!told.body.contains("portcullis_"), "the portal saw the token: {}", told.body);
            assert_eq!(ask("/echo/other", name, value).await.status, 401, "{name}");
            assert_eq!(ask("/home", name, value).await.status, 401, "{name}");
            assert_eq!(ask("/echo/metrics/", name, value).await.status, 401, "{name}");
        }
        // Some secrets end with the one letter, none with both.
        let other = if secret.ends_with('A') { 'E' } else { 'A' };
        let wrong = format!("{}{other}", &secret[..secret.len() - 1]);
        for value in [wrong.as_str(), "", "Bearer", "portcullis_"] {
            let told = ask("/echo/metrics", "portcullis-service-token", value).await;
            assert_eq!(told.status, 401, "{value}");
        }
        let twice = Call::get("wiki.test", "/echo/metrics")
            .line("portcullis-service-token", &secret)
            .line("portcullis-service-token", &secret);
        assert_eq!(gateway.send(twice).await.status, 401);
    }
    // Nor does a token that is known pass on where it is not asked for.
    let open =
        Call::get("wiki.test", "/public/echo").line("authorization", format!("Bearer {secret}"));
    assert!(!gateway.send(open).await.body.contains("portcullis_"));
    // A person gets there by a second factor.
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    assert_eq!(alice.browser.call("GET", "/echo/metrics").await.status, 200);
    assert!(!gateway.log().contains(&secret), "the token is in the log");
    assert!(portal.seen().iter().all(|seen| !format!("{seen:?}").contains("portcullis_")));
}

/// A rule that asks for nothing is for sessions of the portal's own, from where it says.
#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_factor_has_the_portals_session() {
    let rules =
        "  - { match: { path: /mine, method: [GET], network: [127.0.0.7/32] }, require: none }";
    let (_portal, gateway) = scene(rules).await;
    enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        let mut inside = gateway.browser("wiki").from(7).over(http2);
        sign_in(&mut inside, ALICE).await;
        assert!(inside.call("GET", "/mine").await.body.contains("alice"), "from the office");
        let elsewhere = inside.clone().from(8).call("GET", "/mine").await;
        assert_eq!(elsewhere.status, 401, "from elsewhere");
        for (method, path) in
            [("POST", "/mine"), ("GET", "/mine/"), ("GET", "//mine"), ("GET", "/home")]
        {
            assert_eq!(inside.clone().call(method, path).await.status, 401, "{method} {path}");
        }
        let head = inside.clone().call("HEAD", "/mine").await;
        assert_eq!(head.status, 200, "HEAD is GET");
        let mut override_line = inside.with_cookies(Call::new("POST", "wiki.test", "/mine"));
        override_line = override_line.line("x-http-method-override", "GET");
        assert_eq!(gateway.send(override_line).await.status, 401);
    }
    let mut nobody = gateway.browser("wiki").from(7);
    assert!(!nobody.open("/mine").await.body.contains("alice"));
    let mut named = gateway.browser("wiki").from(8);
    sign_in_again(&mut named, ALICE).await;
    assert!(named.open("/mine").await.location().starts_with("/.mfa/verify"));
}
