//! What gateways are told of each other, how far, and that no gap goes unsaid.

use std::time::Instant;

use etcd_client::{Client, DeleteOptions, GetOptions};
use tokio::sync::broadcast::error::TryRecvError;

use super::single::Single;
use super::*;
use crate::clock::steady;

async fn beat_after(events: &mut broadcast::Receiver<Event>, moment: Instant) {
    let waiting = async {
        loop {
            match events.recv().await.unwrap() {
                Event::Beat { as_of } if as_of > moment => return,
                Event::Beat { .. } => {}
                other => panic!("told {other:?}"),
            }
        }
    };
    timeout(Duration::from_secs(10), waiting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_one_gateway_is_told_at_the_other() {
    let home = Home::new();
    let (one, other) = (home.open().await, home.open().await);
    let session = key(Space::Session, "ann");
    one.commit(NOW, vec![put(&session, "password")]).await.unwrap();
    // Nobody can have kept what is new.
    let mut events = other.watch();
    one.commit(NOW, vec![put(&key(Space::Session, "bob"), "proven")]).await.unwrap();
    one.commit(NOW, vec![put(&session, "proven"), put(&key(Space::Step, "a"), "x")]).await.unwrap();
    assert_eq!(news(&mut events).await, Event::Changed { key: session.clone(), deleted: false });
    one.commit(NOW, vec![Write::delete(session.clone())]).await.unwrap();
    assert_eq!(news(&mut events).await, Event::Changed { key: session, deleted: true });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beat_comes_after_all_that_was_answered_before_it() {
    let home = Home::new();
    let (one, other) = (home.open().await, home.open().await);
    let mut events = other.watch();
    let mut expected = Vec::new();
    for number in 0..40 {
        let revoked = key(Space::Revoke, &number.to_string());
        one.commit(NOW, vec![put(&revoked, "x")]).await.unwrap();
        expected.push(revoked);
    }
    let answered = steady();
    let mut told = Vec::new();
    let waiting = async {
        loop {
            match events.recv().await.unwrap() {
                Event::Changed { key, .. } => told.push(key),
                Event::Beat { as_of } if as_of >= answered => return,
                Event::Beat { .. } => {}
                Event::Resync => panic!("nothing was missed"),
            }
        }
    };
    timeout(Duration::from_secs(10), waiting).await.unwrap();
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_in_the_same_etcd_stop_no_beat() {
    let home = Home::new();
    let store = home.open().await;
    let mut events = store.watch();
    let mut others =
        Client::connect([format!("127.0.0.1:{}", cluster().ports[0])], None).await.unwrap();
    for _ in 0..3 {
        let moment = steady();
        others.put("theirs", "x", None).await.unwrap();
        beat_after(&mut events, moment).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_swept_or_removed_by_etcd_is_told_to_nobody() {
    let home = Home::new();
    let (one, other) = (home.open().await, home.open().await);
    let session = key(Space::Session, "ann");
    one.commit(NOW, vec![Write::put(session.clone(), &b"x"[..], Some(NOW))]).await.unwrap();
    let mut events = other.watch();
    assert_eq!(one.sweep(NOW, Duration::ZERO, 10).await, Ok(1));
    let removed = factor("bob");
    one.commit(NOW, vec![put(&removed, "x")]).await.unwrap();
    assert_eq!(news(&mut events).await, Event::Changed { key: removed.clone(), deleted: false });
    let mut etcd =
        Client::connect([format!("127.0.0.1:{}", cluster().ports[0])], None).await.unwrap();
    let raw = one.vault.layout.key(&address(&removed));
    etcd.delete(raw, Some(DeleteOptions::new())).await.unwrap();
    beat_after(&mut events, steady()).await;
    assert!(matches!(events.try_recv(), Err(TryRecvError::Empty) | Ok(Event::Beat { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_that_etcd_has_forgotten_is_said() {
    // What is made to forget is forgotten for all who share it.
    let etcd = Single::start();
    let store = etcd.open().await;
    let vault = Arc::new(open::open(&etcd.url("", ""), &keyring(1), NOW).await.unwrap());
    // Away meanwhile: what comes now is not heard.
    for _ in 0..3 {
        store.commit(NOW, vec![put(&factor("ann"), "x")]).await.unwrap();
    }
    let revision = vault.look(&[]).await.unwrap().revision;
    etcd.run(&format!("etcdctl compact {revision}"));
    let mut events = vault.events.subscribe();
    let following = tokio::spawn(feed::follow(Arc::clone(&vault)));
    assert_eq!(news(&mut events).await, Event::Resync);
    store.commit(NOW, vec![put(&factor("bob"), "x")]).await.unwrap();
    assert_eq!(news(&mut events).await, Event::Changed { key: factor("bob"), deleted: false });
    following.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_that_etcd_remembers_is_filled() {
    let home = Home::new();
    let store = home.open().await;
    let vault = Arc::new(open::open(&home.0, &keyring(1), NOW).await.unwrap());
    for id in ["ann", "bob"] {
        store.commit(NOW, vec![put(&factor(id), "x")]).await.unwrap();
    }
    let mut events = vault.events.subscribe();
    let following = tokio::spawn(feed::follow(Arc::clone(&vault)));
    for id in ["ann", "bob"] {
        assert_eq!(news(&mut events).await, Event::Changed { key: factor(id), deleted: false });
    }
    following.abort();
}

/// How many records lie there now: the store's health may tell of a moment ago where counting is
/// slow.
async fn lying(store: &EtcdStore) -> u64 {
    let (from, to) = store.vault.layout.records();
    store.vault.range(from, to, GetOptions::new().with_count_only()).await.unwrap().count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_removes_by_itself_what_is_over() {
    let home = Home::new();
    let store = home.open().await;
    let pending = key(Space::Pending, "ann");
    store.commit(NOW, vec![Write::put(pending.clone(), &b"x"[..], Some(NOW))]).await.unwrap();
    let lease = store.vault.leases.lease(&store.vault, NOW, NOW).await.unwrap();
    let hanging = leases::hanging(&store.vault, lease).await.unwrap();
    assert!(hanging.contains(&address(&pending)), "{hanging:?}");
    let mut etcd =
        Client::connect([format!("127.0.0.1:{}", cluster().ports[0])], None).await.unwrap();
    let left = etcd.lease_time_to_live(lease, None).await.unwrap().ttl();
    assert!((600..=1500).contains(&left), "{left} seconds");
    // The end of a lease, and whoever wrote under it goes on under another.
    etcd.lease_revoke(lease).await.unwrap();
    assert_eq!(lying(&store).await, 0);
    store.commit(NOW, vec![Write::put(pending, &b"y"[..], Some(NOW))]).await.unwrap();
    assert_eq!(lying(&store).await, 1);
}
