//! Opening the store that a configuration names, whichever engine it is on.

use std::sync::Arc;

use super::Store;
#[cfg(feature = "etcd")]
use super::etcd::{self, EtcdStore};
use super::keyring::Keyring;
use super::postgres::{self, PostgresStore};
use super::sled::{self, SledStore};
use crate::clock::UnixMillis;
use crate::config::StoreConfig;

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder.
    #[error(transparent)]
    Sled(#[from] sled::OpenError),
    /// A database of PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// An etcd.
    #[cfg(feature = "etcd")]
    #[error(transparent)]
    Etcd(#[from] etcd::OpenError),
}

/// Opens the store of `config`, and makes it where there is none.
///
/// # Errors
/// When it is not there, not the right one, damaged, or not safe to use.
pub async fn open(
    config: &StoreConfig,
    keyring: &Keyring,
    now: UnixMillis,
) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match config {
        StoreConfig::Sled { path } => Arc::new(SledStore::open(path, keyring, now)?),
        StoreConfig::Postgres(config) => Arc::new(PostgresStore::open(config, keyring, now).await?),
        #[cfg(feature = "etcd")]
        StoreConfig::Etcd(config) => Arc::new(EtcdStore::open(config, keyring, now).await?),
    })
}
