//! Copies of a store on etcd, and stores that are filled from one.

use tokio::sync::mpsc;

use super::*;
use crate::store::{Leaf, Sort};

const SPACES: [Space; 2] = [Space::Recovery, Space::Factor];

async fn copied(store: &EtcdStore) -> Vec<Copied> {
    let (out, mut steps) = mpsc::channel(4);
    let taking = async {
        let mut taken = Vec::new();
        while let Some(step) = steps.recv().await {
            taken.push(step);
        }
        taken
    };
    let (outcome, taken) = tokio::join!(store.copy(&SPACES, out), taking);
    outcome.unwrap();
    taken
}

fn leaf(value: &[u8]) -> Leaf {
    Leaf { sort: Sort::Value, payload: value.to_vec().into(), expires_at: Some(LATER) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_fills_a_store_that_burns_every_code_of_before() {
    let (from, to) = (Home::new(), Home::new());
    let store = from.open().await;
    for part in (0..600).collect::<Vec<u32>>().chunks(24) {
        let write = |n: &u32| put(&factor(&n.to_string()), "secret");
        store.commit(NOW, part.iter().map(write).collect()).await.unwrap();
    }
    store.commit(NOW, vec![put(&key(Space::Recovery, "0"), "codes")]).await.unwrap();
    store.commit(NOW, vec![put(&key(Space::Session, "0"), "proven")]).await.unwrap();
    let new = NewStore::begin(&to.0, &keyring(1), NOW, NOW).await.unwrap();
    new.fill(NOW, copied(&store).await).await.unwrap();
    assert_eq!(new.records().await, Ok(601));
    new.finish().await.unwrap();
    let filled = to.open().await;
    for space in [Space::Factor, Space::Recovery, Space::Session] {
        let all = |store: &EtcdStore| {
            let store = Arc::clone(&store.vault);
            async move {
                let (first, end) =
                    (store.layout.key(&[space as u8]), store.layout.key(&[space as u8 + 1]));
                store.range(first, end, GetOptions::new().with_count_only()).await.unwrap().count
            }
        };
        let expected = if space == Space::Session { 0 } else { all(&store).await };
        assert_eq!(all(&filled).await, expected);
    }
    let record = filled.get(NOW, &factor("599")).await.unwrap().unwrap();
    assert_eq!(record.value, "secret");
    let spent = vec![Write::raise(key(Space::Step, "ann"), NOW.seconds() + 30, LATER)];
    let refused = StoreError::Refused { index: 0, current: NOW.seconds() + 30 };
    assert_eq!(filled.commit(NOW, spent).await, Err(refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_that_do_not_fit_each_other_are_refused() {
    let home = Home::new();
    let new = NewStore::begin(&home.0, &keyring(1), NOW, NOW).await.unwrap();
    let ann = || factor("ann");
    let misfit = |outcome| matches!(outcome, Err(StoreError::Invalid(_)));
    assert!(misfit(new.fill(NOW, vec![Copied::Gone(ann())]).await));
    assert!(misfit(new.fill(NOW, vec![Copied::Again(ann(), leaf(b"x"))]).await));
    let steps = vec![
        Copied::New(ann(), leaf(b"1")),
        Copied::Again(ann(), leaf(b"2")),
        Copied::Gone(ann()),
        Copied::New(ann(), leaf(b"3")),
    ];
    new.fill(NOW, steps).await.unwrap();
    assert!(misfit(new.fill(NOW, vec![Copied::New(ann(), leaf(b"4"))]).await));
    new.finish().await.unwrap();
    assert_eq!(home.open().await.get(NOW, &ann()).await.unwrap().unwrap().value, "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn part_of_a_copy_is_no_store_and_nothing_is_filled_over_one() {
    let home = Home::new();
    let new = NewStore::begin(&home.0, &keyring(1), NOW, NOW).await.unwrap();
    new.fill(NOW, vec![Copied::New(factor("ann"), leaf(b"x"))]).await.unwrap();
    let said = |error: OpenError| error.to_string();
    let opened = EtcdStore::open(&home.0, &keyring(1), NOW).await.err().map(said).unwrap();
    assert!(opened.contains("part of an import"), "{opened}");
    let again = NewStore::begin(&home.0, &keyring(1), NOW, NOW).await.err().map(said).unwrap();
    assert!(again.contains("part of an import"), "{again}");
    new.finish().await.unwrap();
    let over = NewStore::begin(&home.0, &keyring(1), NOW, NOW).await.err().map(said).unwrap();
    assert!(over.contains("a store already"), "{over}");
}
