//! Sign in at the portal, enrol, sign out, come back: one person with a browser and a phone.
//! Each step leaves a picture in `target/screenshots/`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::chromium::{self, Scripts, Window};
use crate::dsl::{ALICE, Gateway, Phone, gateway, portal};
use crate::webdriver::Browser;

/// Tells it in one window.
pub async fn tell(window: Window, scripts: Scripts) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let browser = chromium::open(window, scripts).await;
    let mut person = Person { gateway, browser, album: Album::open(window, scripts), scripts };
    let phone = person.enrols().await;
    person.looks_around_and_leaves().await;
    person.comes_again(&phone).await;
}

struct Person {
    gateway: Gateway,
    browser: Browser,
    album: Album,
    scripts: Scripts,
}

impl Person {
    async fn enrols(&mut self) -> Phone {
        self.signs_in().await;
        self.is_at("/.mfa/enrol", "enrol").await;
        let seen = self.album.path("the-code-as-the-phone-sees-it");
        fs::write(&seen, self.browser.picture_of("main svg").await).unwrap();
        let phone = Phone::photograph(&seen);
        let shown = self.browser.text("#secret").await.replace(char::is_whitespace, "");
        assert_eq!(shown, phone.secret(), "the picture and the text differ");
        let link = self.browser.attribute("#otpauth", "href").await;
        assert_eq!(link.as_deref(), Some(phone.link.as_str()));
        self.gives(&phone.code(self.gateway.now())).await;
        self.is_at("/.mfa/recovery-codes", "recovery-codes").await;
        assert_eq!(self.browser.find_all("code.recovery-code").await.len(), 10);
        self.browser.click("input[name=acknowledged]").await;
        self.browser.follow("form:has(input[name=acknowledged]) button").await;
        self.is_in("the-portal").await;
        phone
    }

    async fn looks_around_and_leaves(&mut self) {
        for (path, name) in [("/.mfa/help", "help"), ("/.mfa/", "home")] {
            self.browser.goto(&self.address(path)).await;
            self.is_at(path, name).await;
        }
        assert!(self.browser.text("main").await.contains("10"), "ten codes are left");
        self.holds_the_cookie().await;
        self.browser.follow("form[action$='/logout'] button").await;
        self.browser.find("input[type=password]").await;
        self.takes_picture("signed-out").await;
        self.browser.goto(&self.address("/home")).await;
        assert_eq!(self.browser.url().await, self.address("/login"));
    }

    async fn comes_again(&mut self, phone: &Phone) {
        self.gateway.next_code();
        self.signs_in().await;
        self.is_at("/.mfa/verify", "verify").await;
        self.gives("000000").await;
        self.browser.find("[role=alert]").await;
        self.takes_picture("a-wrong-code").await;
        self.has_quiet_console(&["401"]).await;
        self.gives(&phone.code(self.gateway.now())).await;
        self.is_in("the-portal-again").await;
    }

    /// Fills in the portal's own form.
    async fn signs_in(&mut self) {
        self.browser.goto(&self.address("/home")).await;
        self.takes_picture("the-portals-form").await;
        self.browser.fill("input[name=user]", ALICE.0).await;
        self.browser.fill("input[name=password]", ALICE.1).await;
        // What the portal's own page has to say is not ours to judge.
        self.browser.console().await;
        self.browser.follow("form:has(input[name=password]) button").await;
    }

    async fn gives(&self, code: &str) {
        self.browser.fill("input[name=code]", code).await;
        self.browser.follow("form:has(input[name=code]) button").await;
    }

    /// A page of ours is shown as it should be.
    async fn is_at(&mut self, path: &str, name: &str) {
        self.browser.find("main h1").await;
        let url = self.browser.url().await;
        let here = url.split('?').next().unwrap();
        assert_eq!(here, self.address(path));
        self.takes_picture(name).await;
        self.has_quiet_console(&[]).await;
        if self.scripts == Scripts::On {
            let widths = "return document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(self.browser.run(widths).await, true, "{path} scrolls sideways");
        }
    }

    async fn is_in(&mut self, name: &str) {
        assert_eq!(self.browser.text("#secret-page").await, "for alice alone");
        assert_eq!(self.browser.url().await, self.address("/home"));
        self.takes_picture(name).await;
        self.browser.console().await;
    }

    /// The browser has taken our cookie for what it says it is.
    async fn holds_the_cookie(&self) {
        let cookies = self.browser.cookies().await;
        let ours = cookies.iter().find(|cookie| cookie["name"] == "__Host-mfa").unwrap();
        for (attribute, value) in [("secure", true), ("httpOnly", true)] {
            assert_eq!(ours[attribute], value, "{ours}");
        }
        assert_eq!((&ours["sameSite"], &ours["path"]), (&"Lax".into(), &"/".into()), "{ours}");
    }

    /// Nothing of the page was refused or broken; `known` is what may be said.
    async fn has_quiet_console(&self, known: &[&str]) {
        let mut said = self.browser.console().await;
        said.retain(|entry| {
            let message = entry["message"].to_string();
            !known.iter().any(|known| message.contains(known))
        });
        assert!(said.is_empty(), "{}: {said:?}", self.browser.url().await);
    }

    async fn takes_picture(&mut self, name: &str) {
        let path = self.album.path(name);
        fs::write(path, self.browser.picture_of_page().await).unwrap();
    }

    fn address(&self, path: &str) -> String {
        format!("https://wiki.test:{}{path}", self.gateway.https().port())
    }
}

/// The pictures of one story, in their order.
struct Album {
    folder: PathBuf,
    count: usize,
}

impl Album {
    fn open(window: Window, scripts: Scripts) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let name = format!("{}-{}", window.name(), scripts.name());
        let folder = target.join("screenshots").join(name);
        // Pictures of an earlier run would be mistaken for this one's.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, count: 0 }
    }

    fn path(&mut self, name: &str) -> PathBuf {
        self.count += 1;
        self.folder.join(format!("{:02}-{name}.png", self.count))
    }
}
