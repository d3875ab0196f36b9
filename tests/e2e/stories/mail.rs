//! People are told by mail what happens to their account. The mail is plain and holds no
//! secret; a server of mails that is down, slow or strange holds up nobody.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::dsl::desk::{DESK, MANAGER, ORGANISATION, Said, command};
use crate::dsl::mailbox::{Mailbox, PASSWORD, Silent};
use crate::dsl::steps::{enrol, enrol_by_link, enrol_with, give_code, sign_in_again};
use crate::dsl::{ALICE, BOB, Gateway, Portal, eventually, gateway, member, portal};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A portal whose users get mail at `PREFIX` and their name.
async fn portal_of(prefix: &str) -> Portal {
    let email = format!("enrolment: {{ email: \"{prefix}{{user}}@example.com\" }}");
    portal::form().yaml(&email).run().await
}

async fn outcomes(gateway: &Gateway, outcome: &str) -> f64 {
    gateway.metric("portcullis_mails_total", &[("outcome", outcome)]).await
}

async fn none_waits(gateway: &Gateway) {
    eventually("an empty outbox", async || {
        let waiting = gateway.metric("portcullis_mails_waiting", &[]).await;
        let retried = outcomes(gateway, "sent").await;
        (waiting == 0.0 && retried > 0.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_enrols_is_told_by_mail() {
    let mut mailbox = Mailbox::guarded();
    mailbox.up();
    let portal = portal_of("").await;
    let gateway = gateway::new()
        .portal("wiki", &portal)
        .yaml(&mailbox.yaml())
        .yaml("telemetry: { level: trace }")
        .trusting(mailbox.certificate())
        .run()
        .await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mail = mailbox.first(1).await.remove(0);
    assert!(mail.secure && mail.authenticated, "{mail:?}");
    assert_eq!((mail.sender.as_str(), mail.recipients.len()), ("mfa@example.com", 1));
    assert_eq!(mail.recipients[0], "alice@example.com");
    assert_eq!(mail.header("from"), "Example MFA <mfa@example.com>");
    assert_eq!(mail.header("to"), "alice@example.com");
    assert_eq!(mail.header("subject"), "An authenticator app was added for wiki");
    assert_eq!(mail.header("auto-submitted"), "auto-generated");
    for words in ["Hello alice", "wiki (wiki.test)", "Authenticator app", "If it was not you"] {
        assert!(mail.text.contains(words), "{words} is missing: {}", mail.text);
    }
    let lines = mail.raw.replace("\r\n", "");
    assert!(mail.raw.is_ascii() && !lines.contains(['\r', '\n']), "{:?}", mail.raw);
    assert!(!mail.text.contains("http"), "a mail of ours has no links: {}", mail.text);
    let mut secrets = alice.codes.clone();
    secrets.extend(alice.browser.jar.values().cloned());
    secrets.extend([ALICE.1, alice.phone.secret()].map(str::to_owned));
    for secret in &secrets {
        assert!(!mail.raw.contains(secret) && !mail.text.contains(secret), "{secret} was mailed");
    }

    enrol(&gateway, "wiki", BOB).await;
    let mails = mailbox.first(2).await;
    none_waits(&gateway).await;
    assert_eq!((mails[1].recipients[0].as_str(), mailbox.mails().len()), ("bob@example.com", 2));
    assert_ne!(mails[0].header("message-id"), mails[1].header("message-id"));
    assert_eq!(outcomes(&gateway, "sent").await, 2.0);
    let log = gateway.log();
    for word in [PASSWORD, "post%40", "alice", "alice@example.com"] {
        assert!(!log.contains(word), "{word} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_in_a_language_of_their_own() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let portal = portal_with_a_desk(EMAIL).await;
    let languages = "branding: { languages: [en, nl, de, fr] }";
    let gateway = gateway::new().portal("wiki", &portal).yaml(&mailbox.yaml()).yaml(languages);
    let gateway = gateway.token(MANAGER).run().await;
    let (other, another) = (member(1), member(2));
    let cases = [
        (ALICE, "nl-BE, nl;q=0.9, en;q=0.8", "nl", "Er is een authenticator-app toegevoegd voor"),
        (BOB, "es, de;q=0.5", "de", "Für wiki wurde eine Authenticator-App hinzugefügt"),
        ((&*other.0, &*other.1), "fr", "fr", "Une application d'authentification a été ajoutée"),
        ((&*another.0, &*another.1), "es", "en", "An authenticator app was added for wiki"),
    ];
    for ((who, wishes, language, subject), number) in cases.into_iter().zip(0..) {
        let browser = gateway.browser("wiki").with_line("accept-language", wishes);
        enrol_with(&gateway, browser, who).await;
        let mail = mailbox.first(number + 1).await.remove(number);
        assert!(mail.header("subject").starts_with(subject), "{:?}", mail.header("subject"));
        assert_eq!(mail.header("content-language"), language);
        let kind = mail.header("content-type").replace('"', "");
        assert_eq!(kind, "text/plain; charset=utf-8");
        assert!(mail.raw.is_ascii() && mail.raw.lines().all(|line| line.len() <= 998));
        assert!(mail.text.lines().count() > 15 && mail.text.contains("wiki (wiki.test)"));
    }
    // What the desk does is told in the language of the user, not of the desk.
    assert_eq!(reset(&gateway, "bob@example.com", &[]).code, 0);
    let mail = mailbox.first(5).await.remove(4);
    assert_eq!(mail.header("subject"), "Uw tweede factor voor wiki is verwijderd");
    assert!(mail.text.contains("Door:     een collega"), "{}", mail.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_waits_for_its_server_also_when_the_power_is_cut() {
    let mut mailbox = Mailbox::open();
    let portal = portal_of("").await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(&mailbox.yaml()).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    eventually("a first attempt", async || {
        (outcomes(&gateway, "retried").await > 0.0).then_some(())
    })
    .await;
    gateway.kill();
    gateway.start().await;
    // After a crash no code counts that may have been spent before it.
    gateway.next_code();
    enrol(&gateway, "wiki", BOB).await;
    gateway.kill();
    mailbox.up();
    gateway.start().await;
    let mails = mailbox.first(2).await;
    assert_eq!(mails[0].recipients[0], "alice@example.com", "the oldest goes first");
    assert_eq!(mails[1].recipients[0], "bob@example.com");
    none_waits(&gateway).await;

    // It goes down again while the gateway runs, and comes back.
    mailbox.down();
    gateway.next_code();
    let (user, password) = member(1);
    enrol_by_link(&gateway, gateway.browser("wiki"), (&user, &password)).await;
    eventually("an attempt", async || (outcomes(&gateway, "retried").await > 0.0).then_some(()))
        .await;
    mailbox.up();
    gateway.advance(Duration::from_secs(600));
    let mails = mailbox.first(3).await;
    assert_eq!(mails[2].recipients[0], format!("{user}@example.com"));
    none_waits(&gateway).await;
    assert_eq!(mailbox.mails().len(), 3, "no mail comes twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_could_not_be_sent_for_days_is_given_up() {
    let mut mailbox = Mailbox::open();
    let portal = portal_of("").await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(&mailbox.yaml()).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    gateway.advance(3 * DAY + Duration::from_secs(60));
    gateway.has_logged("could not be sent for days").await;
    assert_eq!(outcomes(&gateway, "expired").await, 1.0);
    mailbox.up();
    enrol(&gateway, "wiki", BOB).await;
    let mails = mailbox.first(1).await;
    assert_eq!(mails[0].recipients[0], "bob@example.com");
    none_waits(&gateway).await;
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_delays_nobody() {
    let server = Silent::server().await;
    let portal = portal_of("").await;
    let mut gateway = gateway::new().portal("wiki", &portal).yaml(&server.yaml()).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    let hanging = server.call().await;
    let mut bob = enrol(&gateway, "wiki", BOB).await.browser;
    assert!(bob.open("/home").await.body.contains("secret-page"));
    // All of that while the very first call still waits for its greeting.
    let mut byte = [0; 1];
    let unread = hanging.try_read(&mut byte).unwrap_err();
    assert_eq!(unread.kind(), std::io::ErrorKind::WouldBlock, "the gateway has hung up");
    let asked = Instant::now();
    assert_eq!(gateway.stop(), 0);
    assert!(asked.elapsed() < Duration::from_secs(10), "it waited for the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mail_that_is_refused_holds_up_no_other() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let (refused, later, wiki) =
        (portal_of("refused-").await, portal_of("later-").await, portal_of("").await);
    let nowhere = portal::form().run().await;
    let mut gateway = gateway::new()
        .portal("refused", &refused)
        .portal("later", &later)
        .portal("nowhere", &nowhere)
        .portal("wiki", &wiki)
        .yaml(&mailbox.yaml())
        .run()
        .await;
    for portal in ["refused", "later", "nowhere", "wiki"] {
        enrol(&gateway, portal, ALICE).await;
    }
    assert_eq!(mailbox.first(1).await[0].recipients[0], "alice@example.com");
    assert_eq!(outcomes(&gateway, "refused").await, 1.0);
    assert_eq!(outcomes(&gateway, "retried").await, 1.0);
    assert_eq!(outcomes(&gateway, "unaddressed").await, 1.0);
    gateway.advance(Duration::from_secs(30));
    assert_eq!(mailbox.first(2).await[1].recipients[0], "later-alice@example.com");
    none_waits(&gateway).await;
    assert_eq!(mailbox.mails().len(), 2);
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("was refused")).unwrap();
    assert!(line.contains("550") && line.contains("refused"), "{line}");
    assert!(!log.contains("alice"), "the log names a user: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_mail_is_found_at_the_start() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let portal = portal_of("").await;
    let mut gateway = gateway::new()
        .portal("wiki", &portal)
        .yaml(&mailbox.yaml())
        .yaml("branding: { name: Example Ltd, templates: . }")
        .run()
        .await;
    assert_eq!(gateway.stop(), 0);
    let file = gateway.folder().join("mail/enrolled.txt");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "Hello {{ usr }}\n\nAn app was added.\n").unwrap();
    let (code, said) = gateway.fails_to_start();
    assert!(code == 1 && said.contains("mail/enrolled.txt:1: undefined"), "{said}");
    std::fs::write(&file, "Für {{ user }}\n\nGrüße von {{ brand }}: {{ label }}.\n").unwrap();
    gateway.start().await;
    enrol(&gateway, "wiki", ALICE).await;
    let mail = mailbox.first(1).await.remove(0);
    assert_eq!(mail.header("subject"), "Für alice");
    assert_eq!(mail.text.trim_end(), "Grüße von Example Ltd: Authenticator app.");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_whether_the_server_answers() {
    let mut mailbox = Mailbox::guarded();
    let portal = portal_of("").await;
    let gateway = gateway::new()
        .portal("wiki", &portal)
        .yaml(&mailbox.yaml())
        .trusting(mailbox.certificate())
        .run()
        .await;
    let warning = "warning: notify.smtp.url: the server of mails cannot be reached";
    let trusted = Some(mailbox.certificate());
    let told = check(&gateway, trusted.as_deref(), &[]);
    assert!(told.contains(warning), "{told}");
    assert!(!check(&gateway, trusted.as_deref(), &["--offline"]).contains("notify"));
    mailbox.up();
    let told = check(&gateway, trusted.as_deref(), &[]);
    assert!(!told.contains("notify"), "{told}");
    // A server that nobody vouches for is not told the password.
    let told = check(&gateway, None, &[]);
    assert!(told.contains(warning), "{told}");
    assert_eq!(mailbox.mails().len(), 0);
}

/// A portal whose users get mail, and with whom a colleague or the manager has a say.
async fn portal_with_a_desk(email: &str) -> Portal {
    let yaml = format!("{ORGANISATION}\nremember_device: {{}}\n{email}");
    portal::form().yaml(&yaml).run().await
}

const EMAIL: &str = "enrolment: { email: \"{user}@example.com\" }";

fn reset(gateway: &Gateway, by: &str, more: &[&str]) -> Said {
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "lost phone"];
    command(gateway, MANAGER, &[&words[..], &["--requested-by", by], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_reset_is_told_by_mail_on_whose_word() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let portal = portal_with_a_desk(EMAIL).await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(&mailbox.yaml());
    let mut gateway = gateway.token(DESK).token(MANAGER).run().await;
    let manager = ["am@vendor.example", "--channel", "account_manager"];
    for (round, (by, words)) in
        [(&["bob@example.com"][..], "a colleague"), (&manager, "your account manager")]
            .into_iter()
            .enumerate()
    {
        gateway.next_code();
        enrol(&gateway, "wiki", ALICE).await;
        let refused = reset(&gateway, "alice@example.com", &[]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert_eq!(reset(&gateway, by[0], &by[1..]).code, 0);
        // What was done already is not told again.
        assert_eq!(reset(&gateway, by[0], &by[1..]).code, 0);
        let mails = mailbox.first(2 * round + 2).await;
        let mail = mails.last().unwrap();
        assert_eq!(mail.recipients, ["alice@example.com"]);
        assert_eq!(mail.header("subject"), "Your second step for wiki was reset");
        let mut lines = mail.text.lines().map(str::trim);
        assert!(lines.any(|line| line == format!("By:      {words}")), "{}", mail.text);
        for told in ["bob", "am@vendor", "lost phone", "http"] {
            assert!(!mail.text.contains(told), "{told}: {}", mail.text);
        }
    }
    none_waits(&gateway).await;
    assert_eq!(mailbox.mails().len(), 4);
    assert!(!gateway.log().contains("alice"), "{}", gateway.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_device_was_copied_is_told_by_mail_once() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let wiki = portal_with_a_desk(EMAIL).await;
    let nowhere = portal_with_a_desk("").await;
    let gateway = gateway::new().portal("wiki", &wiki).portal("nowhere", &nowhere);
    let mut gateway = gateway.yaml(&mailbox.yaml()).run().await;
    for portal in ["wiki", "nowhere"] {
        let alice = enrol(&gateway, portal, ALICE).await;
        gateway.next_code();
        let mut browser = gateway.browser(portal);
        let page = sign_in_again(&mut browser, ALICE).await;
        give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
        browser.jar.retain(|name, _| name == "__Host-mfa-device");
        let copy = browser.clone();
        sign_in_again(&mut browser, ALICE).await;
        gateway.advance(Duration::from_secs(11));
        for mut thief in [copy.clone(), copy] {
            let page = sign_in_again(&mut thief, ALICE).await;
            assert!(page.path.starts_with("/.mfa/verify"), "{}", page.path);
        }
    }
    let mail = mailbox.first(2).await.remove(1);
    assert_eq!(mail.recipients, ["alice@example.com"]);
    assert_eq!(mail.header("subject"), "A remembered device for wiki was forgotten");
    for words in ["Hello alice", "wiki (wiki.test)", "The device needs a code again"] {
        assert!(mail.text.contains(words), "{words} is missing: {}", mail.text);
    }
    none_waits(&gateway).await;
    assert_eq!(mailbox.mails().len(), 2);
    // At the other portal nobody could be told, neither of the enrolment nor of the copy.
    assert_eq!(outcomes(&gateway, "unaddressed").await, 2.0);
    assert_eq!(gateway.metric("portcullis_device_alarms_total", &[]).await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_of_mails_nothing_waits_for_one() {
    let portal = portal_with_a_desk(EMAIL).await;
    let gateway = gateway::new().portal("wiki", &portal).token(MANAGER).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    assert_eq!(reset(&gateway, "bob@example.com", &[]).code, 0);
    assert_eq!(gateway.metric("portcullis_mails_waiting", &[]).await, 0.0);
    assert_eq!(gateway.metric("portcullis_mails_total", &[]).await, 0.0);
}

/// What `check` complains of, while it trusts this certificate alone or the usual ones.
fn check(gateway: &Gateway, trusted: Option<&Path>, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("check").args(more).arg("--config");
    command.arg(gateway.folder().join("portcullis.yaml"));
    if let Some(trusted) = trusted {
        command.env("SSL_CERT_FILE", trusted);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "a warning fails nobody");
    String::from_utf8(output.stderr).unwrap()
}
