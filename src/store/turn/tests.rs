//! Turns between gateways on one store.

use std::sync::Arc;
use std::time::Duration;

use super::{LEASE, TurnName, Turns};
use crate::site::house::{House, houses};
use crate::store::{Expect, Key, Space, StoreError, Write};

const NAME: TurnName = TurnName::Login([1; 16]);
const OTHER: TurnName = TurnName::Login([2; 16]);
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(20);

fn turns(house: &House) -> &Turns {
    house.parts.sessions.turns()
}

async fn is_held(house: &House, name: TurnName) -> bool {
    turns(house).is_any_held(house.clock_now(), &[name]).await.unwrap()
}

#[tokio::test]
async fn a_turn_is_one_gateways_until_it_gives_it_back() {
    let [here, there] = houses().await;
    let turn = turns(&here).take(&[NAME, OTHER], LONG).await.unwrap();
    assert!(is_held(&there, NAME).await && is_held(&there, OTHER).await);
    let refused = turns(&there).take(&[OTHER], SHORT).await;
    assert!(matches!(refused.err(), Some(StoreError::Unavailable(_))));
    turn.give_back().await;
    assert!(!is_held(&there, NAME).await && !is_held(&there, OTHER).await);
    turns(&there).take(&[OTHER], SHORT).await.unwrap().give_back().await;
}

#[tokio::test]
async fn whoever_waits_gets_it_as_soon_as_it_is_dropped() {
    let [here, there] = houses().await;
    let turn = turns(&here).take(&[NAME], LONG).await.unwrap();
    let waiting = turns(&there).clone();
    let waiting = tokio::spawn(async move { waiting.take(&[NAME], LONG).await });
    tokio::task::yield_now().await;
    drop(turn);
    waiting.await.unwrap().unwrap().give_back().await;
    assert!(!is_held(&here, NAME).await);
}

/// A gateway that dies gives nothing back.
#[tokio::test]
async fn a_turn_that_nobody_renews_ends_by_itself() {
    let [here, there] = houses().await;
    let turn = turns(&here).take(&[NAME], LONG).await.unwrap();
    here.clock.advance(LEASE - Duration::from_millis(1));
    assert!(is_held(&there, NAME).await);
    here.clock.advance(Duration::from_millis(1));
    assert!(!is_held(&there, NAME).await);
    let taken = turns(&there).take(&[NAME], SHORT).await.unwrap();
    // And whoever had it learns that in the transaction that matters.
    let lost = turn.pinned().await.unwrap().checks();
    let lost = here.parts.store.commit(here.clock_now(), lost).await;
    assert_eq!(lost.err(), Some(StoreError::Conflict { index: 0 }));
    drop(turn);
    taken.give_back().await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_held_is_renewed() {
    let [here, there] = houses().await;
    let turn = turns(&here).take(&[NAME], LONG).await.unwrap();
    for _ in 0..8 {
        let before = record(&here).await.unwrap().version;
        here.clock.advance(Duration::from_secs(4));
        tokio::time::sleep(Duration::from_secs(5)).await;
        while record(&here).await.is_some_and(|record| record.version == before) {
            // The time stands still, and goes on to the next renewal while this waits.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(is_held(&there, NAME).await);
        let checks = turn.pinned().await.unwrap().checks();
        here.parts.store.commit(here.clock_now(), checks).await.unwrap();
    }
    turn.give_back().await;
}

#[tokio::test]
async fn a_transaction_happens_only_while_nobody_has_the_turn() {
    let [here, there] = houses().await;
    let key = Key::new(Space::Sight, &b"something"[..]);
    let put = |turns: &Turns| {
        let mut writes = turns.free(&[NAME]);
        writes.push(Write::put(key.clone(), &b"there"[..], None));
        writes
    };
    let turn = turns(&here).take(&[NAME], LONG).await.unwrap();
    let refused = there.parts.store.commit(there.clock_now(), put(turns(&there))).await;
    assert_eq!(refused.err(), Some(StoreError::Conflict { index: 0 }));
    let pinned = turn.pinned().await.unwrap();
    let mut writes = pinned.gives_back();
    writes.push(Write::put(key.clone(), &b"mine"[..], None).expecting(Expect::Absent));
    here.parts.store.commit(here.clock_now(), writes).await.unwrap();
    drop(pinned);
    turn.was_given_back();
    there.parts.store.commit(there.clock_now(), put(turns(&there))).await.unwrap();
}

/// A store that cannot be reached gives no turn, and none to two.
#[tokio::test]
async fn without_the_store_there_is_no_turn() {
    let [here, there] = houses().await;
    here.link().is_up(false);
    let refused = turns(&here).take(&[NAME], LONG).await;
    assert!(matches!(refused.err(), Some(StoreError::Unavailable(_))));
    assert!(turns(&here).is_any_held(here.clock_now(), &[NAME]).await.is_err());
    turns(&there).take(&[NAME], SHORT).await.unwrap().give_back().await;
}

#[tokio::test]
async fn who_shares_no_store_needs_no_turn() {
    let house = crate::site::house::house().await;
    let before = house.store.calls();
    let turns = Turns::new(Arc::clone(&house.parts.store), Arc::clone(&house.parts.clock));
    let turn = turns.take(&[NAME], LONG).await.unwrap();
    assert!(turns.free(&[NAME]).is_empty() && turn.pinned().await.unwrap().checks().is_empty());
    assert!(!turns.is_any_held(house.clock_now(), &[NAME]).await.unwrap());
    turn.give_back().await;
    assert_eq!(house.store.calls(), before);
}

async fn record(house: &House) -> Option<crate::store::Record> {
    house.parts.store.get(house.clock_now(), &NAME.key()).await.unwrap()
}
