//! Whether a file that the configuration was made of has changed. Files are looked at now and
//! then: that works on every file system, and where a file is a link to another folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// No file of a configuration comes near this; of a longer one the beginning is compared.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The files of a configuration, as they were when it was last read.
pub(super) struct Files {
    named: BTreeSet<PathBuf>,
    read: Look,
    contents: Contents,
    /// The latest look: what is written in several steps must hold still once.
    latest: Look,
}

/// What tells a changed file from the same one, without reading it.
type Look = BTreeMap<PathBuf, Stamp>;

/// A hash of what stands in each file. Some of them hold secrets: nothing else is kept.
type Contents = BTreeMap<PathBuf, [u8; 32]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    Absent,
    Folder,
    File { device: u64, inode: u64, length: u64, modified: (i64, i64) },
}

impl Files {
    /// These files as they are now, which is before they are read.
    pub(super) fn look(named: impl IntoIterator<Item = PathBuf>) -> Self {
        let named: BTreeSet<PathBuf> = named.into_iter().collect();
        let read = look(&named);
        let contents = contents(&read);
        Self { named, latest: read.clone(), read, contents }
    }

    /// Looks once more. True when something else stands in a file than when it was read, and
    /// none of them changed since the last look; the next time only for another change.
    pub(super) fn have_changed(&mut self) -> bool {
        let now = look(&self.named);
        let still = now == self.latest;
        self.latest = now;
        if !still || self.latest == self.read {
            return false;
        }
        self.read.clone_from(&self.latest);
        let before = std::mem::replace(&mut self.contents, contents(&self.read));
        before != self.contents
    }

    /// Which they are.
    pub(super) fn named(&self) -> &BTreeSet<PathBuf> {
        &self.named
    }

    /// Looks at no others from now on.
    pub(super) fn keep_only(&mut self, named: &[PathBuf]) {
        let is_kept = |path: &Path| {
            let is_named = |path: &Path| named.iter().any(|named| named == path);
            is_named(path) || path.parent().is_some_and(is_named)
        };
        self.named.retain(|path| named.contains(path));
        self.read.retain(|path, _| is_kept(path));
        self.latest.retain(|path, _| is_kept(path));
        self.contents.retain(|path, _| is_kept(path));
    }
}

fn look(named: &BTreeSet<PathBuf>) -> Look {
    let mut look = Look::new();
    for path in named {
        let stamp = stamp(path);
        look.insert(path.clone(), stamp);
        if stamp == Stamp::Folder {
            // A folder that cannot be listed is as good as an empty one.
            let inside = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
            look.extend(
                inside.map(|entry| entry.path()).map(|path| (path.clone(), self::stamp(&path))),
            );
        }
    }
    look
}

fn stamp(path: &Path) -> Stamp {
    match fs::metadata(path) {
        Err(_) => Stamp::Absent,
        Ok(data) if data.is_dir() => Stamp::Folder,
        Ok(data) => Stamp::File {
            device: data.dev(),
            inode: data.ino(),
            length: data.len(),
            modified: (data.mtime(), data.mtime_nsec()),
        },
    }
}

fn contents(look: &Look) -> Contents {
    let files = look.iter().filter(|(_, stamp)| matches!(stamp, Stamp::File { .. }));
    // What cannot be read is as good as absent.
    let hashes = files.filter_map(|(path, _)| {
        read(path).map(|content| (path.clone(), Sha256::digest(&content[..]).into()))
    });
    hashes.collect()
}

fn read(path: &Path) -> Option<Zeroizing<Vec<u8>>> {
    // Only a file: to open a pipe would wait for whoever writes to it.
    let file = fs::File::open(path)
        .ok()
        .filter(|file| file.metadata().is_ok_and(|data| data.is_file()))?;
    let length = file.metadata().map_or(0, |data| data.len()).min(LONGEST);
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    file.take(LONGEST).read_to_end(&mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Files {
        Files::look([folder.join("a.yaml"), folder.join("templates"), folder.join("absent")])
    }

    fn place() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "a: 1").unwrap();
        fs::create_dir(folder.path().join("templates")).unwrap();
        folder
    }

    #[test]
    fn a_change_counts_once_and_when_it_holds_still() {
        let folder = place();
        let mut files = files(folder.path());
        assert!(!files.have_changed() && !files.have_changed());
        for change in ["a.yaml", "templates/home.html", "absent"] {
            fs::write(folder.path().join(change), "half").unwrap();
            assert!(!files.have_changed(), "{change} was taken at first sight");
            fs::write(folder.path().join(change), "half and the rest").unwrap();
            assert!(!files.have_changed(), "{change} was taken while it changed");
            assert!(files.have_changed(), "{change} was not seen");
            assert!(!files.have_changed(), "{change} counted twice");
        }
        fs::remove_file(folder.path().join("templates/home.html")).unwrap();
        assert!(!files.have_changed());
        assert!(files.have_changed(), "what is gone was not missed");
    }

    #[test]
    fn what_reads_the_same_is_no_change() {
        let folder = place();
        let mut files = files(folder.path());
        fs::write(folder.path().join("new"), "a: 1").unwrap();
        fs::rename(folder.path().join("new"), folder.path().join("a.yaml")).unwrap();
        assert!(!files.have_changed() && !files.have_changed());
        fs::write(folder.path().join("a.yaml"), "a: 2").unwrap();
        assert!(!files.have_changed());
        assert!(files.have_changed());
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_a_change() {
        let folder = place();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        fs::write(&first, "a: 1").unwrap();
        fs::write(&second, "a: 2").unwrap();
        let link = folder.path().join("link.yaml");
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let mut files = Files::look([link.clone()]);
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&second, &link).unwrap();
        assert!(!files.have_changed());
        assert!(files.have_changed());
    }

    #[test]
    fn what_is_no_longer_named_is_not_looked_at() {
        let folder = place();
        let mut files = files(folder.path());
        files.keep_only(&[folder.path().join("a.yaml")]);
        fs::write(folder.path().join("absent"), "there").unwrap();
        assert!(!files.have_changed() && !files.have_changed());
    }
}
