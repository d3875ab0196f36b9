//! Why a store on etcd does not open. Each text says what is wrong and what to do: whoever reads
//! it stands before a gateway that lets nobody in. No password is in any.

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;

/// Why a store on etcd does not open. Nothing was changed there.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file with the authorities cannot be read.
    #[error("cannot read the authorities {}: {source}; let the user that runs Portcullis read the file that `ca` names", .path.display())]
    Authorities { path: PathBuf, source: io::Error },
    /// No member answers as it should.
    #[error(
        "{place} does not answer: {source}; see that its members run and agree, and that user and certificate are right"
    )]
    Unreachable { place: String, source: StoreError },
    /// The store was made under another master key.
    #[error(
        "the store ({place}) was made under another master key; put that key back where `keys.master` points"
    )]
    OtherKey { place: String },
    /// A later version wrote the store.
    #[error(
        "the store ({place}) has format {found}, but this version of Portcullis knows format {known}; run the version that wrote it, or a later one"
    )]
    Newer { place: String, found: u16, known: u16 },
    /// What it says of itself cannot be believed.
    #[error(
        "the store ({place}) is damaged: {what}; restore a snapshot of etcd, or import an export"
    )]
    Damaged { place: String, what: &'static str },
    /// Something lies there, and nothing says that it is a store.
    #[error(
        "{place} hold something, but nothing says which store it is: part of it was removed, or they are somebody else's; restore a snapshot of etcd, or name another prefix in `store.url`"
    )]
    Nameless { place: String },
    /// An import was broken off, or one is under way.
    #[error(
        "{place} hold part of an import: unless one is under way, remove them (`etcdctl del --prefix`) and import again"
    )]
    HalfFilled { place: String },
    /// A copy was to be taken in where a store is.
    #[error(
        "{place} hold a store already, and a copy is taken in where none is; stop the gateways, remove it or name another prefix in `store.url`, and import again"
    )]
    NotEmpty { place: String },
    /// The system gave no random bytes for a new store.
    #[error("the system gives no random bytes for a new store; try again when it has started up")]
    Randomness,
}
