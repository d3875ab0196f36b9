//! Cases of many writers at once: exactly one wins, and what was answered is read.

use super::*;

const ROUNDS: u64 = 200;
const RACERS: u64 = 32;

/// Lets each racer make one transaction of its own at once, and gives who won.
async fn race<S: Store>(
    store: &Arc<S>,
    transaction: impl Fn(u64) -> Vec<Write>,
    lost: impl Fn(&StoreError) -> bool,
) -> Vec<u64> {
    let racers: Vec<_> = (0..RACERS)
        .map(|racer| {
            let (store, tx) = (Arc::clone(store), transaction(racer));
            tokio::spawn(async move { (racer, store.commit(NOW, tx).await) })
        })
        .collect();
    let mut winners = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            (racer, Ok(_)) => winners.push(racer),
            (_, Err(error)) => assert!(lost(&error), "{error}"),
        }
    }
    winners
}

pub(in crate::store) async fn racing_writers_have_exactly_one_winner(engine: &impl Engine) {
    let store = Arc::new(engine.open().await);
    let key = factor("ann");
    let mut version = commit_one(&*store, put(&key, "start")).await;
    for _ in 0..ROUNDS {
        let attempt = |racer: u64| {
            let value = racer.to_be_bytes().to_vec();
            vec![Write::put(key.clone(), value, None).expecting(Expect::Is(version))]
        };
        let lost = |error: &StoreError| *error == StoreError::Conflict { index: 0 };
        let winners = race(&store, attempt, lost).await;
        assert_eq!(winners.len(), 1);
        let record = store.get(NOW, &key).await.unwrap().unwrap();
        assert_eq!(record.value, winners[0].to_be_bytes().to_vec());
        version = record.version;
    }
}

pub(in crate::store) async fn racing_raises_have_exactly_one_winner(engine: &impl Engine) {
    let store = Arc::new(engine.open().await);
    let step = key(Space::Step, "ann");
    for round in 1..=ROUNDS {
        // Each racer would also open a session: only the winner's may exist.
        let session = |racer: u64| key(Space::Session, &format!("{round} {racer}"));
        let attempt =
            |racer| vec![put(&session(racer), "in"), Write::raise(step.clone(), round * 30, LATER)];
        let refused = StoreError::Refused { index: 1, current: round * 30 };
        let winners = race(&store, attempt, |error| *error == refused).await;
        assert_eq!(winners.len(), 1);
        let prefix = format!("{round} ");
        let opened = store.scan(NOW, Space::Session, prefix.as_bytes(), None, 100).await.unwrap();
        let opened: Vec<_> = opened.into_iter().map(|(key, _)| key).collect();
        assert_eq!(opened, [session(winners[0])]);
    }
}

pub(in crate::store) async fn mixed_raises_never_go_backwards(engine: &impl Engine) {
    let store = Arc::new(engine.open().await);
    let step = key(Space::Step, "ann");
    for round in 0..20 {
        let to = |racer: u64| round * 10 + (racer * 7) % RACERS + 1;
        let attempt = |racer| vec![Write::raise(step.clone(), to(racer), LATER)];
        let lost = |error: &StoreError| matches!(error, StoreError::Refused { .. });
        let winners = race(&store, attempt, lost).await;
        let highest = round * 10 + RACERS;
        assert!(winners.iter().any(|winner| to(*winner) == highest));
        let record = store.get(NOW, &step).await.unwrap().unwrap();
        assert_eq!(record.value, highest.to_be_bytes().to_vec());
    }
}

pub(in crate::store) async fn what_was_answered_is_read(engine: &impl Engine) {
    let store = Arc::new(engine.open().await);
    let writers: Vec<_> = (0..8_u64)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let key = factor(&writer.to_string());
                for turn in 0..50_u64 {
                    let value = turn.to_be_bytes().to_vec();
                    commit_one(&*store, Write::put(key.clone(), value.clone(), None)).await;
                    assert_eq!(self::value(&*store, &key).await.unwrap(), value);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}
