//! A phone is lost and no recovery code is left: somebody asks for a reset, the desk decides, and
//! the user reads what happens. The desk acts by its commands.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::chromium::{Scripts, Window};
use crate::dsl::desk::{DESK, MANAGER, ORGANISATION, Said, Token, VIEWER, command};
use crate::dsl::mailbox::Mailbox;
use crate::dsl::portal::Builder;
use crate::dsl::steps::enrol_by_link;
use crate::dsl::{ADDRESSED, ALICE, BOB, Gateway, Phone, Portal, eventually, gateway, portal};
use crate::person::Person;

const CAROL: Token =
    Token { name: "carol", role: "desk", secret: "cA4oL5tYuI6oP7aSdFgHjKlZ", portals: "" };
/// Somebody at the desk who has the name of a user.
const AS_BOB: Token =
    Token { name: "bob", role: "desk", secret: "b0bQwErTyUiOpAsDfGhJkLzXc", portals: "" };
const REASON: &str = "lost the phone on Monday, I spoke to her";

async fn house(portal: Builder) -> (Portal, Gateway) {
    let portal = portal.run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(VIEWER).token(DESK).token(CAROL);
    (portal, gateway.token(MANAGER).token(AS_BOB).run().await)
}

async fn on_a_phone(gateway: &Gateway, who: (&'static str, &'static str), story: &str) -> Person {
    Person::sits_down(gateway, who, story, Window::Phone, Scripts::Off).await
}

/// What the desk does about alice's reset on this word; `more` are more words of the command.
fn reset(gateway: &Gateway, token: Token, requested_by: &str, more: &[&str]) -> Said {
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "lost phone"];
    command(gateway, token, &[&words[..], &["--requested-by", requested_by], more].concat())
}

fn requests(gateway: &Gateway, state: &str) -> Vec<Value> {
    let words = ["reset-request", "list", "--state", state, "--output", "json"];
    let said = command(gateway, VIEWER, &words);
    assert_eq!(said.code, 0, "{said:?}");
    let said: Value = serde_json::from_str(&said.out).unwrap();
    said["requests"].as_array().unwrap().clone()
}

/// Approves the one request that is open.
fn approve(gateway: &Gateway, token: Token) -> Said {
    let open = requests(gateway, "open");
    assert_eq!(open.len(), 1, "{open:?}");
    command(gateway, token, &["reset-request", "approve", open[0]["id"].as_str().unwrap()])
}

/// Fills in the form by which a colleague vouches.
async fn vouch_for(voucher: &Person, colleague: &str) {
    voucher.browser.fill("input[name=colleague]", colleague).await;
    voucher.browser.fill("input[name=reason]", REASON).await;
    voucher.browser.follow("form[action$='/vouch'] button").await;
}

/// After a reset the password leads to a first visit, with another phone.
async fn begins_anew(person: &mut Person, gateway: &mut Gateway, lost: &Phone) {
    person.is_out().await;
    gateway.next_code();
    person.signs_in().await;
    let (new, _) = person.sets_up(gateway).await;
    assert_ne!(new.secret(), lost.secret());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_vouches_and_the_desk_approves() {
    let (_wiki, mut gateway) = house(portal::form().yaml(ORGANISATION)).await;
    let window = Window::Phone;
    let mut alice = Person::sits_down(&gateway, ALICE, "vouched", window, Scripts::On).await;
    let (lost, _) = alice.enrols(&gateway).await;
    let mut bob = on_a_phone(&gateway, BOB, "voucher").await;
    bob.enrols(&gateway).await;
    bob.opens("/.mfa/help").await;
    bob.is_at("/.mfa/help", "help").await;
    bob.browser.follow("main a[href$='/vouch']").await;
    bob.is_at("/.mfa/vouch", "asked-for-whom").await;
    vouch_for(&bob, ALICE.0).await;
    bob.is_at("/.mfa/vouch", "the-desk-has-it").await;
    bob.reads(&["The support desk has your request", "What happens next", "alice"]).await;
    let asked = requests(&gateway, "open").remove(0);
    assert_eq!((&asked["requested_by"], &asked["reason"]), (&"bob".into(), &REASON.into()));

    keeps_a_socket_open(&alice).await;
    let done = approve(&gateway, DESK);
    let told = millis();
    assert_eq!(done.code, 0, "{done:?}");
    let cut = is_cut(&alice).await;
    assert!(cut < told + 1000.0, "the open page went on for {} ms", cut - told);
    begins_anew(&mut alice, &mut gateway, &lost).await;
    bob.opens("/home").await;
    bob.is_in("bob-has-not-noticed").await;
}

/// A page that talks to the portal all the time, as modern ones do.
async fn keeps_a_socket_open(person: &Person) {
    let script = "const done = arguments[arguments.length - 1];
        window.socket = new WebSocket(`wss://${location.host}/ws`);
        socket.onmessage = said => done(said.data);
        socket.onclose = () => { document.body.dataset.cut = Date.now(); done('closed'); };";
    assert_eq!(person.browser.run_until_done(script).await, "hello alice");
}

/// When that ended, in milliseconds of the machine's clock.
async fn is_cut(person: &Person) -> f64 {
    let cut = person.browser.attribute("body[data-cut]", "data-cut").await;
    cut.unwrap().parse().unwrap()
}

fn millis() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_manager_asks_where_no_colleague_is() {
    let managers = "organisation: { managers: [am@vendor.example] }";
    let (_wiki, mut gateway) = house(portal::form().yaml(managers)).await;
    let mut alice = on_a_phone(&gateway, ALICE, "account-manager").await;
    let (lost, _) = alice.enrols(&gateway).await;
    alice.opens("/.mfa/help").await;
    alice.is_at("/.mfa/help", "help").await;
    alice.reads(&["Ask your account manager"]).await;
    let manager = ["--channel", "account_manager"];
    let refused = reset(&gateway, DESK, "am@vendor.example", &manager);
    assert_ne!(refused.code, 0, "the desk takes the account manager's word: {refused:?}");
    alice.opens("/home").await;
    alice.is_in("nothing-happened-yet").await;
    let done = reset(&gateway, MANAGER, "am@vendor.example", &manager);
    assert_eq!(done.code, 0, "{done:?}");
    begins_anew(&mut alice, &mut gateway, &lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_approve_one_alone_changes_nothing() {
    let portal = portal::form().yaml(ORGANISATION).yaml("reset: { approval: two }");
    let (_wiki, mut gateway) = house(portal).await;
    let mut alice = on_a_phone(&gateway, ALICE, "two-approvals").await;
    let (lost, _) = alice.enrols(&gateway).await;
    let first = reset(&gateway, DESK, "bob@example.com", &[]);
    assert_eq!(first.code, 0, "{first:?}");
    for (token, sentence) in [
        (DESK, "this name has approved already; a second approval has to come from somebody else"),
        (AS_BOB, "whoever asks for a reset does not approve it; somebody else at the desk has to"),
    ] {
        let refused = approve(&gateway, token);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.complaint.contains(sentence), "{refused:?}");
    }
    alice.opens("/home").await;
    alice.is_in("after-one-approval").await;
    let second = approve(&gateway, CAROL);
    assert_eq!(second.code, 0, "{second:?}");
    begins_anew(&mut alice, &mut gateway, &lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_the_user_knows_nothing_of_is_stopped() {
    let mut mailbox = Mailbox::open();
    mailbox.up();
    let portal = portal::form().yaml(ORGANISATION).yaml("reset: { wait: 24h }");
    let portal = portal.yaml("enrolment: { email: \"{user}@example.com\" }").run().await;
    let gateway = gateway::new().portal("wiki", &portal).yaml(&mailbox.yaml());
    let mut gateway = gateway.token(VIEWER).token(DESK).run().await;
    let mut alice = on_a_phone(&gateway, ALICE, "stopped-reset").await;
    let (phone, codes) = alice.enrols(&gateway).await;
    assert_eq!(reset(&gateway, DESK, "bob@example.com", &[]).code, 0);
    let told = mailbox.first(2).await.remove(1);
    assert_eq!(told.recipients, ["alice@example.com"]);
    assert!(told.text.contains("If you did not ask for it, stop it"), "{}", told.text);

    // At the next sign-in the password alone is told of it.
    alice.makes_room_for(ALICE).await;
    gateway.advance(Duration::from_secs(3600));
    alice.signs_in().await;
    alice.is_at("/.mfa/verify", "told-before-the-code").await;
    alice.reads(&["Your second step will be reset", "See what this means, or stop it"]).await;
    // And so is who gave a code, before going on.
    alice.gives(&phone.code(gateway.now())).await;
    alice.is_at("/.mfa/reset", "told-before-going-on").await;
    alice.reads(&["on the word of a colleague", "You know nothing of this?"]).await;
    alice.presses("stop").await;
    alice.is_at("/.mfa/reset", "stopped").await;
    alice.reads(&["The reset is stopped", "Nothing was removed."]).await;
    alice.browser.follow("main a.button").await;
    alice.is_in("goes-on").await;
    assert_eq!(requests(&gateway, "stopped").len(), 1);
    let told = mailbox.first(3).await.remove(2);
    assert!(told.text.contains("Nothing was removed"), "{}", told.text);

    // A day later everything is as before.
    gateway.advance(Duration::from_secs(24 * 3600));
    for code in [&phone.code(gateway.now()), &codes[0]] {
        alice.makes_room_for(ALICE).await;
        alice.signs_in().await;
        alice.gives(code).await;
        alice.is_in("as-before").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_password_alone_reads_of_a_reset_and_stops_it() {
    let portal = portal::form().yaml(ORGANISATION).yaml("reset: { wait: 24h }");
    let (_wiki, gateway) = house(portal).await;
    let alice = enrol_by_link(&gateway, gateway.browser("wiki"), ALICE).await;
    assert_eq!(reset(&gateway, DESK, "bob@example.com", &[]).code, 0);
    let mut without = on_a_phone(&gateway, ALICE, "stopped-without-a-phone").await;
    without.signs_in().await;
    without.is_at("/.mfa/verify", "told-before-the-code").await;
    without.browser.follow("#reset-waits a").await;
    without.is_at("/.mfa/reset", "what-this-means").await;
    without.presses("stop").await;
    without.is_at("/.mfa/reset", "stopped").await;
    without.browser.follow("main a.button").await;
    without.is_at("/.mfa/verify", "still-asked-for-a-code").await;
    eventually("the end of it", async || (requests(&gateway, "stopped").len() == 1).then_some(()))
        .await;
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
}

/// Names that are addresses, as many portals have them.
fn addressed() -> Builder {
    let portal = portal::form().yaml(ORGANISATION);
    portal.identity("username: { pattern: \"^[a-z0-9._@+-]{1,128}$\" }")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_may_not_ask_reads_why_and_what_to_do() {
    let (_wiki, mut gateway) = house(addressed()).await;
    let mut person = on_a_phone(&gateway, ("bob@example.com", ADDRESSED), "refused").await;
    person.enrols(&gateway).await;
    let oneself = ["Nothing was sent.", "You cannot ask for yourself", "A colleague of yours"];
    let no_name = ["Nothing was sent.", "Write the name that your colleague types to sign in."];
    for (typed, said, status, picture) in [
        ("bob@example.com", &oneself[..], "403", "oneself"),
        ("BOB@Example.COM", &oneself, "403", "oneself-in-capitals"),
        ("bob+phone@example.com", &oneself, "403", "oneself-by-a-sub-address"),
        ("bob@example.org", &oneself, "403", "oneself-at-another-domain"),
        ("Bob <alice@example.com>", &no_name, "422", "a-display-name"),
        ("\"alice@example.com\" <bob@example.com>", &no_name, "422", "a-display-name-of-hers"),
    ] {
        person.opens("/.mfa/vouch").await;
        vouch_for(&person, typed).await;
        person.is_refused("/.mfa/vouch", picture, status).await;
        person.reads(said).await;
        let kept = person.browser.attribute("input[name=reason]", "value").await;
        assert_eq!(kept.as_deref(), Some(REASON), "what was typed is lost");
    }
    for (name, picture) in [
        ("bob@vendor.example", "a-foreign-domain"),
        ("bob@examp1e.com", "a-look-alike-domain"),
        ("bob@gmail.com", "a-public-provider"),
    ] {
        let who = (name, ADDRESSED);
        let enrolled = enrol_by_link(&gateway, gateway.browser("wiki"), who).await;
        gateway.next_code();
        person.makes_room_for(who).await;
        person.signs_in().await;
        // By the password alone nobody is shown the form.
        person.opens("/.mfa/vouch").await;
        person.is_at("/.mfa/verify", "a-voucher-gives-a-code-first").await;
        person.gives(&enrolled.phone.code(gateway.now())).await;
        vouch_for(&person, "alice@example.com").await;
        person.is_refused("/.mfa/vouch", picture, "403").await;
        person.reads(&["You cannot ask here", "Ask your support desk"]).await;
    }
    assert!(requests(&gateway, "open").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_reads_why_a_word_does_not_count_and_whose_would() {
    let (_wiki, gateway) = house(portal::form().yaml(ORGANISATION)).await;
    for (requested_by, sentence) in [
        ("alice@example.com", "nobody asks for a reset of their own; a colleague has to ask"),
        ("ALICE@Example.COM", "nobody asks for a reset of their own; a colleague has to ask"),
        ("alice+desk@example.com", "nobody asks for a reset of their own"),
        ("bob@vendor.example", "domains; look at each letter after the @"),
        ("bob@examp1e.com", "domains; look at each letter after the @"),
        ("bob@gmail.com", "a public mail provider, where anybody gets one; ask for a mail from"),
        ("Bob <alice@example.com>", "write the mail address alone, such as bob@example.com"),
        ("\"bob@example.com\" <alice@example.com>", "write the mail address alone"),
    ] {
        let refused = reset(&gateway, DESK, requested_by, &[]);
        assert_eq!(refused.code, 1, "{requested_by}: {refused:?}");
        assert!(refused.complaint.contains(sentence), "{requested_by}: {refused:?}");
    }
    let refused = reset(&gateway, AS_BOB, "bob@example.com", &[]);
    let sentence = "whoever asks for a reset does not approve it; somebody else at the desk has to";
    assert!(refused.complaint.contains(sentence), "{refused:?}");
    assert!(requests(&gateway, "open").is_empty());
}
