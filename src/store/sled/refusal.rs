//! Why a store does not open. Each text says what is wrong and what to do: whoever reads it
//! stands before a gateway that lets nobody in.

use std::io;
use std::path::{Path, PathBuf};

/// Why a store does not open. Nothing was changed on disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder is gone, or nothing is in it.
    #[error("the store {} is missing or empty, but {} says that there was one; put the folder back. Should everyone enrol anew, remove {} as well", .folder.display(), .head.display(), .head.display())]
    Missing { folder: PathBuf, head: PathBuf },
    /// The folder is there, what belongs beside it is not.
    #[error("the store {} is there, but {} is missing, so nobody can tell whether it is the right one and up to date; put the file back", .folder.display(), .head.display())]
    HeadMissing { folder: PathBuf, head: PathBuf },
    /// Neither stamp in the file can be believed.
    #[error("{} is damaged; put back the one that belongs to the store", .head.display())]
    HeadDamaged { head: PathBuf },
    /// The store was made under another master key.
    #[error("the store {} was made under another master key; put that key back where `keys.master` points", .folder.display())]
    OtherKey { folder: PathBuf },
    /// Folder and `HEAD` are of two stores.
    #[error("the store {} is not the one that {} belongs to; put the right folder back", .folder.display(), .head.display())]
    Foreign { folder: PathBuf, head: PathBuf },
    /// The folder is an old copy, or its last writes are damaged.
    #[error("the store {} is older than it should be, an old copy or one that lost its last writes: it ends at transaction {have}, but {} says that {want} were answered; codes spent since would be good again, so put the newest folder back", .folder.display(), .head.display())]
    RolledBack { folder: PathBuf, head: PathBuf, have: u64, want: u64 },
    /// Records are gone, or older than they were.
    #[error("the store {} has {found} records where {expected} should be, or some that are not the newest: the disk lost writes, or files were changed; put a whole copy back that is as new as {}", .folder.display(), .head.display())]
    Incomplete { folder: PathBuf, head: PathBuf, expected: u64, found: u64 },
    /// The database cannot be read.
    #[error("the store {} is damaged: {what}; put a whole copy back, and have the disk checked", .folder.display())]
    Damaged { folder: PathBuf, what: String },
    /// A later version wrote the store.
    #[error("the store {} has format {found}, but this version of Portcullis knows format {known}; run the version that wrote it, or a later one", .folder.display())]
    Newer { folder: PathBuf, found: u16, known: u16 },
    /// Another process has it open.
    #[error("the store {} is in use by another process; stop that one first, each gateway needs a store of its own", .folder.display())]
    Locked { folder: PathBuf },
    /// A copy was to be taken in where a store is.
    #[error("there is a store at {} already, and a copy is taken in where none is; stop the gateway, move {} and {} away together, and import again", .folder.display(), .folder.display(), .head.display())]
    NotEmpty { folder: PathBuf, head: PathBuf },
    /// What another import left behind.
    #[error("an import was broken off, or one is under way: {} is there; unless one is under way, remove {} and {} and import again", .folder.display(), .folder.display(), .head.display())]
    HalfFilled { folder: PathBuf, head: PathBuf },
    /// The clock stands before the last write.
    #[error("the clock stands at {now} ms since 1970, but the store {} was written at {latest}; codes from then would be good again, so set the clock right (NTP) and start again", .folder.display())]
    ClockBehind { folder: PathBuf, now: u64, latest: u64 },
    /// Others than the owner may write there.
    #[error("the store {} has mode {mode:04o}, so others than its owner may write to it; run `chmod 700 {}`", .folder.display(), .folder.display())]
    Exposed { folder: PathBuf, mode: u32 },
    /// The path cannot be a folder's.
    #[error("{} is no place for a store; name a folder of its own in `store.path`", .folder.display())]
    Unusable { folder: PathBuf },
    /// The system refused.
    #[error("cannot use {}: {source}; let the user that runs Portcullis read and write there", .path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The system gave no random bytes for a new store.
    #[error("the system gives no random bytes for a new store; try again when it has started up")]
    Randomness,
}

impl OpenError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
