//! C13 in a real browser: what was typed into a name, a label or an address does not run, and
//! neither would a script that came into a page of ours by a fault.

use serde_json::Value;

use crate::chromium::{self, Scripts, Window};
use crate::dsl::{ALICE, Phone, gateway, portal};

/// What sets a mark if it runs, in the places where a script may stand.
const PLANTED: [&str; 3] = [
    "\"><script>document.title='ran'</script>",
    "<img src=x onerror=document.title='ran'>",
    "<svg/onload=document.title='ran'>",
];

/// A script, a handler and a style put into the page that is shown, as a fault in a template
/// would.
const BY_A_FAULT: &str = "
    const done = arguments[arguments.length - 1];
    const add = (name, change) => {
        const element = document.createElement(name);
        change(element);
        document.body.append(element);
        return element;
    };
    add('script', script => script.textContent = 'document.title = \"ran\"');
    add('div', div => div.innerHTML = '<button onclick=\"document.title = 1\">x</button>');
    document.querySelector('div button[onclick]').click();
    const image = add('img', image => image.setAttribute('onerror', 'document.title = \"ran\"'));
    const other = add('script', script => script.src = 'data:text/javascript,document.title=1');
    other.onerror = () => setTimeout(() => done(document.title), 0);
    image.src = 'data:image/png,broken';";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_typed_runs_in_a_page_of_ours() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let browser = chromium::open(Window::Desk, Scripts::On).await;
    let address = format!("https://wiki.test:{}", gateway.https().port());
    browser.goto(&format!("{address}/login")).await;
    browser.fill("input[name=user]", ALICE.0).await;
    browser.fill("input[name=password]", ALICE.1).await;
    browser.follow("form:has(input[name=password]) button").await;
    let link = browser.attribute("#otpauth", "href").await.unwrap();
    browser.fill("input[name=code]", PLANTED[0]).await;
    browser.fill("input[name=label]", PLANTED[1]).await;
    browser.follow("form:has(input[name=code]) button").await;
    assert_eq!(browser.text("[role=alert]").await.matches("not right").count(), 1);
    // What a code is refused for is not what this is about.
    browser.console().await;
    browser.fill("input[name=code]", &Phone::from_link(&link).code(gateway.now())).await;
    browser.fill("input[name=label]", PLANTED[1]).await;
    browser.follow("form:has(input[name=code]) button").await;
    browser.find("code.recovery-code").await;
    for planted in PLANTED {
        let typed: String = form_urlencoded::byte_serialize(planted.as_bytes()).collect();
        for path in ["/.mfa/", "/.mfa/verify?step_up=yes&return_to=/", "/.mfa/help?x=", "/.mfa/"] {
            browser.goto(&format!("{address}{path}{typed}")).await;
            browser.find("main h1").await;
            let title = browser.run("return document.title").await;
            assert!(!title.as_str().unwrap().contains("ran"), "{path}{planted}");
        }
    }
    browser.goto(&format!("{address}/.mfa/")).await;
    let shown = browser.text("main").await;
    assert!(shown.contains(PLANTED[1]), "the label is not shown as it is: {shown}");
    let before = browser.run("return document.title").await;
    browser.console().await;
    let after: Value = browser.run_until_done(BY_A_FAULT).await;
    assert_eq!(after, before, "a script ran in a page of ours");
    let said = format!("{:?}", browser.console().await);
    assert!(said.contains("Content Security Policy"), "nothing was refused: {said}");
}
