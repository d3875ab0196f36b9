//! The ring of the assertions: whose signature it is, and what is published when.

use std::time::Duration;

use super::{ANNOUNCED, AssertionKeys, KEPT, Written, name_of};
use crate::clock::UnixMillis;
use crate::session::Rotation;
use crate::site::house::{House, NOW, house};

/// RFC 8037, appendix A: a pair, its thumbprint, and a signature over a text.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn ring(seed: &str, public: &str, previous: Option<&str>) -> Option<AssertionKeys> {
    let written = Written {
        seed: seed.to_owned(),
        public: public.to_owned(),
        previous: previous.map(str::to_owned),
        previous_until: None,
        next: None,
    };
    AssertionKeys::read(&serde_json::to_vec(&written).unwrap()).ok()
}

#[test]
fn a_signature_and_a_name_are_those_of_the_standard() {
    let keys = ring(SEED, PUBLIC, None).unwrap();
    assert_eq!(name_of(PUBLIC), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = super::encoded(keys.keys.load().first.pair.sign(text));
    assert_eq!(
        signature,
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn the_key_before_is_published_too_and_nothing_private_is() {
    let before = super::encoded([7; 32]);
    let keys = ring(SEED, PUBLIC, Some(&before)).unwrap();
    let set: serde_json::Value = serde_json::from_str(&keys.jwks(NOW)).unwrap();
    let named = |at: usize, name: &str| set["keys"][at][name].as_str().unwrap().to_owned();
    assert_eq!([named(0, "x"), named(1, "x")], [PUBLIC.to_owned(), before.clone()]);
    assert_eq!([named(0, "kid"), named(1, "kid")], [name_of(PUBLIC), name_of(&before)]);
    assert!(!keys.jwks(NOW).contains(SEED) && !keys.jwks(NOW).contains("\"d\""));
    let head = serde_json::json!({
        "alg": "EdDSA", "typ": "portcullis-assertion+jwt", "kid": name_of(PUBLIC)
    });
    assert_eq!(keys.keys.load().first.head, super::encoded(head.to_string()));
}

#[test]
fn halves_of_two_pairs_are_no_ring() {
    assert!(ring(SEED, &super::encoded([7; 32]), None).is_none());
    assert!(ring("", PUBLIC, None).is_none());
    assert!(ring(SEED, PUBLIC, Some("short")).is_none());
    assert!(AssertionKeys::read(b"{}").is_err());
    let first = serde_json::to_vec(&Written::first().unwrap()).unwrap();
    assert!(AssertionKeys::read(&first).is_ok());
}

const CALM: Rotation = Rotation::Calm { lifetime: Duration::from_secs(3600) };

async fn kept(house: &House) -> AssertionKeys {
    AssertionKeys::load_or_make(&*house.store, NOW).await.unwrap()
}

/// The name of the key that signs.
fn signs(keys: &AssertionKeys, now: UnixMillis) -> String {
    name_of(&keys.keys.load().signer(now).public)
}

/// The names of the keys that portals are told of, the one that signs first.
fn published(keys: &AssertionKeys, now: UnixMillis) -> Vec<String> {
    let set: serde_json::Value = serde_json::from_str(&keys.jwks(now)).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn portals_hear_of_a_key_a_day_before_it_signs() {
    let house = house().await;
    let keys = kept(&house).await;
    let old = signs(&keys, NOW);
    let told = keys.rotate(&*house.store, NOW, CALM).await.unwrap();
    let (new, from) = told.next.unwrap();
    assert_eq!((told.kid, told.previous, from), (old.clone(), None, NOW.plus(ANNOUNCED)));
    let moment = Duration::from_millis(1);
    for (at, signer, all) in [
        (NOW, &old, vec![&old, &new]),
        (from.minus(moment), &old, vec![&old, &new]),
        (from, &new, vec![&new, &old]),
        (from.plus(KEPT).minus(moment), &new, vec![&new, &old]),
        (from.plus(KEPT), &new, vec![&new]),
    ] {
        assert_eq!(signs(&keys, at), *signer);
        assert_eq!(published(&keys, at).iter().collect::<Vec<_>>(), all);
        // What the store keeps says the same, tidied or not.
        let read = kept(&house).await;
        assert_eq!(published(&read, at), published(&keys, at));
        read.refresh(&*house.store, at).await.unwrap();
        assert_eq!(
            (signs(&read, at), published(&read, at)),
            (signs(&keys, at), published(&keys, at))
        );
    }
}

#[tokio::test]
async fn a_key_that_is_announced_is_not_replaced_by_another() {
    let house = house().await;
    let keys = kept(&house).await;
    let first = keys.rotate(&*house.store, NOW, CALM).await.unwrap();
    let later = NOW.plus(ANNOUNCED / 2);
    assert_eq!(keys.rotate(&*house.store, later, CALM).await.unwrap(), first);
    let used = NOW.plus(ANNOUNCED);
    let second = keys.rotate(&*house.store, used, CALM).await.unwrap();
    assert_eq!(second.kid, first.next.clone().unwrap().0);
    assert_eq!(second.previous, Some((first.kid, used.plus(KEPT))));
    assert!(second.next.is_some_and(|(_, from)| from == used.plus(ANNOUNCED)));
}

#[tokio::test]
async fn in_an_emergency_no_other_key_is_published_at_once() {
    let house = house().await;
    let keys = kept(&house).await;
    keys.rotate(&*house.store, NOW, CALM).await.unwrap();
    let before = published(&keys, NOW);
    let told = keys.rotate(&*house.store, NOW, Rotation::Emergency).await.unwrap();
    assert_eq!((told.next, told.previous), (None, None));
    assert_eq!(published(&keys, NOW), std::slice::from_ref(&told.kid));
    assert!(!before.contains(&told.kid) && signs(&keys, NOW) == told.kid);
    let later = NOW.plus(ANNOUNCED);
    assert_eq!(published(&keys, later), [told.kid], "what was announced came back");
}
