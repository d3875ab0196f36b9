//! C17, C18 and C19: a code opens once, and guessing is slow, whatever happens in parallel
//! and whatever is killed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use tokio::task::JoinSet;

use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, Answer, BOB, Browser, Call, Gateway, Phone, gateway, html, portal};

/// Requests that all leave at once: each on a connection of its own, or all on one.
async fn at_once(browser: &Browser, calls: Vec<Call>) -> Vec<Answer> {
    let mut sending = JoinSet::new();
    let shared = if browser.http2 { Some(browser.connect().await) } else { None };
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(calls.len()));
    for call in calls {
        let mut connection = match &shared {
            Some(shared) => shared.share(),
            None => browser.connect().await,
        };
        let start = start.clone();
        sending.spawn(async move {
            start.wait().await;
            connection.send(call).await.unwrap()
        });
    }
    sending.join_all().await
}

fn led_to(answers: &[Answer], place: &str) -> usize {
    let there = |answer: &&Answer| {
        answer.status == 303 && answer.line("location").is_some_and(|led| led.starts_with(place))
    };
    answers.iter().filter(there).count()
}

/// The form of a page filled with a code, as a request.
async fn filled(browser: &mut Browser, code: &str) -> Call {
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
async fn c18_trying_at_once_gives_no_more_tries() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    for (http2, who) in [(false, ALICE), (true, BOB)] {
        enrol(&gateway, "wiki", who).await;
        gateway.next_code();
        let mut calls = Vec::new();
        for _ in 0..4 {
            let mut browser = gateway.browser("wiki").over(http2);
            sign_in_again(&mut browser, who).await;
            for kind in ["000000", "AAAA-AAAA-AAAA-AAAA"] {
                let call = filled(&mut browser, kind).await;
                calls.extend(std::iter::repeat_n(call, 5));
            }
        }
        let answers = at_once(&gateway.browser("wiki").over(http2), calls).await;
        let judged = answers.iter().filter(|answer| answer.status == 401).count();
        let held = answers.iter().filter(|answer| answer.status == 429).count();
        assert_eq!((judged, held), (4, 36), "five tries, the fifth of which locks");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_a_recovery_code_opens_once_of_twenty_at_once() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for (http2, code) in [(false, &alice.codes[0]), (true, &alice.codes[1])] {
        let mut calls = Vec::new();
        for _ in 0..5 {
            let mut browser = gateway.browser("wiki").over(http2);
            sign_in_again(&mut browser, ALICE).await;
            let call = filled(&mut browser, code).await;
            calls.extend(std::iter::repeat_n(call, 4));
        }
        let answers = at_once(&gateway.browser("wiki").over(http2), calls).await;
        assert_eq!(led_to(&answers, "/home"), 1, "{answers:?}");
        let accepted = [("factor", "recovery_code"), ("outcome", "accepted")];
        let accepted = gateway.metric("portcullis_verifications_total", &accepted).await;
        assert_eq!(accepted, if http2 { 2.0 } else { 1.0 });
        // Those that came too late counted as wrong: the user waits.
        gateway.advance(Duration::from_secs(3600));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_no_file_of_the_store_holds_a_code_a_secret_or_a_name() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut offered = gateway.browser("wiki");
    let page = sign_in_anew(&mut offered, BOB).await;
    let offer = Phone::from_link(&html::link(&page.body, "otpauth"));
    let alice = enrol(&gateway, "wiki", ALICE).await;
    // Codes that were made and not yet shown are kept until they are.
    let confirm = page.form("code").fill("code", &offer.code(gateway.now()));
    let told = offered.send(&page, &confirm).await;
    assert!(told.location().starts_with("/.mfa/recovery-codes"));
    gateway.kill();
    let unshown = contents(gateway.folder());
    gateway.start().await;
    let shown = offered.follow(told).await;
    let bobs = html::texts_of(&shown.body, "recovery-code\"");
    assert_eq!(bobs.len(), 10);
    assert_eq!(gateway.stop(), 0);
    let stopped = contents(gateway.folder());
    let mut needles = vec![b"alice".to_vec(), b"Correct-Horse".to_vec(), b"Battery".to_vec()];
    for code in alice.codes.iter().chain(&bobs) {
        needles.extend(forms(code.as_bytes()));
        needles.extend(forms(code.replace('-', "").as_bytes()));
        needles.push(code.replace('-', "").to_lowercase().into_bytes());
    }
    for phone in [&alice.phone, &offer] {
        needles.extend(forms(phone.secret().as_bytes()));
        needles.extend(forms(&from_base32(phone.secret())));
    }
    for (when, files) in [("killed", unshown), ("stopped", stopped)] {
        assert!(files.len() > 1000, "nothing was kept");
        for needle in &needles {
            let found = files.windows(needle.len()).any(|part| part == needle);
            assert!(!found, "{when}: {}", String::from_utf8_lossy(needle));
        }
    }
}

/// The bytes as they are and as they are often written.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        bytes.to_vec(),
        BASE64_STANDARD.encode(bytes).into_bytes(),
        BASE64_STANDARD_NO_PAD.encode(bytes).into_bytes(),
        BASE64_URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
    ]
}

fn from_base32(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut bits = text.bytes().flat_map(|sign| {
        let value = alphabet.bytes().position(|known| known == sign).unwrap();
        (0..5).rev().map(move |bit| value >> bit & 1 == 1)
    });
    let mut bytes = Vec::new();
    loop {
        let byte: Vec<bool> = bits.by_ref().take(8).collect();
        if byte.len() < 8 {
            return bytes;
        }
        bytes.push(byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
    }
}

/// All bytes below the folder of the data.
fn contents(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut open = vec![folder.join("data")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            bytes.extend(fs::read(&path).unwrap());
        }
    }
    bytes
}
