//! Cases of scans, watchers, sweeps, and of opening again.

use super::*;
use crate::store::AUDIT_HEAD;

async fn ids(store: &impl Store, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let after = after.map(str::as_bytes);
    let found = store.scan(NOW, Space::Factor, prefix.as_bytes(), after, limit).await.unwrap();
    found.iter().map(|(key, _)| String::from_utf8(key.id.to_vec()).unwrap()).collect()
}

async fn filled(engine: &impl Engine) -> impl Store {
    let store = engine.open().await;
    for id in ["b2", "a1", "c1", "a3", "b1", "a2"] {
        commit_one(&store, Write::put(factor(id), id.as_bytes().to_vec(), None)).await;
    }
    store
}

pub(in crate::store) async fn a_scan_is_ordered_and_complete(engine: &impl Engine) {
    let store = filled(engine).await;
    assert_eq!(ids(&store, "", None, 1000).await, ["a1", "a2", "a3", "b1", "b2", "c1"]);
    for (key, record) in store.scan(NOW, Space::Factor, b"", None, 1000).await.unwrap() {
        assert_eq!(key.id, record.value);
        assert_eq!(Some(record), store.get(NOW, &key).await.unwrap());
    }
}

pub(in crate::store) async fn a_scan_keeps_to_prefix_space_and_limit(engine: &impl Engine) {
    let store = filled(engine).await;
    commit_one(&store, put(&key(Space::Recovery, "a4"), "x")).await;
    commit_one(&store, Write::delete(factor("a2"))).await;
    assert_eq!(ids(&store, "a", None, 10).await, ["a1", "a3"]);
    assert_eq!(ids(&store, "", None, 2).await, ["a1", "a3"]);
    assert_eq!(ids(&store, "", Some("a3"), 2).await, ["b1", "b2"]);
    assert_eq!(ids(&store, "", Some("b1x"), 10).await, ["b2", "c1"]);
    assert_eq!(ids(&store, "b", Some("a1"), 10).await, ["b1", "b2"]);
    assert_eq!(ids(&store, "b", Some("c"), 10).await, [""; 0]);
    assert_eq!(ids(&store, "", None, 0).await, [""; 0]);
    assert_eq!(ids(&store, "x", None, 10).await, [""; 0]);
}

pub(in crate::store) async fn a_scan_of_many_pages_misses_nothing(engine: &impl Engine) {
    let store = engine.open().await;
    let all: Vec<_> = (0..800).map(|n| format!("{n:04}")).collect();
    for part in all.chunks(MAX_WRITES) {
        store.commit(NOW, part.iter().map(|id| put(&factor(id), "x")).collect()).await.unwrap();
    }
    assert_eq!(ids(&store, "", None, 1000).await, all);
    assert_eq!(ids(&store, "", Some("0255"), 1000).await, all[256..]);
    assert_eq!(ids(&store, "07", None, 1000).await, all[700..]);
}

pub(in crate::store) async fn watchers_are_told_of_watched_changes_alone(engine: &impl Engine) {
    let store = engine.open().await;
    // Where gateways share the store, nobody has to be told of a session that is new.
    let session = key(Space::Session, "ann");
    commit_one(&store, put(&session, "w")).await;
    let mut events = store.watch();
    let revoked = key(Space::Revoke, "ann");
    commit_one(&store, put(&revoked, "x")).await;
    // Each event is there when the commit is answered.
    let event = |deleted| Ok(Event::Changed { key: revoked.clone(), deleted });
    assert_eq!(next_change(&mut events), event(false));
    let quiet = [Space::Recovery, Space::Step, Space::Counter, Space::Pending, Space::Turn];
    for space in quiet {
        commit_one(&store, put(&key(space, "ann"), "x")).await;
    }
    let head = Key::new(Space::Config, [AUDIT_HEAD, b"/gateway-1"].concat());
    commit_one(&store, put(&head, "x")).await;
    let conflicting = put(&revoked, "y").expecting(Expect::Absent);
    assert!(store.commit(NOW, vec![conflicting]).await.is_err());
    commit_one(&store, Write { key: revoked.clone(), expect: Expect::Any, op: Op::Check }).await;
    commit_one(&store, Write::delete(key(Space::Revoke, "nobody"))).await;
    assert_eq!(next_change(&mut events), Err(TryRecvError::Empty));
    let tx = [Space::Session, Space::Config, Space::Factor].map(|it| put(&key(it, "ann"), "x"));
    store.commit(NOW, tx.to_vec()).await.unwrap();
    for write in tx {
        assert_eq!(next_change(&mut events), Ok(Event::Changed { key: write.key, deleted: false }));
    }
    commit_one(&store, Write::delete(revoked.clone())).await;
    assert_eq!(next_change(&mut events), event(true));
    assert_eq!(next_change(&mut events), Err(TryRecvError::Empty));
}

pub(in crate::store) async fn a_sweep_keeps_its_grace_and_its_budget(engine: &impl Engine) {
    let store = engine.open().await;
    let at = |n: u64| NOW.plus(Duration::from_secs(n));
    for n in 1..=300 {
        let key = key(Space::Session, &n.to_string());
        store.commit(NOW, vec![Write::put(key, &b"x"[..], Some(at(n)))]).await.unwrap();
    }
    // Written again with a longer life, it is no longer due when its first life ends.
    let renewed = key(Space::Session, "1");
    commit_one(&store, Write::put(renewed.clone(), &b"y"[..], Some(at(1000)))).await;
    commit_one(&store, put(&factor("ann"), "for ever")).await;
    let mut events = store.watch();
    let grace = Duration::from_secs(600);
    assert_eq!(store.sweep(at(601), grace, 1000).await, Ok(0));
    assert_eq!(store.sweep(at(610), grace, 4).await, Ok(4));
    assert_eq!(store.sweep(at(610), grace, 1000).await, Ok(5));
    assert_eq!(store.sweep(at(610), grace, 1000).await, Ok(0));
    assert_eq!(store.sweep(at(900), grace, 1000).await, Ok(290));
    assert_eq!(store.health().await.records, 2);
    assert_eq!(store.get(NOW, &renewed).await.unwrap().unwrap().value, "y");
    assert_eq!(next_change(&mut events), Err(TryRecvError::Empty));
}

pub(in crate::store) async fn everything_is_there_after_opening_again(engine: &impl Engine) {
    let store = engine.open().await;
    let (ann, gone) = (factor("ann"), factor("gone"));
    let (step, counter) = (key(Space::Step, "ann"), key(Space::Counter, "ann"));
    let version = commit_one(&store, put(&ann, "secret")).await;
    commit_one(&store, put(&gone, "x")).await;
    commit_one(&store, Write::delete(gone.clone())).await;
    commit_one(&store, Write::raise(step.clone(), 700, LATER)).await;
    let pending = key(Space::Pending, "ann");
    commit_one(&store, Write::put(pending.clone(), &b"x"[..], Some(NOW))).await;
    for _ in 0..5 {
        let _ = store.hit(NOW, &counter, CounterRule::default()).await.unwrap();
    }
    let failures = store.counter(NOW, &counter).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = engine.open().await;
    assert_eq!(store.get(NOW, &ann).await.unwrap().unwrap().version, version);
    assert_eq!(value(&store, &gone).await, None);
    assert_eq!(store.counter(NOW, &counter).await.unwrap(), failures);
    let again = store.commit(NOW, vec![Write::raise(step, 700, LATER)]).await;
    assert_eq!(again, Err(StoreError::Refused { index: 0, current: 700 }));
    assert_ne!(commit_one(&store, put(&ann, "other")).await, version);
    assert_eq!(store.sweep(NOW, Duration::ZERO, 10).await, Ok(1));
}

pub(in crate::store) async fn a_closed_store_refuses(engine: &impl Engine) {
    let store = engine.open().await;
    let key = factor("ann");
    commit_one(&store, put(&key, "x")).await;
    store.close().await.unwrap();
    let refused = |error| matches!(error, StoreError::Unavailable(_));
    assert!(refused(store.get(NOW, &key).await.unwrap_err()));
    assert!(refused(store.commit(NOW, vec![put(&key, "y")]).await.unwrap_err()));
    assert!(refused(store.scan(NOW, Space::Factor, b"", None, 1).await.unwrap_err()));
    assert!(refused(store.counter(NOW, &key).await.unwrap_err()));
    assert!(refused(store.close().await.unwrap_err()));
    assert!(!store.health().await.writable);
}

pub(in crate::store) async fn health_counts_records(engine: &impl Engine) {
    let store = filled(engine).await;
    commit_one(&store, put(&factor("a1"), "again")).await;
    commit_one(&store, Write::delete(factor("a2"))).await;
    commit_one(&store, Write::delete(factor("a2"))).await;
    let health = store.health().await;
    assert_eq!((health.records, health.writable), (5, true));
    assert!(health.bytes > 0);
}
