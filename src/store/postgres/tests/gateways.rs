//! Two gateways on one database: what one changes, the other hears of.

use tokio::time::timeout;
use tokio_postgres::NoTls;

use super::*;
use crate::store::{Expect, Write};

const SOON: Duration = Duration::from_secs(10);

fn key(space: Space, id: &str) -> Key {
    Key::new(space, id.as_bytes().to_vec())
}

/// The next event but beats.
async fn next(events: &mut broadcast::Receiver<Event>) -> Event {
    let hearing = async {
        loop {
            match events.recv().await.unwrap() {
                Event::Beat { .. } => {}
                other => return other,
            }
        }
    };
    timeout(SOON, hearing).await.unwrap()
}

async fn beat(events: &mut broadcast::Receiver<Event>) {
    let hearing = async { while !matches!(events.recv().await.unwrap(), Event::Beat { .. }) {} };
    timeout(SOON, hearing).await.unwrap();
}

#[tokio::test]
async fn what_one_gateway_changes_the_other_hears_of_once() {
    let database = Database::new();
    let (one, two) = (database.open().await, database.open().await);
    let (mut own, mut others) = (one.watch(), two.watch());
    let session = key(Space::Session, "ann");
    let version =
        one.commit(NOW, vec![Write::put(session.clone(), &b"new"[..], None)]).await.unwrap()[0];
    let ended = Write::delete(session.clone()).expecting(Expect::Is(version));
    let enrolled = Write::put(key(Space::Factor, "ann"), &b"x"[..], None);
    one.commit(NOW, vec![ended, enrolled]).await.unwrap();
    for events in [&mut own, &mut others] {
        // A new session is nothing that anybody could have kept.
        let gone = Event::Changed { key: session.clone(), deleted: true };
        assert_eq!(next(events).await, gone);
        let there = Event::Changed { key: key(Space::Factor, "ann"), deleted: false };
        assert_eq!(next(events).await, there);
    }
    let token = Write::put(key(Space::Token, "ann"), &b"x"[..], None);
    two.commit(NOW, vec![token]).await.unwrap();
    let made = Event::Changed { key: key(Space::Token, "ann"), deleted: false };
    assert_eq!((next(&mut own).await, next(&mut others).await), (made.clone(), made));
    assert_eq!(two.get(NOW, &session).await, Ok(None));
}

#[tokio::test]
async fn a_change_that_is_committed_late_is_told_all_the_same() {
    let database = Database::new();
    let store = database.open().await;
    let mut events = store.watch();
    let (client, line) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(line);
    let change = "BEGIN; INSERT INTO portcullis.change (rev, space, id, deleted)
        VALUES (nextval('portcullis.rev'), 6, 'late', true)";
    client.batch_execute(change).await.unwrap();
    // Later ones are told meanwhile, and looks go by.
    let early = key(Space::Revoke, "early");
    store.commit(NOW, vec![Write::put(early.clone(), &b"x"[..], None)]).await.unwrap();
    assert_eq!(next(&mut events).await, Event::Changed { key: early, deleted: false });
    for _ in 0..3 {
        beat(&mut events).await;
    }
    client.batch_execute("COMMIT").await.unwrap();
    let late = Event::Changed { key: key(Space::Revoke, "late"), deleted: true };
    assert_eq!(next(&mut events).await, late);
}

#[tokio::test]
async fn a_connection_that_is_lost_costs_a_resync_and_no_more() {
    let database = Database::new();
    let store = database.open().await;
    let mut events = store.watch();
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    assert_eq!(next(&mut events).await, Event::Resync);
    let ann = key(Space::Factor, "ann");
    store.commit(NOW, vec![Write::put(ann.clone(), &b"x"[..], None)]).await.unwrap();
    assert_eq!(next(&mut events).await, Event::Changed { key: ann, deleted: false });
    beat(&mut events).await;
    assert_eq!(store.ready().await, Ok(()));
    assert_eq!(store.pulse().unwrap().failovers, 0);
}

#[tokio::test]
async fn changes_that_everybody_has_heard_of_are_not_kept() {
    let database = Database::new();
    let store = database.open().await;
    let revoke = |id| vec![Write::put(key(Space::Revoke, id), &b"x"[..], None)];
    store.commit(NOW, revoke("old")).await.unwrap();
    let age = "UPDATE portcullis.store SET horizon_at = now() - interval '11 minutes'";
    // The first sweep notes what can be seen, the next one takes it away.
    for _ in 0..2 {
        database.sql(age);
        store.sweep(NOW, Duration::ZERO, 10).await.unwrap();
    }
    store.commit(NOW, revoke("new")).await.unwrap();
    store.sweep(NOW, Duration::ZERO, 10).await.unwrap();
    let left = "SELECT string_agg(convert_from(id, 'UTF8'), ' ') FROM portcullis.change";
    assert_eq!(database.sql(left), "new");
}

#[tokio::test]
async fn a_copy_is_one_moment() {
    let database = Database::new();
    let store = Arc::new(database.open().await);
    for id in 0..800 {
        let write = Write::put(key(Space::Factor, &format!("{id:04}")), &b"x"[..], None);
        store.commit(NOW, vec![write]).await.unwrap();
    }
    let (out, mut steps) = mpsc::channel(1);
    let copying = Arc::clone(&store);
    let copying = tokio::spawn(async move { copying.copy(&[Space::Factor], out).await });
    let mut found = vec![steps.recv().await.unwrap()];
    // It has begun, so what comes now is not in it.
    store.commit(NOW, vec![Write::delete(key(Space::Factor, "0799"))]).await.unwrap();
    store.commit(NOW, vec![Write::put(key(Space::Factor, "zz"), &b"x"[..], None)]).await.unwrap();
    let busy = store.copy(&[Space::Factor], mpsc::channel(1).0).await;
    assert!(matches!(busy, Err(StoreError::Unavailable(_))));
    while let Some(step) = steps.recv().await {
        found.push(step);
    }
    copying.await.unwrap().unwrap();
    let ids: Vec<_> = found.iter().map(|step| step.key().id.clone()).collect();
    assert_eq!(ids, (0..800).map(|id| format!("{id:04}").into_bytes()).collect::<Vec<_>>());
}
