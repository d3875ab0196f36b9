//! Members that fail, and an etcd that was set back: nothing that was answered is lost, and no
//! code counts twice.

use super::single::Single;
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_outlives_its_leader() {
    let cluster = Cluster::start();
    let address = cluster.address("portcullis");
    let store = Arc::new(EtcdStore::open(&address, &keyring(1), NOW).await.unwrap());
    let write = |store: Arc<EtcdStore>, writer: u32| async move {
        let mut answered = Vec::new();
        for turn in 0..60_u32 {
            let key = Key::new(Space::Factor, [writer.to_be_bytes(), turn.to_be_bytes()].concat());
            match store.commit(NOW, vec![put(&key, "x").expecting(Expect::Absent)]).await {
                Ok(_) => answered.push(key),
                Err(StoreError::Unavailable(_) | StoreError::Indeterminate(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        answered
    };
    let writers: Vec<_> = (0..4).map(|it| tokio::spawn(write(Arc::clone(&store), it))).collect();
    let killed = block_in_place(|| cluster.script("kill-leader", &[]));
    let mut answered = Vec::new();
    for writer in writers {
        answered.extend(writer.await.unwrap());
    }
    assert!(answered.len() > 100, "{} were answered", answered.len());
    for key in &answered {
        assert!(store.get(NOW, key).await.unwrap().is_some(), "{key:?} is lost");
    }
    // Writes go on by themselves, and the one who is missing is named.
    store.commit(NOW, vec![put(&factor("ann"), "x")]).await.unwrap();
    let shared = store.health().await.shared.unwrap();
    assert!(shared.failovers > 0);
    assert!(shared.warnings.iter().any(|it| it.contains("does not answer")), "{shared:?}");
    block_in_place(|| cluster.script("restart", &[killed]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_most_members_everything_is_refused() {
    let cluster = Cluster::start();
    let store = EtcdStore::open(&cluster.address("x"), &keyring(1), NOW).await.unwrap();
    store.commit(NOW, vec![put(&factor("ann"), "x")]).await.unwrap();
    for member in ["1", "2"] {
        block_in_place(|| cluster.script("kill", &[member.to_owned()]));
    }
    let ann = factor("ann");
    let (read, written) =
        tokio::join!(store.get(NOW, &ann), store.commit(NOW, vec![put(&ann, "y")]),);
    let refused =
        |error| matches!(error, StoreError::Unavailable(_) | StoreError::Indeterminate(_));
    assert!(refused(read.unwrap_err()));
    assert!(refused(written.unwrap_err()));
    assert!(!store.health().await.writable);
    block_in_place(|| cluster.script("restart", &["1".to_owned()]));
    store.commit(NOW, vec![put(&factor("ann"), "z")]).await.unwrap();
}

fn raise(to: u64) -> Vec<Write> {
    vec![Write::raise(key(Space::Step, "ann"), to, LATER)]
}

const BURNED: StoreError = StoreError::Refused { index: 0, current: NOW.seconds() + 30 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_set_back_takes_no_code_of_before() {
    let etcd = Single::start();
    let store = etcd.open().await;
    let mut events = store.watch();
    store.commit(NOW, raise(700)).await.unwrap();
    etcd.save();
    store.commit(NOW, raise(701)).await.unwrap();
    store.commit(NOW, vec![put(&key(Space::Revoke, "ann"), "x")]).await.unwrap();
    let told = Event::Changed { key: key(Space::Revoke, "ann"), deleted: false };
    assert_eq!(news(&mut events).await, told);
    etcd.restore();
    assert_eq!(store.commit(NOW, raise(701)).await, Err(BURNED));
    assert_eq!(news(&mut events).await, Event::Resync);
    store.commit(NOW, raise(NOW.seconds() + 60)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_not_there_learns_that_a_store_was_set_back() {
    let etcd = Single::start();
    let store = etcd.open().await;
    for to in 1..=20 {
        store.commit(NOW, raise(to)).await.unwrap();
    }
    store.sweep(NOW, Duration::ZERO, 1).await.unwrap();
    etcd.save();
    store.commit(NOW, raise(21)).await.unwrap();
    store.close().await.unwrap();
    etcd.restore();
    let store = etcd.open().await;
    assert_eq!(store.commit(NOW, raise(21)).await, Err(BURNED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_etcd_burns_no_code() {
    let etcd = Single::start();
    let store = etcd.open().await;
    store.commit(NOW, raise(700)).await.unwrap();
    etcd.kill();
    etcd.go_on();
    store.commit(NOW, raise(701)).await.unwrap();
    drop(store);
    let store = etcd.open().await;
    store.commit(NOW, raise(702)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_begin_a_store_together_burn_no_code() {
    for _ in 0..5 {
        let home = Home::new();
        let (one, two, three) = tokio::join!(home.open(), home.open(), home.open());
        for (store, to) in [one, two, three].iter().zip(1..) {
            store.commit(NOW, raise(to)).await.unwrap();
        }
    }
}
