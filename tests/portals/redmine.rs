//! Redmine: its session is a cookie that every answer seals anew, and another one signs in by
//! itself.

use crate::dsl::browser::Shown;
use crate::dsl::steps::{Enrolled, give_code};
use crate::dsl::{ALICE, BOB, Browser};
use crate::habits::REDMINE;
use crate::visits::{Place, Visited, whole_story};

/// The cookie that Debian's Redmine keeps its session in.
const SESSION: &str = "Redmine";

#[tokio::test(flavor = "multi_thread")]
async fn redmine_gets_a_second_factor() {
    whole_story(&REDMINE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_changes_with_every_answer_keeps_its_proof() {
    let mut place = Place::open(&REDMINE).await;
    let mut alice = place.enrol(ALICE).await;
    let mut values = vec![alice.browser.jar[SESSION].clone()];
    for path in ["/my/account", "/projects", "/my/page", "/news", "/my/account"] {
        let page = alice.browser.open(path).await;
        assert!(is_shown_to(&page, "alice"), "{path}: {:?}", page.answer);
        values.push(alice.browser.jar[SESSION].clone());
    }
    values.sort();
    values.dedup();
    assert_eq!(values.len(), 6, "the cookie did not change with every answer");
    // Requests at once carry the value that was there when they left, and any answer may come last.
    let mut tabs: Vec<Browser> = (0..6).map(|_| alice.browser.clone()).collect();
    let pages = tabs.iter_mut().map(|tab| tab.open(REDMINE.page));
    for page in futures_util::future::join_all(pages).await {
        assert!(is_shown_to(&page, "alice"), "{:?}", page.answer);
    }
    // Long after the value that all of them left with was replaced.
    place.gateway.next_code();
    for mut tab in tabs {
        let page = tab.open(REDMINE.page).await;
        assert!(is_shown_to(&page, "alice"), "{:?}", page.answer);
    }
}

/// At these paths Redmine takes passwords too, and answers with a new cookie as always.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_at_another_spelling_of_the_path_opens_nobody_elses_pages() {
    let mut place = Place::open(&REDMINE).await;
    place.enrol(ALICE).await;
    let bob = place.enrol(BOB).await;
    let mut shown = Vec::new();
    for path in ["/login.html", "/login.json", "/login/", "//login", "/%6Cogin"] {
        place.gateway.next_code();
        let code = bob.phone.code(place.gateway.now());
        let (mut browser, _) = place.come_again(BOB, &code).await;
        let page = browser.open(REDMINE.page).await;
        let token = page.form("authenticity_token").field("authenticity_token").unwrap().to_owned();
        let fields =
            [("authenticity_token", token.as_str()), ("username", ALICE.0), ("password", ALICE.1)];
        browser.post(path, &fields).await;
        if shows_alices(&mut place, &bob, &mut browser).await {
            shown.push(path);
        }
    }
    assert!(shown.is_empty(), "alice's pages are shown to bob: {shown:#?}");
}

/// On the next page, or after bob's own code.
async fn shows_alices(place: &mut Place, bob: &Enrolled, browser: &mut Browser) -> bool {
    let page = browser.go(REDMINE.page).await;
    if is_shown_to(&page, "alice") {
        return true;
    }
    if !page.path.starts_with("/.mfa/verify") {
        return false;
    }
    place.gateway.next_code();
    let code = bob.phone.code(place.gateway.now());
    give_code(browser, &page, &code).await;
    let page = browser.go(REDMINE.page).await;
    is_shown_to(&page, "alice")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_redmine_reads_as_another_is_offered_no_new_phone() {
    let place = Place::open(&REDMINE).await;
    place.enrol(ALICE).await;
    for name in ["ALICE", " alice "] {
        let led = REDMINE.sign_in(&mut place.browser(), (name, ALICE.1)).await;
        assert!(led.location().starts_with("/.mfa/verify"), "{name:?}: {:?}", led.answer);
    }
    for name in ["alice\0", "alice@example.com", "\u{e1}lice", "\u{ff41}lice"] {
        let mut browser = place.browser();
        REDMINE.sign_in(&mut browser, (name, ALICE.1)).await;
        let page = browser.open(REDMINE.page).await;
        assert!(!REDMINE.shows(&page), "{name:?}: {:?}", page.answer);
        assert!(!page.location().starts_with("/.mfa/enrol"), "{name:?}: {}", page.location());
    }
}

/// The day after, when the browser was closed in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_redmine_remembers_gives_a_code_and_no_password() {
    let mut place = Place::open(&REDMINE).await;
    let alice = place.enrol(ALICE).await;
    let mut browser = place.browser();
    REDMINE.sign_in_to_stay(&mut browser, ALICE).await;
    browser.jar.retain(|name, _| name == "autologin");
    assert_eq!(browser.jar.len(), 1);
    place.is_kept_out(&mut browser, "/.mfa/verify").await;
    place.gateway.next_code();
    let page = browser.go(REDMINE.page).await;
    let code = alice.phone.code(place.gateway.now());
    let page = give_code(&mut browser, &page, &code).await;
    let page = browser.follow(page).await;
    assert!(is_shown_to(&page, "alice"), "{:?}", page.answer);
    let page = browser.open("/projects").await;
    assert!(is_shown_to(&page, "alice"), "{:?}", page.answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn redmines_own_sign_out_ends_the_session() {
    let place = Place::open(&REDMINE).await;
    let mut alice = place.enrol(ALICE).await;
    let page = alice.browser.open(REDMINE.page).await;
    let before = alice.browser.jar.clone();
    let token = page.form("authenticity_token").field("authenticity_token").unwrap().to_owned();
    let out = alice.browser.post("/logout", &[("authenticity_token", token.as_str())]).await;
    assert_eq!(out.status, 302, "{:?}", out.answer);
    for jar in [alice.browser.jar.clone(), before] {
        alice.browser.jar = jar;
        place.is_kept_out(&mut alice.browser, REDMINE.login).await;
    }
}

/// What Redmine writes for who is signed in.
fn is_shown_to(page: &Shown, name: &str) -> bool {
    REDMINE.shows(page) && page.body.contains(&format!(">{name}</a></div>"))
}
