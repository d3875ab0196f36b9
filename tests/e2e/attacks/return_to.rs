//! C12: wherever a way back is given, it leads to a path on the same portal, or to the start.

use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::wire::BOTH;
use crate::dsl::{ALICE, BOB, Wire, gateway, portal};

const ASTRAY: &[&str] = &[
    "//e",
    "/\\e",
    "/%2f/e",
    "/%5ce",
    "https:e",
    "https:/e",
    "https://e",
    "///e",
    "/\te",
    "/a\r\nb",
    "/a\0b",
    "javascript:alert(1)",
    "data:text/html,x",
    "\\\\e",
    "/.//e",
    "/;@e",
    "wiki.test.e",
    "wiki.test@e",
    "//wiki.test:80@e",
    "/\u{3002}e",
    "/%252f/e",
    "/a/..//e",
    "/%0d%0aSet-Cookie:x=y",
    "/home%0aSet-Cookie:x=y",
    "/home\r\nSet-Cookie: x=y",
    "/home\r\n\r\n<p>",
    "/\u{560d}\u{560a}Set-Cookie:x=y",
    "/home%00",
    "/..//e",
    "/%2e%2e//e",
    "/@e",
    " //e",
    "\t/home",
    "HTTPS://e",
    "//e%2f@wiki.test",
    "/\t/e",
    "/\n/e",
    "/.mfa/logout",
    "e",
    "?a",
    "",
];

#[tokio::test(flavor = "multi_thread")]
async fn c12_a_proven_visitor_is_led_nowhere_else() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let long = format!("/{}", "a".repeat(4000));
    for wanted in ASTRAY.iter().copied().chain([long.as_str()]) {
        let answer = alice.open(&format!("/.mfa/verify?return_to={}", encode(wanted))).await;
        assert_eq!((answer.status, answer.location()), (303, "/"), "{wanted:?}");
        assert!(answer.all("set-cookie").is_empty(), "{wanted:?}");
    }
    let kept = alice.open("/.mfa/verify?return_to=%2Fhome%3Fa%3Db").await;
    assert_eq!(kept.location(), "/home?a=b");
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_a_form_leads_nowhere_else() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for wanted in ASTRAY.iter().take(12) {
        gateway.next_code();
        let mut browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, ALICE).await;
        let form = page.form("code").fill("code", &alice.phone.code(gateway.now()));
        let answer = browser.send(&page, &form.fill("return_to", wanted)).await;
        assert_eq!((answer.status, answer.location()), (303, "/"), "{wanted:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_no_page_of_ours_carries_a_way_astray_on() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut proven = enrol(&gateway, "wiki", ALICE).await.browser;
    let mut named = gateway.browser("wiki");
    sign_in_again(&mut named, ALICE).await;
    let mut newcomer = gateway.browser("wiki");
    sign_in_anew(&mut newcomer, BOB).await;
    let csrf = proven.open("/.mfa/logout").await.form("csrf").field("csrf").unwrap().to_owned();
    for http2 in [false, true] {
        for browser in [&mut proven, &mut named, &mut newcomer] {
            browser.http2 = http2;
        }
        for wanted in ASTRAY {
            let query = form_urlencoded::byte_serialize(wanted.as_bytes()).collect::<String>();
            let verify = format!("/.mfa/verify?return_to={query}");
            let enrolment = format!("/.mfa/enrol?return_to={query}");
            let codes = format!("/.mfa/recovery-codes?return_to={query}");
            for (browser, path) in [(&mut named, &verify), (&mut newcomer, &enrolment)] {
                let page = browser.open(path).await;
                assert_eq!(page.status, 200, "{path}");
                assert_eq!(page.form("code").field("return_to"), Some("/"), "{path}");
            }
            for (browser, path, place) in [
                (&named, &enrolment, "/.mfa/verify?return_to=%2F"),
                (&named, &codes, "/.mfa/verify?return_to=%2F"),
                (&newcomer, &verify, "/.mfa/enrol?return_to=%2F"),
            ] {
                let led = browser.clone().open(path).await;
                assert_eq!((led.status, led.location()), (303, place), "{path}");
                assert!(led.all("set-cookie").is_empty(), "{path}: {:?}", led.answer);
            }
            let fields = [("csrf", csrf.as_str()), ("acknowledged", "yes"), ("return_to", wanted)];
            for path in ["/.mfa/recovery-codes", codes.as_str()] {
                let led = proven.post(path, &fields).await;
                assert_eq!((led.status, led.location()), (303, "/"), "{wanted:?}");
                assert!(led.all("set-cookie").is_empty(), "{wanted:?}: {:?}", led.answer);
            }
        }
    }
}

/// The path of a challenge comes from the request line, which needs no form.
#[tokio::test(flavor = "multi_thread")]
async fn c12_a_challenge_leads_back_to_the_portal_alone() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    let mut named = gateway.browser("wiki");
    sign_in_again(&mut named, ALICE).await;
    for target in
        ["//evil.test/", "///evil.test", "/\\evil.test", "/.//evil.test", "/%2fevil.test", "/@e"]
    {
        for protocol in BOTH {
            let wire = Wire::get("wiki.test", target).page().cookies_of(&named);
            assert_eq!(wire.send(&gateway, protocol).await, 303, "{target}");
        }
        let led = named.open(target).await;
        assert_eq!(led.location(), "/.mfa/verify?return_to=%2F", "{target}");
    }
    let absolute = named.open("http://wiki.test//evil.test/").await;
    assert_eq!(absolute.location(), "/.mfa/verify?return_to=%2F");
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_the_portals_own_way_back_leads_nowhere_else() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for next in [
        "//evil.test/x",
        "https://evil.test/",
        "https://wiki.test@evil.test/",
        "/\\evil.test",
        "javascript:x",
        "https://evil.test/home",
        "https://wiki.test.evil.test/",
        "https:evil.test",
        "\\\\evil.test",
        "/.//evil.test",
        "/%5cevil.test",
        "/%0d%0aSet-Cookie:x=y",
        "https://wiki.test//evil.test",
        "https://wiki.test/%0d%0aSet-Cookie:x=y",
        "/.mfa/logout",
    ] {
        let mut browser = gateway.browser("wiki");
        let page = browser.go("/login").await;
        let form = page
            .form("password")
            .fill("user", ALICE.0)
            .fill("password", ALICE.1)
            .fill("next", next);
        let led = browser.send(&page, &form).await;
        assert_eq!(led.location(), "/.mfa/enrol?return_to=%2F", "{next}");
        assert!(!led.lines.iter().any(|(_, value)| value.contains("x=y")), "{next}");
    }
    let mut browser = gateway.browser("wiki");
    let page = browser.go("/login").await;
    let form = page.form("password").fill("user", ALICE.0).fill("password", ALICE.1);
    let led = browser.send(&page, &form.fill("next", "https://wiki.test/deep?a=b")).await;
    assert_eq!(led.location(), "/.mfa/enrol?return_to=%2Fdeep%3Fa%3Db");
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_what_is_sent_back_is_escaped() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    let mut browser = gateway.browser("wiki");
    sign_in(&mut browser, ALICE).await;
    let page =
        browser.open("/.mfa/verify?return_to=/%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!page.body.contains("<script"), "{}", page.body);
    let wrong = give_code(&mut browser, &page, "\"><script>alert(1)</script>").await;
    assert!(wrong.status == 401 && !wrong.body.contains("<script"), "{}", wrong.body);
}
