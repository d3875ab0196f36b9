//! Sessions on a real store: what stands, what ends, what comes too late.

use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use crate::clock::UnixMillis;
use crate::session::{FactorUsed, Learned, Level, SessionRecord};
use crate::store::sled::SledStore;
use crate::store::{Store, StoreError};
use crate::user::{Opaque, UserName};

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

struct Place {
    folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    sessions: Arc<Sessions>,
}

async fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let key = crate::config::MasterKey::Given(crate::config::Secret::new(vec![5; 32]));
    let keyring = crate::store::keyring::Keyring::load(&key).unwrap();
    let opened = SledStore::open(&folder.path().join("store"), &keyring, NOW).unwrap();
    let store: Arc<dyn Store> = Arc::new(opened);
    let sessions = Arc::new(
        Sessions::load(Arc::clone(&store), Arc::new(crate::clock::MovableClock::at(NOW)))
            .await
            .unwrap(),
    );
    Place { folder, store, sessions }
}

fn record(user: u8, bind: u8, parts: &[u8]) -> SessionRecord {
    SessionRecord {
        portal: "wiki".to_owned(),
        root: Opaque([user; 16]),
        sid: Opaque([user + 100; 16]),
        sub: Opaque([user; 16]),
        user: UserName::canonical(format!("user{user}")),
        bind: Opaque([bind; 16]),
        parts: parts.iter().map(|part| Opaque([*part; 16])).collect(),
        scoped: Vec::new(),
        started: NOW,
        ends: NOW.plus(Duration::from_secs(3600)),
        level: Level::Proven { factor: FactorUsed::Totp, at: NOW },
        learned: Learned::default(),
        place: Default::default(),
    }
}

fn opaque(byte: u8) -> Opaque {
    Opaque([byte; 16])
}

#[tokio::test]
async fn a_session_stands_until_its_end() {
    let place = place().await;
    let sessions = &place.sessions;
    let begun = sessions.begin(NOW, record(1, 10, &[20])).await.unwrap();
    assert_eq!(sessions.known(NOW, opaque(10)), Some(Arc::clone(&begun)));
    assert_eq!(sessions.count(NOW).get("wiki"), Some(&1));
    let over = NOW.plus(Duration::from_secs(3600));
    assert_eq!(sessions.known(over, opaque(10)), None);
    assert_eq!(sessions.find(over, opaque(10)).await.unwrap(), None);
    assert!(!sessions.goes_on(over, begun.root));
    sessions.sweep(over);
    assert_eq!(sessions.count(NOW).get("wiki"), None);
}

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let place = place().await;
    place.sessions.begin(NOW, record(1, 10, &[20])).await.unwrap();
    let gone = place.sessions.begin(NOW, record(2, 11, &[21])).await.unwrap();
    place.sessions.end(NOW, &gone).await.unwrap();
    let again =
        Sessions::load(Arc::clone(&place.store), Arc::new(crate::clock::MovableClock::at(NOW)))
            .await
            .unwrap();
    assert!(again.known(NOW, opaque(10)).is_some());
    assert_eq!(again.known(NOW, opaque(11)), None);
    assert!(again.goes_on(NOW, opaque(1)) && !again.goes_on(NOW, opaque(2)));
    drop(place.folder);
}

#[tokio::test]
async fn an_ended_session_stays_ended_and_its_portal_session_is_no_guests() {
    let place = place().await;
    let sessions = &place.sessions;
    let begun = sessions.begin(NOW, record(1, 10, &[20])).await.unwrap();
    sessions.end(NOW, &begun).await.unwrap();
    assert_eq!(sessions.known(NOW, opaque(10)), None);
    assert_eq!(sessions.find(NOW, opaque(10)).await.unwrap(), None);
    assert!(sessions.was_signed_in(NOW, &[opaque(20)]).await.unwrap());
    assert!(!sessions.was_signed_in(NOW, &[opaque(21)]).await.unwrap());
    let proven = sessions.replacement(NOW, &begun, &begun).await;
    assert!(matches!(proven, Err(StoreError::Conflict { .. })), "{proven:?}");
}

/// A note of an older write that comes late changes nothing.
#[tokio::test]
async fn a_late_note_does_not_bring_a_session_back() {
    let place = place().await;
    let old = Arc::new(record(1, 10, &[20]));
    let writes = super::index::writes(&old).unwrap();
    let versions = place.store.commit(NOW, writes).await.unwrap();
    place.sessions.end(NOW, &old).await.unwrap();
    place.sessions.memory.note(&old, versions.iter().max().copied());
    assert_eq!(place.sessions.known(NOW, opaque(10)), None);
    assert!(!place.sessions.goes_on(NOW, old.root));
}

/// ID-5: whoever signs in with one of a session's cookies ends it, whatever other cookies
/// are sent along.
#[tokio::test]
async fn sessions_that_share_a_cookie_end_together() {
    let place = place().await;
    let sessions = &place.sessions;
    sessions.begin(NOW, record(1, 10, &[20])).await.unwrap();
    sessions.begin(NOW, record(1, 11, &[20, 30])).await.unwrap();
    sessions.begin(NOW, record(2, 12, &[22])).await.unwrap();
    sessions.end_sharing(NOW, &[opaque(20), opaque(31)], None).await.unwrap();
    assert_eq!(sessions.known(NOW, opaque(10)), None);
    assert_eq!(sessions.known(NOW, opaque(11)), None);
    assert!(sessions.known(NOW, opaque(12)).is_some());
}

#[tokio::test]
async fn a_login_under_way_holds_the_session_back() {
    let place = place().await;
    let sessions = &place.sessions;
    sessions.begin(NOW, record(1, 10, &[20, 21])).await.unwrap();
    let suspension = sessions.suspend(&[opaque(21)]).await.unwrap();
    assert_eq!(sessions.known(NOW, opaque(10)), None);
    assert_eq!(sessions.find(NOW, opaque(10)).await.unwrap(), None);
    drop(suspension);
    assert!(sessions.known(NOW, opaque(10)).is_some());
}

#[tokio::test]
async fn a_session_moves_and_the_old_place_fades() {
    let place = place().await;
    let sessions = &place.sessions;
    let old = sessions.begin(NOW, record(1, 10, &[20])).await.unwrap();
    let moved = SessionRecord { bind: opaque(11), parts: vec![opaque(21)], ..(*old).clone() };
    sessions.rebind(NOW, &old, moved).await.unwrap();
    assert!(sessions.known(NOW, opaque(10)).is_some() && sessions.known(NOW, opaque(11)).is_some());
    let later = NOW.plus(Duration::from_secs(10));
    assert_eq!(sessions.known(later, opaque(10)), None);
    assert!(sessions.known(later, opaque(11)).is_some() && sessions.goes_on(later, old.root));
    let users = sessions.of_user(later, opaque(1)).await.unwrap();
    assert_eq!(users.len(), 1);
}

/// As of a portal that gives its session a new name in every answer, to a page that asks for
/// many things at once.
#[tokio::test]
async fn answers_at_once_each_move_the_session() {
    let place = place().await;
    let sessions = &place.sessions;
    let old = sessions.begin(NOW, record(1, 10, &[20])).await.unwrap();
    let moves = (11..31).map(|bind| {
        let part = opaque(bind + 100);
        let moved = SessionRecord { bind: opaque(bind), parts: vec![part], ..(*old).clone() };
        sessions.rebind(NOW, &old, moved)
    });
    for moved in futures_util::future::join_all(moves).await {
        moved.unwrap();
    }
    let later = NOW.plus(Duration::from_secs(10));
    assert_eq!(sessions.known(later, opaque(10)), None);
    for bind in 11..31 {
        assert!(sessions.known(later, opaque(bind)).is_some(), "{bind}");
    }
}

#[tokio::test]
async fn many_answers_at_once_each_take_the_session_along() {
    let place = place().await;
    let sessions = &place.sessions;
    let old = sessions.begin(NOW, record(1, 10, &[20])).await.unwrap();
    let moved = |bind: u8, sid: u8| SessionRecord {
        bind: opaque(bind),
        sid: opaque(sid),
        parts: vec![opaque(bind)],
        ..(*old).clone()
    };
    let places = (100..116).map(|bind| sessions.rebind(NOW, &old, moved(bind, bind)));
    for found in futures_util::future::join_all(places).await {
        assert!(sessions.known(NOW, found.unwrap().bind).is_some());
    }
    // The same place in several answers is one session, whichever the browser keeps.
    let same = (1..8).map(|sid| sessions.rebind(NOW, &old, moved(200, sid)));
    let found = futures_util::future::join_all(same).await;
    let sids: Vec<_> = found.into_iter().map(|found| found.unwrap().sid).collect();
    assert!(sids.iter().all(|sid| *sid == sids[0]), "{sids:?}");
    // The old place got no more time by all that.
    let later = NOW.plus(Duration::from_secs(5));
    sessions.rebind(later, &old, moved(201, 1)).await.unwrap();
    assert_eq!(sessions.known(NOW.plus(Duration::from_secs(10)), opaque(10)), None);
    assert!(sessions.known(NOW.plus(Duration::from_secs(60)), opaque(201)).is_some());
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_does_not_move() {
    let place = place().await;
    let sessions = &place.sessions;
    let old = sessions.begin(NOW, record(1, 10, &[20])).await.unwrap();
    sessions.end(NOW, &old).await.unwrap();
    let moved = SessionRecord { bind: opaque(11), ..(*old).clone() };
    assert!(sessions.rebind(NOW, &old, moved).await.is_err());
    assert_eq!(sessions.known(NOW, opaque(11)), None);
}
