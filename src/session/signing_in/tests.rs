//! Logins at two houses that share a store.

use std::sync::Arc;
use std::time::Duration;

use crate::session::{FactorUsed, Level, SessionRecord};
use crate::site::house::{House, NOW, houses};
use crate::store::StoreError;
use crate::store::turn::LEASE;
use crate::user::Opaque;

const PROVEN: Level = Level::Proven { factor: FactorUsed::Totp, at: NOW };

fn record(house: &House, user: u8, cookies: &str) -> SessionRecord {
    let site = house.parts.sites.named("wiki.test");
    SessionRecord {
        portal: "wiki".to_owned(),
        root: Opaque([user; 16]),
        sid: Opaque([user + 100; 16]),
        sub: Opaque([user; 16]),
        user: crate::user::UserName::canonical(format!("user{user}")),
        bind: site.binder.bind(&house.cookies_of(cookies)),
        parts: house.parts_of(cookies),
        scoped: Vec::new(),
        started: NOW,
        ends: NOW.plus(Duration::from_secs(3600)),
        level: Level::Password,
        learned: crate::session::Learned::Login,
        place: Default::default(),
    }
}

async fn at(house: &House, bind: Opaque) -> Option<Arc<SessionRecord>> {
    house.parts.sessions.look(house.clock_now(), bind).await.unwrap()
}

#[tokio::test]
async fn logins_in_one_portal_session_settle_in_the_order_in_which_the_portal_saw_them() {
    let [here, there] = houses().await;
    let parts = here.parts_of("sid=one");
    let first = here.parts.sessions.suspend(&parts).await.unwrap();
    let (sessions, waiting) = (Arc::clone(&there.parts.sessions), parts.clone());
    let second = tokio::spawn(async move { sessions.suspend(&waiting).await.unwrap() });
    // The portal has the first password, and what became of it is written down.
    let alice = record(&here, 1, "sid=one");
    let bind = alice.bind;
    here.parts.sessions.begin_held(NOW, alice, &first).await.unwrap();
    assert!(!second.is_finished(), "two passwords were under way in one portal session");
    first.let_go().await;
    let second = second.await.unwrap();
    assert!(at(&there, bind).await.is_none(), "a session stands while somebody signs in");
    there.parts.sessions.begin_held(NOW, record(&there, 2, "sid=one"), &second).await.unwrap();
    second.let_go().await;
    for house in [&here, &there] {
        assert_eq!(at(house, bind).await.map(|session| session.sub), Some(Opaque([2; 16])));
    }
}

/// Who has a proof in a portal session must not get into somebody else's by signing in there:
/// the proof ends before the password goes out, and every house knows it by then.
#[tokio::test]
async fn what_stands_in_a_portal_session_ends_before_a_password_goes_out() {
    let [here, there] = houses().await;
    there.sign_in("mallory", "sid=one", PROVEN).await;
    let bind = there.parts.sites.named("wiki.test").binder.bind(&there.cookies_of("sid=one"));
    let known = there.parts.sessions.known(there.clock_now(), bind).unwrap();
    let held = here.parts.sessions.suspend(&here.parts_of("sid=one")).await.unwrap();
    assert!(at(&there, bind).await.is_none(), "the proof counts while somebody signs in");
    // Nothing can be proven there either until the login is settled.
    let proven = known.proven(Opaque([9; 16]), Opaque([9; 16]), FactorUsed::Totp, NOW);
    let refused = there.parts.sessions.replacement(NOW, &known, &proven).await;
    assert!(matches!(refused.err(), Some(StoreError::Conflict { .. })));
    held.let_go().await;
}

#[tokio::test]
async fn nobody_is_taken_for_somebody_else_while_a_login_is_under_way() {
    let [here, there] = houses().await;
    let held = here.parts.sessions.suspend(&here.parts_of("sid=one")).await.unwrap();
    let told = record(&there, 1, "sid=one");
    let refused = there.parts.sessions.begin_or_join(NOW, told.clone()).await;
    assert_eq!(refused.err().map(|error| error.kind()), Some("conflict"));
    assert!(there.parts.sessions.begin(NOW, told.clone()).await.is_err());
    let sub = Opaque([1; 16]);
    let parts = there.parts_of("sid=one");
    assert_eq!(there.parts.sessions.is_somebody_elses(NOW, &parts, sub).await, Ok(true));
    held.let_go().await;
    assert_eq!(there.parts.sessions.is_somebody_elses(NOW, &parts, sub).await, Ok(false));
    there.parts.sessions.begin_or_join(NOW, told).await.unwrap();
    let other = Opaque([2; 16]);
    assert_eq!(there.parts.sessions.is_somebody_elses(NOW, &parts, other).await, Ok(true));
    assert_eq!(there.parts.sessions.is_somebody_elses(NOW, &parts, sub).await, Ok(false));
}

/// A gateway that was cut off comes back to a login that another one took over.
#[tokio::test]
async fn two_logins_at_once_leave_the_portal_session_to_nobody() {
    let [here, there] = houses().await;
    let parts = here.parts_of("sid=one");
    let lost = here.parts.sessions.suspend(&parts).await.unwrap();
    here.clock.advance(LEASE);
    let held = there.parts.sessions.suspend(&parts).await.unwrap();
    let now = here.clock_now();
    let mine = record(&here, 1, "sid=one");
    let bind = mine.bind;
    let refused = here.parts.sessions.begin_held(now, mine, &lost).await;
    assert_eq!(refused.err().map(|error| error.kind()), Some("conflict"));
    here.parts.sessions.doubt(now, record(&here, 0, "sid=one"), Some(&lost)).await.unwrap();
    // Nobody knows whose password the portal took last: the other one counts for nothing either.
    let refused = there.parts.sessions.begin_held(now, record(&there, 2, "sid=one"), &held).await;
    assert_eq!(refused.err().map(|error| error.kind()), Some("conflict"));
    there.parts.sessions.doubt(now, record(&there, 0, "sid=one"), Some(&held)).await.unwrap();
    lost.let_go().await;
    held.let_go().await;
    assert!(at(&here, bind).await.is_none());
    assert_eq!(here.parts.sessions.was_signed_in(now, &parts).await, Ok(true));
    // The next login is anybody's again.
    let next = there.parts.sessions.suspend(&parts).await.unwrap();
    there.parts.sessions.begin_held(now, record(&there, 3, "sid=one"), &next).await.unwrap();
    next.let_go().await;
    assert_eq!(at(&here, bind).await.map(|session| session.sub), Some(Opaque([3; 16])));
}

#[tokio::test]
async fn no_password_goes_out_while_the_store_cannot_be_reached() {
    let [here, there] = houses().await;
    there.sign_in("alice", "sid=one", PROVEN).await;
    here.link().is_up(false);
    assert!(here.parts.sessions.suspend(&here.parts_of("sid=one")).await.is_err());
    here.link().is_up(true);
    // Nor where what stands there cannot be ended: the turn is the last thing that is taken.
    here.link().breaks_after(1);
    assert!(here.parts.sessions.suspend(&here.parts_of("sid=one")).await.is_err());
    here.link().is_up(true);
}

/// An end that could not be written down counts here at once, and is written down later.
#[tokio::test]
async fn an_end_is_owed_until_it_is_written_down() {
    let [here, there] = houses().await;
    here.sign_in("alice", "sid=one", PROVEN).await;
    let bind = here.parts.sites.named("wiki.test").binder.bind(&here.cookies_of("sid=one"));
    let session = at(&there, bind).await.unwrap();
    here.link().is_up(false);
    assert!(here.parts.sessions.end(NOW, &session).await.is_err());
    assert!(here.parts.sessions.known(here.clock_now(), bind).is_none());
    assert!(!here.parts.sessions.goes_on(here.clock_now(), session.root));
    here.link().is_up(true);
    here.hears().await;
    while at(&there, bind).await.is_some() {
        tokio::task::yield_now().await;
    }
    assert!(at(&here, bind).await.is_none());
}

/// Whoever signs in anew meanwhile is not signed out by what was owed.
#[tokio::test]
async fn what_is_owed_ends_nobody_else() {
    let [here, there] = houses().await;
    here.sign_in("alice", "sid=one", PROVEN).await;
    let bind = here.parts.sites.named("wiki.test").binder.bind(&here.cookies_of("sid=one"));
    let session = at(&there, bind).await.unwrap();
    here.link().is_up(false);
    assert!(here.parts.sessions.end(NOW, &session).await.is_err());
    there.parts.sessions.begin(NOW, record(&there, 2, "sid=one")).await.unwrap();
    here.link().is_up(true);
    here.parts.sessions.pay(here.clock_now()).await;
    for house in [&here, &there] {
        assert_eq!(at(house, bind).await.map(|session| session.sub), Some(Opaque([2; 16])));
    }
}
