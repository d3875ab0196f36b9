//! Who a visitor is, and that a proven one waits for nobody: no store, no lock of others.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};

use http::HeaderMap;

use super::identify;
use crate::policy::{PortalSession, Standing, Visitor};
use crate::session::{FactorUsed, Level};
use crate::site::house::{House, NOW, house, line};
use crate::visit::Visit;

const PROVEN: Level = Level::Proven { factor: FactorUsed::Totp, at: NOW };
const JUST_PROVEN: Visitor = Visitor::Proven(Some(std::time::Duration::ZERO));
const ALICE: &str = "sid=alice; theme=dark; DWx=1";

/// Asks once and does not wait: whatever has to wait for somebody is not ready then.
fn at_once(house: &House, headers: &HeaderMap) -> Option<Visit> {
    let site = house.parts.sites.named("wiki.test");
    let identifying = pin!(identify(&house.parts, site, NOW, headers, None));
    match identifying.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(visit) => Some(visit.unwrap()),
        Poll::Pending => None,
    }
}

async fn visitor(house: &House, headers: &HeaderMap) -> (Visitor, PortalSession) {
    let site = house.parts.sites.named("wiki.test");
    let visit = identify(&house.parts, site, NOW, headers, None).await.unwrap();
    (visit.visitor(NOW), visit.portal_session)
}

#[tokio::test]
async fn a_proven_visitor_touches_no_store_and_waits_for_nothing() {
    let house = house().await;
    let alice = house.sign_in("alice", ALICE, PROVEN).await;
    let before = house.store.calls();
    for _ in 0..100 {
        let visit = at_once(&house, &alice).expect("it waited");
        assert_eq!(visit.visitor(NOW), JUST_PROVEN);
    }
    assert_eq!(house.store.calls(), before);
}

/// The store counts: everybody else is looked up in it.
#[tokio::test]
async fn a_visitor_without_proof_is_looked_up() {
    let house = house().await;
    let bob = house.sign_in("bob", "sid=bob", Level::Password).await;
    let before = house.store.calls();
    let named = Visitor::Named(Standing::NotEnrolled);
    assert_eq!(visitor(&house, &bob).await, (named, PortalSession::Other));
    assert!(house.store.calls() > before);
}

/// Two proven visitors go through, each on a thread of its own, while somebody else signs in.
#[tokio::test]
async fn proven_visitors_go_on_while_others_sign_in() {
    let house = house().await;
    let alice = house.sign_in("alice", ALICE, PROVEN).await;
    let carol = house.sign_in("carol", "sid=carol", PROVEN).await;
    let suspension = house.parts.sessions.suspend(&house.parts_of("sid=bob")).await.unwrap();
    let before = house.store.calls();
    let together = Barrier::new(2);
    std::thread::scope(|threads| {
        for headers in [&alice, &carol] {
            let (house, together) = (&house, &together);
            threads.spawn(move || {
                together.wait();
                for _ in 0..1000 {
                    let visit = at_once(house, headers).expect("it waited");
                    assert_eq!(visit.visitor(NOW), JUST_PROVEN);
                }
            });
        }
    });
    assert_eq!(house.store.calls(), before);
    drop(suspension);
}

/// ID-5: in the portal session in which somebody signs in, no proof counts.
#[tokio::test]
async fn a_proof_does_not_count_while_its_own_cookies_sign_in() {
    let house = house().await;
    let alice = house.sign_in("alice", ALICE, PROVEN).await;
    let suspension = house.parts.sessions.suspend(&house.parts_of("sid=alice")).await.unwrap();
    assert_eq!(visitor(&house, &alice).await, (Visitor::Unknown, PortalSession::Other));
    drop(suspension);
    assert_eq!(visitor(&house, &alice).await, (JUST_PROVEN, PortalSession::Other));
}

#[tokio::test]
async fn a_proof_belongs_to_one_portal_session() {
    let house = house().await;
    let alice = house.sign_in("alice", ALICE, PROVEN).await;
    let given = alice.get("cookie").unwrap().to_str().unwrap();
    let unknown = (Visitor::Unknown, PortalSession::Other);
    for other in ["sid=mallory", "sid=alice; DWx=2", "sid=alice; DWx=1; DWy=3"] {
        let stolen = given.replace("sid=alice; theme=dark; DWx=1", other);
        assert_eq!(visitor(&house, &line(&stolen)).await, unknown, "{other}");
    }
    let theme = given.replace("theme=dark", "theme=light");
    assert_eq!(visitor(&house, &line(&theme)).await.0, JUST_PROVEN);
    let alone = given.replace("sid=alice; theme=dark; DWx=1; ", "");
    let absent = (Visitor::Unknown, PortalSession::Absent);
    assert_eq!(visitor(&house, &line(&alone)).await, absent);
}

#[tokio::test]
async fn a_session_that_ended_is_nobodys() {
    let house = house().await;
    let alice = house.sign_in("alice", ALICE, PROVEN).await;
    let visit = at_once(&house, &alice).expect("it waited");
    house.parts.sessions.end(NOW, visit.session().unwrap()).await.unwrap();
    assert_eq!(visitor(&house, &alice).await, (Visitor::Unknown, PortalSession::Other));
}

#[tokio::test]
async fn cookies_with_two_readings_are_refused() {
    let house = house().await;
    let site = house.parts.sites.named("wiki.test");
    for cookies in ["sid=1; sid=2", "__Host-MFA=x", "__Host-mfa=a; __Host-mfa=b"] {
        let refused = identify(&house.parts, site, NOW, &line(cookies), None).await;
        assert!(refused.is_err(), "{cookies}");
    }
}
