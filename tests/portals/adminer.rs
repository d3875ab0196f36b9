//! Adminer with a page before it that announces who signed in: fields in a group, answers that
//! are the same for every password, and a session that would take several accounts.

use crate::dsl::steps::give_code;
use crate::dsl::{ALICE, BOB, Browser};
use crate::habits::ADMINER;
use crate::visits::{Place, Visited, whole_story};

const SECRET: &str = "Read by who is signed in alone.";

#[tokio::test(flavor = "multi_thread")]
async fn adminer_gets_a_second_factor() {
    whole_story(&ADMINER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_opens_no_account_that_is_added_to_the_session() {
    let mut place = Place::open(&ADMINER).await;
    place.enrol(ALICE).await;
    let mut bob = place.enrol(BOB).await;
    assert!(bob.browser.open(&table_of("bob")).await.body.contains(SECRET));
    let fields = |user, password| {
        let group = [("auth[username]", user), ("auth[password]", password)];
        [&group[..], &[("auth[server]", ""), ("auth[db]", "")]].concat()
    };
    let alices = fields(ALICE.0, ALICE.1);
    let logins = [
        ("/adminer/", [&alices[..], &[("auth[driver]", "server")]].concat()),
        ("/adminer/", [&alices[..], &[("auth[driver]", "sqlite")]].concat()),
        ("/adminer/?username=bob", [&alices[..], &[("auth[driver]", "server")]].concat()),
        ("/adminer/index.php", [&alices[..], &[("auth[driver]", "server")]].concat()),
        ("/adminer/index.php?username=alice", [&alices[..], &[("x", "1")]].concat()),
    ];
    for (path, fields) in logins {
        place.gateway.next_code();
        let code = bob.phone.code(place.gateway.now());
        (bob.browser, _) = place.come_again(BOB, &code).await;
        bob.browser.post(path, &fields).await;
        is_no_page_of_alices(&mut bob.browser, path).await;
        place.gateway.next_code();
        let page = bob.browser.go(&table_of("bob")).await;
        if page.path.starts_with("/.mfa/verify") {
            let code = bob.phone.code(place.gateway.now());
            give_code(&mut bob.browser, &page, &code).await;
        }
        is_no_page_of_alices(&mut bob.browser, path).await;
    }
}

/// To the database these are all different users, and to the gateway nobody.
#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_a_name_is_nobody() {
    let place = Place::open(&ADMINER).await;
    place.enrol(ALICE).await;
    for name in ["ALICE", " alice", "alice ", "\u{e1}lice", "alice@localhost", ""] {
        let mut browser = place.browser();
        ADMINER.sign_in(&mut browser, (name, ALICE.1)).await;
        place.is_kept_out(&mut browser, ADMINER.login).await;
    }
}

/// It holds the password and signs in by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_login_is_none_without_the_code() {
    let place = Place::open(&ADMINER).await;
    place.enrol(ALICE).await;
    let mut browser = place.browser();
    ADMINER.sign_in_to_stay(&mut browser, ALICE).await;
    browser.jar.retain(|name, _| name == "adminer_permanent");
    assert_eq!(browser.jar.len(), 1);
    place.is_kept_out(&mut browser, ADMINER.login).await;
}

async fn is_no_page_of_alices(browser: &mut Browser, after: &str) {
    let page = browser.open(&table_of("alice")).await;
    assert!(!page.body.contains(SECRET), "after POST {after}: {:?}", page.answer);
    let page = browser.open("/adminer/?username=alice").await;
    assert!(!ADMINER.shows(&page), "after POST {after}: {:?}", page.answer);
}

fn table_of(user: &str) -> String {
    format!("/adminer/?username={user}&db=shop&select=secret")
}
