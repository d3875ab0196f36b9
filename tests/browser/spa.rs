//! A single-page application through enrolment, a proof that is asked for again, and a
//! session that ends, without losing what was typed.

use std::time::Duration;

use serde_json::Value;

use crate::chromium::{self, Scripts, Window};
use crate::dsl::{ALICE, Gateway, Phone, eventually, gateway};
use crate::editor::Editor;
use crate::webdriver::Browser;

struct Writer {
    editor: Editor,
    gateway: Gateway,
    browser: Browser,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_page_application_loses_nothing_that_was_typed() {
    let mut writer = Writer::sits_down().await;
    let phone = writer.enrols().await;
    writer.writes("Dear Sir,\nI said \"1 < 2\".").await;
    writer.saves_with("#save").await;
    assert_eq!(writer.editor.text(), "Dear Sir,\nI said \"1 < 2\".");
    writer.proves_again(&phone, "#save").await;
    writer.proves_again(&phone, "#old").await;
    writer.signs_in_again(&phone).await;
}

/// What a page that is held keeps is the user's own, and no secret.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_kept_and_nothing_stays_behind() {
    let mut writer = Writer::sits_down().await;
    let phone = writer.enrols().await;
    writer.gateway.next_code();
    writer.fills_every_field().await;
    writer.renews().await;
    writer.browser.follow("#save").await;
    writer.is_at("/.mfa/verify").await;
    let kept = writer.kept().await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    for word in ["a title", "letter", "some rich text", "the text"] {
        assert!(kept[0].contains(word), "{word}: {kept:?}");
    }
    for secret in ["424242", "shown for a while"] {
        assert!(!kept[0].contains(secret), "{secret}: {kept:?}");
    }
    assert!(!kept[0].contains(ALICE.1), "{kept:?}");
    writer.gives(&phone).await;
    writer.has("#text", "the text").await;
    writer.has("#title", "a title").await;
    writer.has("#kind", "letter").await;
    writer.has("#pin", "").await;
    assert_eq!(writer.browser.text("#rich").await, "some rich text");
    assert_eq!(writer.value("#urgent", "checked").await, true);
    writer.saves_with("#save").await;
    assert_eq!(writer.kept().await, [""; 0]);
    assert_eq!(writer.editor.text(), "the text");
}

/// Rather than losing it, the page stays: the application gets the answer that it would have
/// had without the script.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_more_than_can_be_kept_is_not_left() {
    let mut writer = Writer::sits_down().await;
    writer.enrols().await;
    writer.writes("once").await;
    let grow = "const field = document.querySelector('#text'); field.value = 'a'.repeat(300_000); \
                field.dispatchEvent(new Event('input', { bubbles: true }))";
    writer.browser.run(grow).await;
    writer.renews().await;
    writer.presses("#save").await;
    assert_eq!(writer.browser.text("#said").await, "failed with 401");
    writer.is_in().await;
    assert_eq!(writer.editor.text(), "");
}

/// A page that sends whoever comes back away again does so a few times, not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_refused_again_and_again_is_left_alone() {
    let mut writer = Writer::sits_down().await;
    writer.enrols().await;
    let visits = "sessionStorage.setItem('portcullis:visits', \
                  JSON.stringify(Array(7).fill(Date.now())))";
    writer.browser.run(visits).await;
    writer.renews().await;
    writer.presses("#save").await;
    assert_eq!(writer.browser.text("#said").await, "failed with 401");
    writer.is_in().await;
}

impl Writer {
    async fn sits_down() -> Self {
        let editor = Editor::run().await;
        let gateway = gateway::new().portal("wiki", &editor).run().await;
        let browser = chromium::open(Window::Desk, Scripts::On).await;
        Self { editor, gateway, browser }
    }

    /// From the application's own login by a call to the editor.
    async fn enrols(&mut self) -> Phone {
        self.browser.goto(&self.address("/")).await;
        self.signs_in().await;
        self.is_at("/.mfa/enrol").await;
        let link = self.browser.attribute("#otpauth", "href").await.unwrap();
        let phone = Phone::from_link(&link);
        self.gives(&phone).await;
        self.browser.click("input[name=acknowledged]").await;
        self.browser.follow("form:has(input[name=acknowledged]) button").await;
        self.is_in().await;
        phone
    }

    /// The application's first call leads to its login, which is where it sends its form.
    async fn signs_in(&self) {
        self.browser.fill("#user", ALICE.0).await;
        assert_eq!(self.browser.url().await, self.address("/login"));
        self.browser.fill("#password", ALICE.1).await;
        self.browser.follow("form:has(#password) button").await;
    }

    /// The portal changes its session, which ends the proof; the next call is refused.
    async fn proves_again(&mut self, phone: &Phone, button: &str) {
        self.gateway.next_code();
        let text = format!("written before the proof of {button}");
        self.writes(&text).await;
        self.renews().await;
        self.browser.follow(button).await;
        self.is_at("/.mfa/verify").await;
        self.gives(phone).await;
        self.has("#text", &text).await;
        self.is_in().await;
        self.saves_with(button).await;
        assert_eq!(self.editor.text(), text);
    }

    /// Our session is over, and the application's own login stands in between.
    async fn signs_in_again(&mut self, phone: &Phone) {
        self.writes("written before the night").await;
        self.gateway.advance(Duration::from_secs(13 * 3600));
        self.browser.follow("#save").await;
        self.signs_in().await;
        self.is_at("/.mfa/verify").await;
        self.gives(phone).await;
        self.has("#text", "written before the night").await;
        self.saves_with("#save").await;
        assert_eq!(self.editor.text(), "written before the night");
    }

    async fn fills_every_field(&self) {
        self.browser.fill("#title", "a title").await;
        self.browser.fill("#pin", "424242").await;
        self.browser.fill("#key", "shown for a while").await;
        self.browser.run("document.querySelector('#key').type = 'text'").await;
        self.browser.click("#urgent").await;
        self.browser.click("#kind option:nth-child(2)").await;
        self.browser.fill("#rich", "some rich text").await;
        self.writes("the text").await;
    }

    async fn writes(&self, text: &str) {
        self.browser.find("#said:not(:empty)").await;
        self.browser.fill("#text", text).await;
    }

    async fn renews(&self) {
        self.saves_with("#renew").await;
    }

    async fn saves_with(&self, button: &str) {
        self.presses(button).await;
        assert_eq!(self.browser.text("#said").await, "saved");
    }

    /// Presses a button whose answer the application gets.
    async fn presses(&self, button: &str) {
        self.browser.find("#said:not(:empty)").await;
        self.browser.run("document.querySelector('#said').textContent = ''").await;
        self.browser.click(button).await;
        self.browser.find("#said:not(:empty)").await;
    }

    async fn gives(&self, phone: &Phone) {
        self.browser.fill("input[name=code]", &phone.code(self.gateway.now())).await;
        self.browser.follow("form:has(input[name=code]) button").await;
    }

    async fn is_at(&self, path: &str) {
        self.browser.find("main h1").await;
        let url = self.browser.url().await;
        let expected = format!("{}?return_to=%2Fedit%23draft", self.address(path));
        assert_eq!(url, expected);
    }

    async fn is_in(&self) {
        assert_eq!(self.browser.text("#who").await, ALICE.0);
        assert_eq!(self.browser.url().await, self.address("/edit#draft"));
    }

    /// A field has a value, or will have: it is put back when the page is ready.
    async fn has(&self, css: &str, expected: &str) {
        let what = format!("'{expected}' in {css}");
        eventually(&what, async || (self.value(css, "value").await == expected).then_some(()))
            .await;
    }

    async fn value(&self, css: &str, property: &str) -> Value {
        self.browser.find(css).await;
        self.browser.run(&format!("return document.querySelector('{css}').{property}")).await
    }

    /// Everything that the script keeps of pages.
    async fn kept(&self) -> Vec<String> {
        let script = "return Object.entries(sessionStorage).filter(([name]) => \
                      name.startsWith('portcullis:kept:')).map(([, text]) => text)";
        serde_json::from_value(self.browser.run(script).await).unwrap()
    }

    fn address(&self, path: &str) -> String {
        format!("https://wiki.test:{}{path}", self.gateway.https().port())
    }
}
