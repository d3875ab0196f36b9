//! A copy is the store at one moment, whatever is written while it is made.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::*;
use crate::store::{Copied, Leaf};

const USERS: u32 = 700;
const SPACES: [Space; 2] = [Space::Factor, Space::Sight];

/// Both records of a user in one transaction, or neither.
async fn write(store: &SledStore, number: u32, text: Option<&str>) {
    let write = |space: Space| {
        let key = Key::new(space, number.to_be_bytes().to_vec());
        match text {
            Some(text) => Write::put(key, text.as_bytes().to_vec(), None),
            None => Write::delete(key),
        }
    };
    store.commit(NOW, SPACES.map(write).to_vec()).await.unwrap();
}

/// Follows the steps; each has to fit those before it.
fn follow(found: &mut BTreeMap<Key, Vec<u8>>, step: Copied) {
    let bytes = |leaf: Leaf| leaf.payload.to_vec();
    match step {
        Copied::New(key, leaf) => assert_eq!(found.insert(key, bytes(leaf)), None),
        Copied::Again(key, leaf) => assert!(found.insert(key, bytes(leaf)).is_some()),
        Copied::Gone(key) => assert!(found.remove(&key).is_some()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_one_moment_while_others_write() {
    let home = Home::new();
    let store = Arc::new(home.open());
    for number in 0..USERS {
        write(&store, number, Some("first")).await;
    }
    let (give, mut steps) = mpsc::channel(1);
    let copying = Arc::clone(&store);
    let copying = tokio::spawn(async move { copying.copy(&SPACES, give).await });
    let (mut found, mut taken, mut turn) = (BTreeMap::new(), 0_u32, 7_u32);
    while let Some(step) = steps.recv().await {
        follow(&mut found, step);
        taken += 1;
        // Before and behind the reader: changed, removed, put there again, added.
        if taken < 2 * USERS {
            turn = turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (turn >> 8) % (USERS + 50);
            let text = format!("written after {taken}");
            write(&store, number, (turn % 3 > 0).then_some(&text)).await;
        }
    }
    copying.await.unwrap().unwrap();
    let mut expected = BTreeMap::new();
    for space in SPACES {
        for (key, record) in store.scan(NOW, space, &[], None, 1000).await.unwrap() {
            expected.insert(key, record.value.to_vec());
        }
    }
    assert!(taken > 2 * USERS && found == expected, "{taken} steps");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_copy_is_made_at_a_time_and_one_that_nobody_takes_is_over() {
    let home = Home::new();
    let store = Arc::new(home.open());
    for number in 0..USERS {
        write(&store, number, Some("first")).await;
    }
    let (give, mut steps) = mpsc::channel(1);
    let copying = Arc::clone(&store);
    let first = tokio::spawn(async move { copying.copy(&SPACES, give).await });
    assert!(steps.recv().await.is_some());
    let (give, _steps) = mpsc::channel(1);
    let refused = store.copy(&SPACES, give).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    drop(steps);
    assert!(matches!(first.await.unwrap(), Err(StoreError::Unavailable(_))));
    let (give, mut steps) = mpsc::channel(4096);
    store.copy(&SPACES, give).await.unwrap();
    let mut found = BTreeMap::new();
    while let Some(step) = steps.recv().await {
        follow(&mut found, step);
    }
    assert_eq!(found.len(), 2 * 700);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_is_copied_and_a_register_is_not() {
    let home = Home::new();
    let store = home.open();
    let counter = Key::new(Space::Counter, b"counter".to_vec());
    let _counted = store.hit(NOW, &counter, CounterRule::default()).await.unwrap();
    let (give, mut steps) = mpsc::channel(8);
    store.copy(&[Space::Counter], give).await.unwrap();
    assert!(matches!(steps.recv().await, Some(Copied::New(key, _)) if key == counter));
    let register = Key::new(Space::Step, b"step".to_vec());
    store.commit(NOW, vec![Write::raise(register, 5, NOW)]).await.unwrap();
    let (give, _steps) = mpsc::channel(8);
    assert!(store.copy(&[Space::Step], give).await.is_err());
}
