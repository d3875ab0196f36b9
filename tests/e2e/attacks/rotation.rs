//! ID-7 where nobody can be asked whose a session is: a proof follows the names that answers
//! to proven requests give the session, and no other name ever gets it.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;

use super::whoami::brings_nothing;
use crate::dsl::browser::Shown;
use crate::dsl::office;
use crate::dsl::steps::{enrol, sign_in};
use crate::dsl::{ALICE, BOB, Browser, Gateway, Office, gateway};

/// A portal that changes the name of a session whenever it likes, and is not asked.
const FOLLOWED: &str = "logins:
  - request: { method: POST, path: /login }
    username: { form: user }
    success: { status: [302] }
session_cookies: [officesession]
rotation: follow
login_url: /login
logout: { path: /logout }
";
/// How many things a page asks for at once.
const AT_ONCE: usize = 20;
/// Half as long as an old name counts, since real time passes too; and then long enough.
const WITHIN: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(6);

async fn followed() -> (Office, Gateway) {
    let office = office::run(FOLLOWED).await;
    let gateway = gateway::new().portal("office", &office).run().await;
    (office, gateway)
}

fn is_alices(shown: &Shown) {
    assert_eq!(shown.status, 200, "{:?}", shown.answer);
    assert!(shown.body.contains("for alice alone"), "{:?}", shown.answer);
}

/// Asks for many things at once with the same cookies; gives the browser after each answer,
/// in the order in which they came.
async fn ask_at_once(browser: &Browser, round: usize) -> Vec<Browser> {
    let mut asking = JoinSet::new();
    for number in 0..AT_ONCE {
        let mut browser = browser.clone();
        asking.spawn(async move {
            let shown = browser.open(&format!("/page/{round}/{number}")).await;
            is_alices(&shown);
            browser
        });
    }
    let mut after = Vec::new();
    while let Some(browser) = asking.join_next().await {
        after.push(browser.unwrap());
    }
    after
}

/// This name of a session with these cookies otherwise.
fn named(browser: &Browser, session: &str) -> Browser {
    let mut other = browser.clone();
    other.jar.insert("officesession".to_owned(), session.to_owned());
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn id_7_many_requests_at_once_keep_the_proof_while_the_session_changes_its_name() {
    for http2 in [false, true] {
        let (office, mut gateway) = followed().await;
        let mut alice = enrol(&gateway, "office", ALICE).await.browser.over(http2);
        let first = alice.clone();
        office.turns(true);
        for round in 0..4 {
            let mut after = ask_at_once(&alice, round).await;
            let names: BTreeSet<_> =
                after.iter().map(|browser| browser.jar["officesession"].as_str()).collect();
            assert_eq!(names.len(), AT_ONCE, "the portal gave a name twice");
            assert!(!names.contains(alice.jar["officesession"].as_str()));
            // Whichever answer a browser hears last, it is still in.
            for browser in &mut after {
                is_alices(&browser.open("/home").await);
            }
            alice = after.pop().unwrap();
        }
        // The rounds take their time, so the grace is measured with one more name.
        let late = alice.clone();
        is_alices(&alice.open("/home").await);
        office.turns(false);
        gateway.advance(WITHIN);
        is_alices(&late.clone().open("/home").await);
        gateway.advance(AFTER);
        brings_nothing(&late, &office).await;
        assert!(office.knows(&first.jar["officesession"]), "the portal is slower than we");
        brings_nothing(&first, &office).await;
        is_alices(&alice.clone().open("/home").await);
        // Neither half of one pair opens with the other half of the other.
        brings_nothing(&named(&alice, &first.jar["officesession"]), &office).await;
        brings_nothing(&named(&first, &alice.jar["officesession"]), &office).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_7_a_name_that_no_answer_to_a_proof_gave_never_gets_it() {
    for http2 in [false, true] {
        let (office, mut gateway) = followed().await;
        let alice = enrol(&gateway, "office", ALICE).await.browser.over(http2);
        let bob = enrol(&gateway, "office", BOB).await.browser.over(http2);
        let mut unproven = gateway.browser("office").over(http2);
        sign_in(&mut unproven, ALICE).await;
        office.turns(true);
        // What the portal gives to a request without proof stays without.
        unproven.open("/public/page").await;
        office.turns(false);
        let names = [
            office.sign_in_directly("alice"),
            unproven.jar["officesession"].clone(),
            bob.jar["officesession"].clone(),
            "a-name-of-their-own".to_owned(),
        ];
        let moved = {
            office.turns(true);
            let mut moved = alice.clone();
            is_alices(&moved.open("/home").await);
            office.turns(false);
            moved
        };
        for name in &names {
            for browser in [&alice, &moved, &unproven] {
                brings_nothing(&named(browser, name), &office).await;
            }
        }
        gateway.advance(WITHIN + AFTER);
        for name in &names {
            brings_nothing(&named(&moved, name), &office).await;
        }
        is_alices(&moved.clone().open("/home").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn id_7_a_name_that_the_sign_out_gave_is_nobodys() {
    for http2 in [false, true] {
        let (office, gateway) = followed().await;
        let mut alice = enrol(&gateway, "office", ALICE).await.browser.over(http2);
        let before = alice.clone();
        office.turns(true);
        assert_eq!(alice.open("/logout").await.status, 302);
        office.turns(false);
        assert_ne!(alice.jar["officesession"], before.jar["officesession"]);
        brings_nothing(&alice, &office).await;
        brings_nothing(&named(&before, &alice.jar["officesession"]), &office).await;
        brings_nothing(&before, &office).await;
    }
}
