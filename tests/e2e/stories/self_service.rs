//! Users look after their own second factor: another phone, a new phone, new recovery codes, and
//! the end of sessions elsewhere.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::dsl::browser::Shown;
use crate::dsl::mailbox::Mailbox;
use crate::dsl::own::{APPS, CODES, SESSIONS, ids, press, pressed};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{Enrolled, enrol, give_code, sign_in_again};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Phone, Portal, gateway, html, portal};

/// Longer than a code counts as given a moment ago.
const A_WHILE: Duration = Duration::from_secs(301);
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn scene() -> (Portal, Gateway, Enrolled) {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    (portal, gateway, alice)
}

/// Whether this phone lets somebody in, in a browser of its own.
async fn opens(gateway: &Gateway, code: &str) -> bool {
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let told = give_code(&mut browser, &page, code).await;
    assert!([303, 401].contains(&told.status), "{:?}", told.answer);
    told.status == 303
}

/// Signs in elsewhere with a code of the phone.
async fn elsewhere(gateway: &mut Gateway, mut browser: Browser, phone: &Phone) -> Browser {
    gateway.next_code();
    let page = sign_in_again(&mut browser, ALICE).await;
    let told = give_code(&mut browser, &page, &phone.code(gateway.now())).await;
    assert_eq!((told.status, told.location()), (303, "/home"));
    browser
}

/// Types what the new phone shows; what comes of it.
async fn confirm(
    gateway: &Gateway,
    browser: &mut Browser,
    page: &Shown,
    label: &str,
) -> (Shown, Phone) {
    let phone = Phone::scan(html::svg(&page.body).unwrap());
    let shown = html::text_of(&page.body, "id=\"secret\"").unwrap().replace(' ', "");
    assert_eq!(shown, phone.secret(), "the picture and the key differ");
    assert_eq!(html::link(&page.body, "otpauth"), phone.link);
    let form = page.form("code").fill("code", &phone.code(gateway.now())).fill("label", label);
    (browser.send(page, &form).await, phone)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_phone_counts_beside_the_first() {
    let (_portal, mut gateway, mut alice) = scene().await;
    let browser = &mut alice.browser;
    let home = browser.open("/.mfa/").await;
    assert!(home.body.contains(&format!("href=\"{APPS}\"")), "{}", home.body);
    let list = browser.open(APPS).await;
    assert!(list.text().contains("your only app, so it cannot be removed"), "{}", list.text());
    let page = press(browser, &list, "add", 0).await;
    let wrong = give_code(browser, &page, "000000").await;
    assert_eq!(wrong.status, 401);
    let (told, tablet) = confirm(&gateway, browser, &wrong, "Tablet").await;
    assert_eq!((told.status, told.location()), (303, "/.mfa/authenticators?done=added"));
    let list = browser.follow(told).await;
    for words in ["Your other app is set up.", "Authenticator app added", "Tablet added"] {
        assert!(list.text().contains(words), "{words}: {}", list.text());
    }
    for path in ["/.mfa/", APPS, "/.mfa/authenticators/add", CODES] {
        let shown = browser.open(path).await;
        assert!(!shown.body.contains(tablet.secret()), "{path} shows a live secret");
    }
    gateway.next_code();
    assert!(opens(&gateway, &alice.phone.code(gateway.now())).await);
    assert!(opens(&gateway, &tablet.code(gateway.now())).await);
    assert!(!opens(&gateway, &tablet.code(gateway.now())).await, "a code counts once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_gets_another_name_and_is_removed() {
    let (_portal, mut gateway, mut alice) = scene().await;
    let browser = &mut alice.browser;
    let list = browser.open(APPS).await;
    let page = press(browser, &list, "add", 0).await;
    let (told, tablet) = confirm(&gateway, browser, &page, "").await;
    let list = browser.follow(told).await;
    let form = pressed(&list, "rename", 1).fill("label", "<b>Tablet</b> \u{202e}at home");
    let told = browser.send(&list, &form).await;
    let list = browser.follow(told).await;
    assert!(list.text().contains("The name was changed."), "{}", list.text());
    assert!(list.body.contains("&lt;b&gt;Tablet&lt;/b&gt;"), "{}", list.body);
    let removed = press(browser, &list, "remove", 0).await;
    assert!(removed.text().contains("The app was removed."), "{}", removed.text());
    assert_eq!(ids(&removed).len(), 1);
    gateway.next_code();
    assert!(!opens(&gateway, &alice.phone.code(gateway.now())).await, "a removed app opens");
    assert!(opens(&gateway, &tablet.code(gateway.now())).await);
    // Again, as the page of before offers it: it is gone, and the last one stays.
    for form in [pressed(&list, "remove", 0), pressed(&list, "remove", 1)] {
        let told = browser.send(&list, &form).await;
        assert_eq!(told.status, 409);
        assert_eq!(ids(&told).len(), 1, "{}", told.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_moves_to_a_new_phone_and_is_told_by_mail() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let email = "enrolment: { email: \"{user}@example.com\" }";
    let portal = portal::form().yaml(email).run().await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(&mailbox.yaml()).run().await;
    let mut alice = enrol(&gateway, "wiki", ALICE).await;
    let browser = gateway.browser("wiki");
    let other = elsewhere(&mut gateway, browser, &alice.phone).await;
    gateway.advance(A_WHILE);
    // It is a while since the last code: another one comes first, of the old phone.
    let browser = &mut alice.browser;
    let led = browser.open(APPS).await;
    let way = "/.mfa/verify?return_to=%2F%2Emfa%2Fauthenticators&step_up=yes";
    assert_eq!((led.status, led.location()), (303, way));
    let page = browser.follow(led).await;
    let told = give_code(browser, &page, &alice.phone.code(gateway.now())).await;
    assert_eq!((told.status, told.location()), (303, APPS));
    let list = browser.follow(told).await;
    let page = browser.open(&format!("/.mfa/authenticators/move?id={}", ids(&list)[0])).await;
    assert!(
        page.text().contains("the codes of Authenticator app no longer work"),
        "{}",
        page.text()
    );
    let (told, phone) = confirm(&gateway, browser, &page, "New phone").await;
    assert_eq!((told.status, told.location()), (303, "/.mfa/authenticators?done=moved"));
    let list = browser.follow(told).await;
    assert!(list.text().contains("Your new phone is set up."), "{}", list.text());
    assert!(list.text().contains("New phone added") && ids(&list).len() == 1, "{}", list.text());
    assert_eq!(other.clone().open("/home").await.location(), "/login", "another session goes on");
    gateway.next_code();
    assert!(!opens(&gateway, &alice.phone.code(gateway.now())).await, "the old phone opens");
    assert!(opens(&gateway, &phone.code(gateway.now())).await);
    assert!(opens(&gateway, &alice.codes[0]).await, "the recovery codes stay");
    let mails = mailbox.first(3).await;
    assert_eq!(mails[1].header("subject"), "Your authenticator app for wiki was moved");
    for words in ["Before:   Authenticator app", "Now:      New phone", "If it was not you"] {
        assert!(mails[1].text.contains(words), "{words}: {}", mails[1].text);
    }
    assert_eq!(mails[2].header("subject"), "A recovery code was used for wiki");
    assert!(mails[2].text.contains("Left:    9"), "{}", mails[2].text);
    let secrets = [phone.secret(), alice.phone.secret(), alice.codes[0].as_str()];
    assert!(mails.iter().all(|mail| secrets.iter().all(|secret| !mail.raw.contains(secret))));
}

/// The phone is gone: a recovery code is the proof by which the new one is set up.
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_leads_to_a_new_phone_and_locks_the_lost_one_out() {
    let (_portal, mut gateway, alice) = scene().await;
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    give_code(&mut browser, &page, &alice.codes[0]).await;
    let page = browser.go("/.mfa/authenticators/move").await;
    let (told, phone) = confirm(&gateway, &mut browser, &page, "").await;
    assert_eq!(told.location(), "/.mfa/authenticators?done=moved");
    gateway.next_code();
    assert!(!opens(&gateway, &alice.phone.code(gateway.now())).await, "the lost phone opens");
    assert!(opens(&gateway, &phone.code(gateway.now())).await);
}

/// To find and install an app takes longer than a code counts: what was scanned still fits.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_long_gives_a_code_again_and_need_not_scan_again() {
    let (_portal, mut gateway, mut alice) = scene().await;
    let browser = &mut alice.browser;
    let list = browser.open(APPS).await;
    let id = ids(&list)[0].clone();
    for path in
        ["/.mfa/authenticators/add".to_owned(), format!("/.mfa/authenticators/move?id={id}")]
    {
        let page = browser.go(&path).await;
        let phone = Phone::from_link(&html::link(&page.body, "otpauth"));
        gateway.advance(A_WHILE);
        let led = give_code(browser, &page, &phone.code(gateway.now())).await;
        assert!(led.location().starts_with("/.mfa/verify?"), "{:?}", led.answer);
        let asked = browser.follow(led).await;
        let told = give_code(browser, &asked, &alice.phone.code(gateway.now())).await;
        assert_eq!(told.location(), path);
        let page = browser.follow(told).await;
        assert!(page.body.contains(phone.secret()), "another secret is offered at {path}");
        let told = give_code(browser, &page, &phone.code(gateway.now())).await;
        assert!(told.location().starts_with("/.mfa/authenticators?done="), "{:?}", told.answer);
        gateway.next_code();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_recovery_codes_end_the_old_ones() {
    let (_portal, mut gateway, mut alice) = scene().await;
    let browser = &mut alice.browser;
    let home = browser.open("/.mfa/").await;
    assert!(home.text().contains("You have 10 left."), "{}", home.text());
    let page = press(browser, &home, "new", 0).await;
    let new = html::texts_of(&page.body, "recovery-code\"");
    assert!(page.text().contains("These are your new recovery codes."), "{}", page.text());
    assert!(new.len() == 10 && new.iter().all(|code| !alice.codes.contains(code)), "{new:?}");
    let form = page.form("acknowledged").fill("acknowledged", "yes");
    assert_eq!(browser.send(&page, &form).await.location(), "/");
    let again = browser.open(CODES).await;
    assert!(again.text().contains("You have 10 left."), "{}", again.text());
    assert!(new.iter().all(|code| !again.body.contains(code)), "codes are shown twice");
    gateway.next_code();
    assert!(!opens(&gateway, &alice.codes[0]).await, "an old code opens");
    assert!(opens(&gateway, &new[0]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_three_recovery_codes_left_is_warned() {
    let (_portal, gateway, mut alice) = scene().await;
    let mut browser = gateway.browser("wiki");
    for (number, code) in alice.codes.iter().take(7).enumerate() {
        browser = gateway.browser("wiki");
        let page = sign_in_again(&mut browser, ALICE).await;
        let told = give_code(&mut browser, &page, code).await;
        let past = "/.mfa/recovery-codes?return_to=%2Fhome&used=yes";
        assert_eq!(told.location(), if number < 6 { "/home" } else { past });
        if number == 6 {
            let page = browser.follow(told).await;
            assert!(page.text().contains("You have only 3 left."), "{}", page.text());
            assert!(page.body.contains("class=\"button\" href=\"/home\""), "{}", page.body);
            pressed(&page, "new", 0);
        }
    }
    assert!(browser.open("/home").await.body.contains("secret-page"));
    for path in ["/.mfa/", APPS] {
        let page = alice.browser.open(path).await;
        assert!(page.text().contains("You have only 3 left."), "{path}: {}", page.text());
    }
    let list = browser.open(APPS).await;
    let renewed = press(&mut browser, &list, "new", 0).await;
    assert_eq!(html::texts_of(&renewed.body, "recovery-code\"").len(), 10);
    let home = browser.open("/.mfa/").await;
    assert!(home.text().contains("You have 10 left."), "{}", home.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_and_their_sockets_with_them() {
    let (_portal, mut gateway, mut alice) = scene().await;
    let bob = enrol(&gateway, "wiki", BOB).await.browser;
    let firefox = || gateway.browser("wiki").from(2).with_line("user-agent", FIREFOX);
    let (one, other) = (firefox(), firefox());
    let one = elsewhere(&mut gateway, one, &alice.phone).await;
    let other = elsewhere(&mut gateway, other, &alice.phone).await;
    let browser = &mut alice.browser;
    for (action, left) in [("end", 2), ("end_others", 1)] {
        let page = browser.open(SESSIONS).await;
        let text = page.text();
        assert_eq!(text.matches("Signed in").count(), left + 2, "{text}");
        assert!(text.contains("Firefox on Linux Signed in") && text.contains("from 127.0.0.2"));
        assert!(text.contains("An unknown browser this one") && text.contains("from 127.0.0.1"));
        let form = pressed(&page, action, 0);
        let ended = match form.field("session") {
            // What names a session is in no cookie of anybody.
            Some(name) => {
                for somebody in [&one, &other] {
                    assert!(!claims(somebody).contains(name), "{}", claims(somebody));
                }
                // The latest comes first.
                &other
            }
            None => &one,
        };
        let mut socket = Socket::open(&gateway, ended, "/ws").await;
        let mut bobs = Socket::open(&gateway, &bob, "/ws").await;
        assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
        assert_eq!(bobs.next().await.as_deref(), Some("hello bob"));
        let told = browser.send(&page, &form).await;
        let done = Instant::now();
        assert_eq!(told.location(), "/.mfa/sessions?ended=yes");
        assert_eq!(socket.next().await, None, "the socket is still open");
        assert!(done.elapsed() < Duration::from_secs(1), "{:?}", done.elapsed());
        assert_eq!(ended.clone().open("/home").await.location(), "/login");
        bobs.say("still here").await;
        assert_eq!(bobs.next().await.as_deref(), Some("still here"));
        let list = browser.follow(told).await;
        assert!(list.text().contains("Done."), "{}", list.text());
        assert_eq!(html::forms(&list.body).len(), if left == 2 { 2 } else { 0 }, "{}", list.body);
    }
    assert!(browser.open("/home").await.body.contains("for alice alone"));
}

/// What the session cookie says, in clear.
fn claims(browser: &Browser) -> String {
    let payload = browser.jar["__Host-mfa"].split('.').nth(1).unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
