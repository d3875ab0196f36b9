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
    width: u32,
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
        Self { browser, name, port, album, width: window.size().0 }
    }

    /// Leaves the browser to somebody else, who is signed in nowhere.
    pub async fn makes_room_for(&mut self, name: (&'static str, &'static str)) {
        self.browser.forget_cookies().await;
        self.name = name;
    }

    /// Signs in for the first time, scans, and keeps the recovery codes.
    pub async fn enrols(&mut self, gateway: &Gateway) -> (Phone, Vec<String>) {
        self.signs_in().await;
        self.sets_up(gateway).await
    }

    /// Scans at the page that a sign-in without a factor led to, and keeps the recovery codes.
    pub async fn sets_up(&mut self, gateway: &Gateway) -> (Phone, Vec<String>) {
        self.is_at("/.mfa/enrol", "enrol").await;
        let phone = self.scans().await;
        self.gives(&phone.code(gateway.now())).await;
        let codes = self.keeps_the_codes().await;
        self.is_in("the-portal").await;
        (phone, codes)
    }

    /// Fills in the portal's own form.
    pub async fn signs_in(&mut self) {
        self.opens("/home").await;
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

    /// Types a code that is refused.
    pub async fn gives_in_vain(&mut self, code: &str, name: &str) {
        self.gives(code).await;
        self.browser.find("[role=alert]").await;
        self.is_refused("/.mfa/verify", name, "401").await;
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

    /// Presses one of the buttons of a page, by what it does.
    pub async fn presses(&self, action: &str) {
        self.browser.follow(&format!("button[name=action][value={action}]")).await;
    }

    /// A page of ours is shown as it should be.
    pub async fn is_at(&mut self, path: &str, name: &str) {
        self.is_shown(path, name, &[]).await;
    }

    /// The same for a page that says no, with this status.
    pub async fn is_refused(&mut self, path: &str, name: &str, status: &str) {
        self.is_shown(path, name, &[status]).await;
    }

    async fn is_shown(&mut self, path: &str, name: &str, known: &[&str]) {
        self.browser.find("main h1").await;
        let url = self.browser.url().await;
        let here = url.split('?').next().unwrap();
        assert_eq!(here, self.address(path));
        self.takes_picture(name).await;
        self.has_quiet_console(known).await;
        let (width, room) = (self.browser.width_of_page().await, f64::from(self.width));
        assert!(width <= room, "{path} is {width} wide and scrolls sideways");
    }

    /// The page says each of these.
    pub async fn reads(&self, said: &[&str]) {
        let text = self.browser.text("main").await;
        for said in said {
            assert!(text.contains(said), "no '{said}' at {}: {text}", self.browser.url().await);
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

    /// Nobody is signed in any more, as the portal's own page says when it is loaded again.
    pub async fn is_out(&self) {
        self.opens("/home").await;
        self.browser.find("input[name=password]").await;
        assert_eq!(self.browser.url().await, self.address("/login"));
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
