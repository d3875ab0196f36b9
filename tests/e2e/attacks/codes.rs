//! C17 and C18: a code of the app opens once, and guessing is slow, whatever happens in parallel
//! and whatever is killed.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, Answer, BOB, Browser, Call, Gateway, Phone, gateway, html, portal};

/// Requests that all leave at once: each on a connection of its own and from one of eight
/// addresses, or all on one connection.
pub(super) async fn at_once(browser: &Browser, calls: Vec<Call>) -> Vec<Answer> {
    let mut sending = JoinSet::new();
    let shared = if browser.http2 { Some(browser.connect().await) } else { None };
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(calls.len()));
    for (number, call) in (0..8).cycle().zip(calls) {
        let mut connection = match &shared {
            Some(shared) => shared.share(),
            None => browser.clone().from(number + 1).connect().await,
        };
        let start = start.clone();
        sending.spawn(async move {
            start.wait().await;
            connection.send(call).await.unwrap()
        });
    }
    sending.join_all().await
}

pub(super) fn led_to(answers: &[Answer], place: &str) -> usize {
    let there = |answer: &&Answer| {
        answer.status == 303 && answer.line("location").is_some_and(|led| led.starts_with(place))
    };
    answers.iter().filter(there).count()
}

/// The form of a page filled with a code, as a request.
pub(super) async fn filled(browser: &mut Browser, code: &str) -> Call {
    let page = browser.open("/.mfa/verify?return_to=%2Fhome").await;
    browser.sending(&page, &page.form("code").fill("code", code))
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_code_opens_once_in_series_and_no_older_one_after_it() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        gateway.next_code();
        gateway.next_code();
        let now = gateway.now();
        let (older, code) = (alice.phone.code(now - 30), alice.phone.code(now));
        let spaced = format!(" {} {} ", &code[..3], &code[3..]);
        let mut browser = gateway.browser("wiki").over(http2);
        let page = sign_in_again(&mut browser, ALICE).await;
        let passed = give_code(&mut browser, &page, &spaced).await;
        assert_eq!((passed.status, passed.location()), (303, "/home"));
        for again in [&code, &spaced, &older] {
            let mut browser = gateway.browser("wiki").over(http2);
            let page = sign_in_again(&mut browser, ALICE).await;
            assert_eq!(give_code(&mut browser, &page, again).await.status, 401, "{again}");
            assert!(browser.open("/home").await.location().starts_with("/.mfa/verify"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_of_fifty_at_once_one_opens() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for http2 in [false, true] {
        gateway.next_code();
        let code = alice.phone.code(gateway.now());
        let mut calls = Vec::new();
        for _ in 0..10 {
            let mut browser = gateway.browser("wiki").over(http2);
            sign_in_again(&mut browser, ALICE).await;
            let call = filled(&mut browser, &code).await;
            calls.extend(std::iter::repeat_n(call, 5));
        }
        let answers = at_once(&gateway.browser("wiki").over(http2), calls).await;
        assert_eq!(led_to(&answers, "/home"), 1, "{answers:?}");
        let accepted = [("factor", "totp"), ("outcome", "accepted")];
        let accepted = gateway.metric("portcullis_verifications_total", &accepted).await;
        assert_eq!(accepted, if http2 { 2.0 } else { 1.0 });
        // What was not admitted counted as wrong: the user waits, and is in again.
        gateway.advance(Duration::from_secs(3600));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_of_fifty_confirmations_at_once_one_enrols() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    for (http2, who) in [(false, ALICE), (true, BOB)] {
        let mut browser = gateway.browser("wiki").over(http2);
        let page = sign_in_anew(&mut browser, who).await;
        let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
        let code = phone.code(gateway.now());
        let call = browser.sending(&page, &page.form("code").fill("code", &code));
        let answers = at_once(&browser, vec![call; 50]).await;
        assert_eq!(led_to(&answers, "/.mfa/recovery-codes"), 1, "{answers:?}");
        let mut other = gateway.browser("wiki").over(http2);
        let page = sign_in_again(&mut other, who).await;
        assert_eq!(give_code(&mut other, &page, &code).await.status, 401, "it was spent");
    }
    let enrolled = gateway.metric("portcullis_enrolments_total", &[("portal", "wiki")]);
    assert_eq!(enrolled.await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_code_stays_spent_when_the_power_is_cut() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let code = alice.phone.code(gateway.now());
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    assert_eq!(give_code(&mut browser, &page, &code).await.status, 303);
    gateway.kill();
    gateway.start().await;
    for spent in [&code, &alice.phone.code(alice.spent)] {
        let mut browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, ALICE).await;
        assert_eq!(give_code(&mut browser, &page, spent).await.status, 401);
    }
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    assert_eq!(give_code(&mut browser, &page, &code).await.status, 401);
    let fresh = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &fresh).await.status, 303);
}

/// A fresh login, and the right code, which must open nothing.
async fn right_code_is_refused(gateway: &Gateway, alice: &Enrolled, http2: bool) {
    let mut browser = gateway.browser("wiki").over(http2);
    let page = sign_in_again(&mut browser, ALICE).await;
    let text = page.text();
    assert!(text.contains("wait"), "a new login started the count anew: {text}");
    let csrf = browser.open("/.mfa/logout").await.form("csrf").field("csrf").unwrap().to_owned();
    let code = alice.phone.code(gateway.now());
    let fields = [("csrf", csrf.as_str()), ("code", code.as_str())];
    assert_eq!(browser.post("/.mfa/verify", &fields).await.status, 429);
    assert!(browser.open("/home").await.location().starts_with("/.mfa/verify"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c18_a_hundred_wrong_codes_lock_and_nothing_but_time_unlocks() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    sign_in_again(&mut browser, ALICE).await;
    let wrong = filled(&mut browser, "000000").await;
    let mut connection = browser.connect().await;
    let mut statuses = Vec::new();
    for _ in 0..100 {
        statuses.push(connection.send(wrong.clone()).await.unwrap().status);
    }
    assert_eq!(statuses[..4], [401; 4]);
    assert_eq!(statuses[4..], [429; 96], "tries while locked");
    // Each more doubles the wait: long enough for all that follows.
    for waited in [31, 61, 121, 241] {
        gateway.advance(Duration::from_secs(waited));
        assert_eq!(connection.send(wrong.clone()).await.unwrap().status, 429);
    }
    right_code_is_refused(&gateway, &alice, false).await;
    assert_eq!(gateway.stop(), 0);
    gateway.start().await;
    right_code_is_refused(&gateway, &alice, true).await;
    gateway.kill();
    gateway.start().await;
    right_code_is_refused(&gateway, &alice, false).await;
    assert!(alice.browser.clone().open("/home").await.body.contains("secret-page"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c18_two_hundred_at_once_get_no_more_tries() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    for (http2, who) in [(false, ALICE), (true, BOB)] {
        enrol(&gateway, "wiki", who).await;
        gateway.next_code();
        let mut calls = Vec::new();
        for _ in 0..10 {
            let mut browser = gateway.browser("wiki").over(http2);
            sign_in_again(&mut browser, who).await;
            for kind in ["000000", "AAAA-AAAA-AAAA-AAAA"] {
                let call = filled(&mut browser, kind).await;
                calls.extend(std::iter::repeat_n(call, 10));
            }
        }
        let answers = at_once(&gateway.browser("wiki").over(http2), calls).await;
        let judged = answers.iter().filter(|answer| answer.status == 401).count();
        let held = answers.iter().filter(|answer| answer.status == 429).count();
        assert_eq!((judged, held), (4, 196), "five tries, the fifth of which locks");
    }
}
