//! Portals at which the password is not enough to enrol: a code comes by mail, or from the
//! desk, before anything of a secret is shown.

use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::dates::{DAY, enforcement};
use crate::dsl::desk::{DESK, ORGANISATION, VIEWER, command};
use crate::dsl::mailbox::Mailbox;
use crate::dsl::steps::{Enrolled, enrol, enrol_at, sign_in, sign_in_anew};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Portal, gateway, portal};

const MINUTE: Duration = Duration::from_secs(60);

/// Asks for a code by mail.
async fn ask_for_mail(browser: &mut Browser, page: &Shown) -> Shown {
    let form = page.form("csrf").fill("action", "mail");
    browser.send(page, &form).await
}

/// Types a code at the page that asks for one.
async fn show(browser: &mut Browser, page: &Shown, code: &str) -> Shown {
    let form = page.form("invite").fill("invite", code);
    browser.send(page, &form).await
}

/// The code in a mail: the one line that stands apart.
fn code_in(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("    ")).unwrap();
    line.trim().to_owned()
}

fn shows_no_secret(page: &Shown) {
    for mark in ["<svg", "otpauth:", "id=\"secret\""] {
        assert!(!page.body.contains(mark), "{mark}: {}", page.text());
    }
}

async fn mailing(mailbox: &Mailbox, enrolment: &str) -> (Portal, Gateway) {
    let portal = portal::form().yaml(enrolment).run().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(&mailbox.yaml()).run().await;
    (portal, gateway)
}

const BY_MAIL: &str = "enrolment: { guard: email, email: \"{user}@example.com\" }";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_the_users_mail_may_enrol() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let (_portal, mut gateway) = mailing(&mailbox, BY_MAIL).await;
    let mut alice = gateway.browser("wiki");
    let page = sign_in_anew(&mut alice, ALICE).await;
    shows_no_secret(&page);
    assert!(page.text().contains("a•••@example.com"), "{}", page.text());
    assert!(!page.body.contains("alice@example.com"));
    assert!(!page.text().contains("Do it later"), "there is no later any more");

    let led = ask_for_mail(&mut alice, &page).await;
    assert_eq!((led.status, led.location()), (303, "/.mfa/enrol?return_to=%2Fhome"));
    let page = alice.follow(led).await;
    assert!(page.text().contains("We sent a code to a•••@example.com"), "{}", page.text());
    shows_no_secret(&page);
    let mail = mailbox.first(1).await.remove(0);
    assert_eq!(mail.recipients, ["alice@example.com"]);
    assert!(mail.text.contains("holds for 10 minutes"), "{}", mail.text);
    let code = code_in(&mail.text);

    let again = ask_for_mail(&mut alice, &page).await;
    assert_eq!(again.status, 429);
    assert!(again.text().contains("wait a minute"), "{}", again.text());
    let wrong = show(&mut alice, &again, "0000-0000").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("not right"), "{}", wrong.text());
    shows_no_secret(&wrong);

    gateway.advance(5 * MINUTE);
    let led = show(&mut alice, &wrong, &code.to_lowercase().replace('-', " ")).await;
    assert_eq!((led.status, led.location()), (303, "/.mfa/enrol?return_to=%2Fhome"));
    let page = alice.follow(led).await;
    let alice = enrol_at(&gateway, alice, page).await;
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    let mails = mailbox.first(2).await;
    assert_eq!(mails[1].header("subject"), "An authenticator app was added for wiki");
    assert!(!gateway.log().contains(&code), "the code is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_code_holds_for_ten_minutes_and_for_its_user() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let (_portal, mut gateway) = mailing(&mailbox, BY_MAIL).await;
    let mut alice = gateway.browser("wiki").over(true);
    let page = sign_in_anew(&mut alice, ALICE).await;
    let led = ask_for_mail(&mut alice, &page).await;
    let page = alice.follow(led).await;
    let code = code_in(&mailbox.first(1).await[0].text);
    let mut bob = gateway.browser("wiki");
    let bobs = sign_in_anew(&mut bob, BOB).await;
    assert_eq!(show(&mut bob, &bobs, &code).await.status, 401);
    gateway.advance(10 * MINUTE);
    let late = show(&mut alice, &page, &code).await;
    assert_eq!(late.status, 401);
    let led = ask_for_mail(&mut alice, &late).await;
    let page = alice.follow(led).await;
    let newer = code_in(&mailbox.first(2).await[1].text);
    assert_eq!(show(&mut alice, &page, &code).await.status, 401, "the older one");
    let led = show(&mut alice, &page, &newer).await;
    let page = alice.follow(led).await;
    enrol_at(&gateway, alice, page).await;
}

/// Somebody who has the password asks and asks: the owner of the mailbox is not flooded.
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_not_flooded() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let (_portal, mut gateway) = mailing(&mailbox, BY_MAIL).await;
    let mut sent = 0;
    for round in 0..12 {
        let mut thief = gateway.browser("wiki").from(round + 1);
        let page = sign_in_anew(&mut thief, ALICE).await;
        for _ in 0..3 {
            let told = ask_for_mail(&mut thief, &page).await;
            sent += usize::from(told.status == 303);
            assert!([303, 429].contains(&told.status), "{:?}", told.answer);
        }
        mailbox.first(sent).await;
        gateway.advance(2 * MINUTE);
    }
    assert_eq!((sent, mailbox.mails().len()), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_address_is_led_to_the_desk() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let (_portal, gateway) = mailing(&mailbox, "enrolment: { guard: email }").await;
    let mut alice = gateway.browser("wiki");
    let page = sign_in_anew(&mut alice, ALICE).await;
    assert!(page.text().contains("ask your support desk"), "{}", page.text());
    assert!(!page.body.contains("value=\"mail\""));
    let forced = ask_for_mail(&mut alice, &page).await;
    assert_eq!(forced.status, 303);
    shows_no_secret(&alice.follow(forced).await);
    assert!(mailbox.mails().is_empty());
}

/// Before the date somebody who needs an invitation goes on without.
#[tokio::test(flavor = "multi_thread")]
async fn before_the_date_who_needs_an_invitation_may_go_on() {
    let yaml = enforcement("required", 10, "");
    let portal = portal::form().yaml(&yaml).yaml("enrolment: { guard: invite }").run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).run().await;
    let mut bob = gateway.browser("wiki");
    let led = sign_in(&mut bob, BOB).await;
    let notice = bob.follow(led).await;
    let led = bob.send(&notice, &notice.form("csrf").fill("action", "enrol")).await;
    let page = bob.follow(led).await;
    shows_no_secret(&page);
    assert!(page.text().contains("Do it later and go on"), "{}", page.text());
    assert!(page.body.contains("<a href=\"/home\">"), "{}", page.body);
    assert!(bob.open("/home").await.body.contains("for bob alone"));
    gateway.advance(11 * DAY);
    let mut bob = gateway.browser("wiki");
    let page = sign_in_anew(&mut bob, BOB).await;
    assert!(!page.text().contains("Do it later"), "{}", page.text());
    assert!(bob.open("/home").await.location().starts_with("/.mfa/enrol"));
}

/// A portal that asks for what `enrolment` says, with a desk.
async fn with_desk(enrolment: &str) -> (Portal, Gateway) {
    let portal = portal::form().yaml(enrolment).yaml(ORGANISATION).run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(DESK).token(VIEWER).run().await;
    (portal, gateway)
}

/// Makes an invitation at the desk.
fn invite(gateway: &Gateway, user: &str, more: &[&str]) -> String {
    let words = ["user", "invite", "--portal", "wiki", "--format", "csv", user];
    let said = command(gateway, DESK, &[&words[..], more].concat());
    assert_eq!((said.code, said.complaint.as_str()), (0, ""), "{said:?}");
    let line = said.out.lines().nth(1).unwrap();
    line.split(',').nth(1).unwrap().to_owned()
}

/// From the portal's form to the portal's page, by way of the invitation.
async fn enrol_invited(gateway: &Gateway, who: (&str, &str), code: &str) -> Enrolled {
    let mut browser = gateway.browser("wiki");
    let page = sign_in_anew(&mut browser, who).await;
    shows_no_secret(&page);
    assert!(page.text().contains("You need an invitation code"), "{}", page.text());
    let led = show(&mut browser, &page, code).await;
    assert_eq!((led.status, led.location()), (303, "/.mfa/enrol?return_to=%2Fhome"));
    let page = browser.follow(led).await;
    enrol_at(gateway, browser, page).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_invited_may_enrol() {
    let (_portal, mut gateway) = with_desk("enrolment: { guard: invite, invite: 30d }").await;
    // Nobody of that name has signed in yet, and the desk spells it as people do.
    let first = invite(&gateway, "Alice", &[]);
    assert_eq!(first.len(), 14, "{first}");
    gateway.advance(29 * DAY);
    enrol_invited(&gateway, ALICE, &first).await;

    let older = invite(&gateway, "bob", &[]);
    let short = invite(&gateway, "bob", &["--valid", "10m"]);
    let mut bob = gateway.browser("wiki");
    let page = sign_in_anew(&mut bob, BOB).await;
    for wrong in [older.as_str(), &first, "", "AAAA-BBBB"] {
        let told = show(&mut bob, &page, wrong).await;
        assert_eq!(told.status, 401, "{wrong}");
        shows_no_secret(&told);
    }
    let fifth = show(&mut bob, &page, "0000-0000-0000").await;
    assert_eq!((fifth.status, fifth.all("retry-after")), (429, vec!["30"]));
    assert!(fifth.text().contains("Try again in 30 seconds"), "{}", fifth.text());
    assert_eq!(show(&mut bob, &page, &short).await.status, 429, "it has to wait too");
    gateway.advance(10 * MINUTE);
    let late = show(&mut bob, &page, &short).await;
    assert_eq!((late.status, late.all("retry-after")), (429, vec!["60"]), "ten minutes are over");
    // A new invitation forgives what was guessed, and is read however it is typed.
    let renewed = invite(&gateway, "bob", &[]).to_lowercase().replace('-', " ");
    enrol_invited(&gateway, BOB, &renewed).await;
    let log = gateway.log();
    assert!(![first, older, short].iter().any(|code| log.contains(code)), "a code is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_late_needs_an_invitation_also_after_a_reset() {
    let (_portal, mut gateway) = with_desk("enrolment: { within: 30d }").await;
    // In time nobody asks for more than the password.
    enrol(&gateway, "wiki", ALICE).await;
    let mut bob = gateway.browser("wiki");
    sign_in_anew(&mut bob, BOB).await;
    gateway.advance(30 * DAY);
    let code = invite(&gateway, "bob", &[]);
    enrol_invited(&gateway, BOB, &code).await;

    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "lost phone"];
    let by = ["--requested-by", "bob@example.com"];
    assert_eq!(command(&gateway, DESK, &[&words[..], &by].concat()).code, 0);
    let code = invite(&gateway, "alice", &[]);
    enrol_invited(&gateway, ALICE, &code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stayed_away_needs_an_invitation() {
    let (_portal, mut gateway) = with_desk("enrolment: { dormant: 90d }").await;
    let mut alice = gateway.browser("wiki");
    let page = sign_in_anew(&mut alice, ALICE).await;
    assert!(page.body.contains("otpauth:"), "she was here when the portal was fronted");
    gateway.advance(89 * DAY);
    let mut alice = gateway.browser("wiki");
    let page = sign_in_anew(&mut alice, ALICE).await;
    assert!(page.body.contains("otpauth:"), "{}", page.text());
    gateway.advance(DAY);
    // Bob comes for the first time, 90 days after the portal was fronted.
    let code = invite(&gateway, "bob", &[]);
    enrol_invited(&gateway, BOB, &code).await;
    gateway.advance(89 * DAY);
    let code = invite(&gateway, "alice", &[]);
    enrol_invited(&gateway, ALICE, &code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_invites_many_and_prints_letters() {
    let (_portal, gateway) = with_desk("enrolment: { guard: invite }").await;
    let code = invite(&gateway, "alice", &[]);
    enrol_invited(&gateway, ALICE, &code).await;
    let file = gateway.folder().join("people");
    std::fs::write(&file, "member1\n\n  member2  \nalice\nno name of this portal\n").unwrap();
    let file = file.to_str().unwrap();
    let words = ["user", "invite", "--portal", "wiki", "bob", "--from-file", file, "--format"];
    let said = command(&gateway, DESK, &[&words[..], &["letters"]].concat());
    assert_eq!(said.code, 1, "{said:?}");
    let pages: Vec<&str> = said.out.split('\u{c}').collect();
    assert_eq!(pages.len(), 3, "{}", said.out);
    for (page, user) in pages.iter().zip(["bob", "member1", "member2"]) {
        for words in [&format!("Hello {user},"), "Open https://wiki.test/", "invitation code"] {
            assert!(page.contains(words), "{words} is missing: {page}");
        }
    }
    assert!(said.complaint.contains("alice: the user has enrolled already"), "{said:?}");
    assert!(said.complaint.contains("no name of this portal: no user"), "{said:?}");
    enrol_invited(&gateway, BOB, &code_in(pages[0])).await;

    let said = command(&gateway, DESK, &["user", "invite", "member3", "--portal", "wiki"]);
    assert!(said.out.starts_with("USER     CODE") && said.out.ends_with("1 invitation\n"));
    let json = ["user", "invite", "member3", "--portal", "wiki", "--output", "json"];
    let said = command(&gateway, DESK, &json);
    let told: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["invitations"][0]["user"], "member3", "{told}");
    for (words, code, complaint) in [
        (&["--valid", "9m"][..], 1, "valid has to be 10m to 7d"),
        (&["--valid", "8d"], 1, "valid has to be 10m to 7d"),
        (&["--valid", "soon"], 1, "the body is not as it has to be"),
    ] {
        let words = [&["user", "invite", "bob", "--portal", "wiki"], words].concat();
        let said = command(&gateway, DESK, &words);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
        assert!(said.complaint.contains(complaint), "{said:?}");
    }
    let nobody = command(&gateway, DESK, &["user", "invite", "--portal", "wiki"]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    let looks = command(&gateway, VIEWER, &["user", "invite", "bob", "--portal", "wiki"]);
    assert!(looks.code == 1 && looks.complaint.contains("needs desk"), "{looks:?}");
}
