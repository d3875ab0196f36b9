//! Somebody at the support desk works at the console.

use std::time::Duration;

use crate::dsl::book::AUDIT;
use crate::dsl::console::{ADA, ADMIN, ANN, AtWork, Console, Person, VIC, invite, join};
use crate::dsl::desk::{ORGANISATION, command};
use crate::dsl::html::{forms, text_of};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again};
use crate::dsl::{ALICE, BOB, Gateway, Portal, gateway, portal};

async fn office(people: &[Person]) -> (Portal, Gateway) {
    let wiki = portal::form().yaml(ORGANISATION).run().await;
    let mut builder = gateway::new().portal("wiki", &wiki).token(ADMIN);
    for person in people {
        builder = builder.person(*person);
    }
    (wiki, builder.run().await)
}

/// Signs in again with the phone's next code.
async fn comes_again(gateway: &mut Gateway, at_work: &AtWork, person: Person) -> Console {
    gateway.next_code();
    let mut console = Console::at(gateway);
    let page = console.signs_in(person, &at_work.phone.code(gateway.now())).await;
    assert!(page.text().contains("Who needs help?"), "{}", page.text());
    console
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_sign_in_needs_an_invitation_and_the_next_a_code() {
    let (_wiki, mut gateway) = office(&[ANN]).await;
    let mut console = Console::at(&gateway);
    let asked = console.gives_password(ANN.name, ANN.password).await;
    assert!(asked.text().contains("Type your invitation code"), "{}", asked.text());
    let wrong = asked.form("invite").fill("invite", "0000-0000-0000");
    let refused = console.sends(&asked, &wrong).await;
    assert_eq!(refused.status, 401);
    assert!(!refused.body.contains("otpauth"), "a secret without an invitation");
    assert!(!console.goes("/desk/").await.text().contains("Who needs help"), "in without a code");

    let ann = join(&gateway, ANN).await;
    let again = ann.console.clone().goes("/desk/recovery-codes").await;
    assert!(!again.body.contains("class=\"recovery-code\""), "the codes are shown once");
    comes_again(&mut gateway, &ann, ANN).await;
    let spent = ann.phone.code(gateway.now());
    let used = Console::at(&gateway).signs_in(ANN, &spent).await;
    assert_eq!(used.status, 401);
    assert!(used.text().contains("That code was used already"), "{}", used.text());
    let by_list = Console::at(&gateway).signs_in(ANN, &ann.codes[0]).await;
    assert!(by_list.text().contains("Who needs help?"), "{}", by_list.text());
    let listed = command(&gateway, ADMIN, &["person", "list"]).out;
    assert!(listed.contains("ann   desk  enrolled"), "{listed}");
    assert!(listed.ends_with("1 person\n"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_for_this_console_alone_and_changes_with_the_proof() {
    let (_wiki, gateway) = office(&[ANN]).await;
    let mut console = Console::at(&gateway);
    let page = console.open("/desk/sign-in").await;
    let form = page.form("password").fill("name", "ann").fill("password", ANN.password);
    let led = console.posts(&page, &form).await;
    let line = led.line("set-cookie").unwrap();
    assert!(line.starts_with("__Host-desk="), "{line}");
    assert!(line.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{line}");
    let of_the_password = console.jar.clone();
    let page = console.goes("/desk/code").await;
    let form = page.form("invite").fill("invite", &invite(&gateway, ANN));
    let page = console.sends(&page, &form).await;
    let phone = crate::dsl::Phone::scan(crate::dsl::html::svg(&page.body).unwrap());
    let form = page.form("code").fill("code", &phone.code(gateway.now()));
    console.sends(&page, &form).await;
    assert!(console.goes("/desk/").await.text().contains("Who needs help"));
    let mut old = console.clone();
    old.jar = of_the_password;
    let refused = old.goes("/desk/").await;
    assert!(refused.text().contains("Sign in to the support desk"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_signing_out_by_growing_idle_and_in_the_evening() {
    let (_wiki, mut gateway) = office(&[ANN]).await;
    let ann = join(&gateway, ANN).await;
    let mut console = ann.console.clone();
    let start = console.goes("/desk/").await;
    let copy = console.clone();
    let out = forms(&start.body)
        .into_iter()
        .find(|form| form.action.as_deref() == Some("/desk/sign-out"));
    let page = console.sends(&start, &out.unwrap()).await;
    assert!(page.text().contains("You are signed out"), "{}", page.text());
    assert!(is_out(copy).await, "a copy of the cookie outlives the sign-out");

    let mut console = comes_again(&mut gateway, &ann, ANN).await;
    gateway.advance(Duration::from_secs(14 * 60));
    assert!(!is_out(console.clone()).await);
    console.open("/desk/").await;
    gateway.advance(Duration::from_secs(14 * 60));
    assert!(!is_out(console.clone()).await, "each click counts");
    gateway.advance(Duration::from_secs(16 * 60));
    assert!(is_out(console).await, "idle");

    let mut console = comes_again(&mut gateway, &ann, ANN).await;
    for _ in 0..40 {
        gateway.advance(Duration::from_secs(13 * 60));
        console.open("/desk/").await;
    }
    assert!(is_out(console).await, "eight hours are over");
}

async fn is_out(mut console: Console) -> bool {
    console.goes("/desk/").await.text().contains("Sign in to the support desk")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_taken_out_of_the_configuration_is_out_at_once() {
    let (_wiki, gateway) = office(&[ANN, VIC]).await;
    let (ann, vic) = (join(&gateway, ANN).await, join(&gateway, VIC).await);
    let yaml = gateway.yaml();
    gateway.take(&yaml.replace(&format!("{}, ", ANN.entry()), "")).await;
    assert!(is_out(ann.console.clone()).await);
    assert!(!is_out(vic.console.clone()).await);
    let mut late = Console::at(&gateway);
    let refused = late.gives_password(ANN.name, ANN.password).await;
    assert_eq!(refused.status, 401);
    // Whoever comes back with another password does not find the old session.
    let other = crate::dsl::console::hash_of("another password of ann");
    std::fs::write(gateway.folder().join("ann.argon2id"), other).unwrap();
    gateway.take(&yaml).await;
    assert!(is_out(ann.console).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_found_and_looked_at() {
    let (_wiki, gateway) = office(&[VIC]).await;
    enrol(&gateway, "wiki", ALICE).await;
    sign_in(&mut gateway.browser("wiki"), BOB).await;
    let mut console = join(&gateway, VIC).await.console;
    for (query, names) in [
        ("q=LIC", "alice"),
        ("state=missing", "bob"),
        ("state=enrolled&portal=wiki", "alice"),
        ("", "alice bob"),
        ("q=%3Cscript%3E", ""),
    ] {
        let page = console.open(&format!("/desk/users?{query}")).await;
        let links = page.body.matches("/desk/user?portal=wiki&amp;user=").count();
        assert_eq!(links, names.split(' ').filter(|name| !name.is_empty()).count(), "{query}");
        assert!(names.split(' ').all(|name| page.body.contains(name)), "{query}");
        assert!(!page.body.contains("<script"), "{}", page.body);
    }
    let page = console.looks_at("wiki", "Alice").await;
    let text = page.text();
    for words in ["alice set up", "Recovery codes left10", "Signed in code of the app"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let nobody = console.looks_at("wiki", "carol").await;
    assert!(nobody.text().contains("Nobody of this name has signed in"), "{}", nobody.text());
    assert_eq!(console.looks_at("shop", "alice").await.status, 404);
    let start = console.goes("/desk/").await;
    assert!(start.text().contains("1 set up (50 %)"), "{}", start.text());
    let rollout = console.open("/desk/rollout?portal=wiki").await;
    assert!(rollout.text().contains("1 of 2 users have set it up"), "{}", rollout.text());
    assert!(text_of(&rollout.body, "<title>").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn deeds_say_what_they_did() {
    let (_wiki, mut gateway) = office(&[ANN]).await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut console = join(&gateway, ANN).await.console;
    let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    let page = console.looks_at("wiki", "alice").await;
    let done = console.presses(&page, "end_sessions").await;
    assert!(done.text().contains("alice is signed out of wiki everywhere."), "{}", done.text());
    assert_eq!(socket.next().await, None);

    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let mut page = sign_in_again(&mut browser, ALICE).await;
    for _ in 0..5 {
        let wrong = give_code(&mut browser, &page, "000000").await;
        page = if wrong.body.contains("name=\"code\"") { wrong } else { page };
    }
    let start = console.goes("/desk/").await;
    assert!(start.text().contains("alice wiki has to wait until"), "{}", start.text());
    let page_of_alice = console.looks_at("wiki", "alice").await;
    let done = console.presses(&page_of_alice, "unlock").await;
    assert!(done.text().contains("alice can try again at wiki now."), "{}", done.text());
    let led = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(browser.follow(led).await.body.contains("for alice alone"));

    let page = console.looks_at("wiki", "bob").await;
    let done = console.presses(&page, "invite").await;
    let code = text_of(&done.body, "id=\"invitation\"").unwrap();
    assert_eq!(code.len(), 14, "{code}");
    assert!(!console.looks_at("wiki", "bob").await.body.contains(&code), "shown once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_helps_the_people_of_the_desk() {
    let (_wiki, gateway) = office(&[ANN]).await;
    let ann = join(&gateway, ANN).await;
    for _ in 0..5 {
        Console::at(&gateway).gives_password(ANN.name, "a wrong password").await;
    }
    let locked = Console::at(&gateway).gives_password(ANN.name, ANN.password).await;
    assert_eq!(locked.status, 401, "the right password is not taken while she waits");
    let unlocked = command(&gateway, ADMIN, &["person", "unlock", "ann"]);
    assert_eq!(unlocked.out, "ann can try again\n", "{unlocked:?}");
    let asked = Console::at(&gateway).gives_password(ANN.name, ANN.password).await;
    assert!(asked.text().contains("Enter your code"), "{}", asked.text());

    let refused = command(&gateway, ADMIN, &["person", "invite", "ann"]);
    assert!(refused.complaint.contains("reset it first"), "{refused:?}");
    let reset = command(&gateway, ADMIN, &["person", "reset", "ann"]);
    assert_eq!(reset.out, "ann has no second factor any more; sessions ended: 2\n", "{reset:?}");
    assert!(is_out(ann.console).await);
    let anew = Console::at(&gateway).gives_password(ANN.name, ANN.password).await;
    assert!(anew.text().contains("Type your invitation code"), "{}", anew.text());
    assert_eq!(command(&gateway, ADMIN, &["person", "reset", "bea"]).code, 1);
}

/// Fills in the form for a reset on a user's page and sends it.
async fn asks(console: &mut Console, user: &str, by: &str) -> crate::dsl::browser::Shown {
    let page = console.looks_at("wiki", user).await;
    let form = page.form("requested_by").fill("requested_by", by).fill("reason", "lost the phone");
    console.posts(&page, &form.fill("ticket", "T-17")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_refused_or_done_and_the_page_says_which() {
    let (_wiki, gateway) = office(&[ANN, VIC]).await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut ann = join(&gateway, ANN).await.console;
    for (by, why) in [
        ("alice@example.com", "That is the user's own address."),
        ("bob@gmail.com", "public mail provider"),
        ("bob@examp1e.com", "it may only look alike"),
        ("Bob <bob@example.com>", "plain mail address"),
        ("ann@example.com", "Not by you:"),
    ] {
        let refused = asks(&mut ann, "alice", by).await;
        assert_eq!(refused.status, 422, "{by}");
        assert!(refused.text().contains(why), "{by}: {}", refused.text());
        assert!(refused.text().contains("Nothing was changed."), "{by}");
    }
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    let done = asks(&mut ann, "alice", "bob@example.com").await;
    assert!(done.text().contains("alice has no second step at wiki any more."), "{}", done.text());
    assert!(!alice.browser.clone().open("/home").await.body.contains("secret-page"));
    let mut vic = join(&gateway, VIC).await.console;
    let page = vic.looks_at("wiki", "alice").await;
    assert!(!page.body.contains("name=\"requested_by\""), "a viewer resets nobody");
    let requests = vic.open("/desk/requests").await;
    assert!(requests.text().contains("bob@example.com, as a colleague"), "{}", requests.text());
    assert_eq!(forms(&requests.body).len(), 1, "only the one to sign out");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_approve_where_the_portal_wants_two() {
    let terms = format!("{ORGANISATION}\nreset: {{ approval: two }}");
    let wiki = portal::form().yaml(&terms).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).token(ADMIN).person(ANN).person(ADA);
    let gateway = gateway.run().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let mut ann = join(&gateway, ANN).await.console;
    let mut ada = join(&gateway, ADA).await.console;
    let held = asks(&mut ann, "alice", "bob@example.com").await;
    assert!(held.text().contains("Somebody else at the desk has to approve"), "{}", held.text());
    let again = asks(&mut ada, "alice", "bob@example.com").await;
    assert_eq!(again.status, 409, "{}", again.text());
    let start = ada.goes("/desk/").await;
    assert!(start.text().contains("1 of 2 approved"), "{}", start.text());
    let page = ann.open("/desk/requests").await;
    let twice = ann.presses(&page, "approve").await;
    assert_eq!(twice.status, 422, "{}", twice.text());
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    let page = ada.open("/desk/requests").await;
    let done = ada.presses(&page, "approve").await;
    assert!(done.text().contains("alice has no second step at wiki any more."), "{}", done.text());
    assert!(!alice.browser.clone().open("/home").await.body.contains("secret-page"));

    enrol(&gateway, "wiki", BOB).await;
    asks(&mut ann, "bob", "alice@example.com").await;
    let page = ada.open("/desk/requests?state=open").await;
    let form = forms(&page.body).into_iter().find(|form| form.field("action") == Some("deny"));
    let denied = ada.posts(&page, &form.unwrap().fill("reason", "it was not her")).await;
    assert!(denied.text().contains("The reset of bob at wiki is denied."), "{}", denied.text());
    assert!(denied.text().contains("Denied by ada"), "{}", denied.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_about_a_user_says_what_happened_the_newest_first() {
    let (wiki, shop) = (portal::form().yaml(ORGANISATION).run().await, portal::form().run().await);
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop).yaml(AUDIT);
    let gateway = gateway.token(ADMIN).person(ANN).person(VIC.at("[shop]")).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    sign_in(&mut gateway.browser("shop"), ALICE).await;
    let mut ann = join(&gateway, ANN).await.console;
    let page = ann.looks_at("wiki", "alice").await;
    let page = ann.presses(&page, "end_sessions").await;
    let happened = history(&page.body);
    let words = [
        "Sign-ins were ended",
        "Got new recovery codes",
        "Set up the second step",
        "Began to set up the second step",
        "Password accepted",
    ];
    assert_eq!(happened.iter().map(|(what, _)| &**what).collect::<Vec<_>>(), words, "{happened:?}");
    assert!(happened[0].1.contains("UTC, <bdi>by ann at the desk</bdi>"), "{happened:?}");
    assert!(happened[2].1.contains("<bdi>“Authenticator app”</bdi>"), "{happened:?}");
    assert!(happened[4].1.contains("<bdi>from 127.0.0.1</bdi>"), "{happened:?}");
    let nothing = ann.looks_at("wiki", "bob").await;
    assert!(nothing.text().contains("What happened Nothing of late."), "{}", nothing.text());

    let mut vic = join(&gateway, VIC).await.console;
    let of_the_shop = history(&vic.looks_at("shop", "alice").await.body);
    assert!(of_the_shop.iter().any(|(what, _)| what == "Password accepted"), "{of_the_shop:?}");
    assert!(of_the_shop.iter().all(|(what, _)| !what.contains("ended")), "{of_the_shop:?}");
    assert_eq!(vic.looks_at("wiki", "alice").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_audit_log_the_page_says_that_there_is_none() {
    let (_wiki, gateway) = office(&[VIC]).await;
    enrol(&gateway, "wiki", ALICE).await;
    let page = join(&gateway, VIC).await.console.looks_at("wiki", "alice").await;
    assert!(page.text().contains("This gateway keeps no audit log"), "{}", page.text());
}

/// What a page says that happened, and the rest of each line as markup.
fn history(body: &str) -> Vec<(String, String)> {
    let list = body.split("class=\"lines history\"").nth(1).unwrap().split("</ul>").next();
    let lines = list.unwrap().split("<li><strong>").skip(1);
    let lines = lines.map(|line| line.split_once("</strong>").unwrap());
    lines.map(|(what, rest)| (what.to_owned(), rest.to_owned())).collect()
}
