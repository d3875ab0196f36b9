//! A standby that is lost, and one that takes over: no answer is given that could be taken back,
//! and no code counts a second time.

use tokio::time::timeout;

use super::pair::Pair;
use super::*;
use crate::store::Write;

const LATER: UnixMillis = UnixMillis::from_seconds(1_800_100_000);
const LONG: Duration = Duration::from_secs(60);

fn step() -> Key {
    Key::new(Space::Step, &b"ann"[..])
}

fn ann() -> Key {
    Key::new(Space::Factor, &b"ann"[..])
}

fn put(value: &'static str) -> Vec<Write> {
    vec![Write::put(ann(), value.as_bytes(), None)]
}

fn own_pair() -> &'static Pair {
    Box::leak(Box::new(Pair::start()))
}

/// Waits until something holds of the store.
async fn until(store: &PostgresStore, holds: impl AsyncFn(&PostgresStore) -> bool) {
    let mut events = store.watch();
    let waiting = async {
        while !holds(store).await {
            let _any = timeout(Duration::from_millis(100), events.recv()).await;
        }
    };
    timeout(LONG, waiting).await.unwrap();
}

async fn decides(store: &PostgresStore) -> bool {
    store.ready().await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_standby_nothing_is_answered_and_nothing_is_believed() {
    let database = Database::on(own_pair());
    let store = database.open().await;
    store.commit(NOW, put("before")).await.unwrap();
    assert_eq!(store.health().await.shared.unwrap().replicas_in_sync, 1);
    database.pair.run("kill", &["standby"]);
    // Sent, and the server waits for a standby that is gone: who knows.
    let unknown = store.commit(NOW, put("during")).await;
    assert!(matches!(unknown, Err(StoreError::Indeterminate(_))), "{unknown:?}");
    until(&store, async |store| !decides(store).await).await;
    // The server may be one that another has taken over from, and not know it.
    let unknown = store.get(NOW, &ann()).await;
    assert!(matches!(unknown, Err(StoreError::Unavailable(_))), "{unknown:?}");
    let mut events = store.watch();
    database.pair.run("restart", &["standby"]);
    until(&store, decides).await;
    // It was written after all, and whoever watches is told to look.
    assert_eq!(store.get(NOW, &ann()).await.unwrap().unwrap().value, "during");
    let told = async { while events.recv().await.unwrap() != Event::Resync {} };
    timeout(LONG, told).await.unwrap();
    store.commit(NOW, put("after")).await.unwrap();
    assert_eq!(store.pulse().unwrap().failovers, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_all_codes_up_to_then_count_as_spent() {
    let database = Database::on(own_pair());
    let alone = PostgresConfig::parse(&database.url(), false).unwrap();
    let strict = database.open().await;
    let store = PostgresStore::open(&alone, &keyring(1), NOW).await.unwrap();
    let raise = |to| vec![Write::raise(step(), to, LATER)];
    store.commit(NOW, raise(NOW.seconds() - 300)).await.unwrap();
    store.commit(NOW, put("kept")).await.unwrap();
    database.pair.run("promote", &["alone"]);
    until(&store, async |store| store.core.failovers() == 1 && decides(store).await).await;
    assert_eq!(store.get(NOW, &ann()).await.unwrap().unwrap().value, "kept");
    let spent = store.commit(NOW, raise(NOW.seconds() + 30)).await;
    let Err(StoreError::Refused { index: 0, current }) = spent else { panic!("{spent:?}") };
    // The clock went on while the standby took over.
    let floor = NOW.seconds() + 30..NOW.seconds() + 30 + LONG.as_secs() * 2;
    assert!(floor.contains(&current), "{current}");
    store.commit(NOW, raise(floor.end)).await.unwrap();
    assert_eq!(store.pulse().unwrap().failovers, 1);
    // What took over has no standby, which only the second gateway takes.
    let refused = strict.commit(NOW, put("lost")).await.unwrap_err().to_string();
    assert!(refused.contains("`synchronous_standby_names` is empty"), "{refused}");
    let refused = PostgresStore::open(&database.config(), &keyring(1), NOW).await.err().unwrap();
    assert!(matches!(refused, OpenError::Unsafe { .. }), "{refused}");
}
