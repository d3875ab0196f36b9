//! An import into a database: all of it or nothing, and only where no store is.

use zeroize::Zeroizing;

use super::*;
use crate::store::{Leaf, Sort, Write};

fn key(id: &str) -> Key {
    Key::new(Space::Factor, id.as_bytes().to_vec())
}

fn leaf(text: &str) -> Leaf {
    let payload = Zeroizing::new(text.as_bytes().to_vec());
    Leaf { sort: Sort::Value, payload, expires_at: None }
}

async fn begin(database: &Database) -> Result<NewStore, OpenError> {
    NewStore::begin(&database.config(), &keyring(1), NOW, NOW).await
}

#[tokio::test]
async fn what_is_filled_is_there_once_it_is_finished_and_its_codes_are_spent() {
    let database = Database::new();
    let new = begin(&database).await.unwrap();
    let steps = vec![
        Copied::New(key("ann"), leaf("1")),
        Copied::New(key("bob"), leaf("1")),
        Copied::Again(key("ann"), leaf("2")),
        Copied::Gone(key("bob")),
        Copied::New(key("eve"), leaf("1")),
    ];
    new.fill(steps).await.unwrap();
    assert_eq!(new.records().await, Ok(2));
    new.finish().await.unwrap();
    let store = database.open().await;
    assert_eq!(store.get(NOW, &key("ann")).await.unwrap().unwrap().value, "2");
    assert_eq!(store.get(NOW, &key("bob")).await, Ok(None));
    let step = Key::new(Space::Step, &b"ann"[..]);
    let floor = NOW.seconds() + 30;
    let spent = store.commit(NOW, vec![Write::raise(step, floor, NOW)]).await;
    assert_eq!(spent, Err(StoreError::Refused { index: 0, current: floor }));
    assert!(matches!(begin(&database).await, Err(OpenError::NotEmpty { .. })));
}

#[tokio::test]
async fn steps_that_do_not_fit_are_refused_and_what_is_broken_off_was_never_there() {
    let misfits: [fn() -> Vec<Copied>; 3] = [
        || vec![Copied::New(key("ann"), leaf("1")), Copied::New(key("ann"), leaf("2"))],
        || vec![Copied::Again(key("ann"), leaf("1"))],
        || vec![Copied::Gone(key("ann"))],
    ];
    let database = Database::new();
    for steps in misfits {
        let new = begin(&database).await.unwrap();
        new.fill(vec![Copied::New(key("bob"), leaf("1"))]).await.unwrap();
        assert!(matches!(new.fill(steps()).await, Err(StoreError::Invalid(_))));
    }
    let store = database.open().await;
    assert_eq!(store.health().await.records, 0);
}
