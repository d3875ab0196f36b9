//! Folders and files that are not what they were: each is refused, with the mend in the text.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::store::records::{IDENTITY, address};
use crate::store::sled::head::Head;
use crate::store::stamp::{Stamp, StampKeys};

/// A home whose store holds some users and was closed.
pub(super) async fn settled() -> Home {
    let home = Home::new();
    let store = home.open();
    enrol(&store, 0..40).await;
    store.close().await.unwrap();
    home
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text:?}");
    }
}

#[tokio::test]
async fn a_deleted_folder_is_refused_and_not_made_anew() {
    let home = settled().await;
    fs::remove_dir_all(home.folder()).unwrap();
    assert_says(&home.refusal(), &["missing or empty", "put the folder back"]);
    assert!(!home.folder().exists());
}

#[tokio::test]
async fn an_emptied_folder_is_refused() {
    let home = settled().await;
    fs::remove_dir_all(home.folder()).unwrap();
    fs::create_dir(home.folder()).unwrap();
    assert_says(&home.refusal(), &["missing or empty"]);
}

#[tokio::test]
async fn a_folder_without_its_database_file_is_refused() {
    let home = settled().await;
    fs::remove_file(home.folder().join("db")).unwrap();
    assert_says(&home.refusal(), &["missing or empty"]);
    assert!(!home.folder().join("db").exists());
}

#[tokio::test]
async fn an_empty_database_in_place_of_the_store_is_refused() {
    let home = settled().await;
    fs::remove_dir_all(home.folder()).unwrap();
    drop(home.raw());
    assert_says(&home.refusal(), &["missing or empty"]);
}

#[tokio::test]
async fn an_older_copy_is_refused() {
    let home = settled().await;
    let old = home.copy();
    let store = home.open();
    store.commit(NOW, vec![Write::delete(user(1))]).await.unwrap();
    store.close().await.unwrap();
    fs::remove_dir_all(home.folder()).unwrap();
    copy_folder(&old.folder(), &home.folder());
    assert_says(&home.refusal(), &["older than it should be", "put the newest folder back"]);
}

#[tokio::test]
async fn a_store_without_its_head_is_refused() {
    let home = settled().await;
    fs::remove_file(home.head()).unwrap();
    assert_says(&home.refusal(), &["store.head is missing", "put the file back"]);
    assert!(!home.head().exists());
}

#[tokio::test]
async fn a_damaged_head_is_refused() {
    let home = settled().await;
    for content in [&b""[..], b"portcullis store", &[0; 8192]] {
        fs::write(home.head(), content).unwrap();
        assert_says(&home.refusal(), &["store.head is damaged"]);
    }
}

#[tokio::test]
async fn the_store_of_another_installation_is_refused() {
    let (home, other) = (settled().await, settled().await);
    fs::remove_dir_all(home.folder()).unwrap();
    copy_folder(&other.folder(), &home.folder());
    assert_says(&home.refusal(), &["is not the one that", "put the right folder back"]);
}

#[tokio::test]
async fn a_store_under_another_master_key_is_refused() {
    let home = settled().await;
    let error = SledStore::open(&home.released(), &keyring(2), NOW).err().unwrap();
    assert_says(&error.to_string(), &["another master key", "keys.master"]);
    let other = Home::new();
    SledStore::open(&other.folder(), &keyring(2), NOW).unwrap().close().await.unwrap();
    fs::remove_dir_all(home.folder()).unwrap();
    copy_folder(&other.folder(), &home.folder());
    assert_says(&home.refusal(), &["another master key"]);
}

#[tokio::test]
async fn a_store_of_a_newer_format_is_refused() {
    let home = settled().await;
    let db = home.raw();
    let mut identity = db.get(IDENTITY).unwrap().unwrap().to_vec();
    identity[17] = 9;
    db.insert(IDENTITY, identity).unwrap();
    drop(db);
    assert_says(&home.refusal(), &["has format 9", "knows format 1"]);
}

#[tokio::test]
async fn a_second_opening_is_refused_and_does_not_harm_the_first() {
    let home = Home::new();
    let store = home.open();
    let second = SledStore::open(&home.folder(), &keyring(1), NOW).err().unwrap();
    assert_says(&second.to_string(), &["in use by another process"]);
    enrol(&store, 0..3).await;
    store.close().await.unwrap();
    home.open().close().await.unwrap();
}

#[tokio::test]
async fn a_clock_set_back_is_refused() {
    let home = settled().await;
    let open_at = |now| SledStore::open(&home.released(), &keyring(1), now);
    let error = open_at(NOW.minus(Duration::from_millis(60_001))).err().unwrap();
    assert_says(&error.to_string(), &["set the clock right"]);
    open_at(NOW.minus(Duration::from_secs(60))).unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_others_may_write_to_is_refused() {
    let home = settled().await;
    for mode in [0o777, 0o720, 0o702] {
        fs::set_permissions(home.folder(), fs::Permissions::from_mode(mode)).unwrap();
        assert_says(&home.refusal(), &[&format!("mode {mode:04o}"), "chmod 700"]);
    }
}

#[tokio::test]
async fn a_new_store_is_its_owners_alone() {
    let home = settled().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&home.folder()), 0o700);
    assert_eq!(mode(&home.head()), 0o600);
    assert_eq!(mode(&home.folder().join("db")), 0o600);
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let home = settled().await;
    let folder = home.released().join("");
    SledStore::open(&folder, &keyring(1), NOW).unwrap().close().await.unwrap();
    assert!(matches!(
        SledStore::open(Path::new("/"), &keyring(1), NOW),
        Err(OpenError::Unusable { .. })
    ));
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_is_taken_up_again() {
    let begun = || {
        let home = Home::new();
        Head::create(&home.head(), &StampKeys::new(&keyring(1)), [7; 16]).unwrap();
        home
    };
    let with_head_alone = begun();
    let with_folder = begun();
    fs::create_dir(with_folder.folder()).unwrap();
    let with_database = begun();
    drop(with_database.raw());
    let with_identity = begun();
    let stamp = Stamp { store: [7; 16], sequence: 0 };
    let db = with_identity.raw();
    db.insert(IDENTITY, stamp.to_bytes(&StampKeys::new(&keyring(1)))).unwrap();
    drop(db);
    for home in [with_head_alone, with_folder, with_database, with_identity] {
        let store = home.open();
        enrol(&store, 0..3).await;
        store.close().await.unwrap();
        let store = home.open();
        assert!(store.get(NOW, &user(2)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_record_that_was_removed_set_back_or_added_is_noticed() {
    let home = settled().await;
    let old = home.copy();
    let store = home.open();
    store.commit(NOW, vec![Write::put(user(1), &b"new"[..], None)]).await.unwrap();
    store.close().await.unwrap();
    let at = |number| address(&user(number));
    let older = old.raw().get(at(1)).unwrap().unwrap();
    for tampering in ["removed", "set back", "added"] {
        let copy = home.copy();
        let db = copy.raw();
        match tampering {
            "removed" => db.remove(at(1)).unwrap(),
            "set back" => db.insert(at(1), older.clone()).unwrap(),
            _ => db.insert(at(99), older.clone()).unwrap(),
        };
        drop(db);
        assert_says(&copy.refusal(), &["records where 40 should be", "put a whole copy back"]);
    }
}

#[tokio::test]
async fn an_end_out_of_order_spends_all_codes_up_to_now() {
    let home = Home::new();
    let step = Key::new(Space::Step, &b"ann"[..]);
    let raise = |to| vec![Write::raise(step.clone(), to, UnixMillis(u64::MAX))];
    let store = home.open();
    store.commit(NOW, raise(1)).await.unwrap();
    drop(store);
    let store = home.open();
    let floor = NOW.seconds() + 30;
    for to in [2, NOW.seconds(), floor] {
        let refused = StoreError::Refused { index: 0, current: floor };
        assert_eq!(store.commit(NOW, raise(to)).await, Err(refused));
    }
    store.close().await.unwrap();
    // The floor stays through orderly ends, which do not raise it again.
    let later = NOW.plus(Duration::from_secs(500));
    let store = SledStore::open(&home.released(), &keyring(1), later).unwrap();
    assert!(store.commit(later, raise(floor)).await.is_err());
    store.commit(later, raise(floor + 1)).await.unwrap();
}
