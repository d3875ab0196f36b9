//! ID-9: a portal with HTTP Basic. Its credentials come with every request; they name a user
//! when the portal takes them, open nothing alone, and are kept nowhere.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::dsl::steps::{enrol_here, give_code, prove_here};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Office, gateway, office};

const SECRET: &str = "secret-page";
const BASIC: &str = "basic: { probe: \"/api/me?brief=1\" }\n";

async fn basic() -> (Office, Gateway) {
    let office = office::run(BASIC).await;
    let gateway = gateway::new().portal("office", &office).run().await;
    (office, gateway)
}

fn line((user, password): (&str, &str)) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn browser_of(gateway: &Gateway, who: (&str, &str)) -> Browser {
    gateway.browser("office").with_line("authorization", &line(who))
}

/// The same browser, in which somebody else typed name and password.
fn now_of(mut browser: Browser, who: (&str, &str)) -> Browser {
    browser.lines.clear();
    browser.with_line("authorization", &line(who))
}

/// The portal asks for name and password through us, and nothing opens.
async fn is_nobody(browser: &Browser, office: &Office) {
    office.take_seen();
    for navigates in [true, false] {
        let mut browser = browser.clone();
        let shown = match navigates {
            true => browser.open("/home").await,
            false => browser.call("GET", "/home").await,
        };
        assert_eq!(shown.status, 401, "{:?}", shown.answer);
        assert!(shown.line("www-authenticate").unwrap().starts_with("Basic "));
        assert!(!browser.jar.contains_key("__Host-mfa"), "nobody got a session");
    }
    assert_eq!(office.seen_at("/home").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn id_9_credentials_name_somebody_and_open_nothing() {
    let (office, mut gateway) = basic().await;
    for http2 in [false, true] {
        is_nobody(&gateway.browser("office").over(http2), &office).await;
        for (user, password) in [
            ("alice", "wrong"),
            ("alice", ""),
            ("", ALICE.1),
            ("bob", ALICE.1),
            ("nobody", "x"),
            ("alice\0", ALICE.1),
            ("alice,bob", ALICE.1),
        ] {
            is_nobody(&browser_of(&gateway, (user, password)).over(http2), &office).await;
        }
        for odd in ["Basic", "Basic ?", "Basic YWxpY2U=", "Bearer alice", "Negotiate x", "x y z"] {
            let browser = gateway.browser("office").over(http2).with_line("authorization", odd);
            is_nobody(&browser, &office).await;
        }
        let twice = browser_of(&gateway, BOB).over(http2).with_line("authorization", &line(ALICE));
        assert_eq!(twice.clone().open("/home").await.status, 400);
    }
    let mut alice = enrol_here(&gateway, browser_of(&gateway, ALICE)).await;
    let page = alice.browser.open("/home").await;
    assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
    // In the same browser another name, a wrong password, or none.
    for http2 in [false, true] {
        let same = alice.browser.clone().over(http2);
        let led = now_of(same.clone(), BOB).open("/home").await;
        assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
        let shown = now_of(same.clone(), ("alice", "wrong")).open("/home").await;
        assert_eq!(shown.status, 401);
        let mut none = same.clone();
        none.lines.clear();
        let shown = none.open("/home").await;
        assert!(!shown.body.contains(SECRET), "{:?}", shown.answer);
        // A spelling of the same credentials is no other session.
        let mut spelled = same.clone();
        spelled.lines[0].1 = spelled.lines[0].1.replace("Basic ", "bASIC   ");
        assert!(spelled.open("/home").await.body.contains("for alice alone"));
        // Without the proof the open pages get no credentials.
        let mut open = browser_of(&gateway, ALICE).over(http2);
        let echo = open.open("/public/echo").await;
        assert!(!echo.body.to_lowercase().contains("authorization"), "{}", echo.body);
    }
    gateway.advance(Duration::from_secs(31));
    assert!(alice.browser.open("/home").await.body.contains("for alice alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn id_9_each_browser_gives_a_code_of_its_own() {
    let (_office, mut gateway) = basic().await;
    let alice = enrol_here(&gateway, browser_of(&gateway, ALICE)).await;
    for http2 in [false, true] {
        let mut second = browser_of(&gateway, ALICE).over(http2);
        let led = second.open("/home").await;
        assert!(led.location().starts_with("/.mfa/verify"), "{:?}", led.answer);
        let first = alice.browser.clone().open("/home").await;
        assert!(first.body.contains("for alice alone"), "the second ended the first");
        gateway.next_code();
        let page = prove_here(&gateway, &mut second, &alice.phone).await;
        assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
        let first = alice.browser.clone().open("/home").await;
        assert!(first.body.contains("for alice alone"), "the second ended the first");
        // A third with the second's proof, but without its credentials' owner.
        let led = now_of(second.clone(), BOB).open("/home").await;
        assert!(led.location().starts_with("/.mfa/enrol"), "{:?}", led.answer);
        assert!(second.open("/home").await.body.contains("for alice alone"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_9_a_guesser_of_passwords_locks_nobody_out() {
    let (office, mut gateway) = basic().await;
    let alice = enrol_here(&gateway, browser_of(&gateway, ALICE)).await;
    for number in 0..60 {
        let guess = format!("guess{number}");
        is_nobody(&browser_of(&gateway, ("alice", &guess)), &office).await;
    }
    gateway.next_code();
    let mut second = browser_of(&gateway, ALICE);
    let page = prove_here(&gateway, &mut second, &alice.phone).await;
    assert!(page.body.contains("for alice alone"), "{:?}", page.answer);
    let wrong = gateway.metric("portcullis_verifications_total", &[("outcome", "wrong")]);
    assert_eq!(wrong.await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn id_9_calls_without_cookies_leave_no_heap_of_sessions() {
    let (office, gateway) = basic().await;
    for number in 0..60 {
        let who = if number % 2 == 0 { ALICE } else { BOB };
        let mut call = browser_of(&gateway, who).over(number % 3 == 0);
        let told = call.call("GET", "/home").await;
        assert_eq!(told.status, 401, "{:?}", told.answer);
        assert!(told.line("portcullis-challenge").unwrap().starts_with("enrol"));
    }
    let sessions = gateway.metric("portcullis_sessions_active", &[]).await;
    assert!(sessions <= 2.0, "{sessions} sessions of two users");
    // Once about each, and once whether it refuses somebody who does not exist.
    let asked = office.seen_at("/api/me").len();
    assert!(asked <= 3, "the portal was asked {asked} times about two users");
}

#[tokio::test(flavor = "multi_thread")]
async fn id_9_no_password_is_kept_or_told() {
    let (_office, mut gateway) = basic().await;
    let mut alice = enrol_here(&gateway, browser_of(&gateway, ALICE)).await;
    alice.browser.open("/home?x=1").await;
    browser_of(&gateway, ("alice", "A-Wrong-Guess-3")).open("/home").await;
    gateway.next_code();
    let mut second = browser_of(&gateway, ALICE);
    let page = second.go("/home").await;
    give_code(&mut second, &page, "000000").await;
    gateway.stop();
    let mut kept = Vec::new();
    read_all(&gateway.folder().join("data"), &mut kept);
    assert!(kept.len() > 1000, "there is a store");
    kept.extend(gateway.log().into_bytes());
    for password in [ALICE.1, "A-Wrong-Guess-3"] {
        let whole = format!("alice:{password}");
        let hex: String = password.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut spellings = vec![password.to_owned(), hex.to_uppercase(), hex];
        // In base64 a text looks different at each of three places.
        for skipped in 0..3 {
            let text = STANDARD.encode(&whole.as_bytes()[skipped..]);
            spellings.push(text[..text.len() - 4].to_owned());
            spellings.push(STANDARD.encode(&password.as_bytes()[skipped..])[..12].to_owned());
        }
        for spelling in spellings.iter().filter(|spelling| spelling.len() >= 8) {
            let found = kept.windows(spelling.len()).any(|window| window == spelling.as_bytes());
            assert!(!found, "{spelling} was kept");
        }
    }
}

fn read_all(folder: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => read_all(&entry.path(), into),
            false => into.extend(std::fs::read(entry.path()).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_9_a_probe_that_is_shown_to_everybody_proves_no_password() {
    let office = office::run("basic: { probe: /public/page }\n").await;
    let gateway = gateway::new().portal("office", &office).run().await;
    for http2 in [false, true] {
        for who in [ALICE, (ALICE.0, "wrong"), ("stranger", "x")] {
            let mut browser = browser_of(&gateway, who).over(http2);
            assert_eq!(browser.open("/home").await.status, 503);
            assert_eq!(browser.call("GET", "/home").await.status, 503);
            assert!(browser.jar.is_empty(), "somebody was believed: {:?}", browser.jar);
        }
    }
    assert_eq!(office.seen_at("/home").len(), 0);
}
