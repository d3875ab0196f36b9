//! What another page can do with ours: nothing.

use serde_json::Value;

use crate::chromium::{self, Scripts, Window};
use crate::dsl::console::{ADMIN, ANN};
use crate::dsl::{ALICE, gateway, portal};

/// A frame around an address, and whether the page in it can be read. A browser that
/// refuses to show a page shows one of its own instead, which nobody can read.
fn framed(address: &str) -> String {
    format!(
        "const done = arguments[arguments.length - 1];
         const frame = document.createElement('iframe');
         frame.onload = () => done(frame.contentDocument !== null);
         frame.src = '{address}';
         document.body.append(frame);"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_ours_can_be_framed() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let browser = chromium::open(Window::Desk, Scripts::On).await;
    let address = format!("https://wiki.test:{}", gateway.https().port());
    // Whoever is not known gets a page of the portal at most of these addresses.
    browser.goto(&format!("{address}/login")).await;
    browser.fill("input[name=user]", ALICE.0).await;
    browser.fill("input[name=password]", ALICE.1).await;
    browser.follow("form:has(input[name=password]) button").await;
    browser.goto(&format!("{address}/public/page")).await;
    let own = browser.run_until_done(&framed("/public/other")).await;
    assert_eq!(own, Value::Bool(true), "the portal's own pages can be framed");
    browser.console().await;
    for page in ["/.mfa/enrol", "/.mfa/logout", "/.mfa/help", "/.mfa/", "/.mfa/nothing-here"] {
        let ours = browser.run_until_done(&framed(page)).await;
        assert_eq!(ours, Value::Bool(false), "{page} was shown in a frame");
        let said = format!("{:?}", browser.console().await);
        assert!(said.contains("frame-ancestors"), "{page} was not refused for our policy: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_the_console_can_be_framed() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(ADMIN).person(ANN).run().await;
    let browser = chromium::open(Window::Desk, Scripts::On).await;
    browser.goto(&format!("https://wiki.test:{}/login", gateway.https().port())).await;
    browser.console().await;
    let desk = format!("http://localhost:{}/desk", gateway.admin().port());
    for page in ["/", "/sign-in", "/code", "/user?portal=wiki&user=alice", "/nothing-here"] {
        browser.run_until_done(&framed(&format!("{desk}{page}"))).await;
        let said = format!("{:?}", browser.console().await);
        assert!(said.contains("frame-ancestors"), "{page} was not refused for our policy: {said}");
    }
}
