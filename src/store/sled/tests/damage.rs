//! Bytes that were changed on disk. The store refuses to open, or a record is corrupt, or it
//! is right: never is one absent or another.

use std::io::{Seek, SeekFrom, Write as _};

use super::refusals::settled;
use super::*;
use crate::store::records::address;

// Enough that sled keeps several segments: what damage does to it depends on where it is.
const USERS: u32 = 2500;

/// Reads every user of a store that may be damaged; gives how many were right, or nothing
/// where the store refused to open.
async fn right_ones(home: &Home) -> Option<u32> {
    let store = home.try_open().ok()?;
    let mut right = 0;
    for number in 0..USERS {
        match store.get(NOW, &user(number)).await {
            Ok(Some(record)) => {
                assert_eq!(record.value, secret(number));
                right += 1;
            }
            Ok(None) => panic!("user {number} is silently absent"),
            Err(StoreError::Corrupt(_) | StoreError::Fatal(_)) => {}
            Err(error) => panic!("user {number}: {error}"),
        }
    }
    Some(right)
}

async fn full() -> Home {
    let home = Home::new();
    let store = home.open();
    enrol(&store, 0..USERS).await;
    store.close().await.unwrap();
    home
}

fn files(home: &Home) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.folder()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}

#[tokio::test]
async fn a_flipped_bit_never_makes_a_user_absent() {
    let home = full().await;
    assert_eq!(right_ones(&home.copy()).await, Some(USERS));
    let (mut refused, mut right) = (0, 0);
    for file in files(&home) {
        let bytes = fs::read(&file).unwrap();
        let written: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let stride = (written.len() / 24).max(1);
        for (turn, at) in written.iter().step_by(stride).enumerate() {
            let copy = home.copy();
            let path = copy.folder().join(file.file_name().unwrap());
            let mut damaged = fs::OpenOptions::new().write(true).open(path).unwrap();
            damaged.seek(SeekFrom::Start(*at as u64)).unwrap();
            damaged.write_all(&[bytes[*at] ^ 1 << (turn % 8)]).unwrap();
            match right_ones(&copy).await {
                None => refused += 1,
                Some(users) => right += users,
            }
        }
    }
    assert!(refused > 10 && right > 0, "{refused} stores refused, {right} users right");
}

#[tokio::test]
async fn a_shortened_file_never_makes_a_user_absent() {
    let home = full().await;
    for file in files(&home) {
        let length = fs::metadata(&file).unwrap().len();
        let cuts = [1, 100, 4096, 100_000, length / 2, length - length / 10, length];
        for cut in cuts.into_iter().filter(|cut| *cut <= length) {
            let copy = home.copy();
            let path = copy.folder().join(file.file_name().unwrap());
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length - cut).unwrap();
            right_ones(&copy).await;
        }
    }
}

#[tokio::test]
async fn a_record_copied_to_another_user_is_corrupt() {
    let home = settled().await;
    // Users 1 and 2 come from one transaction, so not even the fingerprint tells them apart.
    let db = home.raw();
    let one = db.get(address(&user(1))).unwrap().unwrap();
    db.insert(address(&user(2)), one).unwrap();
    drop(db);
    let store = home.open();
    let corrupt = |error| matches!(error, StoreError::Corrupt(_));
    assert!(corrupt(store.get(NOW, &user(2)).await.unwrap_err()));
    assert!(corrupt(store.scan(NOW, Space::Factor, b"", None, 1000).await.unwrap_err()));
    let anew = Write::put(user(2), &b"x"[..], None).expecting(Expect::Absent);
    assert!(corrupt(store.commit(NOW, vec![anew]).await.unwrap_err()));
    assert_eq!(store.get(NOW, &user(1)).await.unwrap().unwrap().value, secret(1));
}

#[tokio::test]
async fn nothing_of_a_record_can_be_read_on_disk() {
    let home = settled().await;
    for file in files(&home) {
        let bytes = fs::read(file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
    }
}
