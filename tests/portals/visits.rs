//! The visits that every portal gets: the first, the next, the one without the phone, and
//! those of people who have somebody else's cookies.

use crate::dsl::steps::{Enrolled, confirm, give_code};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Phone, Probed, gateway, html};
use crate::habits::Habits;
use crate::real::RealPortal;

/// A portal with its gateway, and what a visitor knows of it.
pub struct Place {
    pub habits: &'static Habits,
    pub portal: RealPortal,
    pub gateway: Gateway,
}

impl Place {
    pub async fn open(habits: &'static Habits) -> Self {
        let portal = RealPortal::start(habits.name);
        let gateway = gateway::new().portal(habits.name, &portal).run().await;
        Self { habits, portal, gateway }
    }

    /// The same, of a portal that is known from what the probe writes alone.
    pub async fn probed(habits: &'static Habits) -> Self {
        let portal = RealPortal::start(habits.name);
        let url = format!("http://{}{}", portal.address(), habits.login);
        let probed = Probed::new(&url, habits.name, ALICE, &[]);
        let gateway = gateway::new().portal(habits.name, &probed).run().await;
        Self { habits, portal, gateway }
    }

    pub fn browser(&self) -> Browser {
        self.gateway.browser(self.habits.name).with_folders()
    }

    /// The first visit, from the portal's form to the portal's page.
    pub async fn enrol(&self, who: (&str, &str)) -> Enrolled {
        let mut browser = self.browser();
        let led = self.habits.sign_in(&mut browser, who).await;
        assert!(led.location().starts_with("/.mfa/enrol?return_to="), "{:?}", led.answer);
        self.is_kept_out(&mut browser, "/.mfa/enrol").await;
        let page = browser.follow(led).await;
        let phone = Phone::scan(qr(&page.body));
        let shown = html::text_of(&page.body, "id=\"secret\"").unwrap();
        assert_eq!(shown.replace(' ', ""), phone.secret(), "the picture and the text differ");
        let (page, codes, spent) = confirm(&self.gateway, &mut browser, &page, &phone).await;
        assert_eq!((page.status, page.location()), (303, &*self.habits.page_of(who)));
        let page = browser.follow(page).await;
        assert!(self.habits.shows(&page), "{:?}", page.answer);
        Enrolled { browser, phone, codes, spent }
    }

    /// The portal's page is not shown; the browser is led elsewhere.
    pub async fn is_kept_out(&self, browser: &mut Browser, elsewhere: &str) {
        let answer = browser.open(&self.habits.page_of(ALICE)).await;
        assert!(!self.habits.shows(&answer), "{:?}", answer.answer);
        assert_eq!(answer.status, 303, "{:?}", answer.answer);
        assert!(answer.location().starts_with(elsewhere), "led to {}", answer.location());
    }
}

/// A portal that can be visited again, whatever its users bring.
pub trait Visited {
    /// The gateway in front of it.
    fn gateway(&mut self) -> &mut Gateway;

    /// The password of a later visit, with a code as answer; gives the browser and whether
    /// the code was taken.
    async fn come_again(&self, who: (&str, &str), code: &str) -> (Browser, bool);
}

impl Visited for Place {
    fn gateway(&mut self) -> &mut Gateway {
        &mut self.gateway
    }

    async fn come_again(&self, who: (&str, &str), code: &str) -> (Browser, bool) {
        let mut browser = self.browser();
        let led = self.habits.sign_in(&mut browser, who).await;
        assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);
        self.is_kept_out(&mut browser, "/.mfa/verify").await;
        let page = browser.follow(led).await;
        let answer = give_code(&mut browser, &page, code).await;
        if answer.status == 401 {
            self.is_kept_out(&mut browser, "/.mfa/verify").await;
            return (browser, false);
        }
        assert_eq!((answer.status, answer.location()), (303, &*self.habits.page_of(who)));
        let page = browser.follow(answer).await;
        assert!(self.habits.shows(&page), "{:?}", page.answer);
        (browser, true)
    }
}

/// From the first wrong password to the last stolen cookie.
pub async fn whole_story(habits: &'static Habits) {
    whole_story_at(Place::open(habits).await).await;
}

/// The same at a place that stands already.
pub async fn whole_story_at(mut place: Place) {
    a_wrong_password_makes_nobody_known(&place).await;
    let alice = place.enrol(ALICE).await;
    a_code_opens_once(&mut place, &alice).await;
    a_recovery_code_opens_once(&place, &alice).await;
    a_proof_opens_no_other_session(&place, &alice).await;
    a_session_from_past_the_gateway_opens_nothing(&place).await;
}

async fn a_wrong_password_makes_nobody_known(place: &Place) {
    let mut browser = place.browser();
    place.is_kept_out(&mut browser, place.habits.login).await;
    let mut wrong = vec![(ALICE.0, "wrong"), (ALICE.0, BOB.1)];
    if !place.habits.is_shared() {
        wrong.push(("nobody", ALICE.1));
    }
    let tries = wrong.len();
    for (user, password) in wrong {
        let answer = place.habits.sign_in(&mut browser, (user, password)).await;
        let led = answer.line("location").unwrap_or_default();
        assert!(!led.starts_with("/.mfa/"), "{:?}", answer.answer);
        place.is_kept_out(&mut browser, place.habits.login).await;
        assert_eq!(browser.open("/.mfa/enrol").await.location(), place.habits.login);
    }
    let failed =
        place.gateway.metric("portcullis_logins_observed_total", &[("outcome", "failure")]);
    assert_eq!(failed.await as usize, tries);
}

pub async fn a_code_opens_once(place: &mut impl Visited, alice: &Enrolled) {
    let (_, again) = place.come_again(ALICE, &alice.phone.code(alice.spent)).await;
    assert!(!again, "the code of the enrolment was taken again");
    place.gateway().next_code();
    let code = alice.phone.code(place.gateway().now());
    let (_, first) = place.come_again(ALICE, &code).await;
    let (_, second) = place.come_again(ALICE, &code).await;
    assert!(first && !second, "a code opens once: {first}, {second}");
}

pub async fn a_recovery_code_opens_once(place: &impl Visited, alice: &Enrolled) {
    let (_, first) = place.come_again(ALICE, &alice.codes[2]).await;
    let (_, second) = place.come_again(ALICE, &alice.codes[2]).await;
    let (_, other) = place.come_again(ALICE, &alice.codes[7]).await;
    assert!(first && !second && other, "each opens once: {first}, {second}, {other}");
}

/// Neither a session in which the password alone was given, nor one from past the gateway.
async fn a_proof_opens_no_other_session(place: &Place, alice: &Enrolled) {
    let proof = alice.browser.jar["__Host-mfa"].clone();
    let mut bob = place.browser();
    place.habits.sign_in(&mut bob, place.habits.another()).await;
    let asked = if place.habits.is_shared() { "/.mfa/verify" } else { "/.mfa/enrol" };
    place.is_kept_out(&mut bob, asked).await;
    bob.jar.insert("__Host-mfa".to_owned(), proof.clone());
    place.is_kept_out(&mut bob, place.habits.unseen(place.habits.another())).await;
    bob.jar = place.habits.sign_in_past_the_gateway(&place.portal, place.habits.another()).await;
    bob.jar.insert("__Host-mfa".to_owned(), proof);
    place.is_kept_out(&mut bob, place.habits.unseen(place.habits.another())).await;
    let kept = alice.browser.clone().open(&place.habits.page_of(ALICE)).await;
    assert!(place.habits.shows(&kept), "her own session is over: {:?}", kept.answer);
}

async fn a_session_from_past_the_gateway_opens_nothing(place: &Place) {
    for who in [ALICE, place.habits.another()] {
        let mut browser = place.browser();
        browser.jar = place.habits.sign_in_past_the_gateway(&place.portal, who).await;
        let session = browser.jar.clone();
        place.is_kept_out(&mut browser, place.habits.unseen(who)).await;
        browser.jar = session;
        let login = browser.open(place.habits.form).await;
        assert!(!place.habits.shows(&login), "the login page shows it: {:?}", login.answer);
    }
}

/// The picture with the code; the mark in the page's head is one too.
pub fn qr(page: &str) -> &str {
    let main = page.split_once("<main").unwrap().1;
    html::svg(main).unwrap()
}
