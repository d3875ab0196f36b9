//! Portals at which the password is not enough to enrol: a code comes by mail, or from the
//! desk, before anything of a secret is shown.

use std::time::Duration;

use crate::dsl::browser::Shown;
use crate::dsl::dates::{DAY, enforcement};
use crate::dsl::mailbox::Mailbox;
use crate::dsl::steps::{enrol_at, sign_in, sign_in_anew};
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
