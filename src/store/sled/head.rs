//! The `HEAD` file beside the store's folder: which store belongs there and how far it was.
//! It is what notices that the folder was deleted, emptied, swapped or set back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::stamp::{BadStamp, Stamp, StampKeys};

/// Slots lie apart by more than a disk writes at once, so a torn write meets one alone.
const APART: u64 = 4096;

/// The file, open for the next stamp.
pub(super) struct Head {
    file: File,
    keys: StampKeys,
    newest: Stamp,
    next_slot: u64,
}

impl Head {
    /// The path of the file that belongs to `folder`.
    pub(super) fn path(folder: &Path) -> Option<PathBuf> {
        let mut name = folder.file_name()?.to_owned();
        name.push(".head");
        Some(folder.with_file_name(name))
    }

    /// Makes the file for a store that does not exist yet. It appears whole or not at all, and
    /// never in place of another: a link, unlike a rename, fails where something stands.
    pub(super) fn create(path: &Path, keys: &StampKeys, store: [u8; 16]) -> io::Result<()> {
        let stamp = Stamp { store, sequence: 0 }.to_bytes(keys);
        let draft = path.with_extension(format!("head.{}", std::process::id()));
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all_at(&stamp, 0)?;
        file.write_all_at(&stamp, APART)?;
        file.sync_all()?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        linked?;
        sync_folder(path)
    }

    /// Opens the file, if there is one, and gives why it cannot be believed.
    pub(super) fn open(path: &Path, keys: StampKeys) -> io::Result<Option<Result<Self, BadStamp>>> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        (&mut file).take(2 * APART).read_to_end(&mut bytes)?;
        let (first, second) = bytes.split_at(bytes.len().min(4096));
        let stamps = (Stamp::read(first, &keys), Stamp::read(second, &keys));
        Ok(Some(newer(stamps).map(|(newest, next_slot)| Self { file, keys, newest, next_slot })))
    }

    /// The newest stamp in the file.
    pub(super) fn newest(&self) -> Stamp {
        self.newest
    }

    /// Stamps `sequence` over the older slot, durably.
    pub(super) fn advance(&mut self, sequence: u64) -> io::Result<()> {
        let stamp = Stamp { sequence, ..self.newest };
        self.file.write_all_at(&stamp.to_bytes(&self.keys), self.next_slot * APART)?;
        self.file.sync_data()?;
        self.newest = stamp;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }
}

/// The newer of two slots and the number of the other, which is written next.
fn newer(
    stamps: (Result<Stamp, BadStamp>, Result<Stamp, BadStamp>),
) -> Result<(Stamp, u64), BadStamp> {
    match stamps {
        (Ok(a), Ok(b)) if a.store != b.store => Err(BadStamp::Damaged),
        (Ok(a), Ok(b)) if b.sequence > a.sequence => Ok((b, 0)),
        (Ok(a), _) => Ok((a, 1)),
        (Err(_), Ok(b)) => Ok((b, 0)),
        (Err(BadStamp::Damaged), Err(bad)) | (Err(bad), Err(_)) => Err(bad),
    }
}

/// Makes the name of a new file as durable as its bytes.
pub(super) fn sync_folder(of: &Path) -> io::Result<()> {
    match of.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::tests::keyring;
    use crate::store::stamp::STAMP;

    const STORE: [u8; 16] = [3; 16];

    fn keys() -> StampKeys {
        StampKeys::new(&keyring(1))
    }

    fn newest(path: &Path) -> Result<u64, BadStamp> {
        Head::open(path, keys()).unwrap().unwrap().map(|head| head.newest().sequence)
    }

    fn advanced_to(sequence: u64) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.head");
        Head::create(&path, &keys(), STORE).unwrap();
        let mut head = Head::open(&path, keys()).unwrap().unwrap().unwrap();
        for step in 1..=sequence {
            head.advance(step).unwrap();
        }
        (folder, path)
    }

    #[test]
    fn the_newest_stamp_is_read_again() {
        for sequence in 0..4 {
            let (_folder, path) = advanced_to(sequence);
            assert_eq!(newest(&path), Ok(sequence));
        }
    }

    #[test]
    fn no_file_is_made_over_another_and_no_draft_stays() {
        let (folder, path) = advanced_to(2);
        let error = Head::create(&path, &keys(), STORE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(newest(&path), Ok(2));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_torn_write_costs_one_stamp_and_never_both() {
        for sequence in [4, 5] {
            let (_folder, path) = advanced_to(sequence);
            let whole = fs::read(&path).unwrap();
            for cut in 0..STAMP {
                let mut torn = whole.clone();
                // The next write goes over the older slot; the newer one has to stay.
                let older = if sequence % 2 == 0 { 4096 } else { 0 };
                torn[older + cut] ^= 0x40;
                fs::write(&path, &torn).unwrap();
                assert_eq!(newest(&path), Ok(sequence));
            }
        }
    }

    #[test]
    fn both_slots_damaged_is_no_head() {
        let (_folder, path) = advanced_to(3);
        let mut bytes = fs::read(&path).unwrap();
        bytes[50] ^= 1;
        bytes[4096 + 50] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(newest(&path), Err(BadStamp::Damaged));
        fs::write(&path, b"").unwrap();
        assert_eq!(newest(&path), Err(BadStamp::Damaged));
    }

    #[test]
    fn another_key_and_a_newer_format_are_told_apart_from_damage() {
        let (_folder, path) = advanced_to(3);
        let other = Head::open(&path, StampKeys::new(&keyring(2))).unwrap().unwrap();
        assert_eq!(other.err(), Some(BadStamp::OtherKey));
        let mut bytes = fs::read(&path).unwrap();
        bytes[17] = 9;
        bytes[4096 + 17] = 9;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(newest(&path), Err(BadStamp::Newer(9)));
    }
}
