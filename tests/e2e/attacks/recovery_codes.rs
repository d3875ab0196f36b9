//! C19 and REC-1: a recovery code opens once, however it is typed and however many try it at
//! once, and nothing that is kept tells it.

use std::time::Duration;

use super::codes::{at_once, filled, led_to};
use super::guessing::seen;
use crate::dsl::browser::Shown;
use crate::dsl::desk::{ADMIN, DESK, VIEWER, command};
use crate::dsl::steps::{enrol, give_code, sign_in_again, sign_in_anew};
use crate::dsl::traces::{Traces, contents, from_base32};
use crate::dsl::{ALICE, BOB, Gateway, Phone, gateway, html, portal};

/// Signs in anew and gives this.
async fn gives(gateway: &Gateway, code: &str, http2: bool) -> Shown {
    let mut browser = gateway.browser("wiki").over(http2);
    let page = sign_in_again(&mut browser, ALICE).await;
    let told = give_code(&mut browser, &page, code).await;
    let is_in = browser.open("/home").await.body.contains("for alice alone");
    assert_eq!(is_in, told.status == 303, "{:?}", told.answer);
    told
}

/// A code as people copy it.
fn copied(code: &str, way: usize) -> String {
    match way % 5 {
        0 => code.to_owned(),
        1 => code.to_lowercase(),
        // No code has these letters: they are how a hand writes the digits.
        2 => code.replace('0', "O").replace('1', "I"),
        3 => code.replace('0', "o").replace('1', "l").replace('-', " "),
        _ => format!("  {}\n", code.replace('-', "").replace('1', "L")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_each_code_opens_once_and_then_there_are_none() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(VIEWER).token(DESK);
    let mut gateway = gateway.run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let signs: String = alice.codes.concat();
    assert!(!signs.contains(['O', 'I', 'L', 'U', 'o', 'i', 'l']), "{signs}");
    for (number, code) in alice.codes.iter().enumerate() {
        let http2 = number % 2 == 0;
        let led = gives(&gateway, &copied(code, number), http2).await;
        let expected = match 9 - number {
            // With few left the way leads past the page that makes new ones.
            0..=3 => "/.mfa/recovery-codes?return_to=%2Fhome&used=yes",
            _ => "/home",
        };
        assert_eq!(led.location(), expected);
        assert_eq!(seen(&gateway, "wiki")["recovery_codes_left"], 9 - number);
        for way in 0..3 {
            assert_eq!(gives(&gateway, &copied(code, way), http2).await.status, 401, "{number}");
        }
        assert_eq!(seen(&gateway, "wiki")["wrong_codes"], 3, "a used code is a wrong one");
    }
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    assert!(page.text().contains("You have used all your recovery codes"), "{}", page.text());
    assert_eq!(gives(&gateway, &alice.codes[0], false).await.status, 401);
    assert_eq!(gives(&gateway, &alice.codes[1], false).await.status, 429, "it counts like any");
    command(&gateway, DESK, &["user", "unlock", "alice", "--portal", "wiki"]);
    gateway.next_code();
    let code = alice.phone.code(gateway.now());
    assert_eq!(gives(&gateway, &code, true).await.location(), "/home", "the phone is as good");
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_a_recovery_code_opens_once_of_fifty_at_once() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for (http2, code) in [(false, &alice.codes[0]), (true, &alice.codes[1])] {
        let mut calls = Vec::new();
        for _ in 0..10 {
            let mut browser = gateway.browser("wiki").over(http2);
            sign_in_again(&mut browser, ALICE).await;
            let call = filled(&mut browser, code).await;
            calls.extend(std::iter::repeat_n(call, 5));
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
async fn c19_a_spent_code_stays_spent_when_the_power_is_cut() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).token(VIEWER).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    for (number, code) in alice.codes.iter().take(3).enumerate() {
        assert_eq!(gives(&gateway, code, number % 2 == 0).await.location(), "/home");
        gateway.kill();
        gateway.start().await;
        assert_eq!(gives(&gateway, code, number % 2 == 1).await.status, 401, "it came back");
        assert_eq!(seen(&gateway, "wiki")["recovery_codes_left"], 9 - number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_no_file_of_the_store_and_no_export_holds_a_code_a_secret_or_a_name() {
    let portal = portal::form().run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).token(ADMIN).run().await;
    let mut offered = gateway.browser("wiki");
    let page = sign_in_anew(&mut offered, BOB).await;
    let offer = Phone::from_link(&html::link(&page.body, "otpauth"));
    let alice = enrol(&gateway, "wiki", ALICE).await;
    // Codes that were made and not yet shown are kept until they are.
    let confirm = page.form("code").fill("code", &offer.code(gateway.now()));
    let told = offered.send(&page, &confirm).await;
    assert!(told.location().starts_with("/.mfa/recovery-codes"));
    let file = gateway.folder().join("export");
    let done = command(&gateway, ADMIN, &["store", "export", "--to", file.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{done:?}");
    let exported = std::fs::read(&file).unwrap();
    gateway.kill();
    let unshown = contents(&gateway.folder().join("data"));
    gateway.start().await;
    let shown = offered.follow(told).await;
    let bobs = html::texts_of(&shown.body, "recovery-code\"");
    assert_eq!(bobs.len(), 10);
    assert_eq!(gateway.stop(), 0);
    let stopped = contents(&gateway.folder().join("data"));
    let mut secrets = vec![ALICE.1.as_bytes().to_vec(), BOB.1.as_bytes().to_vec()];
    for code in alice.codes.iter().chain(&bobs) {
        secrets.push(code.clone().into_bytes());
        secrets.push(code.replace('-', "").into_bytes());
    }
    for phone in [&alice.phone, &offer] {
        secrets.push(phone.secret().as_bytes().to_vec());
        secrets.push(from_base32(phone.secret()));
    }
    for (when, files) in [("exported", exported), ("killed", unshown), ("stopped", stopped)] {
        assert!(files.len() > 1000, "nothing was kept");
        assert!(!files.windows(5).any(|part| part == b"alice"), "{when}: a name");
        let traces = Traces::of(files);
        for secret in &secrets {
            assert_eq!(traces.found(secret), None, "{when}");
        }
    }
}
