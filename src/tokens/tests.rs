//! Tokens on a real store.

use std::time::Duration;

use super::*;
use crate::site::house::{House, NOW, house};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn wish(name: &str) -> Wish {
    Wish { name: name.to_owned(), role: Role::Desk, portals: None, lifetime: Some(DAY) }
}

async fn again(house: &House) -> Tokens {
    Tokens::load(house.store.clone(), MacKey::new(&[7; 32]), NOW).await.unwrap()
}

fn is_known(tokens: &Tokens, now: UnixMillis, secret: &str) -> bool {
    let given = TokenHash::of(secret.as_bytes());
    tokens.all(now).iter().any(|token| bool::from(token.hash.is(&given)))
}

#[tokio::test]
async fn a_token_is_known_from_its_making_to_its_end_also_after_a_restart() {
    let house = house().await;
    let tokens = again(&house).await;
    let (secret, made) = tokens.make(NOW, wish("night"), "boss").await.unwrap();
    assert!(secret.starts_with(PREFIX) && secret.len() == PREFIX.len() + 43, "{}", *secret);
    assert!(is_known(&tokens, NOW, &secret) && is_known(&again(&house).await, NOW, &secret));
    assert!(!is_known(&tokens, NOW, &format!("{}x", *secret)));
    let kept = again(&house).await.named(NOW, "night").unwrap();
    assert_eq!((kept.made_by.as_str(), &kept.staff), ("boss", &made.staff));
    assert!(tokens.end(NOW, &made).await.unwrap());
    assert!(!is_known(&tokens, NOW, &secret) && !is_known(&again(&house).await, NOW, &secret));
    assert!(!tokens.end(NOW, &made).await.unwrap(), "it ended twice");
}

#[tokio::test]
async fn a_token_that_has_expired_counts_no_longer_and_frees_its_name() {
    let house = house().await;
    let tokens = again(&house).await;
    let (secret, _) = tokens.make(NOW, wish("night"), "boss").await.unwrap();
    assert!(matches!(tokens.make(NOW, wish("night"), "boss").await, Err(MakeFault::NameTaken)));
    let last = UnixMillis(NOW.plus(DAY).0 - 1);
    assert!(is_known(&tokens, last, &secret));
    assert!(!is_known(&tokens, NOW.plus(DAY), &secret));
    let (other, _) = tokens.make(NOW.plus(DAY), wish("night"), "boss").await.unwrap();
    assert!(is_known(&tokens, NOW.plus(DAY), &other));
    assert!(!is_known(&tokens, NOW.plus(DAY), &secret));
}

#[tokio::test]
async fn its_use_is_noted_once_an_hour_and_brings_no_ended_token_back() {
    let house = house().await;
    let tokens = again(&house).await;
    let (secret, made) = tokens.make(NOW, wish("night"), "boss").await.unwrap();
    tokens.used(NOW, &made).await.unwrap();
    let hour = UnixMillis(NOW.0 - NOW.0 % HOUR);
    let known = tokens.named(NOW, "night").unwrap();
    assert_eq!(
        (known.used, again(&house).await.named(NOW, "night").unwrap().used),
        (Some(hour), Some(hour))
    );
    let calls = house.store.calls();
    tokens.used(NOW, &known).await.unwrap();
    assert_eq!(house.store.calls(), calls, "each use is a write");
    assert!(tokens.end(NOW, &known).await.unwrap());
    tokens.used(NOW.plus(Duration::from_secs(3600)), &known).await.unwrap();
    assert!(!is_known(&tokens, NOW, &secret) && !is_known(&again(&house).await, NOW, &secret));
}

#[tokio::test]
async fn there_is_room_for_so_many_and_no_more() {
    let house = house().await;
    let tokens = again(&house).await;
    for number in 0..MOST {
        tokens.make(NOW, wish(&format!("t{number}")), "boss").await.unwrap();
    }
    assert!(matches!(tokens.make(NOW, wish("more"), "boss").await, Err(MakeFault::TooMany)));
    let first = tokens.named(NOW, "t0").unwrap();
    assert!(tokens.end(NOW, &first).await.unwrap());
    tokens.make(NOW, wish("more"), "boss").await.unwrap();
}

#[tokio::test]
async fn a_change_that_another_gateway_made_is_read_from_the_store() {
    let house = house().await;
    let (here, there) = (again(&house).await, again(&house).await);
    let (secret, made) = there.make(NOW, wish("night"), "boss").await.unwrap();
    assert!(!is_known(&here, NOW, &secret));
    here.reload(NOW).await.unwrap();
    assert!(is_known(&here, NOW, &secret));
    there.end(NOW, &made).await.unwrap();
    here.reload(NOW).await.unwrap();
    assert!(!is_known(&here, NOW, &secret));
}
