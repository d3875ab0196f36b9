//! Copies of the store in a file of their own: made while the gateway runs, sealed under a key
//! that comes from the master key, and taken in where no store is. What could be used a second
//! time stays behind: sessions, spent codes, devices, invitations, tokens.

mod format;
mod put_back;
mod take;

use std::io;

use super::{Key, OpenError, SESSION_KEYS, Space, StoreError};
use crate::clock::UnixMillis;

pub use format::{Counts, ExportKey, Reader, VERSION, Writer};
pub use put_back::{Taken, import_told, imported, put_back, read_whole};
pub use take::{Backup, Status};

/// What a copy holds. The rest ends or is burned where it is taken in, or is made anew:
/// sessions and their ends, spent codes, enrolments under way, mails and events that wait,
/// remembered devices, invitations, requests for resets, tokens of the API.
pub const COPIED: [Space; 5] =
    [Space::Factor, Space::Recovery, Space::Counter, Space::Config, Space::Sight];
/// When the store was copied last.
const LAST_EXPORT: &[u8] = b"last-export";
/// That a copy was taken in, until the gateway has told of it.
const IMPORTED: &[u8] = b"imported";

/// Why there is no copy, or none that can be taken in.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No store can be made to take it in.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file.
    #[error("the export cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The system gave no random bytes for a seal.
    #[error("the system gives no random bytes, so nothing can be sealed; try again")]
    Randomness,
    /// It begins like nothing of ours.
    #[error("this is no export of Portcullis; name a file that `portcullis store export` wrote")]
    NotAnExport,
    /// A later version of Portcullis wrote it.
    #[error(
        "the export has version {found}, but this Portcullis knows {VERSION}; run the version that wrote it, or a later one"
    )]
    Newer {
        /// The version that it has.
        found: u64,
    },
    /// It was made under another master key.
    #[error(
        "the export was made under another master key; put that key where `keys.master` points"
    )]
    OtherKey,
    /// Something in it is not as it was written, or not where.
    #[error(
        "the export is damaged or was changed, at record {record}; take another copy of it, or an export before it"
    )]
    Damaged {
        /// The number of the record, from 0.
        record: u64,
    },
    /// It has no end.
    #[error(
        "the export ends after record {record}, before it is complete; take another copy of it, or an export before it"
    )]
    CutOff {
        /// How many records there are.
        record: u64,
    },
    /// The clock stands before the moment of the copy.
    #[error(
        "the clock stands before the moment at which the export was made ({made}); set it right (NTP) and import again"
    )]
    ClockBehind {
        /// When it was made, in words.
        made: String,
    },
    /// What was taken in is not what the export says.
    #[error("the new store has {found} records where {expected} should be; nothing was imported")]
    Miscounted {
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// Whoever asked for it takes it no longer.
    #[error("nobody takes the export any more")]
    NobodyThere,
}

/// Whether a record belongs into a copy.
fn is_copied(key: &Key) -> bool {
    let left_out = [SESSION_KEYS, LAST_EXPORT, IMPORTED];
    COPIED.contains(&key.space)
        && !(key.space == Space::Config && left_out.contains(&key.id.as_ref()))
}

/// How far the clock may stand behind the moment of a copy: two machines differ that much.
const CLOCK_SLACK: std::time::Duration = std::time::Duration::from_secs(60);

fn is_behind(now: UnixMillis, made: UnixMillis) -> bool {
    now.plus(CLOCK_SLACK) < made
}

#[cfg(test)]
mod tests;
