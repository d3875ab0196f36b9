//! What people do in a rollout, checked as they do it and counted in the script's own book.

use std::collections::BTreeMap;
use std::time::Duration;

use super::book::{Book, Mode, PATTERN};
use crate::dsl::browser::Shown;
use crate::dsl::desk::{DESK, ORGANISATION};
use crate::dsl::gateway::Fronted;
use crate::dsl::steps::{confirm, give_code};
use crate::dsl::{ALICE, BOB, Browser, Phone, gateway, member};
use crate::habits::Habits;
use crate::real::RealPortal;
use crate::visits::{Place, qr};

/// The day and hour from which on the pilot group, and everybody, needs a second factor.
pub const PILOT: (u64, u64) = (3, 8);
pub const EVERYBODY: (u64, u64) = (14, 10);
/// How long people have a session of ours: all through the day of the deadline.
const LIMITS: &str = "session: { lifetime: 24h, idle: 24h }";
const DAY: u64 = 24 * 3600;

/// A portal on its way, and the book of what happened.
pub struct Script {
    pub place: Place,
    pub book: Book,
    /// A path of the portal that needs nothing.
    open: &'static str,
    phones: BTreeMap<&'static str, Phone>,
}

/// The portal with these lines beside its profile.
struct With<'a>(&'a RealPortal, &'a str);

impl Fronted for With<'_> {
    fn entry(&self, host: &str) -> String {
        format!("{}{ORGANISATION}\n{}\n", self.0.entry(host), self.1)
    }
}

impl Script {
    /// Starts the portal and, at 08:00 of the first day, its rollout.
    pub async fn begin(habits: &'static Habits, open: &'static str) -> Self {
        let portal = RealPortal::start(habits.name);
        let with = With(&portal, "enforcement: { mode: report }");
        let gateway = gateway::new().portal(habits.name, &with).yaml(LIMITS).token(DESK);
        let mut gateway = gateway.run().await;
        let begin = (gateway.now() / DAY + 1) * DAY + 8 * 3600;
        gateway.advance(Duration::from_secs(begin - gateway.now()));
        let place = Place { habits, portal, gateway };
        Self { place, book: Book::begin(habits.name, begin), open, phones: BTreeMap::new() }
    }

    /// Lets the time come to this hour of a day.
    pub async fn until(&mut self, day: u64, hour: u64) {
        let at = self.book.moment((day, hour));
        let gateway = &mut self.place.gateway;
        gateway.advance(Duration::from_secs(at.checked_sub(gateway.now()).unwrap()));
    }

    /// Writes another mode into the file, with the dates where it has any.
    pub async fn takes(&mut self, mode: &str) {
        let dates = format!(
            ", from: {}, reminder: 2d, groups: [{{ users: [member12], pattern: '{PATTERN}', from: {} }}]",
            self.book.date(EVERYBODY),
            self.book.date(PILOT)
        );
        self.book.mode = if mode == "report" { Mode::Report } else { Mode::Required };
        let dates = if mode == "report" { String::new() } else { dates };
        let yaml = self.place.gateway.yaml();
        let before = yaml.lines().find(|line| line.contains("enforcement:")).unwrap();
        let line = format!("    enforcement: {{ mode: {mode}{dates} }}");
        self.place.gateway.take(&yaml.replace(before, &line)).await;
    }

    /// Somebody without any session, while the portal reports alone.
    pub async fn a_stranger_comes(&mut self) {
        let mut browser = self.place.browser();
        let page = browser.open(self.place.habits.page).await;
        assert!(!page.location_or_nothing().starts_with("/.mfa"), "{:?}", page.answer);
        assert!(!self.place.habits.shows(&page), "{:?}", page.answer);
        self.book.would_block("unknown");
    }

    /// Signs in, is not told of anything, and is in, as a page and as a call.
    pub async fn goes_on(&mut self, who: &'static str) -> Browser {
        let (mut browser, led) = self.sign_in(who).await;
        assert!(!led.location().starts_with("/.mfa"), "{who} was led to {}", led.location());
        self.next_page_opens(&mut browser, who).await;
        browser
    }

    /// The page and the call open, though the second factor was not given.
    pub async fn next_page_opens(&mut self, browser: &mut Browser, who: &'static str) {
        let page = self.page(browser).await;
        assert!(self.place.habits.shows(&page), "{who}: {:?}", page.answer);
        let call = self.call(browser).await;
        assert_eq!(call.status, 200, "{who}: {:?}", call.answer);
        for _ in 0..2 {
            self.book.went_on(who);
        }
    }

    /// Signs in and asks by a script alone: calls are never led to a notice.
    pub async fn only_calls(&mut self, who: &'static str) {
        let (mut browser, led) = self.sign_in(who).await;
        assert!(led.location().starts_with("/.mfa/notice?return_to="), "{who}: {:?}", led.answer);
        let call = self.call(&mut browser).await;
        assert_eq!(call.status, 200, "{who}: {:?}", call.answer);
        self.book.went_on(who);
        // Whoever has not seen the notice is led there with each page.
        let page = self.page(&mut browser).await;
        assert!(page.location().starts_with("/.mfa/notice?return_to="), "{who}: {:?}", page.answer);
        self.book.count("notice", "grace");
    }

    /// Signs in, is told of the date, chooses to wait, and is in.
    pub async fn is_told(&mut self, who: &'static str) -> Browser {
        let (mut browser, led) = self.sign_in(who).await;
        assert!(led.location().starts_with("/.mfa/notice?return_to="), "{who}: {:?}", led.answer);
        let page = self.page(&mut browser).await;
        assert_eq!(page.location(), led.location(), "{who}");
        self.book.count("notice", "grace");
        let page = browser.follow(page).await;
        let date = self.book.in_words(self.book.required_from(who));
        assert!(page.text().contains(&date), "{who} is not told of {date}: {}", page.text());
        self.book.told(who, self.place.gateway.now());
        let form = page.form("csrf").fill("action", "later");
        let led = browser.send(&page, &form).await;
        assert_eq!((led.status, led.location()), (303, self.place.habits.page), "{who}");
        self.next_page_opens(&mut browser, who).await;
        browser
    }

    /// Signs in and gets nowhere without enrolling.
    pub async fn is_held(&mut self, who: &'static str) -> Browser {
        let (mut browser, led) = self.sign_in(who).await;
        assert!(led.location().starts_with("/.mfa/enrol?return_to="), "{who}: {:?}", led.answer);
        self.next_page_is_held(who, &mut browser).await;
        browser
    }

    /// A page leads to enrolment, a call is refused, and what needs nothing opens.
    pub async fn next_page_is_held(&mut self, who: &'static str, browser: &mut Browser) {
        let page = self.page(browser).await;
        assert!(page.location().starts_with("/.mfa/enrol?return_to="), "{who}: {:?}", page.answer);
        let call = self.call(browser).await;
        assert_eq!(call.status, 401, "{who}: {:?}", call.answer);
        assert_eq!(call.json()["type"], "urn:portcullis:enrolment_required", "{who}");
        let open = browser.open(self.open).await;
        assert_eq!(open.status, 200, "{who}: {:?}", open.answer);
        let notice = browser.open("/.mfa/notice").await;
        assert!(notice.location().starts_with("/.mfa/enrol"), "{who}: {:?}", notice.answer);
        for _ in 0..2 {
            self.book.count("enrol", "not_enrolled");
        }
        self.book.held(who, self.place.gateway.now());
    }

    /// Scans a code and confirms it, from wherever the browser is.
    pub async fn enrols(&mut self, who: &'static str, browser: &mut Browser) {
        let page = browser.open("/.mfa/enrol").await;
        let phone = Phone::scan(qr(&page.body));
        let (led, ..) = confirm(&self.place.gateway, browser, &page, &phone).await;
        assert_eq!(led.status, 303, "{who}: {:?}", led.answer);
        self.phones.insert(who, phone);
        self.book.enrolled(who, self.place.gateway.now());
        self.is_in(browser).await;
    }

    /// Signs in with a code of the phone.
    pub async fn gives_a_code(&mut self, who: &'static str) -> Browser {
        let (mut browser, led) = self.sign_in(who).await;
        assert!(led.location().starts_with("/.mfa/verify?return_to="), "{who}: {:?}", led.answer);
        let page = browser.follow(led).await;
        let led = give_code(&mut browser, &page, &self.code_of(who)).await;
        assert_eq!((led.status, led.location()), (303, self.place.habits.page), "{who}");
        self.is_in(&mut browser).await;
        browser
    }

    /// Signs in and gives five wrong codes; after that no code counts for a while.
    pub async fn has_to_wait(&mut self, who: &'static str) {
        let (mut browser, led) = self.sign_in(who).await;
        let form = browser.follow(led).await;
        for _ in 0..5 {
            give_code(&mut browser, &form, "000000").await;
        }
        let page = self.page(&mut browser).await;
        assert!(page.location().starts_with("/.mfa/verify?return_to="), "{who}: {:?}", page.answer);
        let call = self.call(&mut browser).await;
        assert_eq!(call.status, 429, "{who}: {:?}", call.answer);
        assert!(call.line("retry-after").is_some(), "{who}: {:?}", call.answer);
        for _ in 0..2 {
            self.book.count("refuse", "locked");
        }
    }

    /// A proven visitor is in.
    pub async fn is_in(&mut self, browser: &mut Browser) {
        let page = self.page(browser).await;
        assert!(self.place.habits.shows(&page), "{:?}", page.answer);
    }

    /// A session that ended opens nothing.
    pub async fn is_out(&mut self, browser: &mut Browser) {
        let page = self.page(browser).await;
        assert_eq!(page.location(), self.place.habits.login, "{:?}", page.answer);
    }

    /// The desk took this user's second factor away.
    pub fn was_reset(&mut self, who: &'static str) {
        self.phones.remove(who);
        self.book.reset(who);
    }

    /// The code that somebody's phone shows.
    pub fn code_of(&self, who: &str) -> String {
        self.phones[who].code(self.place.gateway.now())
    }

    /// The numbers and the report say what the script counted.
    pub async fn agrees(&self) {
        self.book.agrees(&self.place.gateway).await;
    }

    async fn sign_in(&mut self, who: &'static str) -> (Browser, Shown) {
        let mut browser = self.place.browser();
        let password = match [ALICE, BOB].into_iter().find(|(name, _)| *name == who) {
            Some((_, password)) => password.to_owned(),
            None => member(who.strip_prefix("member").unwrap().parse().unwrap()).1,
        };
        let led = self.place.habits.sign_in(&mut browser, (who, &password)).await;
        self.book.signed_in(who, self.place.gateway.now());
        (browser, led)
    }

    async fn page(&self, browser: &mut Browser) -> Shown {
        browser.open(self.place.habits.page).await
    }

    async fn call(&self, browser: &mut Browser) -> Shown {
        browser.call("GET", self.place.habits.page).await
    }
}

trait Leads {
    fn location_or_nothing(&self) -> &str;
}

impl Leads for Shown {
    fn location_or_nothing(&self) -> &str {
        self.line("location").unwrap_or_default()
    }
}
