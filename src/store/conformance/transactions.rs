//! Cases of single transactions: expectations, expiry, limits, registers.

use super::*;

pub(in crate::store) async fn a_record_is_read_as_it_was_written(engine: &impl Engine) {
    let store = engine.open().await;
    let key = factor("ann");
    let write = Write::put(key.clone(), &b"secret"[..], Some(LATER));
    let version = commit_one(&store, write).await;
    let record = store.get(NOW, &key).await.unwrap();
    let value = Bytes::from_static(b"secret");
    assert_eq!(record, Some(Record { value, version, expires_at: Some(LATER) }));
    assert_eq!(store.get(NOW, &key_in_other_space()).await.unwrap(), None);
}

fn key_in_other_space() -> Key {
    key(Space::Pending, "ann")
}

pub(in crate::store) async fn a_deleted_record_is_absent(engine: &impl Engine) {
    let store = engine.open().await;
    let key = factor("ann");
    commit_one(&store, put(&key, "secret")).await;
    commit_one(&store, Write::delete(key.clone())).await;
    assert_eq!(value(&store, &key).await, None);
    commit_one(&store, Write::delete(key.clone())).await;
    commit_one(&store, put(&key, "new").expecting(Expect::Absent)).await;
}

pub(in crate::store) async fn expectations_decide_whether_anything_is_written(
    engine: &impl Engine,
) {
    let store = engine.open().await;
    let key = factor("ann");
    let first = commit_one(&store, put(&key, "1").expecting(Expect::Absent)).await;
    let conflict = Err(StoreError::Conflict { index: 0 });
    let again = put(&key, "2").expecting(Expect::Absent);
    assert_eq!(store.commit(NOW, vec![again]).await, conflict);
    let second = commit_one(&store, put(&key, "2").expecting(Expect::Is(first))).await;
    for op in [Op::Delete, Op::Check, put(&key, "3").op] {
        let stale = Write { key: key.clone(), expect: Expect::Is(first), op };
        assert_eq!(store.commit(NOW, vec![stale]).await, conflict);
    }
    assert_eq!(value(&store, &key).await.unwrap(), "2");
    let check = Write { key: key.clone(), expect: Expect::Is(second), op: Op::Check };
    assert_eq!(store.commit(NOW, vec![check]).await, Ok(vec![second]));
}

pub(in crate::store) async fn a_version_never_comes_back(engine: &impl Engine) {
    let store = engine.open().await;
    let key = factor("ann");
    let first = commit_one(&store, put(&key, "1")).await;
    commit_one(&store, Write::delete(key.clone())).await;
    assert_ne!(commit_one(&store, put(&key, "1")).await, first);
    let stale = put(&key, "2").expecting(Expect::Is(first));
    assert!(store.commit(NOW, vec![stale]).await.is_err());
}

pub(in crate::store) async fn a_transaction_is_all_or_nothing(engine: &impl Engine) {
    let store = engine.open().await;
    let (ann, bob, eve) = (factor("ann"), factor("bob"), factor("eve"));
    commit_one(&store, put(&bob, "old")).await;
    let tx = vec![
        put(&ann, "new"),
        Write::delete(bob.clone()),
        put(&eve, "new").expecting(Expect::Is(Version(999))),
    ];
    assert_eq!(store.commit(NOW, tx).await, Err(StoreError::Conflict { index: 2 }));
    let values = [value(&store, &ann).await, value(&store, &bob).await, value(&store, &eve).await];
    assert_eq!(values, [None, Some(Bytes::from_static(b"old")), None]);
}

pub(in crate::store) async fn an_expired_record_counts_as_absent(engine: &impl Engine) {
    let store = engine.open().await;
    let key = key(Space::Pending, "ann");
    let write = Write::put(key.clone(), &b"x"[..], Some(LATER));
    let version = commit_one(&store, write).await;
    let just_before = LATER.minus(Duration::from_millis(1));
    assert!(store.get(just_before, &key).await.unwrap().is_some());
    assert_eq!(store.get(LATER, &key).await.unwrap(), None);
    assert_eq!(store.scan(LATER, Space::Pending, b"", None, 10).await.unwrap(), []);
    let stale = Write { key: key.clone(), expect: Expect::Is(version), op: Op::Check };
    let conflict = Err(StoreError::Conflict { index: 0 });
    assert_eq!(store.commit(LATER, vec![stale]).await, conflict);
    let anew = put(&key, "y").expecting(Expect::Absent);
    store.commit(LATER, vec![anew]).await.unwrap();
    assert_eq!(store.get(LATER, &key).await.unwrap().unwrap().value, "y");
}

pub(in crate::store) async fn ill_formed_requests_are_refused_and_change_nothing(
    engine: &impl Engine,
) {
    let store = engine.open().await;
    let many = |count: usize| (0..count).map(|n| put(&factor(&n.to_string()), "x")).collect();
    let id = |length: usize| Key::new(Space::Factor, vec![b'x'; length]);
    let long = Write::put(factor("long"), vec![0; MAX_VALUE + 1], None);
    let twice = vec![put(&factor("a"), "1"), put(&factor("b"), "1"), put(&factor("a"), "2")];
    let requests: [Vec<Write>; 6] = [
        vec![],
        many(MAX_WRITES + 1),
        twice,
        vec![put(&factor("a"), "1"), long],
        vec![put(&factor("a"), "1"), put(&id(MAX_ID + 1), "x")],
        vec![put(&factor("a"), "1"), put(&id(0), "x")],
    ];
    for request in requests {
        let refused = store.commit(NOW, request).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
    assert!(store.get(NOW, &id(0)).await.is_err());
    assert!(store.hit(NOW, &id(MAX_ID + 1), CounterRule::default()).await.is_err());
    assert!(store.scan(NOW, Space::Factor, b"", None, 1001).await.is_err());
    assert_eq!(store.scan(NOW, Space::Factor, b"", None, 1000).await.unwrap(), []);
}

pub(in crate::store) async fn the_largest_transaction_is_taken(engine: &impl Engine) {
    let store = engine.open().await;
    let keys: Vec<_> =
        (0..MAX_WRITES).map(|n| Key::new(Space::Session, vec![n as u8 + 1; MAX_ID])).collect();
    let writes = keys.iter().map(|key| Write::put(key.clone(), vec![7; MAX_VALUE], None));
    assert_eq!(store.commit(NOW, writes.collect()).await.unwrap().len(), MAX_WRITES);
    for key in &keys {
        assert_eq!(value(&store, key).await.unwrap().len(), MAX_VALUE);
    }
}

pub(in crate::store) async fn a_register_only_moves_forward(engine: &impl Engine) {
    let store = engine.open().await;
    let key = key(Space::Step, "ann");
    let raise = |to| store.commit(NOW, vec![Write::raise(key.clone(), to, LATER)]);
    raise(100).await.unwrap();
    for (to, current) in [(100, 100), (99, 100), (0, 100)] {
        assert_eq!(raise(to).await, Err(StoreError::Refused { index: 0, current }));
    }
    raise(101).await.unwrap();
    let other = factor("ann");
    let tx = vec![put(&other, "x"), Write::raise(key.clone(), 101, LATER)];
    let refused = store.commit(NOW, tx).await;
    assert_eq!(refused, Err(StoreError::Refused { index: 1, current: 101 }));
    assert_eq!(value(&store, &other).await, None);
}

pub(in crate::store) async fn a_register_is_kept_as_long_as_was_ever_asked(engine: &impl Engine) {
    let store = engine.open().await;
    let key = key(Space::Step, "ann");
    let soon = NOW.plus(Duration::from_secs(1));
    commit_one(&store, Write::raise(key.clone(), 100, LATER)).await;
    commit_one(&store, Write::raise(key.clone(), 101, soon)).await;
    let again = Write::raise(key.clone(), 101, LATER);
    let refused = store.commit(soon, vec![again.clone()]).await;
    assert_eq!(refused, Err(StoreError::Refused { index: 0, current: 101 }));
    store.commit(LATER, vec![again]).await.unwrap();
}

pub(in crate::store) async fn registers_and_counters_cannot_be_overwritten(engine: &impl Engine) {
    let store = engine.open().await;
    let (step, counter) = (key(Space::Step, "ann"), key(Space::Counter, "ann"));
    commit_one(&store, Write::raise(step.clone(), 100, LATER)).await;
    let _ = store.hit(NOW, &counter, CounterRule::default()).await.unwrap();
    let invalid = |outcome| matches!(outcome, Err(StoreError::Invalid(_)));
    assert!(invalid(store.commit(NOW, vec![put(&step, "\0\0\0\0\0\0\0\0")]).await));
    assert!(invalid(store.commit(NOW, vec![put(&counter, "")]).await));
    assert!(invalid(store.commit(NOW, vec![Write::raise(counter.clone(), 9, LATER)]).await));
    assert!(matches!(store.counter(NOW, &step).await, Err(StoreError::Invalid(_))));
    assert_eq!(store.counter(NOW, &counter).await.unwrap().failures, 1);
}

pub(in crate::store) async fn a_login_is_one_transaction(engine: &impl Engine) {
    let store = engine.open().await;
    let ann = factor("ann");
    let (step, counter) = (key(Space::Step, "ann"), key(Space::Counter, "ann"));
    let session = key(Space::Session, "ann");
    let version = commit_one(&store, put(&ann, "secret")).await;
    let login = || {
        vec![
            Write { key: ann.clone(), expect: Expect::Is(version), op: Op::Check },
            Write::raise(step.clone(), 500, LATER),
            Write::delete(counter.clone()),
            put(&session, "proven"),
        ]
    };
    let _ = store.hit(NOW, &counter, CounterRule::default()).await.unwrap();
    store.commit(NOW, login()).await.unwrap();
    assert_eq!(store.counter(NOW, &counter).await.unwrap(), CounterState::FRESH);
    assert_eq!(value(&store, &session).await.unwrap(), "proven");
    let replayed = store.commit(NOW, login()).await;
    assert_eq!(replayed, Err(StoreError::Refused { index: 1, current: 500 }));
}
