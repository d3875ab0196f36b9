//! A disk that fails, is full or is slow.

use std::fs::File;
use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn open_with(home: &Home, settings: Settings) -> SledStore {
    SledStore::open_with(&home.released(), &keyring(1), NOW, settings).unwrap()
}

fn put(value: &'static str) -> Vec<Write> {
    vec![Write::put(user(1), value.as_bytes(), None)]
}

async fn value(store: &SledStore) -> Bytes {
    store.get(NOW, &user(1)).await.unwrap().unwrap().value
}

#[tokio::test]
async fn a_disk_that_does_not_sync_shuts_the_store_for_good() {
    static BROKEN: AtomicBool = AtomicBool::new(false);
    fn sync(file: &File) -> io::Result<()> {
        if BROKEN.load(Ordering::SeqCst) {
            return Err(io::Error::other("input/output error"));
        }
        file.sync_data()
    }
    let home = Home::new();
    let store = open_with(&home, Settings { sync, ..Settings::default() });
    store.commit(NOW, put("answered")).await.unwrap();
    let mut events = store.watch();
    BROKEN.store(true, Ordering::SeqCst);
    let fatal = |error| matches!(error, StoreError::Fatal(_));
    assert!(fatal(store.commit(NOW, put("in doubt")).await.unwrap_err()));
    // A later sync may well succeed and still have lost the write: nothing is tried again.
    BROKEN.store(false, Ordering::SeqCst);
    assert!(fatal(store.commit(NOW, put("later")).await.unwrap_err()));
    assert!(fatal(store.get(NOW, &user(1)).await.unwrap_err()));
    assert!(fatal(store.counter(NOW, &user(1)).await.unwrap_err()));
    assert!(fatal(store.hit(NOW, &user(1), CounterRule::default()).await.unwrap_err()));
    assert!(fatal(store.scan(NOW, Space::Factor, b"", None, 9).await.unwrap_err()));
    assert!(fatal(store.sweep(NOW, Duration::ZERO, 9).await.unwrap_err()));
    assert!(fatal(store.close().await.unwrap_err()));
    assert!(!store.health().await.writable);
    assert!(events.try_recv().is_err());
    drop(store);
    assert_ne!(value(&home.open()).await, "later");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_goes_on_reading() {
    let home = Home::new();
    let store = home.open();
    store.commit(NOW, put("old")).await.unwrap();
    store.close().await.unwrap();
    let store = open_with(&home, Settings { spare: u64::MAX, ..Settings::default() });
    assert_eq!(store.commit(NOW, put("new")).await, Err(StoreError::Full));
    assert_eq!(value(&store).await, "old");
    drop(store);
    let store = home.open();
    assert_eq!(value(&store).await, "old");
    store.commit(NOW, put("new")).await.unwrap();
}

/// A sync that stops in the middle while it is armed.
struct Gate {
    armed: AtomicBool,
    entered: Barrier,
    left: Barrier,
}

impl Gate {
    const fn new() -> Self {
        let armed = AtomicBool::new(false);
        Self { armed, entered: Barrier::new(2), left: Barrier::new(2) }
    }

    fn pass(&self, file: &File) -> io::Result<()> {
        if self.armed.swap(false, Ordering::SeqCst) {
            self.entered.wait();
            self.left.wait();
        }
        file.sync_data()
    }
}

#[tokio::test]
async fn nobody_reads_what_is_not_on_disk_yet() {
    static GATE: Gate = Gate::new();
    let sync = |file: &File| GATE.pass(file);
    let home = Home::new();
    let store = Arc::new(open_with(&home, Settings { sync, ..Settings::default() }));
    enrol(&store, 0..3).await;
    GATE.armed.store(true, Ordering::SeqCst);
    let tx = vec![
        Write::delete(user(0)),
        Write::put(user(1), &b"new"[..], None),
        Write::put(user(3), &b"new"[..], None),
    ];
    let writer = Arc::clone(&store);
    let commit = tokio::spawn(async move { writer.commit(NOW, tx).await });
    tokio::task::yield_now().await;
    GATE.entered.wait();
    assert_eq!(value(&store).await, secret(1));
    assert!(store.get(NOW, &user(0)).await.unwrap().is_some());
    assert_eq!(store.get(NOW, &user(3)).await.unwrap(), None);
    let found = store.scan(NOW, Space::Factor, b"", None, 100).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|(key, record)| (key, record.value)).collect();
    let expected: Vec<_> = (0..3).map(|n| (user(n), Bytes::from(secret(n)))).collect();
    assert_eq!(found, expected);
    assert_eq!(store.health().await.records, 3);
    GATE.left.wait();
    commit.await.unwrap().unwrap();
    assert_eq!(value(&store).await, "new");
    assert_eq!(store.get(NOW, &user(0)).await.unwrap(), None);
    assert!(store.get(NOW, &user(3)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_full_queue_turns_writes_away_at_once() {
    static GATE: Gate = Gate::new();
    let sync = |file: &File| GATE.pass(file);
    let home = Home::new();
    let store = Arc::new(open_with(&home, Settings { sync, queue: 4, ..Settings::default() }));
    GATE.armed.store(true, Ordering::SeqCst);
    let spawn = |number: u32| {
        let (store, write) = (Arc::clone(&store), Write::put(user(number), &b"x"[..], None));
        tokio::spawn(async move { store.commit(NOW, vec![write]).await })
    };
    let first = spawn(0);
    tokio::task::yield_now().await;
    GATE.entered.wait();
    let waiting: Vec<_> = (1..=10).map(spawn).collect();
    tokio::task::yield_now().await;
    GATE.left.wait();
    first.await.unwrap().unwrap();
    for (number, commit) in (1..).zip(waiting) {
        let is_written = commit.await.unwrap().is_ok();
        assert_eq!(is_written, number <= 4);
        assert_eq!(store.get(NOW, &user(number)).await.unwrap().is_some(), is_written);
    }
}
