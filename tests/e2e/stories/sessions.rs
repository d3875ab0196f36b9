//! How long a proof lasts, what it is bound to, and what it survives.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::dsl::browser::Shown;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Phone, gateway, html, portal};

const OURS: &str = "__Host-mfa";
const LIMITS: &str = "session: { lifetime: 2h, idle: 30m }";

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// An idle session is not over: with the session's own cookie the code alone brings it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_asks_for_a_code_when_it_is_idle_and_goes_on_when_it_is_not() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(LIMITS).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let idle = alice.browser.clone();
    for _ in 0..3 {
        gateway.advance(minutes(20));
        let page = alice.browser.open("/home").await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
        assert!(page.line("set-cookie").is_some_and(|line| line.starts_with(OURS)));
    }
    assert_asks_for_a_code(&idle, "the cookie that was not renewed still opens").await;
    gateway.advance(minutes(29));
    assert_opens(&alice.browser).await;
    gateway.advance(minutes(2));
    assert_asks_for_a_code(&alice.browser, "an idle session still opens").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_its_lifetime_however_busy() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(LIMITS).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    for _ in 0..7 {
        gateway.advance(minutes(17));
        let page = alice.browser.open("/home").await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
    }
    gateway.advance(minutes(2));
    assert_sent_to_login(&alice.browser, "a session outlived its lifetime").await;
    let mut again = gateway.browser("wiki");
    sign_in_again(&mut again, ALICE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_sessions_cookie_is_not_made_anew_each_time() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    assert!(alice.browser.open("/home").await.all("set-cookie").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_belongs_to_one_portal_session() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let bob = enrol(&gateway, "wiki", BOB).await.browser;
    let before = portal.seen_at("/home").len();
    let mut mixed = gateway.browser("wiki");
    for (proof, session) in [(&alice, &bob), (&bob, &alice)] {
        give(&mut mixed, OURS, &proof.jar[OURS]);
        give(&mut mixed, "portalsession", &session.jar["portalsession"]);
        assert_sent_to_login(&mixed, "one's proof opened another's session").await;
    }
    mixed.jar.clear();
    give(&mut mixed, OURS, &alice.jar[OURS]);
    assert_sent_to_login(&mixed, "a proof opened without the portal's session").await;
    mixed.jar.clear();
    give(&mut mixed, "portalsession", &alice.jar["portalsession"]);
    assert_sent_to_login(&mixed, "the portal's session opened without a proof").await;
    assert_eq!(portal.seen_at("/home").len(), before, "the portal was asked");
    assert_opens(&alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_session_from_elsewhere_counts_as_nobodys() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let before = portal.seen_at("/home").len();
    for mut browser in [gateway.browser("wiki"), alice] {
        give(&mut browser, "portalsession", &portal.sign_in_directly("alice"));
        let answer = browser.open("/home").await;
        assert_eq!((answer.status, answer.location()), (303, "/login"));
        assert!(!browser.jar.contains_key("portalsession"), "the browser keeps it");
        let page = browser.go("/home").await;
        assert!(!page.body.contains("secret-page"), "{}", page.body);
        page.form("password");
    }
    assert_eq!(portal.seen_at("/home").len(), before, "the portal was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_follows_a_portal_that_renames_its_session() {
    let portal = portal::form().rotation("follow").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let before = alice.clone();
    let rotated = alice.open("/rotate").await;
    assert_eq!((rotated.status, rotated.all("set-cookie").len()), (200, 2));
    assert_ne!(alice.jar["portalsession"], before.jar["portalsession"]);
    assert_opens(&alice).await;
    for (proof, session) in [(&before, &alice), (&alice, &before)] {
        let mut mixed = proof.clone();
        give(&mut mixed, "portalsession", &session.jar["portalsession"]);
        assert_sent_to_login(&mixed, "the two halves of two pairs opened").await;
    }
    gateway.advance(Duration::from_secs(11));
    assert_sent_to_login(&before, "the old pair still opens").await;
    assert_opens(&alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_ends_where_a_renamed_session_asks_for_a_code() {
    let portal = portal::form().rotation("reverify").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let Enrolled { mut browser, phone, .. } = enrol(&gateway, "wiki", ALICE).await;
    assert_eq!(browser.open("/rotate").await.status, 200);
    let led = browser.open("/home").await;
    assert_eq!((led.status, led.location()), (303, "/.mfa/verify?return_to=%2Fhome"));
    gateway.next_code();
    let page = browser.follow(led).await;
    let passed = give_code(&mut browser, &page, &phone.code(gateway.now())).await;
    assert_eq!((passed.status, passed.location()), (303, "/home"));
    assert_opens(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_still_there_after_a_restart() {
    for hard in [false, true] {
        let portal = portal::form().run().await;
        let mut gateway = gateway::new().portal("wiki", &portal).run().await;
        let alice = enrol(&gateway, "wiki", ALICE).await;
        let signed_out = enrol(&gateway, "wiki", BOB).await.browser;
        let page = signed_out.clone().open("/.mfa/logout").await;
        signed_out.clone().send(&page, &page.form("csrf")).await;
        let mut other = gateway.browser("wiki");
        let page = sign_in_again(&mut other, ALICE).await;
        for _ in 0..3 {
            assert_eq!(give_code(&mut other, &page, "000000").await.status, 401);
        }
        match hard {
            true => gateway.kill(),
            false => assert_eq!(gateway.stop(), 0),
        }
        gateway.start().await;
        assert_opens(&alice.browser).await;
        assert_sent_to_login(&signed_out, "a session that had ended is back").await;
        let spent = give_code(&mut other, &page, &alice.phone.code(alice.spent)).await;
        assert_eq!(spent.status, 401, "a spent code was taken after the restart");
        let locked = give_code(&mut other, &page, "000000").await;
        assert_eq!(locked.status, 429, "the wrong codes were forgotten");
        gateway.advance(minutes(2));
        let page = other.open("/.mfa/verify").await;
        let code = alice.phone.code(gateway.now());
        assert_eq!(give_code(&mut other, &page, &code).await.status, 303);
        assert_opens(&other).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_portal_has_its_own_second_factor() {
    let (wiki, desk) = (portal::form().run().await, portal::form().run().await);
    let mut gateway = gateway::new().portal("wiki", &wiki).portal("desk", &desk).run().await;
    let at_wiki = enrol(&gateway, "wiki", ALICE).await;
    let at_desk = enrol(&gateway, "desk", ALICE).await;
    let bob = enrol(&gateway, "wiki", BOB).await;
    let phones = [&at_wiki.phone, &at_desk.phone, &bob.phone];
    let secrets: BTreeSet<_> = phones.iter().map(|phone| phone.secret()).collect();
    assert_eq!(secrets.len(), phones.len());
    let mut carried = gateway.browser("desk");
    carried.jar = at_wiki.browser.jar.clone();
    assert_sent_to_login(&carried, "one portal's proof opened another").await;
    carried.jar = at_desk.browser.jar.clone();
    give(&mut carried, OURS, &at_wiki.browser.jar[OURS]);
    assert_sent_to_login(&carried, "one portal's proof opened another").await;
    gateway.next_code();
    let mut browser = gateway.browser("desk");
    let page = sign_in_again(&mut browser, ALICE).await;
    let foreign = at_wiki.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &foreign).await.status, 401);
    assert_eq!(give_code(&mut browser, &page, &at_wiki.codes[0]).await.status, 401);
    let own = at_desk.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &own).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_kept_close_and_names_nobody() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let guest = browser.go("/login").await;
    let named = sign_in(&mut browser, ALICE).await;
    let page = browser.follow(named.clone()).await;
    let proven = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    for answer in [&guest, &named, &proven] {
        let line = our_line(answer);
        assert!(line.len() <= 600, "{} bytes", line.len());
        let mut parts = line.split("; ");
        let value = parts.next().unwrap().strip_prefix("__Host-mfa=").unwrap();
        let attributes: BTreeSet<_> = parts.collect();
        assert_eq!(attributes, BTreeSet::from(["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]));
        let readable: Vec<String> = value
            .split('.')
            .take(2)
            .map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert!(readable[1].contains("\"sub\""), "{readable:?}");
        for secret in ["alice", "127.0.0.1", browser.jar["portalsession"].as_str()] {
            assert!(!readable.concat().contains(secret), "{secret} in {readable:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_from_before_the_proof_opens_nothing_after_it() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let before = browser.clone();
    give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert_eq!(before.jar["portalsession"], browser.jar["portalsession"]);
    assert_ne!(before.jar[OURS], browser.jar[OURS]);
    assert_sent_to_login(&before, "a cookie from before the proof opens").await;
    assert_opens(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_browsers_are_two_sessions() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    assert_eq!(sessions_shown(&alice.browser.open("/.mfa/").await), (1, 1));
    gateway.next_code();
    let mut other = gateway.browser("wiki");
    let page = sign_in_again(&mut other, ALICE).await;
    give_code(&mut other, &page, &alice.phone.code(gateway.now())).await;
    enrol(&gateway, "wiki", BOB).await;
    for browser in [&mut alice.browser, &mut other] {
        assert_eq!(sessions_shown(&browser.open("/.mfa/").await), (2, 1));
    }
    let page = other.open("/.mfa/logout").await;
    other.send(&page, &page.form("csrf")).await;
    assert_eq!(sessions_shown(&alice.browser.open("/.mfa/").await), (1, 1));
    assert_opens(&alice.browser).await;
}

/// How many sessions `/.mfa/` lists, and how many of them as the one that looks.
fn sessions_shown(page: &Shown) -> (usize, usize) {
    let text = page.text();
    (text.matches("since ").count(), text.matches("this one").count())
}

fn our_line(answer: &Shown) -> String {
    let lines = answer.all("set-cookie");
    let ours: Vec<_> = lines.iter().filter(|line| line.starts_with("__Host-mfa=")).collect();
    assert_eq!(ours.len(), 1, "{lines:?}");
    (*ours[0]).to_owned()
}

fn give(browser: &mut Browser, name: &str, value: &str) {
    browser.jar.insert(name.to_owned(), value.to_owned());
}

/// Looks with a copy: what the answer does to the cookies is not the story's matter.
async fn assert_opens(browser: &Browser) {
    let page = browser.clone().open("/home").await;
    assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
}

async fn assert_asks_for_a_code(browser: &Browser, fault: &str) {
    let answer = browser.clone().open("/home").await;
    let place = "/.mfa/verify?return_to=%2Fhome";
    assert_eq!((answer.status, answer.line("location")), (303, Some(place)), "{fault}");
}

async fn assert_sent_to_login(browser: &Browser, fault: &str) {
    let answer = browser.clone().open("/home").await;
    assert_eq!((answer.status, answer.line("location")), (303, Some("/login")), "{fault}");
}

/// As WordPress does: one cookie for all pages, another for the pages of the administration.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_for_a_folder_alone_belongs_to_the_session_too() {
    let portal = portal::form().sets_a_cookie_for_a_folder().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    // The jar of these stories knows no paths, so the browser's part is played by hand.
    let mut alice = gateway.browser("wiki");
    let led = sign_in(&mut alice, ALICE).await;
    let folder = alice.jar.remove("portalfolder").unwrap();
    let page = alice.follow(led).await;
    let phone = Phone::scan(html::svg(&page.body).unwrap());
    let form = page.form("code").fill("code", &phone.code(gateway.now()));
    assert_eq!(alice.send(&page, &form).await.status, 303);
    assert!(alice.open("/home").await.body.contains("for alice alone"));
    alice.jar.insert("portalfolder".to_owned(), folder.clone());
    assert!(alice.open("/private/x").await.body.contains("for alice alone"));
    let mut thief = alice.clone();
    thief.jar.insert("portalfolder".to_owned(), "bobs".to_owned());
    assert_eq!(thief.open("/private/x").await.location(), "/login");
    let mut without = alice.clone();
    without.jar.remove("portalsession");
    assert_eq!(without.open("/private/x").await.location(), "/login");
}
