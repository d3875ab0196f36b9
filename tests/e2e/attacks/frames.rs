//! FAC-2: no answer of ours can be shown in a frame, so nobody is made to click what is below
//! another picture. That a real browser obeys is in `tests/browser/frames.rs`.

use crate::dsl::browser::Shown;
use crate::dsl::steps::{enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Call, gateway, portal};

/// Paths of ours, and one that is answered by us when the visitor may not see it.
const PATHS: [&str; 12] = [
    "/.mfa/",
    "/.mfa/enrol",
    "/.mfa/verify",
    "/.mfa/recovery-codes",
    "/.mfa/devices",
    "/.mfa/help",
    "/.mfa/logout",
    "/.mfa/notice",
    "/.mfa/style.css",
    "/.mfa/spa.js",
    "/.mfa/nothing",
    "/home",
];

fn cannot_be_framed(shown: &Shown) {
    let policies = shown.all("content-security-policy");
    let [policy] = policies[..] else { panic!("{}: {:?}", shown.path, shown.answer) };
    let directives: Vec<&str> = policy.split("; ").collect();
    assert!(directives.contains(&"frame-ancestors 'none'"), "{}: {policy}", shown.path);
    assert_eq!(shown.all("x-frame-options"), ["DENY"], "{}", shown.path);
}

async fn everything(browser: &Browser, is_proven: bool) {
    for http2 in [false, true] {
        let browser = browser.clone().over(http2);
        for path in PATHS.into_iter().filter(|path| !is_proven || *path != "/home") {
            cannot_be_framed(&browser.clone().open(path).await);
            cannot_be_framed(&browser.clone().call("GET", path).await);
            cannot_be_framed(&browser.clone().call("DELETE", path).await);
            cannot_be_framed(&browser.clone().post(path, &[("code", "1")]).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fac_2_no_answer_of_ours_can_be_framed() {
    let portal = portal::form().yaml("remember_device: {}\nspa: true").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let nobody = gateway.browser("wiki");
    everything(&nobody, false).await;
    let mut bob = gateway.browser("wiki");
    cannot_be_framed(&sign_in_anew(&mut bob, BOB).await);
    everything(&bob, false).await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    everything(&alice.browser, true).await;
    let mut named = gateway.browser("wiki");
    let page = sign_in_again(&mut named, ALICE).await;
    cannot_be_framed(&page);
    for _ in 0..6 {
        cannot_be_framed(&give_code(&mut named, &page, "000000").await);
    }
    everything(&named, false).await;
    // What is refused before anybody looks whose it is.
    for (host, path) in [("other.test", "/home"), ("wiki.test", "/a%00b")] {
        let mut call = nobody.with_cookies(Call::get("wiki.test", path));
        call.lines[0].1 = host.into();
        let refused = nobody.clone().visit(path, call).await;
        assert!([400, 421].contains(&refused.status), "{}", refused.status);
        cannot_be_framed(&refused);
    }
    let long = format!("/{}", "x".repeat(9000));
    cannot_be_framed(&nobody.clone().open(&long).await);
    // And what cannot be answered, since the clock or the portal is gone.
    gateway.set_clock(gateway.ahead() - 3600);
    cannot_be_framed(&named.open("/.mfa/verify").await);
    gateway.set_clock(gateway.ahead() + 3600);
    drop(portal);
    let broken = alice.browser.clone().open("/home").await;
    assert!(broken.status >= 502, "{:?}", broken.answer);
    cannot_be_framed(&broken);
}
