//! Portals whose users bring their credentials in a line of each request: the password by HTTP
//! Basic, or a token that the portal's page keeps.

use serde_json::Value;

use crate::dsl::browser::Shown;
use crate::dsl::steps::{Enrolled, confirm, give_code};
use crate::dsl::{ALICE, Answer, BOB, Browser, Call, Gateway, Phone, Probed, client, gateway};
use crate::real::RealPortal;
use crate::visits::{Visited, a_code_opens_once, a_recovery_code_opens_once, qr};

/// A portal as its users see it.
#[derive(Debug)]
pub struct Keyed {
    /// What it is called here.
    pub name: &'static str,
    pub way: Way,
    /// A page for who is signed in.
    pub page: &'static str,
    /// What stands on it.
    pub inside: &'static str,
}

/// Where the line comes from.
#[derive(Debug)]
pub enum Way {
    /// The browser asks for a name and a password and sends them with everything.
    Basic,
    /// The portal's page gets a token at this address, in this member of the answer.
    Token { address: &'static str, fields: &'static [(&'static str, &'static str)] },
}

/// A portal with its gateway.
pub struct Place {
    pub keyed: &'static Keyed,
    pub portal: RealPortal,
    pub gateway: Gateway,
}

/// The line of HTTP Basic.
pub fn basic((user, password): (&str, &str)) -> String {
    use base64::Engine as _;
    let pair = format!("{user}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

impl Keyed {
    /// Whether an answer gives away what stands behind the login.
    pub fn shows(&self, answer: &Answer) -> bool {
        answer.body.contains(self.inside)
    }

    /// Gives the portal the password; the browser has its line from then on. Shows the answer
    /// of the login, if there is one.
    pub async fn sign_in(&self, browser: &mut Browser, who: (&str, &str)) -> Option<Shown> {
        let Way::Token { address, fields } = self.way else {
            browser.authorization = Some(basic(who));
            return None;
        };
        browser.authorization = None;
        let fields = [fields, &[("username", who.0), ("password", who.1)]].concat();
        let call = browser.with_cookies(Call::post(&browser.host, address, &fields));
        let answer = browser.visit(address, call).await;
        browser.authorization = token(&answer);
        Some(answer)
    }

    /// The line of who signs in straight at the portal; it opens the page there.
    pub async fn line_past_the_gateway(&self, portal: &RealPortal, who: (&str, &str)) -> String {
        let host = portal.address().to_string();
        let line = match self.way {
            Way::Basic => basic(who),
            Way::Token { address, fields } => {
                let fields = [fields, &[("username", who.0), ("password", who.1)]].concat();
                let call = Call::post(&host, address, &fields);
                token(&client::plain(portal.address(), call).await).unwrap()
            }
        };
        let call = Call::get(&host, self.page).line("authorization", &line);
        let inside = client::plain(portal.address(), call).await;
        assert!(self.shows(&inside), "{} did not let {who:?} in: {inside:?}", self.name);
        line
    }
}

fn token(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_str(&answer.body).ok()?;
    Some(format!("Bearer {}", body.pointer("/access_token")?.as_str()?))
}

impl Place {
    pub async fn open(keyed: &'static Keyed) -> Self {
        let portal = RealPortal::start(keyed.name);
        let gateway = gateway::new().portal(keyed.name, &portal).run().await;
        Self { keyed, portal, gateway }
    }

    /// The same, of a portal that is known from what the probe writes alone.
    pub async fn probed(keyed: &'static Keyed) -> Self {
        let portal = RealPortal::start(keyed.name);
        let url = format!("http://{}/", portal.address());
        let mut more = Vec::new();
        if let Way::Token { address, fields } = keyed.way {
            let names = ["--form-user", "username", "--form-password", "password"];
            more.extend(["--login-path", address].iter().chain(&names).map(ToString::to_string));
            let same = fields.iter().map(|(name, value)| format!("--field={name}={value}"));
            more.extend(same);
        }
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let probed = Probed::new(&url, keyed.name, ALICE, &more);
        let gateway = gateway::new().portal(keyed.name, &probed).run().await;
        Self { keyed, portal, gateway }
    }

    pub fn browser(&self) -> Browser {
        self.gateway.browser(self.keyed.name)
    }

    /// A call for the page is answered with 401 for this reason.
    pub async fn is_kept_out(&self, browser: &mut Browser, reason: &str) {
        let answer = browser.call("GET", self.keyed.page).await;
        assert!(!self.keyed.shows(&answer), "{:?}", answer.answer);
        assert_eq!(answer.status, 401, "{:?}", answer.answer);
        assert_eq!(
            answer.json()["type"],
            format!("urn:portcullis:{reason}"),
            "{:?}",
            answer.answer
        );
        let asked = answer.line("www-authenticate").is_some_and(|way| way.starts_with("Basic "));
        let basic = matches!(self.keyed.way, Way::Basic);
        assert_eq!(asked, basic && reason == "login_required", "{:?}", answer.answer);
    }

    /// A call for the page is answered with it.
    pub async fn lets_in(&self, browser: &mut Browser) {
        let answer = browser.call("GET", self.keyed.page).await;
        assert!(self.keyed.shows(&answer), "{:?}", answer.answer);
    }

    /// Whether the page is shown.
    pub async fn shows(&self, browser: &mut Browser) -> bool {
        self.keyed.shows(&*browser.call("GET", self.keyed.page).await)
    }

    /// The first visit, up to the portal's page.
    pub async fn enrol(&self, who: (&str, &str)) -> Enrolled {
        let mut browser = self.browser();
        self.keyed.sign_in(&mut browser, who).await;
        let page = self.led_to(&mut browser, "enrol").await;
        let phone = Phone::scan(qr(&page.body));
        let (page, codes, spent) = confirm(&self.gateway, &mut browser, &page, &phone).await;
        assert_eq!(page.status, 303, "{:?}", page.answer);
        self.lets_in(&mut browser).await;
        Enrolled { browser, phone, codes, spent }
    }

    /// What a person does after the password: a call says what is missing, and a visit to the
    /// page, or to ours where the portal's page sends it, asks for it.
    async fn led_to(&self, browser: &mut Browser, place: &str) -> Shown {
        let reason = if place == "enrol" { "enrolment_required" } else { "mfa_required" };
        self.is_kept_out(browser, reason).await;
        let ours = format!("/.mfa/{place}");
        let page = match self.keyed.way {
            Way::Basic => browser.go(self.keyed.page).await,
            Way::Token { .. } => browser.go(&ours).await,
        };
        assert!(page.path.starts_with(&ours), "led to {}: {:?}", page.path, page.answer);
        page
    }
}

impl Visited for Place {
    fn gateway(&mut self) -> &mut Gateway {
        &mut self.gateway
    }

    async fn come_again(&self, who: (&str, &str), code: &str) -> (Browser, bool) {
        let mut browser = self.browser();
        self.keyed.sign_in(&mut browser, who).await;
        let page = self.led_to(&mut browser, "verify").await;
        let answer = give_code(&mut browser, &page, code).await;
        if answer.status == 401 {
            self.is_kept_out(&mut browser, "mfa_required").await;
            return (browser, false);
        }
        assert_eq!(answer.status, 303, "{:?}", answer.answer);
        self.lets_in(&mut browser).await;
        (browser, true)
    }
}

/// From the first wrong password to the last stolen cookie.
pub async fn whole_story(keyed: &'static Keyed) {
    whole_story_at(Place::open(keyed).await).await;
}

/// The same at a place that stands already.
pub async fn whole_story_at(mut place: Place) {
    a_wrong_password_makes_nobody_known(&place).await;
    let alice = place.enrol(ALICE).await;
    a_code_opens_once(&mut place, &alice).await;
    a_recovery_code_opens_once(&place, &alice).await;
    a_proof_opens_for_its_own_line_alone(&place, &alice).await;
    a_line_from_past_the_gateway_opens_nothing(&place, &alice).await;
}

async fn a_wrong_password_makes_nobody_known(place: &Place) {
    let mut browser = place.browser();
    place.is_kept_out(&mut browser, "login_required").await;
    for who in [(ALICE.0, "wrong"), (ALICE.0, BOB.1), ("nobody", ALICE.1), (ALICE.0, ""), ("", "")]
    {
        let answer = place.keyed.sign_in(&mut browser, who).await;
        assert!(answer.is_none_or(|answer| answer.status >= 400));
        place.is_kept_out(&mut browser, "login_required").await;
        assert!(!browser.jar.contains_key("__Host-mfa"), "{who:?} is known: {:?}", browser.jar);
        let page = browser.open("/.mfa/enrol").await;
        assert!(!page.body.contains("id=\"secret\""), "{who:?} is offered a phone");
    }
}

/// Neither a line of somebody who gave the password alone, nor no line at all.
async fn a_proof_opens_for_its_own_line_alone(place: &Place, alice: &Enrolled) {
    let proof = alice.browser.jar["__Host-mfa"].clone();
    let mut bob = place.browser();
    place.keyed.sign_in(&mut bob, BOB).await;
    place.is_kept_out(&mut bob, "enrolment_required").await;
    bob.jar.insert("__Host-mfa".to_owned(), proof.clone());
    assert!(!place.shows(&mut bob).await, "bob's line came in by alice's proof");
    let mut nobody = place.browser();
    nobody.jar.insert("__Host-mfa".to_owned(), proof);
    assert!(!place.shows(&mut nobody).await, "a proof alone shows the page");
    place.lets_in(&mut alice.browser.clone()).await;
}

async fn a_line_from_past_the_gateway_opens_nothing(place: &Place, alice: &Enrolled) {
    for who in [ALICE, BOB] {
        let line = place.keyed.line_past_the_gateway(&place.portal, who).await;
        let mut browser = place.browser();
        browser.authorization = Some(line.clone());
        assert!(!place.shows(&mut browser).await, "{who:?} is in by the line alone");
        browser.jar.insert("__Host-mfa".to_owned(), alice.browser.jar["__Host-mfa"].clone());
        let same = alice.browser.authorization.as_ref() == Some(&line);
        assert_eq!(place.shows(&mut browser).await, same, "{who:?} with alice's proof");
    }
}
