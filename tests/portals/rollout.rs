//! A whole rollout on real portals, from the first count to the day after, with a clock that
//! moves; after each day the numbers are compared with what the script counted itself.
//!
//! The gateway's day begins at 08:00 UTC. "Told" is the notice, "held" is led to enrolment
//! (calls: 401 `enrolment_required`), "in" is the portal's page.
//
// | day | who | does | sees |
// | --- | --- | --- | --- |
// | 0, `report` | a stranger | opens the page | what the portal itself says |
// | | bob, 1, 2, 10 | sign in | in, each counted |
// | | alice | signs in, enrols of her own accord | in with a code or without |
// | 1, announced | the YAML: `required` from day 14, 10:00; 10 to 12 from day 3; told each 2 days | | |
// | | bob, 1, 10 | sign in | told, wait, in |
// | | 2 | signs in | told, enrols now |
// | | 3 | signs in by a script alone | in, calls are never told |
// | 2 | 1 | signs in | in, not told again |
// | | 4 | signs in for the first time | told, waits |
// | 3, the pilot | 10 | signs in | held, goes away |
// | | 11 | signs in for the first time | held, enrols |
// | | 1, 4 | sign in | 1 is told again, 4 is not |
// | 14, 09:00 | 1, 3 | sign in | told, wait, in |
// | | 2 | signs in | a code, in |
// | 14, 10:00 | 1 | turns the page | held; what needs nothing opens; enrols |
// | | 3 | turns the page | held, goes away |
// | | 2 | turns the page | in |
// | | 5 | signs in for the first time | held, enrols |
// | | bob | signs in | held, enrols |
// | | 11 | signs in, five wrong codes | has to wait, 429; where 11 was in before, still in |
// | 15, a reset | bob | is reset by the desk on alice's word | out at once; held, not told |
// | | | enrols anew | in |
// | 16, back | the YAML: `report`, then `required` as before | 10 is in, then held at once | |

mod book;
mod script;

use std::time::Duration;

use script::{EVERYBODY, PILOT, Script};

use crate::dsl::desk::{DESK, command};
use crate::dsl::steps::give_code;
use crate::dsl::{ALICE, BOB};
use crate::habits::{DJANGO, DOKUWIKI};

#[tokio::test(flavor = "multi_thread")]
async fn a_wiki_is_rolled_out() {
    rolled_out(Script::begin(&DOKUWIKI, "/lib/exe/css.php").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn djangos_admin_is_rolled_out() {
    rolled_out(Script::begin(&DJANGO, "/static/admin/css/base.css").await).await;
}

async fn rolled_out(mut script: Script) {
    who_would_be_held(&mut script).await;
    the_announcement(&mut script).await;
    the_next_day(&mut script).await;
    the_pilot_group(&mut script).await;
    the_deadline(&mut script).await;
    a_reset(&mut script).await;
    back_and_forth(&mut script).await;
}

async fn who_would_be_held(script: &mut Script) {
    script.a_stranger_comes().await;
    for who in ["bob", "member1", "member2", "member10"] {
        script.goes_on(who).await;
    }
    let mut alice = script.goes_on("alice").await;
    script.enrols("alice", &mut alice).await;
    script.goes_on("alice").await;
    script.agrees().await;
}

async fn the_announcement(script: &mut Script) {
    script.until(1, 8).await;
    script.takes("required").await;
    for who in ["bob", "member1", "member10"] {
        script.is_told(who).await;
    }
    let mut second = script.is_told("member2").await;
    script.enrols("member2", &mut second).await;
    script.only_calls("member3").await;
    script.agrees().await;
}

async fn the_next_day(script: &mut Script) {
    script.until(2, 8).await;
    script.goes_on("member1").await;
    script.is_told("member4").await;
    script.agrees().await;
}

async fn the_pilot_group(script: &mut Script) {
    script.until(PILOT.0, 12).await;
    script.is_held("member10").await;
    let mut first = script.is_held("member11").await;
    script.enrols("member11", &mut first).await;
    script.is_told("member1").await;
    script.goes_on("member4").await;
    script.agrees().await;
}

async fn the_deadline(script: &mut Script) {
    script.until(EVERYBODY.0, EVERYBODY.1 - 1).await;
    let mut at_work = script.is_told("member1").await;
    let mut leaving = script.is_told("member3").await;
    let mut proven = script.gives_a_code("member2").await;
    let mut elsewhere = script.gives_a_code("member11").await;
    script.agrees().await;

    script.until(EVERYBODY.0, EVERYBODY.1).await;
    script.next_page_is_held("member1", &mut at_work).await;
    script.enrols("member1", &mut at_work).await;
    script.next_page_is_held("member3", &mut leaving).await;
    script.is_in(&mut proven).await;
    for who in ["member5", "bob"] {
        let mut browser = script.is_held(who).await;
        script.enrols(who, &mut browser).await;
    }
    script.has_to_wait("member11").await;
    script.is_in(&mut elsewhere).await;
    script.agrees().await;
}

async fn a_reset(script: &mut Script) {
    script.until(EVERYBODY.0 + 1, 8).await;
    let mut before = script.gives_a_code("bob").await;
    let portal = script.place.habits.name;
    let words = ["user", "reset", BOB.0, "--portal", portal, "--reason", "lost phone"];
    let words = [&words[..], &["--requested-by", "alice@example.com"]].concat();
    let done = command(&script.place.gateway, DESK, &words);
    assert_eq!((done.code, done.complaint.as_str()), (0, ""), "{done:?}");
    script.was_reset("bob");
    script.is_out(&mut before).await;
    script.agrees().await;
    let mut anew = script.is_held("bob").await;
    script.agrees().await;
    script.enrols("bob", &mut anew).await;
    script.agrees().await;
}

async fn back_and_forth(script: &mut Script) {
    script.until(EVERYBODY.0 + 2, 8).await;
    let mut held = script.is_held("member10").await;
    script.takes("report").await;
    script.next_page_opens(&mut held, "member10").await;
    script.agrees().await;
    script.takes("required").await;
    script.next_page_is_held("member10", &mut held).await;
    script.agrees().await;
    // Who lost nothing on the way back gives a code as before.
    script.place.gateway.advance(Duration::from_secs(60));
    let mut alice = script.place.browser();
    let led = script.place.habits.sign_in(&mut alice, ALICE).await;
    let page = alice.follow(led).await;
    let code = script.code_of("alice");
    let led = give_code(&mut alice, &page, &code).await;
    assert_eq!(led.status, 303, "{:?}", led.answer);
    script.is_in(&mut alice).await;
}
