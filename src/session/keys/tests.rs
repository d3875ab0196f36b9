//! The ring over several rotations: what signs, what still verifies, and until when.

use std::time::Duration;

use super::{KeyRing, KeyRingError, MOST_KEYS, Rotation, SESSION_KEYS};
use crate::clock::UnixMillis;
use crate::session::{Level, SessionRecord, Token};
use crate::site::house::{House, NOW, house};
use crate::store::{Key, Space, Store as _};

const LIFETIME: Duration = Duration::from_secs(12 * 3600);
const CALM: Rotation = Rotation::Calm { lifetime: LIFETIME };

async fn ring(house: &House) -> KeyRing {
    KeyRing::load_or_make(&*house.store, NOW).await.unwrap()
}

/// The name of the key that signs.
fn signs(ring: &KeyRing) -> String {
    ring.present().signing().0.to_owned()
}

fn verifies(ring: &KeyRing, now: UnixMillis, kid: &str) -> bool {
    ring.present().verifying(now, kid).is_some()
}

async fn written(house: &House) -> String {
    let key = Key::new(Space::Config, SESSION_KEYS);
    let record = house.store.get(NOW, &key).await.unwrap().unwrap();
    String::from_utf8(record.value.to_vec()).unwrap()
}

#[tokio::test]
async fn a_key_that_signs_no_more_verifies_for_as_long_as_a_session_may_last() {
    let house = house().await;
    let ring = ring(&house).await;
    let old = signs(&ring);
    let rotated = ring.rotate(&*house.store, NOW, CALM).await.unwrap();
    let over = NOW.plus(LIFETIME);
    assert_ne!(rotated.kid, old);
    assert_eq!((signs(&ring), rotated.previous), (rotated.kid, vec![(old.clone(), over)]));
    assert!(verifies(&ring, UnixMillis(over.0 - 1), &old));
    assert!(!verifies(&ring, over, &old));
    assert!(verifies(&ring, over, &signs(&ring)), "the key that signs has ended");
}

#[tokio::test]
async fn a_second_rotation_gives_the_first_key_no_longer() {
    let house = house().await;
    let ring = ring(&house).await;
    let first = signs(&ring);
    ring.rotate(&*house.store, NOW, CALM).await.unwrap();
    let later = NOW.plus(Duration::from_secs(3600));
    let rotated = ring.rotate(&*house.store, later, CALM).await.unwrap();
    assert_eq!(rotated.previous.len(), 2);
    assert!(rotated.previous.contains(&(first, NOW.plus(LIFETIME))));
}

#[tokio::test]
async fn a_guest_is_no_stranger_after_a_rotation_however_short_sessions_are() {
    let house = house().await;
    let ring = ring(&house).await;
    let old = signs(&ring);
    let short = Rotation::Calm { lifetime: Duration::from_secs(60) };
    ring.rotate(&*house.store, NOW, short).await.unwrap();
    assert!(verifies(&ring, NOW.plus(Duration::from_secs(3599)), &old));
}

#[tokio::test]
async fn in_an_emergency_no_key_before_verifies_anything() {
    let house = house().await;
    let ring = ring(&house).await;
    let first = signs(&ring);
    ring.rotate(&*house.store, NOW, CALM).await.unwrap();
    let second = signs(&ring);
    let rotated = ring.rotate(&*house.store, NOW, Rotation::Emergency).await.unwrap();
    assert_eq!(rotated.previous, []);
    assert!(!verifies(&ring, NOW, &first) && !verifies(&ring, NOW, &second));
    let written = written(&house).await;
    assert!(!written.contains(&first) && !written.contains(&second), "kept though retired");
}

#[tokio::test]
async fn a_rotation_outlives_a_restart_and_reaches_another_gateway() {
    let house = house().await;
    let (ring, other) = (ring(&house).await, ring(&house).await);
    let old = signs(&ring);
    ring.rotate(&*house.store, NOW, CALM).await.unwrap();
    assert_eq!(signs(&other), old);
    other.refresh(&*house.store, NOW).await.unwrap();
    let again = self::ring(&house).await;
    for ring in [&other, &again] {
        assert_eq!(signs(ring), signs(&self::ring(&house).await));
        assert!(verifies(ring, NOW, &old) && !verifies(ring, NOW.plus(LIFETIME), &old));
    }
}

#[tokio::test]
async fn what_has_ended_is_dropped_from_the_store() {
    let house = house().await;
    let ring = ring(&house).await;
    let old = signs(&ring);
    ring.rotate(&*house.store, NOW, CALM).await.unwrap();
    ring.refresh(&*house.store, NOW).await.unwrap();
    assert!(written(&house).await.contains(&old));
    ring.refresh(&*house.store, NOW.plus(LIFETIME)).await.unwrap();
    assert!(!written(&house).await.contains(&old));
}

#[tokio::test]
async fn a_ring_without_room_refuses_another_key_and_an_emergency_makes_room() {
    let house = house().await;
    let ring = ring(&house).await;
    for _ in 1..MOST_KEYS {
        ring.rotate(&*house.store, NOW, CALM).await.unwrap();
    }
    let before = signs(&ring);
    let refused = ring.rotate(&*house.store, NOW, CALM).await;
    assert!(matches!(refused, Err(KeyRingError::TooMany)));
    assert_eq!(signs(&ring), before);
    ring.rotate(&*house.store, NOW, Rotation::Emergency).await.unwrap();
    ring.rotate(&*house.store, NOW, CALM).await.unwrap();
}

#[tokio::test]
async fn a_token_of_the_key_before_is_read_until_that_ends() {
    let house = house().await;
    let ring = ring(&house).await;
    let site = house.parts.sites.named("wiki.test");
    house.sign_in("alice", "sid=a", Level::Password).await;
    let bind = site.binder.bind(&house.cookies_of("sid=a"));
    let record: SessionRecord = (*house.parts.sessions.known(NOW, bind).unwrap()).clone();
    let token: &Token = &site.token;
    let text = token.mint(&ring, NOW, &record).unwrap();
    ring.rotate(&*house.store, NOW, CALM).await.unwrap();
    assert!(token.read(&ring, NOW, &text).is_ok());
    ring.rotate(&*house.store, NOW, Rotation::Emergency).await.unwrap();
    assert!(token.read(&ring, NOW, &text).is_err());
    assert!(token.read_idle(&ring, NOW.plus(LIFETIME / 2), &text).is_err());
}
