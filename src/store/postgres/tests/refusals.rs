//! A database that is not the right store is refused, and a record that is not as it was written
//! is damaged: neither is ever taken for "nobody has enrolled".

use super::*;
use crate::store::{Expect, Write};

fn ann() -> Key {
    Key::new(Space::Factor, &b"ann"[..])
}

fn put(value: &'static str) -> Vec<Write> {
    vec![Write::put(ann(), value.as_bytes(), None)]
}

/// What the refusal says.
async fn refusal(database: &Database, key: u8) -> String {
    match PostgresStore::open(&database.config(), &keyring(key), NOW).await {
        Ok(_) => panic!("the store opened"),
        Err(error) => error.to_string(),
    }
}

async fn filled() -> Database {
    let database = Database::new();
    let store = database.open().await;
    store.commit(NOW, put("secret")).await.unwrap();
    store.close().await.unwrap();
    database
}

#[tokio::test]
async fn another_master_key_is_told_from_damage() {
    let database = filled().await;
    assert!(refusal(&database, 2).await.contains("was made under another master key"));
    database.open().await.get(NOW, &ann()).await.unwrap().unwrap();
}

#[tokio::test]
async fn tables_that_were_emptied_are_no_new_store() {
    let database = filled().await;
    database.sql("TRUNCATE portcullis.record");
    assert!(refusal(&database, 1).await.contains("has lost what it was"));
    database.sql("TRUNCATE portcullis.store");
    assert!(refusal(&database, 1).await.contains("has lost what it was"));
    database.sql("DROP SCHEMA portcullis CASCADE");
    assert_eq!(database.open().await.get(NOW, &ann()).await, Ok(None));
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let database = filled().await;
    database.sql("UPDATE portcullis.store SET format = 9");
    assert!(refusal(&database, 1).await.contains("has format 9"));
}

#[tokio::test]
async fn the_identity_of_another_store_is_refused() {
    let (database, other) = (filled().await, filled().await);
    let identity = "FROM portcullis.record WHERE space = 0 AND id = 'identity'";
    let foreign = other.sql(&format!("SELECT encode(stored, 'hex') {identity}"));
    database.sql(&format!(
        "UPDATE portcullis.record SET stored = decode('{foreign}', 'hex')
         WHERE space = 0 AND id = 'identity'"
    ));
    assert!(refusal(&database, 1).await.contains("its identity does not open"));
}

#[tokio::test]
async fn a_damaged_or_moved_record_is_corrupt_and_never_absent() {
    let database = filled().await;
    let store = database.open().await;
    let corrupt = |error| matches!(error, StoreError::Corrupt(_));
    database.sql(
        "UPDATE portcullis.record SET id = 'bob' WHERE space = 1;
         INSERT INTO portcullis.record (space, id, stored)
         SELECT 1, 'ann', set_byte(stored, 40, 255 - get_byte(stored, 40))
         FROM portcullis.record WHERE space = 1",
    );
    for id in ["ann", "bob"] {
        let key = Key::new(Space::Factor, id.as_bytes().to_vec());
        assert!(corrupt(store.get(NOW, &key).await.unwrap_err()));
        let absent = Write::put(key, &b"mine"[..], None).expecting(Expect::Absent);
        assert!(corrupt(store.commit(NOW, vec![absent]).await.unwrap_err()));
    }
    assert!(corrupt(store.scan(NOW, Space::Factor, b"", None, 10).await.unwrap_err()));
    // Whatever the column says: when it ends is under the seal.
    database.sql("DELETE FROM portcullis.record WHERE space = 1");
    store.commit(NOW, put("secret")).await.unwrap();
    database.sql("UPDATE portcullis.record SET expires_at = 1 WHERE space = 1");
    assert_eq!(store.get(NOW, &ann()).await.unwrap().unwrap().value, "secret");
}

#[tokio::test]
async fn a_role_without_rights_is_told_what_to_have_run() {
    let database = Database::new();
    database.sql(&format!("ALTER DATABASE {} OWNER TO postgres", database.name));
    let refused = refusal(&database, 1).await;
    assert!(refused.contains("`portcullis store schema`"), "{refused}");
    database.sql(SCHEMA);
    assert!(refusal(&database, 1).await.contains("lacks rights"));
    database.sql(GRANTS);
    let store = database.open().await;
    store.commit(NOW, put("secret")).await.unwrap();
    assert_eq!(store.sweep(NOW, Duration::ZERO, 10).await, Ok(0));
    assert!(store.health().await.writable);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let config = "postgres://gate:s3cret@127.0.0.1:1/portal";
    let config = PostgresConfig::parse(config, true).unwrap();
    let refused = PostgresStore::open(&config, &keyring(1), NOW).await.err().unwrap().to_string();
    assert!(refused.contains("127.0.0.1:1: "), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
}
