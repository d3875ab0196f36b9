//! Houses that share a store: what one of them changes counts in the others, and what they
//! remember counts only while they know that it is what the store says.

use std::time::Duration;

use http::HeaderMap;

use crate::clock::Stopwatch;
use crate::policy::{PortalSession, Standing, Visitor};
use crate::proxy::identify::identify;
use crate::session::{FactorUsed, Level, Rotation};
use crate::site::house::{House, NOW, houses};
use crate::store::freshness::{GOOD_FOR, STREAMS_GO_ON_FOR};
use crate::tokens::Wish;
use crate::user::Opaque;

const PROVEN: Level = Level::Proven { factor: FactorUsed::Totp, at: NOW };
const MILLISECOND: Duration = Duration::from_millis(1);

async fn visitor(house: &House, headers: &HeaderMap) -> Visitor {
    let site = house.parts.sites.named("wiki.test");
    let now = house.clock_now();
    identify(&house.parts, site, now, headers, None).await.unwrap().visitor(NOW)
}

fn is_proven(visitor: Visitor) -> bool {
    matches!(visitor, Visitor::Proven(_))
}

fn place_of(house: &House, cookies: &str) -> Opaque {
    house.parts.sites.named("wiki.test").binder.bind(&house.cookies_of(cookies))
}

/// Whether the house knows by itself that the session stands.
fn knows(house: &House, bind: Opaque) -> bool {
    house.parts.sessions.known(house.clock_now(), bind).is_some()
}

#[tokio::test]
async fn each_request_may_come_to_another_house() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    assert!(is_proven(visitor(&there, &alice).await), "it was refused where it did not begin");
    // From then on it costs nothing there either.
    let before = there.store.calls();
    assert!(is_proven(visitor(&there, &alice).await));
    assert_eq!(there.store.calls(), before);
}

#[tokio::test]
async fn what_ended_at_one_house_is_over_at_the_others() {
    let [here, there, third] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    let bind = place_of(&here, "sid=alice");
    for house in [&there, &third] {
        assert!(is_proven(visitor(house, &alice).await) && knows(house, bind));
    }
    let session = here.parts.sessions.known(NOW, bind).unwrap();
    here.parts.sessions.end(NOW, &session).await.unwrap();
    for house in [&there, &third] {
        house.hears().await;
        let since = Stopwatch::start();
        assert!(!knows(house, bind));
        let sessions = &house.parts.sessions;
        assert!(!sessions.goes_on(house.clock_now(), session.root), "its streams go on");
        assert!(!sessions.carries(house.clock_now(), session.root, since));
        assert_eq!(visitor(house, &alice).await, Visitor::Unknown);
    }
}

/// Nobody tells this house anything any more: what it remembers counts for 750 ms, then it
/// asks, and what it cannot ask it refuses.
#[tokio::test]
async fn without_a_beat_nothing_counts_that_is_remembered() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    let bind = place_of(&here, "sid=alice");
    assert!(is_proven(visitor(&there, &alice).await));
    there.hears().await;
    let session = here.parts.sessions.known(here.clock_now(), bind).unwrap();
    here.parts.sessions.end(here.clock_now(), &session).await.unwrap();
    there.clock.advance(GOOD_FOR - MILLISECOND);
    assert!(knows(&there, bind), "it asked too early");
    there.clock.advance(MILLISECOND);
    assert!(!knows(&there, bind));
    assert_eq!(visitor(&there, &alice).await, Visitor::Unknown);
}

#[tokio::test]
async fn a_house_that_hears_nothing_asks_for_each_request() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    assert!(is_proven(visitor(&there, &alice).await));
    there.clock.advance(GOOD_FOR);
    for _ in 0..3 {
        let before = there.store.calls();
        assert!(is_proven(visitor(&there, &alice).await), "it was refused though it stands");
        assert!(there.store.calls() > before, "nobody asked the store");
    }
    there.link().is_up(false);
    let site = there.parts.sites.named("wiki.test");
    let refused = identify(&there.parts, site, there.clock_now(), &alice, None).await;
    assert!(refused.is_err(), "it was let through though nobody could say");
    there.link().is_up(true);
    there.hears().await;
    assert!(is_proven(visitor(&there, &alice).await));
    assert!(knows(&there, place_of(&here, "sid=alice")));
}

/// Events without a beat are taken note of, and do not make memory count.
#[tokio::test]
async fn only_a_beat_says_that_everything_was_told() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    let bind = place_of(&here, "sid=alice");
    assert!(is_proven(visitor(&there, &alice).await));
    there.clock.advance(GOOD_FOR);
    there.link().tells_without_beat();
    tokio::task::yield_now().await;
    assert!(!knows(&there, bind));
}

#[tokio::test]
async fn streams_end_when_nobody_was_heard_for_a_second() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    let root = here.parts.sessions.known(NOW, place_of(&here, "sid=alice")).unwrap().root;
    assert!(is_proven(visitor(&there, &alice).await));
    let goes_on = || there.parts.sessions.goes_on(there.clock_now(), root);
    there.hears().await;
    there.clock.advance(STREAMS_GO_ON_FOR - MILLISECOND);
    assert!(goes_on());
    there.clock.advance(MILLISECOND);
    assert!(!goes_on(), "a stream went on though nobody knew whether its session stood");
    // A request that was judged a moment ago ends as it began.
    let since = Stopwatch::start();
    assert!(there.parts.sessions.carries(there.clock_now(), root, since));
    there.hears().await;
    assert!(goes_on());
}

/// A session that moved and then ended somewhere this house never saw: its stream runs here.
#[tokio::test]
async fn a_stream_ends_with_a_session_that_ended_at_a_place_unknown_here() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    let old = here.parts.sessions.known(NOW, place_of(&here, "sid=alice")).unwrap();
    assert!(is_proven(visitor(&there, &alice).await));
    let moved = crate::session::SessionRecord {
        bind: Opaque([77; 16]),
        sid: Opaque([78; 16]),
        parts: vec![Opaque([79; 16])],
        ..(*old).clone()
    };
    let moved = here.parts.sessions.rebind(NOW, &old, moved).await.unwrap();
    there.hears().await;
    assert!(there.parts.sessions.goes_on(there.clock_now(), old.root));
    here.parts.sessions.end(here.clock_now(), &moved).await.unwrap();
    there.hears().await;
    assert!(!there.parts.sessions.goes_on(there.clock_now(), old.root));
}

#[tokio::test]
async fn whoever_missed_something_begins_anew() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    let bind = place_of(&here, "sid=alice");
    assert!(is_proven(visitor(&there, &alice).await));
    let session = here.parts.sessions.known(NOW, bind).unwrap();
    here.parts.sessions.end(NOW, &session).await.unwrap();
    there.link().misses_something();
    while there.parts.sessions.freshness().counts() {
        tokio::task::yield_now().await;
    }
    assert!(!knows(&there, bind) && !there.parts.sessions.goes_on(NOW, session.root));
    there.hears().await;
    assert!(!knows(&there, bind));
    assert_eq!(visitor(&there, &alice).await, Visitor::Unknown);
}

/// What is under way meanwhile is not taken for something whose session ended.
#[tokio::test]
async fn whoever_missed_something_doubts_what_is_under_way() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    let bind = place_of(&here, "sid=alice");
    assert!(is_proven(visitor(&there, &alice).await));
    let (sessions, since) = (&there.parts.sessions, Stopwatch::start());
    let root = sessions.find(NOW, bind).await.unwrap().unwrap().root;
    there.hears().await;
    assert!(sessions.carries(there.clock_now(), root, since));
    there.link().misses_something();
    while sessions.freshness().counts() {
        tokio::task::yield_now().await;
    }
    there.hears().await;
    assert!(!sessions.carries(there.clock_now(), root, since) && sessions.is_in_doubt(since));
    let found = sessions.look(there.clock_now(), bind).await.unwrap().unwrap();
    assert!(found.root == root && sessions.carries(there.clock_now(), root, since));
}

/// What changed but cannot be read is owed: until it was read no beat counts.
#[tokio::test]
async fn no_beat_counts_before_what_changed_was_read() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    let bind = place_of(&here, "sid=alice");
    assert!(is_proven(visitor(&there, &alice).await));
    there.hears().await;
    let session = here.parts.sessions.known(here.clock_now(), bind).unwrap();
    here.parts.sessions.end(here.clock_now(), &session).await.unwrap();
    there.link().is_up(false);
    there.clock.advance(GOOD_FOR);
    there.link().tells();
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert!(!knows(&there, bind));
    }
    there.link().is_up(true);
    there.hears().await;
    assert!(there.parts.sessions.freshness().counts());
    assert_eq!(visitor(&there, &alice).await, Visitor::Unknown);
}

/// The token says more than what is remembered: the store is asked before anybody is refused.
#[tokio::test]
async fn a_newer_token_makes_a_house_look() {
    let [here, there] = houses().await;
    let with_password = here.sign_in("alice", "sid=alice", Level::Password).await;
    let named = Visitor::Named(Standing::NotEnrolled);
    assert_eq!(visitor(&there, &with_password).await, named);
    // The session is proven here, and `there` has not heard of it.
    let site = here.parts.sites.named("wiki.test");
    let bind = place_of(&here, "sid=alice");
    let old = here.parts.sessions.known(NOW, bind).unwrap();
    let proven = old.proven(Opaque([8; 16]), Opaque([9; 16]), FactorUsed::Totp, NOW);
    let writes = here.parts.sessions.replacement(NOW, &old, &proven).await.unwrap();
    here.parts.store.commit(NOW, writes).await.unwrap();
    let token = site.token.mint(&here.parts.keys, NOW, &proven).unwrap();
    let cookies = format!("sid=alice; {}={token}", crate::net::cookies::SESSION);
    assert!(is_proven(visitor(&there, &crate::site::house::line(&cookies)).await));
}

#[tokio::test]
async fn keys_that_were_rotated_elsewhere_count_at_once() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    assert!(is_proven(visitor(&there, &alice).await));
    let calm = Rotation::Calm { lifetime: Duration::from_secs(3600) };
    let now = here.clock_now();
    here.parts.keys.rotate(&*here.parts.store, now, calm).await.unwrap();
    let bob = here.sign_in("bob", "sid=bob", PROVEN).await;
    assert!(is_proven(visitor(&there, &bob).await), "a new key was not known");
    assert!(is_proven(visitor(&there, &alice).await), "an old key was forgotten");
    // A key that nobody has is asked for once a second at most.
    let strange = here.sign_in("carol", "sid=carol", PROVEN).await;
    here.parts.keys.rotate(&*here.parts.store, now, Rotation::Emergency).await.unwrap();
    there.hears().await;
    let before = there.store.calls();
    assert_eq!(visitor(&there, &strange).await, Visitor::Unknown, "an old key counts");
    assert_eq!(visitor(&there, &strange).await, Visitor::Unknown);
    assert!(there.store.calls() <= before + 2, "each stranger costs a look");
}

/// An emergency: while nobody hears of it, the keys are read for each request.
#[tokio::test]
async fn old_keys_open_nothing_where_nobody_was_heard() {
    let [here, there] = houses().await;
    let alice = here.sign_in("alice", "sid=alice", PROVEN).await;
    assert!(is_proven(visitor(&there, &alice).await));
    here.parts.keys.rotate(&*here.parts.store, NOW, Rotation::Emergency).await.unwrap();
    there.clock.advance(GOOD_FOR);
    assert_eq!(visitor(&there, &alice).await, Visitor::Unknown);
}

#[tokio::test]
async fn a_token_of_the_api_is_one_at_all_houses() {
    let [here, there] = houses().await;
    let wish = || Wish {
        name: "night shift".to_owned(),
        role: crate::config::desk::Role::Desk,
        portals: None,
        lifetime: None,
    };
    let (_secret, issued) = here.parts.tokens.make(NOW, wish(), "ops").await.unwrap();
    assert!(there.parts.tokens.all(NOW).is_empty());
    let later = NOW.plus(Duration::from_secs(1));
    assert_eq!(there.parts.tokens.catch_up(later).await, Ok(true));
    assert_eq!(there.parts.tokens.catch_up(later).await, Ok(false), "each guess costs a look");
    let known = there.parts.tokens.named(later, "night shift").unwrap();
    // It is used here, which changes its record, and ended there, which has not heard of that.
    here.parts.tokens.used(later, &issued).await.unwrap();
    assert_eq!(there.parts.tokens.end(later, &known).await, Ok(true));
    assert_eq!(here.parts.tokens.all(later).len(), 1);
    here.hears().await;
    assert!(here.parts.tokens.all(later).is_empty(), "a token that was ended counts");
    // And where nobody was heard, the store is asked.
    here.parts.tokens.make(later, wish(), "ops").await.unwrap();
    there.clock.advance(GOOD_FOR);
    there.parts.tokens.confirm(later, there.parts.sessions.freshness()).await.unwrap();
    assert_eq!(there.parts.tokens.all(later).len(), 1);
}

/// ID-5 at two houses: a guest's portal session is nobody's only while nobody signs in there.
#[tokio::test]
async fn a_guest_is_none_while_somebody_signs_in_elsewhere() {
    let [here, there] = houses().await;
    let site = there.parts.sites.named("wiki.test");
    let bind = place_of(&there, "sid=guest");
    let token = site.token.mint_guest(&there.parts.keys, NOW, Opaque([3; 16]), bind).unwrap();
    let cookies = format!("sid=guest; {}={token}", crate::net::cookies::SESSION);
    let headers = crate::site::house::line(&cookies);
    let portal_session = async || {
        let now = there.clock_now();
        identify(&there.parts, site, now, &headers, None).await.unwrap().portal_session
    };
    assert_eq!(portal_session().await, PortalSession::Guest);
    let held = here.parts.sessions.suspend(&here.parts_of("sid=guest")).await.unwrap();
    assert_eq!(portal_session().await, PortalSession::Other);
    held.let_go().await;
    assert_eq!(portal_session().await, PortalSession::Guest);
    here.sign_in("alice", "sid=guest", Level::Password).await;
    assert_eq!(portal_session().await, PortalSession::Other);
}
