//! A support person at the desk's console: signs in, finds somebody who lost the phone, helps,
//! and looks where the portal stands. The pictures are those of `docs/desk.md`.

use std::fs;

use crate::chromium::{self, Scripts, Window};
use crate::dsl::book::AUDIT;
use crate::dsl::console::{ADMIN, ANN, invite};
use crate::dsl::desk::ORGANISATION;
use crate::dsl::steps::{enrol, sign_in};
use crate::dsl::{ALICE, BOB, Gateway, Phone, gateway, member, portal};
use crate::person::Album;
use crate::webdriver::Browser;

/// Tells it.
pub async fn tell(scripts: Scripts) {
    let portal = portal::form().yaml(ORGANISATION).run().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(AUDIT).token(ADMIN).person(ANN);
    let gateway = gateway.run().await;
    enrol(&gateway, "wiki", ALICE).await;
    enrol(&gateway, "wiki", BOB).await;
    for number in 0..5 {
        let (name, password) = member(number);
        sign_in(&mut gateway.browser("wiki"), (&name, &password)).await;
    }
    let browser = chromium::open(Window::Console, scripts).await;
    let album = Album::open(&format!("console-{}", scripts.name()));
    let mut ann = AtTheDesk { gateway, browser, album };
    ann.signs_in().await;
    ann.finds_alice().await;
    ann.helps_alice().await;
    ann.reads_what_happened().await;
    ann.looks_at_the_requests().await;
    ann.looks_at_the_rollout().await;
    ann.leaves().await;
}

struct AtTheDesk {
    gateway: Gateway,
    browser: Browser,
    album: Album,
}

impl AtTheDesk {
    async fn signs_in(&mut self) {
        self.browser.goto(&self.address("/desk/")).await;
        self.is_shown("Sign in to the support desk", "sign-in").await;
        self.browser.fill("#name", ANN.name).await;
        self.browser.fill("#password", ANN.password).await;
        self.browser.follow("form:has(#password) button").await;
        self.is_shown("Type your invitation code", "invitation").await;
        self.browser.fill("#invite", &invite(&self.gateway, ANN)).await;
        self.browser.follow("form:has(#invite) button").await;
        self.is_shown("Set up your authenticator app", "enrol").await;
        let seen = self.album.path("the-code-as-the-phone-sees-it");
        fs::write(&seen, self.browser.picture_of("main svg").await).unwrap();
        let phone = Phone::photograph(&seen);
        self.browser.fill("#code", &phone.code(self.gateway.now())).await;
        self.browser.follow("form:has(#code) button").await;
        self.is_shown("Save your recovery codes", "recovery-codes").await;
        self.browser.follow("main a.button").await;
        self.is_shown("Who needs help?", "start").await;
        self.holds_the_cookie().await;
    }

    async fn finds_alice(&mut self) {
        self.browser.fill("#q", "ali").await;
        self.browser.follow("form[role=search] button").await;
        self.is_shown("Users", "users").await;
        self.browser.follow("td a").await;
        self.is_shown("alice", "user").await;
    }

    async fn helps_alice(&mut self) {
        let button = "form:has(input[value=end_sessions]) button";
        self.browser.follow(button).await;
        let said = self.browser.text("#said").await;
        assert_eq!(said, "alice is signed out of wiki everywhere.");
        self.is_shown("alice", "signed-out").await;
        self.browser.fill("#requested_by", "bob@example.com").await;
        self.browser.fill("#reason", "lost the phone on the train").await;
        self.browser.fill("#ticket", "T-17").await;
        self.is_shown("alice", "reset").await;
        self.takes_picture_of("section.reset", "reset-form").await;
        self.browser.follow("form:has(#requested_by) button").await;
        let said = self.browser.text("#said").await;
        assert!(said.starts_with("alice has no second step at wiki any more."), "{said}");
        self.is_shown("alice", "reset-done").await;
    }

    async fn reads_what_happened(&mut self) {
        let newest = self.browser.text("ul.history li").await;
        assert!(newest.starts_with("The second step was reset"), "{newest}");
        let said = "by ann at the desk, on the word of bob@example.com, \
                    because: lost the phone on the train, ticket T-17";
        assert!(newest.contains(said), "{newest}");
        self.takes_picture_of("section:has(#history)", "history").await;
    }

    async fn looks_at_the_requests(&mut self) {
        self.browser.goto(&self.address("/desk/requests")).await;
        self.is_shown("Requests", "requests").await;
    }

    async fn looks_at_the_rollout(&mut self) {
        self.browser.goto(&self.address("/desk/rollout?portal=wiki")).await;
        self.is_shown("wiki: who has a second step", "rollout").await;
        assert_eq!(self.browser.find_all("svg.bar rect.enrolled").await.len(), 1);
        assert_eq!(self.browser.find_all("svg.days rect.enrolled").await.len(), 30);
    }

    async fn leaves(&mut self) {
        self.browser.follow("form.out button").await;
        self.is_shown("Sign in to the support desk", "signed-out-of-the-console").await;
        self.browser.goto(&self.address("/desk/users")).await;
        assert_eq!(self.browser.text("h1").await, "Sign in to the support desk");
    }

    /// A page of the console is shown as it should be.
    async fn is_shown(&mut self, title: &str, name: &str) {
        let shown = self.browser.text("main h1").await;
        assert!(shown.starts_with(title), "{shown}");
        let path = self.album.path(name);
        fs::write(path, self.browser.picture_of_page().await).unwrap();
        let said = self.browser.console().await;
        assert!(said.is_empty(), "{}: {said:?}", self.browser.url().await);
    }

    async fn takes_picture_of(&mut self, css: &str, name: &str) {
        let path = self.album.path(name);
        fs::write(path, self.browser.picture_of(css).await).unwrap();
    }

    /// The browser keeps the cookie for localhost, although it is for https alone elsewhere.
    async fn holds_the_cookie(&self) {
        let cookies = self.browser.cookies().await;
        let ours = cookies.iter().find(|cookie| cookie["name"] == "__Host-desk").unwrap();
        assert_eq!((&ours["secure"], &ours["httpOnly"]), (&true.into(), &true.into()), "{ours}");
        assert_eq!(ours["sameSite"], "Strict", "{ours}");
    }

    fn address(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.gateway.admin().port())
    }
}
