//! C18, OTP-2 and OTP-3: whoever guesses codes has to wait longer and longer and ends at the
//! desk, by whatever way and from wherever; nobody else can do that to a user.

use std::time::Duration;

use serde_json::Value;

use crate::dsl::browser::Shown;
use crate::dsl::desk::{DESK, ORGANISATION, VIEWER, command};
use crate::dsl::office::{self, ASKED};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{
    Enrolled, enrol, enrol_by_link, give_code, sign_in, sign_in_again, sign_in_anew, sign_out,
};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Phone, Portal, gateway, html, member, portal};

const WRONG: &str = "000000";

async fn scene(more: &str) -> (Portal, Gateway, Enrolled) {
    let portal = portal::form().yaml(ORGANISATION).yaml(more).run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(DESK).token(VIEWER).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    (portal, gateway, alice)
}

/// What the desk sees of alice.
pub(super) fn seen(gateway: &Gateway, portal: &str) -> Value {
    let words = ["user", "show", "alice", "--portal", portal, "--output", "json"];
    let said = command(gateway, VIEWER, &words);
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

/// What a form of ours carries in this browser's session.
pub(super) async fn csrf(browser: &mut Browser) -> String {
    browser.open("/.mfa/logout").await.form("csrf").field("csrf").unwrap().to_owned()
}

/// Sends a code from where somebody is, whether or not the page there still asks for one.
pub(super) async fn send(browser: &mut Browser, code: &str) -> Shown {
    let csrf = csrf(browser).await;
    browser.post("/.mfa/verify", &[("csrf", &csrf), ("code", code)]).await
}

/// Guess number `number`: a new sign-in under another spelling of the name, from another
/// address, over the other protocol.
async fn guess_anew(gateway: &Gateway, number: u8, code: &str) -> Shown {
    let spelling = ["alice", "ALICE", " Alice", "aLiCe  ", "alice\t"][usize::from(number) % 5];
    let mut browser = gateway.browser("wiki").from(number + 1).over(number.is_multiple_of(2));
    let led = sign_in(&mut browser, (spelling, ALICE.1)).await;
    assert!(led.location().starts_with("/.mfa/verify"), "{spelling:?}: {:?}", led.answer);
    send(&mut browser, code).await
}

/// The wait that wrong code number `number` brings, in seconds.
fn wait_after(number: u32) -> Option<u64> {
    let doublings = number.checked_sub(5)?;
    Some(30_u64.checked_shl(doublings).unwrap_or(u64::MAX).min(3600))
}

#[tokio::test(flavor = "multi_thread")]
async fn c18_waits_double_up_to_an_hour_and_the_fiftieth_wrong_code_is_the_last() {
    let (_portal, mut gateway, alice) = scene("").await;
    gateway.next_code();
    for number in 1..=49 {
        let told = guess_anew(&gateway, number, WRONG).await;
        let wait = wait_after(number.into());
        assert_eq!(told.status, if wait.is_some() { 429 } else { 401 }, "wrong code {number}");
        let retry = told.line("retry-after").map(|wait| wait.parse().unwrap());
        assert_eq!(retry, wait, "after wrong code {number}");
        assert_eq!(seen(&gateway, "wiki")["wrong_codes"], number, "the desk sees each");
        let Some(wait) = wait else { continue };
        if [5, 12, 49].contains(&number) {
            // Neither a right code nor a second before the end, nor a new start, helps.
            gateway.advance(Duration::from_secs(wait - 25));
            assert_eq!(seen(&gateway, "wiki")["state"], "locked");
            let right = alice.phone.code(gateway.now());
            assert_eq!(guess_anew(&gateway, 100, &right).await.status, 429, "after {number}");
            gateway.kill();
            gateway.start().await;
            assert_eq!(guess_anew(&gateway, 101, &right).await.status, 429, "after {number}");
            assert_eq!(seen(&gateway, "wiki")["wrong_codes"], number, "a wait costs no try");
        }
        gateway.advance(Duration::from_secs(wait));
    }
    let last = guess_anew(&gateway, 50, WRONG).await;
    assert_eq!(last.status, 403);
    assert!(last.text().contains("The support desk has to reset it"), "{}", last.text());
    gateway.advance(Duration::from_secs(30 * 24 * 3600));
    is_disabled(&gateway, &alice).await;
    gateway.kill();
    gateway.start().await;
    is_disabled(&gateway, &alice).await;
    only_a_reset_helps(&mut gateway, &alice).await;
}

/// Neither code opens, however right, and the desk sees why.
async fn is_disabled(gateway: &Gateway, alice: &Enrolled) {
    for (number, code) in [(1, alice.phone.code(gateway.now())), (2, alice.codes[0].clone())] {
        let told = guess_anew(gateway, number, &code).await;
        assert_eq!(told.status, 403, "the fifty-first, a right one");
        assert!(told.all("set-cookie").is_empty());
    }
    let shown = seen(gateway, "wiki");
    assert_eq!((&shown["state"], &shown["wrong_codes"]), (&"disabled".into(), &50.into()));
}

async fn only_a_reset_helps(gateway: &mut Gateway, alice: &Enrolled) {
    let unlocked = command(gateway, DESK, &["user", "unlock", "alice", "--portal", "wiki"]);
    assert_eq!((unlocked.code, unlocked.complaint.lines().count()), (1, 1), "{unlocked:?}");
    assert!(unlocked.complaint.contains("reset"), "{unlocked:?}");
    is_disabled(gateway, alice).await;
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "locked out"];
    let reset = command(gateway, DESK, &[&words[..], &["--requested-by", BOBS]].concat());
    assert_eq!(reset.code, 0, "{reset:?}");
    // After a crash no code counts that may have been spent without its answer.
    gateway.advance(Duration::from_secs(120));
    let anew = enrol(gateway, "wiki", ALICE).await;
    assert_eq!(seen(gateway, "wiki")["wrong_codes"], 0);
    gateway.next_code();
    let old = alice.phone.code(gateway.now());
    assert_eq!(guess_anew(gateway, 3, &old).await.status, 401, "the old phone is worth nothing");
    let right = anew.phone.code(gateway.now());
    assert_eq!(guess_anew(gateway, 4, &right).await.status, 303);
}

const BOBS: &str = "bob@example.com";

/// A way to give a code: what it is called, and somebody who has come so far on it.
type Way = (&'static str, Browser, Shown);

/// Every page that takes a code, each in a session of its own.
async fn ways(gateway: &mut Gateway, alice: &Enrolled, http2: bool) -> Vec<Way> {
    let named = async |gateway: &Gateway| {
        let mut browser = gateway.browser("wiki").over(http2);
        let page = sign_in_again(&mut browser, ALICE).await;
        (browser, page)
    };
    let (browser, page) = named(gateway).await;
    let mut ways = vec![("the page that asks", browser, page)];
    let (mut browser, _) = named(gateway).await;
    let page = browser.open("/.mfa/verify?with=recovery").await;
    ways.push(("the page for recovery codes", browser, page));
    let (mut browser, _) = named(gateway).await;
    let page = browser.post("/notes/save", &[("text", "a form that waits")]).await;
    assert!(page.form("code").field("kept").is_some(), "{:?}", page.answer);
    ways.push(("a form that waits", browser, page));
    let (mut browser, page) = named(gateway).await;
    let code = alice.phone.code(gateway.now());
    assert_eq!(give_code(&mut browser, &page, &code).await.status, 303);
    gateway.advance(Duration::from_secs(301));
    let page = browser.go("/admin/page").await;
    assert!(page.path.contains("step_up=yes"), "{}", page.path);
    ways.push(("a step-up", browser, page));
    ways
}

/// One counter stands behind all ways, so that nobody gets tries anew by another one.
#[tokio::test(flavor = "multi_thread")]
async fn c18_every_way_to_give_a_code_counts_in_one_counter() {
    let fresh = "rules: [ { match: { path: /admin/** }, require: fresh, within: 5m } ]";
    let (_portal, mut gateway, alice) = scene(fresh).await;
    for http2 in [false, true] {
        gateway.next_code();
        let mut ways = ways(&mut gateway, &alice, http2).await;
        let wrong = [WRONG, "AAAA-BBBB-CCCC-DDDD", "", "no code at all"];
        for (count, (way, browser, page)) in (1..).zip(&mut ways) {
            let told = give_code(browser, page, wrong[count - 1]).await;
            assert_eq!(told.status, 401, "{way}");
            assert_eq!(seen(&gateway, "wiki")["wrong_codes"], count, "{way}");
        }
        let (_, browser, page) = &mut ways[0];
        assert_eq!(give_code(browser, page, &BOB.1.repeat(20)).await.status, 429, "the fifth");
        let right = [alice.phone.code(gateway.now()), alice.codes[0].clone()];
        for (way, browser, page) in &mut ways {
            for code in &right {
                assert_eq!(give_code(browser, page, code).await.status, 429, "{way} waits too");
            }
        }
        assert_eq!(seen(&gateway, "wiki")["recovery_codes_left"], 10, "none was spent in vain");
        let unlocked = command(&gateway, DESK, &["user", "unlock", "alice", "--portal", "wiki"]);
        assert_eq!(unlocked.out, "alice can try again at wiki\n");
        let (_, browser, page) = &mut ways[3];
        assert_eq!(give_code(browser, page, &right[0]).await.location(), "/admin/page");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c18_a_right_code_forgives_and_nothing_else_does() {
    let (_portal, mut gateway, alice) = scene("remember_device: {}").await;
    for round in 0..2_usize {
        gateway.next_code();
        for number in 1..=4 {
            assert_eq!(guess_anew(&gateway, number, WRONG).await.status, 401);
        }
        // What looks like a fresh start is none.
        let mut browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, ALICE).await;
        assert!(page.text().contains("No phone at hand?"), "{}", page.text());
        browser.open("/.mfa/").await;
        sign_out(&mut browser).await;
        let (user, password) = member(round);
        enrol_by_link(&gateway, gateway.browser("wiki"), (&user, &password)).await;
        gateway.advance(Duration::from_secs(24 * 3600));
        assert_eq!(seen(&gateway, "wiki")["wrong_codes"], 4, "time or others forgave");
        let right = [alice.phone.code(gateway.now()), alice.codes[0].clone()];
        assert_eq!(guess_anew(&gateway, 5, &right[round]).await.status, 303);
        assert_eq!(seen(&gateway, "wiki")["wrong_codes"], 0);
    }
}

/// A portal that knows one account by many names is asked which, so that none gives tries anew.
#[tokio::test(flavor = "multi_thread")]
async fn c18_another_name_for_the_account_gives_no_more_tries() {
    let office = office::run(ASKED).await;
    let gateway = gateway::new().portal("office", &office).token(VIEWER);
    let mut gateway = gateway.run().await;
    let alice = enrol(&gateway, "office", ALICE).await;
    gateway.next_code();
    let names = ["alice", "alice@example.com", "DOM\\Alice", " ALICE@Example.com ", "aLICE"];
    for (number, name) in (1..).zip(names) {
        let mut browser = gateway.browser("office").over(number % 2 == 0);
        sign_in_again(&mut browser, (name, ALICE.1)).await;
        let told = send(&mut browser, WRONG).await;
        assert_eq!(told.status, if number < 5 { 401 } else { 429 }, "{name}");
        assert_eq!(seen(&gateway, "office")["wrong_codes"], number, "{name}");
    }
    let code = alice.phone.code(gateway.now());
    for name in names {
        let mut browser = gateway.browser("office");
        sign_in_again(&mut browser, (name, ALICE.1)).await;
        assert_eq!(send(&mut browser, &code).await.status, 429, "{name}");
    }
}

/// Codes that guard an enrolment are guessed at as slowly.
#[tokio::test(flavor = "multi_thread")]
async fn c18_guesses_at_an_invitation_have_to_wait_too() {
    let portal = portal::form().yaml("enrolment: { guard: invite }").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).token(DESK).run().await;
    let words = ["user", "invite", "alice", "--portal", "wiki", "--output", "json"];
    let told: Value = serde_json::from_str(&command(&gateway, DESK, &words).out).unwrap();
    let code = told["invitations"][0]["code"].as_str().unwrap().to_owned();
    let mut shown = Vec::new();
    for number in 1..=6 {
        let mut browser = gateway.browser("wiki").from(number).over(number % 2 == 0);
        sign_in_anew(&mut browser, ALICE).await;
        let csrf = csrf(&mut browser).await;
        let typed = if number == 6 { &code } else { "AAAA-BBBB-CCCC" };
        let fields = [("csrf", csrf.as_str()), ("invite", typed)];
        shown.push(browser.post("/.mfa/enrol", &fields).await.status);
    }
    assert_eq!(shown, [401, 401, 401, 401, 429, 429], "the last one was right");
    gateway.advance(Duration::from_secs(31));
    let mut browser = gateway.browser("wiki");
    let page = sign_in_anew(&mut browser, ALICE).await;
    let led = browser.send(&page, &page.form("invite").fill("invite", &code)).await;
    let page = browser.follow(led).await;
    Phone::from_link(&html::link(&page.body, "otpauth"));
}

/// OTP-3: who does not know the password can do nothing to the second factor.
#[tokio::test(flavor = "multi_thread")]
async fn otp_3_a_thousand_wrong_passwords_do_not_touch_the_codes() {
    let (_portal, mut gateway, alice) = scene("").await;
    let mut refused = 0;
    for address in 1..=10 {
        let mut stranger = gateway.browser("wiki").from(address).over(address % 2 == 0);
        let page = stranger.go("/login").await;
        let form = page.form("password").fill("user", "alice").fill("password", "guessed");
        let call = stranger.sending(&page, &form);
        let mut connection = stranger.connect().await;
        for _ in 0..100 {
            let answer = connection.send(call.clone()).await.unwrap();
            assert!(answer.body.contains("invalid"), "{answer:?}");
            refused += 1;
        }
        // Nor does a code without the password before it.
        let csrf = [("csrf", "x"), ("code", WRONG)];
        assert_eq!(stranger.post("/.mfa/verify", &csrf).await.location(), "/login");
    }
    assert_eq!(refused, 1000);
    let shown = seen(&gateway, "wiki");
    assert_eq!((&shown["state"], &shown["wrong_codes"]), (&"enrolled".into(), &0.into()));
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    gateway.next_code();
    let right = alice.phone.code(gateway.now());
    assert_eq!(guess_anew(&gateway, 1, &right).await.status, 303);
}

/// OTP-3: who does know it keeps the user from new proofs, and from nothing that stands.
#[tokio::test(flavor = "multi_thread")]
async fn otp_3_a_wait_leaves_proven_sessions_alone() {
    let (_portal, mut gateway, alice) = scene("").await;
    let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    gateway.next_code();
    for number in 1..=5 {
        guess_anew(&gateway, number, WRONG).await;
    }
    assert_eq!(seen(&gateway, "wiki")["state"], "locked");
    for http2 in [false, true] {
        let mut alice = alice.browser.clone().over(http2);
        assert!(alice.open("/home").await.body.contains("for alice alone"));
        assert_eq!(alice.call("GET", "/home").await.status, 200);
        assert!(alice.open("/.mfa/").await.text().contains("You are signed in"));
    }
    socket.say("still here").await;
    assert_eq!(socket.next().await.as_deref(), Some("still here"));
}
