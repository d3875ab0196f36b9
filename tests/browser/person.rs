//! One person with a browser and a phone, at the portal `wiki.test` of a gateway: what the
//! stories have them do. Each step leaves a picture in `target/screenshots/`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::chromium::{self, Scripts, Window};
use crate::dsl::{Gateway, Phone};
use crate::webdriver::Browser;

/// Somebody with a name and a password there.
pub struct Person {
    pub browser: Browser,
    name: (&'static str, &'static str),
    port: u16,
    album: Album,
    scripts: Scripts,
}

impl Person {
    /// Sits down before a browser. `story` names the folder of the pictures.
    pub async fn sits_down(
        gateway: &Gateway,
        name: (&'static str, &'static str),
        story: &str,
        window: Window,
        scripts: Scripts,
    ) -> Self {
        let browser = chromium::open(window, scripts).await;
        let album = Album::open(&format!("{story}-{}-{}", window.name(), scripts.name()));
        let port = gateway.https().port();
        Self { browser, name, port, album, scripts }
    }

    /// Signs in for the first time, scans, and keeps the recovery codes.
    pub async fn enrols(&mut self, gateway: &Gateway) -> (Phone, Vec<String>) {
        self.signs_in().await;
        self.is_at("/.mfa/enrol", "enrol").await;
        let phone = self.scans().await;
        self.gives(&phone.code(gateway.now())).await;
        let codes = self.keeps_the_codes().await;
        self.is_in("the-portal").await;
        (phone, codes)
    }

    /// Fills in the portal's own form.
    pub async fn signs_in(&mut self) {
        self.browser.goto(&self.address("/home")).await;
        self.takes_picture("the-portals-form").await;
        self.browser.fill("input[name=user]", self.name.0).await;
        self.browser.fill("input[name=password]", self.name.1).await;
        // What the portal's own page has to say is not ours to judge.
        self.browser.console().await;
        self.browser.follow("form:has(input[name=password]) button").await;
    }

    /// Points the phone at the picture, which says the same as the text and the link.
    pub async fn scans(&mut self) -> Phone {
        let seen = self.album.path("the-code-as-the-phone-sees-it");
        fs::write(&seen, self.browser.picture_of("main svg").await).unwrap();
        let phone = Phone::photograph(&seen);
        let shown = self.browser.text("#secret").await.replace(char::is_whitespace, "");
        assert_eq!(shown, phone.secret(), "the picture and the text differ");
        let link = self.browser.attribute("#otpauth", "href").await;
        assert_eq!(link.as_deref(), Some(phone.link.as_str()));
        phone
    }

    /// Types a code and sends it.
    pub async fn gives(&self, code: &str) {
        self.browser.fill("input[name=code]", code).await;
        self.browser.follow("form:has(input[name=code]) button").await;
    }

    /// Reads the recovery codes, says that they are kept, and goes on.
    pub async fn keeps_the_codes(&mut self) -> Vec<String> {
        self.is_at("/.mfa/recovery-codes", "recovery-codes").await;
        let mut codes = Vec::new();
        for element in self.browser.find_all("code.recovery-code").await {
            codes.push(self.browser.text_of(&element).await);
        }
        assert_eq!(codes.len(), 10);
        self.browser.click("input[name=acknowledged]").await;
        self.browser.follow("form:has(input[name=acknowledged]) button").await;
        codes
    }

    /// Opens a page by its address.
    pub async fn opens(&self, path: &str) {
        self.browser.goto(&self.address(path)).await;
    }

    /// A page of ours is shown as it should be.
    pub async fn is_at(&mut self, path: &str, name: &str) {
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

    /// The portal shows what it shows to this user alone.
    pub async fn is_in(&mut self, name: &str) {
        let expected = format!("for {} alone", self.name.0);
        assert_eq!(self.browser.text("#secret-page").await, expected);
        assert_eq!(self.browser.url().await, self.address("/home"));
        self.takes_picture(name).await;
        self.browser.console().await;
    }

    /// Nothing of the page was refused or broken; `known` is what may be said.
    pub async fn has_quiet_console(&self, known: &[&str]) {
        let mut said = self.browser.console().await;
        said.retain(|entry| {
            let message = entry["message"].to_string();
            !known.iter().any(|known| message.contains(known))
        });
        assert!(said.is_empty(), "{}: {said:?}", self.browser.url().await);
    }

    pub async fn takes_picture(&mut self, name: &str) {
        let path = self.album.path(name);
        fs::write(path, self.browser.picture_of_page().await).unwrap();
    }

    pub fn address(&self, path: &str) -> String {
        format!("https://wiki.test:{}{path}", self.port)
    }
}

/// The pictures of one story, in their order.
pub struct Album {
    folder: PathBuf,
    count: usize,
}

impl Album {
    pub fn open(name: &str) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let folder = target.join("screenshots").join(name);
        // Pictures of an earlier run would be mistaken for this one's.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, count: 0 }
    }

    pub fn path(&mut self, name: &str) -> PathBuf {
        self.count += 1;
        self.folder.join(format!("{:02}-{name}.png", self.count))
    }
}
