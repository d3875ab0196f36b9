//! What is no store of ours, or no longer, is refused, and never means that nobody has enrolled.

use etcd_client::{Client, DeleteOptions};

use super::*;

async fn client() -> Client {
    let member = format!("127.0.0.1:{}", cluster().ports[0]);
    Client::connect([member], None).await.unwrap()
}

async fn refusal(home: &Home, master: u8) -> String {
    match EtcdStore::open(&home.0, &keyring(master), NOW).await {
        Ok(_) => panic!("the store opened"),
        Err(error) => error.to_string(),
    }
}

/// The key in etcd of what lies at `address`.
fn raw(store: &EtcdStore, address: &[u8]) -> Vec<u8> {
    store.vault.layout.key(address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_master_key_opens_nothing() {
    let home = Home::new();
    drop(home.open().await);
    let refused = refusal(&home, 2).await;
    assert!(refused.contains("made under another master key"), "{refused}");
    home.open().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_where_something_else_lies_is_no_store() {
    let home = Home::new();
    let mut client = client().await;
    client.put([&home.0.prefix[..], b"theirs"].concat(), "x", None).await.unwrap();
    let refused = refusal(&home, 1).await;
    assert!(refused.contains("nothing says which store it is"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_its_identity_is_not_taken_for_a_new_one() {
    let home = Home::new();
    let store = home.open().await;
    store.commit(NOW, vec![put(&factor("ann"), "secret")]).await.unwrap();
    client().await.delete(store.vault.layout.identity(), None).await.unwrap();
    let read = store.get(NOW, &factor("ann")).await;
    assert!(matches!(read, Err(StoreError::Fatal(_))), "{read:?}");
    let refused = refusal(&home, 1).await;
    assert!(refused.contains("nothing says which store it is"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_emptied_while_it_is_open_shuts_itself() {
    let home = Home::new();
    let store = home.open().await;
    store.commit(NOW, vec![put(&factor("ann"), "secret")]).await.unwrap();
    let all = DeleteOptions::new().with_prefix();
    client().await.delete(raw(&store, b""), Some(all)).await.unwrap();
    let anew = put(&factor("ann"), "mine").expecting(Expect::Absent);
    let written = store.commit(NOW, vec![anew]).await;
    assert!(matches!(written, Err(StoreError::Fatal(_))), "{written:?}");
    let read = store.get(NOW, &factor("ann")).await;
    assert!(matches!(read, Err(StoreError::Fatal(_))), "{read:?}");
    assert!(!store.health().await.writable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_or_moved_record_is_corrupt_and_never_absent() {
    let home = Home::new();
    let store = home.open().await;
    let (ann, bob) = (factor("ann"), factor("bob"));
    store.commit(NOW, vec![put(&ann, "hers"), put(&bob, "his")]).await.unwrap();
    let (ann_lies, bob_lies) = (raw(&store, &address(&ann)), raw(&store, &address(&bob)));
    let mut client = client().await;
    let hers = client.get(ann_lies.clone(), None).await.unwrap().kvs()[0].value().to_vec();
    let mut flipped = hers.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [flipped, hers[..10].to_vec(), Vec::new()] {
        client.put(ann_lies.clone(), damaged, None).await.unwrap();
        let read = store.get(NOW, &ann).await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
        let anew = put(&ann, "mine").expecting(Expect::Absent);
        let written = store.commit(NOW, vec![anew]).await;
        assert!(matches!(written, Err(StoreError::Corrupt(_))), "{written:?}");
    }
    client.put(bob_lies, hers, None).await.unwrap();
    assert!(matches!(store.get(NOW, &bob).await, Err(StoreError::Corrupt(_))));
    let scanned = store.scan(NOW, Space::Factor, b"", None, 10).await;
    assert!(matches!(scanned, Err(StoreError::Corrupt(_))), "{scanned:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_at_the_address_is_no_store() {
    let home = Home(EtcdConfig::parse("http://127.0.0.1:1,127.0.0.1:2/x").unwrap());
    let refused = refusal(&home, 1).await;
    assert!(refused.contains("127.0.0.1:1, 127.0.0.1:2"), "{refused}");
    assert!(refused.contains("does not answer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_begin_at_once_have_one_store() {
    let home = Home::new();
    let (one, other) = tokio::join!(home.open(), home.open());
    one.commit(NOW, vec![put(&factor("ann"), "secret")]).await.unwrap();
    assert_eq!(other.get(NOW, &factor("ann")).await.unwrap().unwrap().value, "secret");
}
