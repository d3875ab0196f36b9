//! An export is all of it or none of it, and what is put back can be used once: in the new place.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::config::{MasterKey, Secret, StoreConfig};
use crate::store::keyring::Keyring;
use crate::store::sled::SledStore;
use crate::store::{Copied, CounterRule, Leaf, Sort, Store, Write};

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);
const ALICE: &[u8] = b"alice's own identifier";

fn keyring(byte: u8) -> Keyring {
    Keyring::load(&MasterKey::Given(Secret::new(vec![byte; 32]))).unwrap()
}

fn factor(id: &str) -> Key {
    Key::new(Space::Factor, id.as_bytes().to_vec())
}

fn leaf(text: &str) -> Leaf {
    let payload = Zeroizing::new(text.as_bytes().to_vec());
    Leaf { sort: Sort::Value, payload, expires_at: Some(UnixMillis(u64::MAX - 1)) }
}

/// An export with each kind of step, as its first line and the pieces after it.
fn export(key: &ExportKey) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut writer, line) = Writer::begin(key, NOW).unwrap();
    let steps = [
        Copied::New(factor("a"), leaf("the secret of a")),
        Copied::New(factor("b"), leaf("the secret of b")),
        Copied::Again(factor("a"), leaf("another secret of a")),
        Copied::Gone(factor("b")),
    ];
    let mut pieces: Vec<Vec<u8>> = steps.iter().map(|step| writer.step(step).unwrap()).collect();
    let (end, counts) = writer.end().unwrap();
    assert_eq!((counts.total(), counts.of(Space::Factor)), (1, 1));
    pieces.push(end);
    (line, pieces)
}

fn whole(line: &[u8], pieces: &[Vec<u8>]) -> Vec<u8> {
    [line, &pieces.concat()].concat()
}

/// How many steps there are in an export that is whole.
fn read(key: &ExportKey, bytes: &[u8]) -> Result<usize, BackupError> {
    let mut reader = Reader::open(key, Cursor::new(bytes))?;
    let mut steps = 0;
    while reader.step()?.is_some() {
        steps += 1;
    }
    Ok(steps)
}

#[test]
fn what_was_written_is_read() {
    let key = ExportKey::new(&keyring(1));
    let (line, pieces) = export(&key);
    let bytes = whole(&line, &pieces);
    let mut reader = Reader::open(&key, Cursor::new(&bytes)).unwrap();
    assert_eq!(reader.made(), NOW);
    let Some(Copied::New(at, found)) = reader.step().unwrap() else { panic!("no first step") };
    assert_eq!((at, found.payload.as_slice()), (factor("a"), &b"the secret of a"[..]));
    assert_eq!(found.expires_at, Some(UnixMillis(u64::MAX - 1)));
    assert!(matches!(reader.step(), Ok(Some(Copied::New(..)))));
    assert!(matches!(reader.step(), Ok(Some(Copied::Again(..)))));
    assert!(matches!(reader.step(), Ok(Some(Copied::Gone(_)))));
    assert!(matches!(reader.step(), Ok(None)));
    assert!(!bytes.windows(6).any(|window| window == b"secret"), "a secret can be read");
}

#[test]
fn each_flipped_bit_is_found() {
    let key = ExportKey::new(&keyring(1));
    let (line, pieces) = export(&key);
    let bytes = whole(&line, &pieces);
    for index in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[index] ^= bit;
            assert!(read(&key, &damaged).is_err(), "byte {index}, bit {bit}");
        }
    }
}

#[test]
fn each_cut_and_each_addition_is_found() {
    let key = ExportKey::new(&keyring(1));
    let (line, pieces) = export(&key);
    let bytes = whole(&line, &pieces);
    for length in 0..bytes.len() {
        assert!(read(&key, &bytes[..length]).is_err(), "cut at {length}");
    }
    assert!(matches!(read(&key, &bytes[..bytes.len() - 40]), Err(BackupError::CutOff { .. })));
    assert!(read(&key, &[&bytes[..], b"\n"].concat()).is_err());
    assert!(read(&key, &[&bytes[..], &bytes].concat()).is_err());
}

#[test]
fn a_record_that_was_dropped_doubled_or_moved_is_found() {
    let key = ExportKey::new(&keyring(1));
    let (line, pieces) = export(&key);
    assert_eq!(read(&key, &whole(&line, &pieces)).unwrap(), 4);
    for at in 0..pieces.len() - 1 {
        let (mut without, mut twice, mut swapped) =
            (pieces.clone(), pieces.clone(), pieces.clone());
        without.remove(at);
        twice.insert(at, pieces[at].clone());
        swapped.swap(at, at + 1);
        for (what, changed) in [("dropped", without), ("twice", twice), ("swapped", swapped)] {
            let found = read(&key, &whole(&line, &changed));
            assert!(matches!(found, Err(BackupError::Damaged { .. })), "{what} at {at}");
        }
    }
    let ended_early = [&pieces[..2], &pieces[4..]].concat();
    assert!(read(&key, &whole(&line, &ended_early)).is_err());
}

#[test]
fn a_record_of_another_export_fits_nowhere() {
    let key = ExportKey::new(&keyring(1));
    let ((line, pieces), (_, others)) = (export(&key), export(&key));
    for at in 0..pieces.len() {
        let mut changed = pieces.clone();
        changed[at].clone_from(&others[at]);
        assert!(read(&key, &whole(&line, &changed)).is_err(), "piece {at}");
    }
}

#[test]
fn another_master_key_a_newer_version_and_another_file_are_told_apart() {
    let key = ExportKey::new(&keyring(1));
    let (line, pieces) = export(&key);
    let bytes = whole(&line, &pieces);
    let other = ExportKey::new(&keyring(2));
    assert!(matches!(read(&other, &bytes), Err(BackupError::OtherKey)));
    // Whoever writes the name of another key over it gets no further.
    let (others, _) = export(&other);
    assert!(matches!(read(&other, &whole(&others, &pieces)), Err(BackupError::Damaged { .. })));
    let line = String::from_utf8(line).unwrap();
    let newer = line.replace("\"version\":1", "\"version\":2,\"more\":true");
    let newer = read(&key, &whole(newer.as_bytes(), &pieces));
    assert!(matches!(newer, Err(BackupError::Newer { found: 2 })));
    for file in [&b""[..], b"{}\n", b"not at all", b"\n", &[0; 5000]] {
        assert!(matches!(read(&key, file), Err(BackupError::NotAnExport)));
    }
}

/// A store with alice in it, and a place for another.
struct Places {
    folder: tempfile::TempDir,
    store: Arc<SledStore>,
}

impl Places {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open(&folder.path().join("old"), &keyring(1), NOW).unwrap();
        for space in COPIED.into_iter().filter(|space| *space != Space::Counter) {
            put(&store, space, ALICE).await;
        }
        let left = [
            Space::Session,
            Space::Pending,
            Space::Device,
            Space::Invite,
            Space::Request,
            Space::Token,
        ];
        for space in left {
            put(&store, space, ALICE).await;
        }
        put(&store, Space::Config, SESSION_KEYS).await;
        let step = Key::new(Space::Step, ALICE);
        store.commit(NOW, vec![Write::raise(step, 1, NOW)]).await.unwrap();
        for _ in 0..5 {
            let rule = CounterRule::default();
            let _counted = store.hit(NOW, &Key::new(Space::Counter, ALICE), rule).await.unwrap();
        }
        Self { folder, store: Arc::new(store) }
    }

    fn new_folder(&self) -> PathBuf {
        self.folder.path().join("new")
    }

    async fn exported(&self) -> PathBuf {
        let store: Arc<dyn Store> = Arc::<SledStore>::clone(&self.store);
        let mut pieces = Backup::new(store, &keyring(1)).export(NOW);
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.recv().await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        let file = self.folder.path().join("export");
        fs::write(&file, bytes).unwrap();
        file
    }

    async fn put_back(&self, file: &PathBuf, now: UnixMillis) -> Result<Taken, BackupError> {
        let file = File::open(file).unwrap();
        let config = StoreConfig::Sled { path: self.new_folder() };
        put_back(&file, &config, &keyring(1), now, &mut |_| {}).await
    }

    /// Everything that lies beside the two stores.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> =
            entries.map(|entry| name(entry).into_string().unwrap()).collect();
        names.sort();
        names
    }
}

async fn put(store: &SledStore, space: Space, id: &[u8]) {
    let put = Write::put(Key::new(space, id.to_vec()), b"what alice has".to_vec(), None);
    store.commit(NOW, vec![put]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_back_is_all_that_cannot_be_used_twice() {
    let places = Places::new().await;
    let file = places.exported().await;
    let taken = places.put_back(&file, NOW).await.unwrap();
    assert_eq!((taken.made, taken.counts.total()), (NOW, 5));
    assert_eq!(places.names(), ["export", "new", "new.head", "old", "old.head"]);
    let store = SledStore::open(&places.new_folder(), &keyring(1), NOW).unwrap();
    for space in Space::ALL {
        let found = store.scan(NOW, space, ALICE, None, 10).await.unwrap();
        assert_eq!(found.len(), usize::from(COPIED.contains(&space)), "{space:?}");
    }
    let keys = store.get(NOW, &Key::new(Space::Config, SESSION_KEYS)).await.unwrap();
    assert!(keys.is_none(), "the keys of old cookies came along");
    let counter = store.counter(NOW, &Key::new(Space::Counter, ALICE)).await.unwrap();
    assert_eq!((counter.failures, counter.admitted), (5, false));
    let told = imported(&store, NOW).await.unwrap();
    assert_eq!(told, Some((5, NOW)));
    import_told(&store, NOW).await.unwrap();
    assert_eq!(imported(&store, NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_code_from_before_the_first_start_counts_in_the_new_place() {
    let places = Places::new().await;
    let file = places.exported().await;
    places.put_back(&file, NOW).await.unwrap();
    // The old gateway went on for ten minutes more.
    let started = NOW.plus(Duration::from_secs(600));
    let store = SledStore::open(&places.new_folder(), &keyring(1), started).unwrap();
    let spend = |step: u64| vec![Write::raise(Key::new(Space::Step, ALICE), step, started)];
    for step in [NOW.seconds(), started.seconds(), started.seconds() + 30] {
        let refused = store.commit(started, spend(step)).await;
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{step}");
    }
    store.commit(started, spend(started.seconds() + 60)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_a_store_is_or_from_what_is_not_whole() {
    let places = Places::new().await;
    let file = places.exported().await;
    let before = places.names();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = places.folder.path().join("export");
    fs::write(&damaged, &bytes).unwrap();
    let refused = places.put_back(&damaged, NOW).await;
    assert!(matches!(refused, Err(BackupError::Damaged { .. })));
    bytes[middle] ^= 1;
    fs::write(&damaged, &bytes).unwrap();
    let early = NOW.minus(Duration::from_secs(3600));
    let refused = places.put_back(&file, early).await;
    assert!(matches!(refused, Err(BackupError::ClockBehind { .. })));
    assert_eq!(places.names(), before);
    places.put_back(&file, NOW).await.unwrap();
    let again = places.put_back(&file, NOW).await.unwrap_err().to_string();
    assert!(again.contains("stop the gateway, move") && again.contains("new.head"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_nobody_takes_ends_and_another_can_be_made() {
    let places = Places::new().await;
    let store: Arc<dyn Store> = Arc::<SledStore>::clone(&places.store);
    let backup = Backup::new(store, &keyring(1));
    assert_eq!(backup.status(NOW).await.unwrap().last_export, None);
    drop(backup.export(NOW));
    let file = loop {
        let mut pieces = backup.export(NOW);
        let first = pieces.recv().await.unwrap();
        // The one that nobody takes may still be on its way out.
        if let Ok(first) = first {
            break first;
        }
        tokio::task::yield_now().await;
    };
    assert!(file.starts_with(b"{\"format\":\"portcullis export\""));
    let status = backup.status(NOW).await.unwrap();
    let of = |wanted: Space| status.records.iter().find(|(space, _)| *space == wanted).unwrap().1;
    assert_eq!((of(Space::Factor), of(Space::Counter), of(Space::Hook)), (1, 1, 0));
}
