//! Resets that somebody asked for: vouched by a colleague at our page, approved by one or two,
//! waiting, stopped, or done by the gateway itself when the time has come.

use std::time::Duration;

use serde_json::Value;

use crate::dsl::browser::Shown;
use crate::dsl::desk::{DESK, MANAGER, ORGANISATION, Said, Token, VIEWER, command, said};
use crate::dsl::mailbox::Mailbox;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Portal, eventually, gateway, portal};

const HOUR: Duration = Duration::from_secs(3600);
const CAROL: Token =
    Token { name: "carol", role: "desk", secret: "cA4oL5tYuI6oP7aSdFgHjKlZ", portals: "" };

/// A command of the desk about requests, whatever the portal.
fn requests(gateway: &Gateway, token: Token, words: &[&str]) -> Said {
    command(gateway, token, &[&["reset-request"], words].concat())
}

/// The requests in this state.
fn listed(gateway: &Gateway, state: &str) -> Vec<Value> {
    let said = requests(gateway, VIEWER, &["list", "--state", state, "--output", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said: Value = serde_json::from_str(&said.out).unwrap();
    said["requests"].as_array().unwrap().clone()
}

fn id(request: &Value) -> &str {
    request["id"].as_str().unwrap()
}

/// Asks for a colleague's reset at our page.
async fn vouch(browser: &mut Browser, colleague: &str) -> Shown {
    let page = browser.open("/.mfa/vouch").await;
    assert_eq!(page.status, 200, "{:?}", page.answer);
    let form = page.form("colleague").fill("colleague", colleague);
    browser.send(&page, &form.fill("reason", "lost the phone on Monday")).await
}

async fn house(reset: &str) -> (Portal, Gateway) {
    let portal = portal::form().yaml(ORGANISATION).yaml(reset).run().await;
    let gateway = gateway::new().portal("wiki", &portal);
    let gateway = gateway.token(VIEWER).token(DESK).token(CAROL).token(MANAGER).run().await;
    (portal, gateway)
}

fn reset(gateway: &Gateway, token: Token, more: &[&str]) -> Said {
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "lost phone"];
    let by = ["--requested-by", "bob@example.com"];
    command(gateway, token, &[&words[..], &by, more].concat())
}

async fn is_in(alice: &Enrolled) -> bool {
    alice.browser.clone().open("/home").await.body.contains("for alice alone")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_vouches_and_the_desk_approves() {
    let (_wiki, mut gateway) = house("").await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut bob = enrol(&gateway, "wiki", BOB).await;
    let asked = vouch(&mut bob.browser, " Alice ").await;
    assert_eq!(asked.status, 200);
    assert!(asked.text().contains("The support desk has your request"), "{}", asked.text());
    assert!(asked.text().contains("What happens next"), "{}", asked.text());
    assert!(is_in(&alice).await, "a vouch alone resets nobody");

    let open = listed(&gateway, "open");
    assert_eq!(open.len(), 1, "{open:?}");
    for (key, value) in [
        ("user", "alice"),
        ("portal", "wiki"),
        ("requested_by", "bob"),
        ("way", "vouched"),
        ("channel", "colleague"),
        ("reason", "lost the phone on Monday"),
    ] {
        assert_eq!(open[0][key], value, "{open:?}");
    }
    assert_eq!(open[0]["seen"], true);
    let table = requests(&gateway, VIEWER, &["list"]).out;
    assert!(table.contains("0 of 1") && table.ends_with("\n1 request\n"), "{table}");
    assert_eq!(requests(&gateway, VIEWER, &["approve", id(&open[0])]).code, 1, "who only looks");

    let done = requests(&gateway, DESK, &["approve", id(&open[0])]);
    assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    assert_eq!(done.out, "alice has no second factor at wiki any more; sessions ended: 1\n");
    assert!(!is_in(&alice).await);
    let again = requests(&gateway, DESK, &["approve", id(&open[0])]);
    assert_eq!(again.code, 1);
    assert!(again.complaint.contains("this request is done already"), "{again:?}");
    gateway.next_code();
    let anew = enrol(&gateway, "wiki", ALICE).await;
    assert!(is_in(&anew).await);
    let by = [("portal", "wiki"), ("by", "colleague")];
    assert_eq!(gateway.metric("portcullis_resets_total", &by).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_on_the_account_managers_word_needs_who_may_take_it() {
    let (_wiki, mut gateway) = house("").await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "no colleague left"];
    let by = ["--requested-by", "am@vendor.example", "--channel", "account_manager"];
    let words = [&words[..], &by].concat();
    assert_eq!(command(&gateway, DESK, &words).code, 1);
    assert!(is_in(&alice).await);
    assert_eq!(command(&gateway, MANAGER, &words).code, 0);
    assert!(!is_in(&alice).await);
    gateway.next_code();
    enrol(&gateway, "wiki", ALICE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_the_desk_approve() {
    let (_wiki, gateway) = house("reset: { approval: two }").await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let first = reset(&gateway, DESK, &["--output", "json"]);
    assert_eq!(first.code, 0, "{first:?}");
    let first: Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!((&first["state"], &first["needed"]), (&"open".into(), &2.into()), "{first}");
    assert_eq!(first["approvals"][0]["name"], "desk");
    let again = requests(&gateway, DESK, &["approve", id(&first)]);
    assert!(again.complaint.contains("approved already"), "{again:?}");
    let twice = reset(&gateway, CAROL, &[]);
    assert!(twice.complaint.contains(&format!("request {}", id(&first))), "{twice:?}");
    assert!(is_in(&alice).await, "one approval is not two");
    let second = requests(&gateway, CAROL, &["approve", id(&first)]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(!is_in(&alice).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_denies() {
    let (_wiki, gateway) = house("reset: { approval: two }").await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let asked = reset(&gateway, DESK, &["--output", "json"]);
    let asked: Value = serde_json::from_str(&asked.out).unwrap();
    let words = ["deny", id(&asked), "--reason", "bob never asked"];
    assert_eq!(requests(&gateway, VIEWER, &words).code, 1);
    let denied = requests(&gateway, CAROL, &words);
    assert_eq!(denied.out, "the reset of alice at wiki is denied\n", "{denied:?}");
    let denied = listed(&gateway, "denied");
    assert_eq!(denied[0]["denied_because"], "bob never asked");
    assert_eq!(denied[0]["denied_by"], "carol");
    assert_eq!(requests(&gateway, CAROL, &["approve", id(&asked)]).code, 1);
    assert!(is_in(&alice).await);
}

/// A portal whose resets wait for a day, and whose users get mail.
async fn waiting(mailbox: &Mailbox) -> (Portal, Gateway) {
    let portal = portal::form().yaml(ORGANISATION).yaml("reset: { wait: 24h }");
    let portal = portal.yaml("enrolment: { email: \"{user}@example.com\" }").run().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(&mailbox.yaml());
    (portal, gateway.token(VIEWER).token(DESK).run().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_stops_a_reset_at_the_next_sign_in() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let (_wiki, mut gateway) = waiting(&mailbox).await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let approved = reset(&gateway, DESK, &[]);
    assert_eq!(approved.code, 0, "{approved:?}");
    assert!(approved.out.contains("unless alice stops it"), "{approved:?}");
    assert!(is_in(&alice).await, "it waits");
    let told = mailbox.first(2).await.remove(1);
    assert_eq!(told.recipients, ["alice@example.com"]);
    assert!(told.header("subject").contains("will be reset unless you stop it"));
    assert!(told.text.contains("a colleague") && !told.text.contains("http"), "{}", told.text);

    // The page that asks for the code says so, to whoever has the password.
    gateway.advance(HOUR);
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    assert!(page.text().contains("Your second step will be reset"), "{}", page.text());
    // After a right code she is led there once, and goes on.
    let led = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert_eq!(led.location(), "/.mfa/reset?return_to=%2Fhome");
    let page = browser.follow(led).await;
    assert!(page.text().contains("on the word of a colleague"), "{}", page.text());
    let on = browser.send(&page, &page.form("csrf").fill("action", "go_on")).await;
    assert_eq!(on.location(), "/home");
    assert!(browser.follow(on).await.body.contains("for alice alone"));
    assert!(browser.clone().open("/home").await.body.contains("for alice alone"));
    assert_eq!(listed(&gateway, "waiting").len(), 1);

    let home = browser.open("/.mfa/").await;
    assert!(home.text().contains("Your second step will be reset on"), "{}", home.text());
    assert!(home.body.contains("href=\"/.mfa/reset\""), "{}", home.body);
    // A page of somebody else's stops nothing; hers does.
    let forged = browser.clone().post("/.mfa/reset", &[("action", "stop"), ("csrf", "AA")]).await;
    assert_eq!(forged.status, 403);
    assert_eq!(listed(&gateway, "waiting").len(), 1);
    let page = browser.open("/.mfa/reset?return_to=%2Fhome").await;
    let stopped = browser.send(&page, &page.form("csrf").fill("action", "stop")).await;
    assert_eq!(stopped.status, 200);
    assert!(stopped.text().contains("The reset is stopped"), "{}", stopped.text());
    let told = mailbox.first(3).await.remove(2);
    assert!(told.header("subject").contains("was stopped"), "{told:?}");
    assert_eq!(listed(&gateway, "stopped").len(), 1);
    let again = browser.send(&page, &page.form("csrf").fill("action", "stop")).await;
    assert_eq!(again.status, 409);
    assert!(!browser.open("/.mfa/").await.text().contains("will be reset"), "nothing waits");
    gateway.advance(24 * HOUR);
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    assert!(!page.text().contains("will be reset"), "{}", page.text());
    let led = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(browser.follow(led).await.body.contains("for alice alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_only_the_password_can_stop_it_too() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let (_wiki, gateway) = waiting(&mailbox).await;
    enrol(&gateway, "wiki", ALICE).await;
    reset(&gateway, DESK, &[]);
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    assert!(page.body.contains("/.mfa/reset?return_to=%2Fhome"), "{}", page.body);
    let page = browser.open("/.mfa/reset?return_to=%2Fhome").await;
    let stopped = browser.send(&page, &page.form("csrf").fill("action", "stop")).await;
    assert!(stopped.text().contains("The reset is stopped"), "{}", stopped.text());
    assert!(!browser.open("/home").await.body.contains("secret-page"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_nobody_stops_is_done_by_itself_also_after_a_restart() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let (_wiki, mut gateway) = waiting(&mailbox).await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    reset(&gateway, DESK, &[]);
    // What was sent is struck off before the power is cut.
    mailbox.first(2).await;
    eventually("an empty outbox", async || {
        (gateway.metric("portcullis_mails_waiting", &[]).await == 0.0).then_some(())
    })
    .await;
    gateway.advance(23 * HOUR);
    gateway.kill();
    gateway.start().await;
    assert_eq!(listed(&gateway, "waiting").len(), 1);
    gateway.advance(HOUR);
    let done = eventually("the reset", async || {
        Some(listed(&gateway, "done")).filter(|done| !done.is_empty())
    })
    .await;
    assert_eq!(done[0]["approvals"][0]["name"], "desk");
    let mails = mailbox.first(3).await;
    assert!(mails[2].header("subject").contains("was reset"), "{:?}", mails[2]);
    assert!(!is_in(&alice).await);
    sign_in_anew(&mut gateway.browser("wiki"), ALICE).await;
    assert_eq!(mailbox.mails().len(), 3, "it was done twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_decides_in_a_week_expires() {
    let (_wiki, mut gateway) = house("").await;
    let mut bob = enrol(&gateway, "wiki", BOB).await;
    vouch(&mut bob.browser, "alice").await;
    let asked = listed(&gateway, "open");
    assert_eq!(asked[0]["seen"], false, "she was never seen, which the desk alone learns");
    gateway.advance(7 * 24 * HOUR);
    eventually("the end of it", async || (listed(&gateway, "expired").len() == 1).then_some(()))
        .await;
    let late = requests(&gateway, DESK, &["approve", id(&asked[0])]);
    assert!(late.complaint.contains("this request is expired already"), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_guard_the_answer_says_that_an_invitation_is_needed() {
    let (_wiki, gateway) = house("enrolment: { guard: invite }").await;
    sign_in(&mut gateway.browser("wiki"), ALICE).await;
    let done = reset(&gateway, DESK, &["--output", "json"]);
    let done: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(done["needs_invitation"], true, "{done}");
    let told = reset(&gateway, DESK, &[]).out;
    assert!(told.contains("portcullis user invite alice --portal wiki"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_gives_a_code_first_and_is_led_back() {
    let (_wiki, mut gateway) = house("").await;
    let bob = enrol(&gateway, "wiki", BOB).await;
    let help = gateway.browser("wiki").open("/.mfa/help").await;
    assert!(help.text().contains("https://wiki.test/.mfa/vouch"), "{}", help.text());
    let mut browser = bob.browser.clone();
    gateway.advance(Duration::from_secs(301));
    let led = browser.open("/.mfa/vouch").await;
    assert_eq!(led.location(), "/.mfa/verify?return_to=%2F%2Emfa%2Fvouch&step_up=yes");
    let page = browser.follow(led).await;
    let led = give_code(&mut browser, &page, &bob.phone.code(gateway.now())).await;
    assert_eq!(led.location(), "/.mfa/vouch");
    let page = browser.follow(led).await;
    page.form("colleague");
}

#[test]
fn a_request_that_is_asked_for_wrongly_ends_with_two() {
    for wrong in [
        &["reset-request", "approve"][..],
        &["reset-request", "list", "--state", "lost"],
        &["reset-request", "deny", "AAAA"],
    ] {
        assert_eq!(said(wrong, Some(DESK.secret)).code, 2, "{wrong:?}");
    }
}
