//! C12: wherever a way back is given, it leads to a path on the same portal, or to the start.

use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again};
use crate::dsl::{ALICE, gateway, portal};

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
    for wanted in ASTRAY.iter().take(8) {
        gateway.next_code();
        let mut browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, ALICE).await;
        let form = page.form("code").fill("code", &alice.phone.code(gateway.now()));
        let answer = browser.send(&page, &form.fill("return_to", wanted)).await;
        assert_eq!((answer.status, answer.location()), (303, "/"), "{wanted:?}");
    }
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
