//! Somebody has lost the phone, and the desk helps.

use std::time::{Duration, Instant};

use crate::dsl::desk::{DESK, MANAGER, ORGANISATION, Said, VIEWER, command, said};
use crate::dsl::socket::Socket;
use crate::dsl::steps::{enrol, give_code, sign_in, sign_in_again, sign_in_anew};
use crate::dsl::{ALICE, BOB, Gateway, Portal, eventually, gateway, portal};

/// How soon a stream ends after the command has said that it is done.
const A_SECOND: Duration = Duration::from_secs(1);

async fn house() -> (Portal, Portal, Gateway) {
    let wiki = portal::form().yaml(ORGANISATION).run().await;
    let shop = portal::form().yaml(ORGANISATION).run().await;
    let gateway = gateway::new().portal("wiki", &wiki).portal("shop", &shop);
    let gateway = gateway.token(VIEWER).token(DESK).token(MANAGER).run().await;
    (wiki, shop, gateway)
}

fn reset(gateway: &Gateway, user: &str, by: &str, more: &[&str]) -> Said {
    let words = ["user", "reset", user, "--portal", "wiki", "--reason", "lost phone"];
    command(gateway, DESK, &[&words[..], &["--requested-by", by], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_phone_is_reset_on_a_colleagues_word() {
    let (_wiki, _shop, mut gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let at_shop = enrol(&gateway, "shop", ALICE).await;
    let bob = enrol(&gateway, "wiki", BOB).await;
    let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
    let mut elsewhere = Socket::open(&gateway, &at_shop.browser, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    assert_eq!(elsewhere.next().await.as_deref(), Some("hello alice"));

    let done = reset(&gateway, "Alice", "bob@example.com", &["--ticket", "T-17"]);
    let told = Instant::now();
    assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    assert_eq!(done.out, "alice has no second factor at wiki any more; sessions ended: 1\n");
    assert_eq!(socket.next().await, None, "the socket is still open");
    assert!(told.elapsed() < A_SECOND, "{:?}", told.elapsed());

    // Neither her cookies nor her phone open anything any more: she enrols anew.
    let mut stolen = alice.browser.clone();
    assert!(!stolen.open("/home").await.body.contains("secret-page"));
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let offered = sign_in_anew(&mut browser, ALICE).await;
    for old in [alice.phone.code(gateway.now()), alice.codes[0].clone()] {
        let refused = give_code(&mut browser, &offered, &old).await;
        assert!(!refused.body.contains("secret-page") && refused.status != 303, "{refused:?}");
    }
    let anew = enrol(&gateway, "wiki", ALICE).await;
    assert!(anew.browser.clone().open("/home").await.body.contains("for alice alone"));

    // Everybody else is where they were, and so is she elsewhere.
    elsewhere.say("still here").await;
    assert_eq!(elsewhere.next().await.as_deref(), Some("still here"));
    assert!(at_shop.browser.clone().open("/home").await.body.contains("for alice alone"));
    assert!(bob.browser.clone().open("/home").await.body.contains("for bob alone"));
    let by = [("portal", "wiki"), ("by", "colleague")];
    assert_eq!(gateway.metric("portcullis_resets_total", &by).await, 1.0);
    assert_eq!(gateway.metric("portcullis_enrolled_users", &[("portal", "wiki")]).await, 2.0);
    assert_eq!(gateway.metric("portcullis_enrolled_users", &[("portal", "shop")]).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_outlives_a_power_cut_and_can_be_repeated() {
    let (_wiki, _shop, mut gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    assert_eq!(reset(&gateway, "alice", "bob@example.com", &[]).code, 0);
    gateway.kill();
    gateway.start().await;
    // After a power cut codes of the moment count as spent.
    gateway.advance(Duration::from_secs(180));
    let again = reset(&gateway, "alice", "bob@example.com", &[]);
    assert_eq!(again.out, "alice had no second factor at wiki; sessions ended: 0\n");
    assert!(!alice.browser.clone().open("/home").await.body.contains("secret-page"));
    enrol(&gateway, "wiki", ALICE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_resets_on_a_word_that_does_not_count() {
    let (_wiki, _shop, gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    let manager = ["--channel", "account_manager"];
    for (by, more, why) in [
        ("alice@example.com", &[][..], "nobody asks for a reset of their own"),
        ("ALICE+desk@Example.com", &[], "nobody asks for a reset of their own"),
        ("alice@example.com.", &[], "no plain address"),
        ("Bob <alice@example.com>", &[], "no plain address"),
        ("bob@gmail.com", &[], "public mail provider"),
        ("bob@mail.example.com", &[], "none of the organisation's own domains"),
        ("bob@examp1e.com", &[], "none of the organisation's own domains"),
        ("am@vendor.example", &[], "none of the organisation's own domains"),
        ("am@vendor.example", &manager, "needs account_manager or more"),
    ] {
        let refused = reset(&gateway, "alice", by, more);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{by}");
        assert!(refused.complaint.contains(why), "{by}: {}", refused.complaint);
        assert_eq!(refused.complaint.lines().count(), 1, "{}", refused.complaint);
    }
    assert!(alice.browser.clone().open("/home").await.body.contains("for alice alone"));
    assert_eq!(gateway.metric("portcullis_resets_total", &[]).await, 0.0);
    let words = ["user", "reset", "alice", "--portal", "wiki", "--reason", "lost phone"];
    let words = [&words[..], &["--requested-by", "am@vendor.example"], &manager].concat();
    assert_eq!(command(&gateway, MANAGER, &words).code, 0);
    let by = [("portal", "wiki"), ("by", "account_manager")];
    assert_eq!(gateway.metric("portcullis_resets_total", &by).await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_without_an_organisation_resets_nobody() {
    let portal = portal::form().run().await;
    let gateway = gateway::new().portal("wiki", &portal).token(DESK).run().await;
    enrol(&gateway, "wiki", ALICE).await;
    let refused = reset(&gateway, "alice", "bob@example.com", &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.complaint.contains("add organisation: { domains"), "{}", refused.complaint);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_sees_who_has_enrolled_and_who_has_not() {
    let (_wiki, _shop, gateway) = house().await;
    enrol(&gateway, "wiki", ALICE).await;
    sign_in(&mut gateway.browser("wiki"), BOB).await;
    let list = |more: &[&str]| {
        command(&gateway, VIEWER, &[&["user", "list", "--portal", "wiki"], more].concat())
    };
    let table = list(&[]).out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("USER   STATE     ENROLLED AT"), "{table}");
    assert!(lines[1].starts_with("alice  enrolled  20") && lines[1].ends_with(" UTC"), "{table}");
    assert!(lines[2].starts_with("bob    missing  ") && lines[2].ends_with(" UTC"), "{table}");
    assert_eq!(lines[3], "2 users");
    assert!(!table.contains('\u{1b}'), "colours without a terminal");
    for (more, names) in [
        (&["--state", "enrolled"][..], "alice"),
        (&["--state", "missing"], "bob"),
        (&["--state", "locked"], ""),
        (&["--query", "LIC"], "alice"),
        (&["--query", "&state=missing"], ""),
    ] {
        let json = list(&[more, &["--output", "json"]].concat()).out;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let users = json["users"].as_array().unwrap();
        let found: Vec<&str> = users.iter().map(|user| user["user"].as_str().unwrap()).collect();
        assert_eq!(found.join(" "), names, "{more:?}");
    }
    let shown = command(&gateway, VIEWER, &["user", "show", "alice", "--portal", "wiki"]).out;
    for line in
        ["state                enrolled", "recovery codes left  10", "sessions             1"]
    {
        assert!(shown.contains(line), "{shown}");
    }
    let nobody = command(&gateway, VIEWER, &["user", "show", "carol", "--portal", "wiki"]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_users_than_a_page_are_all_listed() {
    let (_wiki, _shop, gateway) = house().await;
    for number in 0..130 {
        let (user, password) = crate::dsl::member(number);
        sign_in(&mut gateway.browser("wiki"), (&user, &password)).await;
    }
    enrol(&gateway, "wiki", ALICE).await;
    let table = command(&gateway, VIEWER, &["user", "list", "--portal", "wiki"]).out;
    assert!(table.ends_with("\n131 users\n"), "{table}");
    let mut names: Vec<&str> = table.lines().filter_map(|line| line.split(' ').next()).collect();
    names.dedup();
    assert_eq!(names.len(), 133, "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_seen_and_ended() {
    let (_wiki, _shop, mut gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    sign_in_again(&mut gateway.browser("wiki"), ALICE).await;
    let listed = command(&gateway, VIEWER, &["session", "list", "alice", "--portal", "wiki"]).out;
    assert!(listed.contains("\nproven    totp    20"), "{listed}");
    assert!(listed.contains("\npassword          20"), "{listed}");
    assert!(listed.ends_with("\n2 sessions\n"), "{listed}");
    let mut socket = Socket::open(&gateway, &alice.browser, "/ws").await;
    assert_eq!(socket.next().await.as_deref(), Some("hello alice"));
    let words = ["session", "revoke", "alice", "--portal", "wiki"];
    assert_eq!(command(&gateway, VIEWER, &words).code, 1, "who only looks ends nothing");
    let ended = command(&gateway, DESK, &words);
    let told = Instant::now();
    assert_eq!(ended.out, "alice is signed out at wiki; sessions ended: 2\n", "{ended:?}");
    assert_eq!(socket.next().await, None);
    assert!(told.elapsed() < A_SECOND, "{:?}", told.elapsed());
    assert!(!alice.browser.clone().open("/home").await.body.contains("secret-page"));
    // Her phone is as good as before.
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let page = sign_in_again(&mut browser, ALICE).await;
    let led = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(browser.follow(led).await.body.contains("for alice alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_has_to_wait_is_unlocked() {
    let (_wiki, _shop, mut gateway) = house().await;
    let alice = enrol(&gateway, "wiki", ALICE).await;
    gateway.next_code();
    let mut browser = gateway.browser("wiki");
    let mut page = sign_in_again(&mut browser, ALICE).await;
    for _ in 0..5 {
        let wrong = give_code(&mut browser, &page, "000000").await;
        page = if wrong.body.contains("name=\"code\"") { wrong } else { page };
    }
    let show = || command(&gateway, VIEWER, &["user", "show", "alice", "--portal", "wiki"]).out;
    assert!(show().contains("state                locked"), "{}", show());
    let words = ["user", "unlock", "alice", "--portal", "wiki"];
    assert_eq!(command(&gateway, DESK, &words).out, "alice can try again at wiki\n");
    assert!(show().contains("state                enrolled"), "{}", show());
    let led = give_code(&mut browser, &page, &alice.phone.code(gateway.now())).await;
    assert!(browser.follow(led).await.body.contains("for alice alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_desk_did_is_in_the_log_without_the_users_name() {
    let (_wiki, _shop, gateway) = house().await;
    enrol(&gateway, "wiki", ALICE).await;
    reset(&gateway, "alice", "alice@example.com", &[]);
    reset(&gateway, "alice", "bob@example.com", &["--ticket", "T-17"]);
    let desk = eventually("four lines of the desk", async || {
        let log = gateway.log();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        let by_desk = |line: &serde_json::Value| line["message"] == "the desk acted";
        Some(lines.filter(by_desk).collect::<Vec<_>>()).filter(|lines| lines.len() == 4)
    })
    .await;
    for line in &desk {
        assert_eq!(line["by"], "desk", "{line}");
        assert_eq!(line["portal"], "wiki");
        assert_eq!(line["user"].as_str().unwrap().len(), 22);
        let text = line.to_string();
        for personal in ["alice", "bob", "T-17", "lost phone", DESK.secret] {
            assert!(!text.contains(personal), "{text}");
        }
    }
    let events: Vec<&str> = desk.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["reset_refused", "reset_requested", "reset_approved", "reset_done"]);
    assert_eq!((&desk[0]["refused"], desk[3].get("refused")), (&"oneself".into(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_taken_away_opens_nothing_from_then_on() {
    let (_wiki, _shop, gateway) = house().await;
    let list = |token| command(&gateway, token, &["user", "list", "--portal", "wiki"]).code;
    assert_eq!((list(VIEWER), list(DESK)), (0, 0));
    let entry = "{ name: eyes, role: viewer, secret: \"file:eyes.token\" }, ";
    assert!(gateway.yaml().contains(entry), "{}", gateway.yaml());
    gateway.take(&gateway.yaml().replace(entry, "")).await;
    assert_eq!((list(VIEWER), list(DESK)), (1, 0));
}

#[test]
fn a_command_that_is_asked_wrongly_ends_with_two() {
    let list = ["user", "list", "--portal", "wiki"];
    let no_token = said(&list, None);
    assert_eq!(no_token.code, 2);
    assert!(no_token.complaint.contains("PORTCULLIS_ADMIN_TOKEN"), "{}", no_token.complaint);
    assert_eq!(no_token.complaint.lines().count(), 1);
    for wrong in [
        &["user", "list"][..],
        &["user", "list", "--portal", "wiki", "--output", "xml"],
        &["user", "list", "--portal", "wiki", "--admin", "ftp://127.0.0.1"],
        &["user", "list", "--portal", "wiki", "--state", "lost"],
        &["session", "revoke", "--portal", "wiki"],
    ] {
        assert_eq!(said(wrong, Some(DESK.secret)).code, 2, "{wrong:?}");
    }
    let nobody = [&list[..], &["--admin", "http://127.0.0.1:1"]].concat();
    let nobody = said(&nobody, Some(DESK.secret));
    assert_eq!((nobody.code, nobody.complaint.lines().count()), (1, 1), "{nobody:?}");
}
