//! Cases of counters: the ladder of waits, alone and in a crowd.

use super::*;

pub(in crate::store) async fn the_counter_climbs_its_ladder(engine: &impl Engine) {
    let store = engine.open().await;
    let key = key(Space::Counter, "ann");
    let rule = CounterRule { cap: 8, ..CounterRule::default() };
    let mut now = NOW;
    for (failure, wait) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 30), (6, 60), (7, 120), (8, 240)] {
        let state = store.hit(now, &key, rule).await.unwrap();
        assert!(state.admitted);
        assert_eq!((state.failures, state.disabled), (failure, failure == 8));
        if wait > 0 {
            let until = now.plus(Duration::from_secs(wait));
            assert_eq!(state.locked_until, Some(until));
            let early = until.minus(Duration::from_millis(1));
            let turned_away = store.hit(early, &key, rule).await.unwrap();
            assert!(!turned_away.admitted);
            assert_eq!(store.counter(early, &key).await.unwrap(), turned_away);
            assert_eq!(turned_away.failures, failure);
            now = until;
        }
    }
    assert!(!store.hit(now, &key, rule).await.unwrap().admitted);
    assert!(store.counter(now, &key).await.unwrap().disabled);
}

pub(in crate::store) async fn a_success_forgets_the_failures(engine: &impl Engine) {
    let store = engine.open().await;
    let key = key(Space::Counter, "ann");
    for _ in 0..4 {
        let _ = store.hit(NOW, &key, CounterRule::default()).await.unwrap();
    }
    commit_one(&store, Write::delete(key.clone())).await;
    assert_eq!(store.counter(NOW, &key).await.unwrap(), CounterState::FRESH);
    assert_eq!(store.hit(NOW, &key, CounterRule::default()).await.unwrap().failures, 1);
}

pub(in crate::store) async fn parallel_failures_admit_no_more_than_are_free(engine: &impl Engine) {
    let store = Arc::new(engine.open().await);
    let attempts: Vec<_> = (0..64)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store.hit(NOW, &key(Space::Counter, "ann"), CounterRule::default()).await.unwrap()
            })
        })
        .collect();
    let mut admitted = BTreeSet::new();
    for attempt in attempts {
        let state = attempt.await.unwrap();
        if state.admitted {
            assert!(admitted.insert(state.failures), "failure {} counted twice", state.failures);
        }
    }
    assert_eq!(admitted, BTreeSet::from([1, 2, 3, 4, 5]));
}
