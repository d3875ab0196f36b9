//! CACHE-1 and C11: no cache that serves many keeps what is for one.

use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, gateway, portal};

const OURS: [&str; 12] = [
    "/.mfa/authenticators",
    "/.mfa/authenticators/add",
    "/.mfa/authenticators/move",
    "/.mfa/sessions",
    "/.mfa/",
    "/.mfa/enrol",
    "/.mfa/verify",
    "/.mfa/recovery-codes",
    "/.mfa/help",
    "/.mfa/logout",
    "/.mfa/style.css",
    "/.mfa/nothing",
];

fn is_stored_by_nobody(shown: &Shown) {
    let told = shown.all("cache-control");
    assert_eq!(told, ["no-store"], "{}: {} {:?}", shown.path, shown.status, shown.lines);
}

/// Every page of ours, and what a protected path answers to who may not see it.
async fn ours_are_stored_by_nobody(browser: &Browser, shut: bool) {
    for path in OURS {
        is_stored_by_nobody(&browser.clone().open(path).await);
        is_stored_by_nobody(&browser.clone().call("GET", path).await);
        is_stored_by_nobody(&browser.clone().call("DELETE", path).await);
        is_stored_by_nobody(&browser.clone().post(path, &[]).await);
    }
    let foreign = browser.posting("/.mfa/verify", &[]);
    let lines = foreign.lines.into_iter().filter(|(name, _)| name != "sec-fetch-site").collect();
    let foreign = crate::dsl::Call { lines, ..foreign }.line("sec-fetch-site", "cross-site");
    let refused = browser.clone().visit("/.mfa/verify", foreign).await;
    assert_eq!(refused.status, 403);
    is_stored_by_nobody(&refused);
    if shut {
        for path in ["/home", "/account/x.css", "/account;.css", "/account%0a.css", "/public/..;/x"]
        {
            is_stored_by_nobody(&browser.clone().open(path).await);
            is_stored_by_nobody(&browser.clone().call("GET", path).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cache_1_every_answer_of_ours_is_stored_by_nobody() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        let nobody = gateway.browser("wiki").over(http2);
        ours_are_stored_by_nobody(&nobody, true).await;
        let mut bob = gateway.browser("wiki").over(http2);
        let led = sign_in(&mut bob, BOB).await;
        assert!(led.location().starts_with("/.mfa/enrol"));
        is_stored_by_nobody(&led);
        ours_are_stored_by_nobody(&bob, true).await;
        let mut named = gateway.browser("wiki").over(http2);
        let page = sign_in_again(&mut named, ALICE).await;
        ours_are_stored_by_nobody(&named, true).await;
        let wrong = give_code(&mut named, &page, "000000").await;
        assert_eq!(wrong.status, 401);
        is_stored_by_nobody(&wrong);
        ours_are_stored_by_nobody(&alice.browser.clone().over(http2), false).await;
        // What is refused before anybody looks whose it is.
        for (host, path) in [("other.test", "/home"), ("wiki.test", "/a%00b")] {
            let mut call = nobody.with_cookies(crate::dsl::Call::get("wiki.test", path));
            call.lines[0].1 = host.into();
            let refused = nobody.clone().visit(path, call).await;
            assert!([400, 421].contains(&refused.status));
            is_stored_by_nobody(&refused);
        }
    }
    let mut alices = alice.browser.clone();
    let out = alices.open("/.mfa/logout").await;
    let out = alices.send(&out, &out.form("csrf")).await;
    assert_eq!(out.location(), "/login");
    is_stored_by_nobody(&out);
}

#[tokio::test(flavor = "multi_thread")]
async fn c11_an_answer_that_gets_a_cookie_of_ours_is_private() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    for http2 in [false, true] {
        let mut browser = gateway.browser("wiki").over(http2);
        let cached = browser.open("/public/cached").await;
        assert_eq!(cached.all("cache-control"), ["public, max-age=60"], "the portal's own word");
        assert!(cached.all("set-cookie").is_empty());
        let login = browser.open("/login").await;
        assert_eq!(login.all("cache-control"), ["private"], "it begins a session");
        assert_eq!(login.all("set-cookie").len(), 2);
        let cached = browser.open("/public/cached").await;
        assert_eq!(cached.all("cache-control"), ["public, max-age=60"]);
        // A login that a script makes keeps the portal's answer, with our cookie in it.
        let token = login.form("token").field("token").unwrap().to_owned();
        let fields = [("user", BOB.0), ("password", BOB.1), ("token", token.as_str())];
        let mut call = browser.posting("/login", &fields);
        call.lines.retain(|(name, _)| name != "sec-fetch-mode" && name != "accept");
        let answer = browser.visit("/login", call.line("accept", "application/json")).await;
        assert_eq!((answer.status, answer.all("cache-control")), (302, vec!["private"]));
        assert!(answer.all("set-cookie").iter().any(|line| line.starts_with("__Host-mfa=")));
    }
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let cached = alice.open("/public/cached").await;
    assert_eq!(cached.all("cache-control"), ["public, max-age=60"]);
    assert!(cached.all("set-cookie").is_empty());
    gateway.advance(Duration::from_secs(30 * 60));
    let renewed = alice.open("/public/cached").await;
    assert!(renewed.all("set-cookie")[0].starts_with("__Host-mfa="), "{:?}", renewed.answer);
    assert_eq!(renewed.all("cache-control"), ["private, max-age=60"]);
    let cached = alice.open("/public/cached").await;
    assert_eq!(cached.all("cache-control"), ["public, max-age=60"]);
}
