//! Who is let in: the least rights are enough, and nobody is spoken to who cannot prove who it is.

use super::single::Single;
use super::*;

async fn refusal(config: &EtcdConfig) -> String {
    match EtcdStore::open(config, &keyring(1), NOW).await {
        Ok(_) => panic!("the store opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_are_documented_are_enough() {
    let etcd = Single::start();
    // As docs/operations.md has it.
    etcd.run(
        "etcdctl user add root:secret
        etcdctl user grant-role root root
        etcdctl role add portcullis
        etcdctl role grant-permission portcullis readwrite --prefix=true /portcullis/
        etcdctl user add portcullis:s3cret
        etcdctl user grant-role portcullis portcullis
        etcdctl auth enable",
    );
    let config = etcd.url("portcullis:s3cret@", "");
    let store = EtcdStore::open(&config, &keyring(1), NOW).await.unwrap();
    let mut events = store.watch();
    let session = key(Space::Revoke, "ann");
    store.commit(NOW, vec![Write::put(session.clone(), &b"x"[..], Some(NOW))]).await.unwrap();
    assert_eq!(news(&mut events).await, Event::Changed { key: session, deleted: false });
    assert_eq!(store.sweep(NOW, Duration::ZERO, 10).await, Ok(1));
    let health = store.health().await;
    assert!(health.writable && health.records == 0 && health.bytes > 0, "{health:?}");
    for user in ["", "portcullis:wrong@", "nobody:s3cret@"] {
        let refused = refusal(&etcd.url(user, "")).await;
        assert!(refused.contains("does not answer"), "{refused}");
        assert!(!refused.contains("wrong") && !refused.contains("s3cret"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_proves_who_it_is() {
    let etcd = Single::start_sealed();
    let store = etcd.open().await;
    store.commit(NOW, vec![put(&factor("ann"), "secret")]).await.unwrap();
    assert_eq!(store.get(NOW, &factor("ann")).await.unwrap().unwrap().value, "secret");
    // Neither the system's authorities nor another's know this one.
    let other = Single::start_sealed();
    for authorities in [String::new(), other.authorities()] {
        let refused = refusal(&etcd.url("", &authorities)).await;
        assert!(refused.contains("does not answer"), "{refused}");
    }
    let nothing = refusal(&etcd.url("", "?ca=/nowhere.pem")).await;
    assert!(nothing.contains("cannot read the authorities /nowhere.pem"), "{nothing}");
}
