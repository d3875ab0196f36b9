//! C20, C19, FAC-1 and FAC-2: nobody changes a second factor by the password alone, by a proof of
//! long ago, by a remembered device, or with a form or an offer of somebody else.

use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::own::{APPS, CODES, SESSIONS, ids, press, pressed};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Call, Gateway, Phone, gateway, html, portal};

const ADD: &str = "/.mfa/authenticators/add";
const MOVE: &str = "/.mfa/authenticators/move";
/// Longer than a code counts as given a moment ago.
const A_WHILE: Duration = Duration::from_secs(301);

/// Whether anything that makes a second factor is in an answer.
fn holds_a_secret(shown: &Shown) -> bool {
    let marks = ["<svg", "otpauth", "id=\"secret\"", "class=\"recovery-code\""];
    marks.iter().any(|mark| shown.body.contains(mark))
}

fn leads_to(shown: &Shown, place: &str) -> bool {
    shown.status == 303 && shown.location().starts_with(place)
}

/// Everything that the pages of a user do, with what names this authenticator.
fn deeds<'a>(id: &'a str, code: &'a str) -> Vec<(&'static str, Vec<(&'a str, &'a str)>)> {
    vec![
        (APPS, vec![("action", "add")]),
        (APPS, vec![("action", "add"), ("code", code)]),
        (APPS, vec![("action", "move"), ("id", id)]),
        (APPS, vec![("action", "move"), ("id", id), ("code", code)]),
        (APPS, vec![("action", "rename"), ("id", id), ("label", "stolen")]),
        (APPS, vec![("action", "remove"), ("id", id)]),
        (ADD, vec![("code", code), ("label", "stolen")]),
        (MOVE, vec![("id", id), ("code", code)]),
        (CODES, vec![("action", "new")]),
    ]
}

/// What her list says, and that her phone and one of her codes open as before.
async fn unchanged(gateway: &mut Gateway, alice: &Enrolled, before: &[String], recovery: usize) {
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    gateway.next_code();
    let told = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert_eq!(told.status, 303, "her phone no longer opens");
    let list = browser.open(APPS).await;
    assert_eq!(ids(&list), before);
    assert!(!list.body.contains("stolen"), "{}", list.text());
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let told = give_code(&mut browser, &page, &alice.codes[recovery]).await;
    assert_eq!(told.status, 303, "her recovery codes no longer open");
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_a_password_alone_gets_nothing_by_self_service() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    // Sessions that were offered an enrolment before she enrolled elsewhere.
    let mut thieves = Vec::new();
    for http2 in [false, true] {
        let mut thief = gateway.browser("wiki").over(http2);
        let page = sign_in_anew(&mut thief, ALICE).await;
        let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
        let csrf = page.form("code").field("csrf").unwrap().to_owned();
        thieves.push((thief, phone, csrf));
    }
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let before = ids(&alice.browser.open(APPS).await);
    for (recovery, (mut thief, phone, csrf)) in thieves.into_iter().enumerate() {
        let code = phone.code(gateway.now());
        for token in [csrf.as_str(), "", "x"] {
            for (path, deed) in deeds(&before[0], &code) {
                let fields = [&deed[..], &[("csrf", token)]].concat();
                let sent = thief.post(path, &fields).await;
                let refused = sent.status == 403 || leads_to(&sent, "/.mfa/verify?");
                assert!(refused && !holds_a_secret(&sent), "{path} {deed:?}: {:?}", sent.answer);
                let query: Vec<String> =
                    deed.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let shown = thief.open(&format!("{path}?{}", query.join("&"))).await;
                assert!(leads_to(&shown, "/.mfa/verify?"), "{path} {deed:?}: {:?}", shown.answer);
            }
        }
        for path in [APPS, ADD, MOVE, CODES, SESSIONS] {
            for method in ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
                let told = thief.call(method, path).await;
                assert!(!holds_a_secret(&told) && told.status != 200, "{method} {path}");
            }
        }
        for action in ["end", "end_others"] {
            let fields =
                [("action", action), ("csrf", csrf.as_str()), ("session", before[0].as_str())];
            assert!(leads_to(&thief.post(SESSIONS, &fields).await, "/.mfa/verify?"));
        }
        assert!(
            alice.browser.open("/home").await.body.contains("secret-page"),
            "she was signed out"
        );
        unchanged(&mut gateway, &alice, &before, recovery).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fac_1_a_proof_of_long_ago_or_a_remembered_device_changes_nothing() {
    let portal = portal::form().yaml("remember_device: {}").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let before = ids(&alice.browser.open(APPS).await);
    let mut remembered = gateway.browser("wiki");
    gateway.next_code();
    let page = sign_in_again(&mut remembered, ALICE).await;
    let code = alice.phone.code(gateway.now());
    let form = page.form("code").fill("code", &code).fill("remember", "yes");
    remembered.send(&page, &form).await;
    remembered.jar.retain(|name, _| name == "__Host-mfa-device");
    gateway.advance(A_WHILE);
    let page = sign_in_again(&mut remembered, ALICE).await;
    assert!(page.body.contains("secret-page"), "the device let nobody in: {}", page.text());
    for (recovery, mut browser) in [alice.browser.clone(), remembered].into_iter().enumerate() {
        let out = browser.open("/.mfa/logout").await;
        let csrf = out.form("csrf").field("csrf").unwrap().to_owned();
        for (path, deed) in deeds(&before[0], "000000") {
            let fields = [&deed[..], &[("csrf", csrf.as_str())]].concat();
            let sent = browser.post(path, &fields).await;
            assert!(leads_to(&sent, "/.mfa/verify?") && sent.location().ends_with("&step_up=yes"));
            assert!(sent.all("set-cookie").is_empty(), "{path} {deed:?}: {:?}", sent.answer);
        }
        for path in [APPS, ADD, MOVE] {
            let led = browser.open(path).await;
            assert!(leads_to(&led, "/.mfa/verify?") && led.location().ends_with("&step_up=yes"));
        }
        unchanged(&mut gateway, &alice, &before, recovery).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_a_form_or_an_offer_of_somebody_else_changes_nothing() {
    let (wiki, shop) = (portal::form().run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    let mut others =
        [enrol(&gateway, "wiki", BOB).await.browser, enrol(&gateway, "shop", ALICE).await.browser];
    let list = alice.open(APPS).await;
    let before = ids(&list);
    for other in &mut others {
        let page = other.open(ADD).await;
        let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
        let code = phone.code(gateway.now());
        let token = page.form("code").field("csrf").unwrap().to_owned();
        for (path, deed) in deeds(&before[0], &code) {
            for token in [token.as_str(), "", "x"] {
                let fields = [&deed[..], &[("csrf", token)]].concat();
                assert_eq!(alice.post(path, &fields).await.status, 403, "{path} {deed:?}");
            }
            // Her authenticator, named by somebody who is fresh and has a form of the own.
            if deed.iter().any(|(name, _)| *name == "id") {
                let fields = [&deed[..], &[("csrf", token.as_str())]].concat();
                let sent = other.post(path, &fields).await;
                let shown = other.follow(sent).await;
                assert_eq!(shown.status, 409, "{path} {deed:?}: {}", shown.text());
                assert!(!holds_a_secret(&shown) && !ids(&shown).contains(&before[0]));
            }
        }
        // The secret that was offered to somebody else is none of hers.
        let own = alice.open(ADD).await;
        assert_eq!(give_code(&mut alice, &own, &code).await.status, 401);
        assert_eq!(other.open(APPS).await.text().matches(" added ").count(), 1);
    }
    assert_eq!(ids(&alice.open(APPS).await), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn c20_of_two_offers_one_is_confirmed_and_an_old_one_is_worth_nothing() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let mut second = gateway.browser("wiki");
    gateway.next_code();
    let page = sign_in_again(&mut second, ALICE).await;
    give_code(&mut second, &page, &alice.phone.code(gateway.now())).await;
    let first = &mut alice.browser;
    let offered = |page: &Shown| Phone::from_link(&html::link(&page.body, "otpauth"));
    let (page_one, page_two) = (first.open(ADD).await, second.open(ADD).await);
    let (one, two) = (offered(&page_one), offered(&page_two));
    assert_ne!(one.secret(), two.secret(), "one secret for two sessions");
    let form_one = page_one.form("code").fill("code", &one.code(gateway.now()));
    let form_two = page_two.form("code").fill("code", &two.code(gateway.now()));
    let (told_one, told_two) =
        tokio::join!(first.send(&page_one, &form_one), second.send(&page_two, &form_two));
    let won = [&told_one, &told_two].map(|told| leads_to(told, "/.mfa/authenticators?done=added"));
    assert!(won[0] != won[1], "{told_one:?} and {told_two:?}");
    let (winner, loser) = if won[0] { (first, second) } else { (&mut second, first.clone()) };
    assert_eq!(loser.clone().open("/home").await.location(), "/login", "it was not signed out");
    assert_eq!(ids(&winner.open(APPS).await).len(), 2);

    // An offer of more than ten minutes ago, with a code of a moment ago.
    let page = winner.open(ADD).await;
    let old = offered(&page);
    gateway.advance(Duration::from_secs(601));
    let led = winner.open(APPS).await;
    let asked = winner.follow(led).await;
    give_code(winner, &asked, &alice.phone.code(gateway.now())).await;
    let csrf = winner.open(APPS).await;
    let fields = [
        ("csrf", pressed(&csrf, "add", 0).field("csrf").unwrap().to_owned()),
        ("code", old.code(gateway.now())),
    ];
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let late = winner.post(ADD, &fields).await;
    assert_eq!(late.status, 401);
    assert_ne!(offered(&late).secret(), old.secret());
    assert_eq!(ids(&winner.open(APPS).await).len(), 2);
}

/// Whoever holds a copy of a session, or began one of the own, is out as soon as the owner changes
/// anything; what runs on it is cut.
#[tokio::test(flavor = "multi_thread")]
async fn fac_1_a_change_ends_every_other_session_and_what_runs_on_it() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    for action in ["add", "new", "remove", "move"] {
        let mut thief = gateway.browser("wiki");
        gateway.next_code();
        let page = sign_in_again(&mut thief, ALICE).await;
        give_code(&mut thief, &page, &alice.phone.code(gateway.now())).await;
        let mut socket = Socket::open(&gateway, &thief, "/ws").await;
        assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
        gateway.next_code();
        let list = fresh(&gateway, &mut alice).await;
        let browser = &mut alice.browser;
        let done = match action {
            "add" => {
                let page = press(browser, &list, "add", 0).await;
                confirmed(&gateway, browser, &page).await.0
            }
            "move" => {
                let page = browser.open(&format!("{MOVE}?id={}", ids(&list)[0])).await;
                confirmed(&gateway, browser, &page).await.0
            }
            "remove" => press(browser, &list, "remove", 1).await,
            action => press(browser, &list, action, 0).await,
        };
        assert_eq!(done.status, 200, "{action}: {}", done.text());
        assert_eq!(socket.next().await, None, "the socket is still open after {action}");
        assert_eq!(thief.open("/home").await.location(), "/login", "{action}");
        assert!(alice.browser.open("/home").await.body.contains("secret-page"), "{action}");
    }
}

/// Her list, after a code of now.
async fn fresh(gateway: &Gateway, alice: &mut Enrolled) -> Shown {
    let asked = alice.browser.open("/.mfa/verify?step_up=yes&return_to=/.mfa/authenticators").await;
    let told = give_code(&mut alice.browser, &asked, &alice.phone.code(gateway.now())).await;
    alice.browser.follow(told).await
}

/// Confirms the secret of a page; where that leads, and the phone.
async fn confirmed(gateway: &Gateway, browser: &mut Browser, page: &Shown) -> (Shown, Phone) {
    let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
    let told = give_code(browser, page, &phone.code(gateway.now())).await;
    (browser.follow(told).await, phone)
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_codes_made_many_times_at_once_leave_one_set() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let list = alice.browser.open(APPS).await;
    let form = pressed(&list, "new", 0);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (mut browser, list, form) = (alice.browser.clone(), list.clone(), form.clone());
        calls.spawn(async move { browser.send(&list, &form).await });
    }
    let mut made = 0;
    while let Some(told) = calls.join_next().await {
        let told = told.unwrap();
        match told.status {
            303 => made += 1,
            status => assert_eq!(status, 409, "{:?}", told.answer),
        }
    }
    assert!(made > 0, "no codes were made");
    let page = alice.browser.open(CODES).await;
    let new = html::texts_of(&page.body, "recovery-code\"");
    assert_eq!(new.len(), 10, "{}", page.body);
    gateway.next_code();
    for (code, status) in [(&alice.codes[1], 401), (&new[1], 303), (&new[1], 401)] {
        let mut browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, ALICE).await;
        assert_eq!(give_code(&mut browser, &page, code).await.status, status, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fac_2_no_page_on_which_a_factor_is_changed_may_be_framed() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await.browser;
    for path in [APPS, ADD, MOVE, CODES, SESSIONS, "/.mfa/"] {
        let shown = alice.open(path).await;
        assert_eq!(shown.status, 200, "{path}");
        let policy = shown.line("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(shown.line("x-frame-options"), Some("DENY"), "{path}");
        let foreign = alice.with_cookies(Call::post("wiki.test", path, &[("action", "new")]));
        let foreign =
            foreign.line("sec-fetch-site", "cross-site").line("sec-fetch-mode", "navigate");
        let sent = alice.visit(path, foreign.line("origin", "https://evil.test")).await;
        assert_eq!(sent.status, 403, "{path} takes a form of another site");
    }
}
