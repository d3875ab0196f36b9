//! A store that is filled from a copy, on whichever engine: nothing is there until all is.

#[cfg(feature = "etcd")]
use super::etcd;
use super::keyring::Keyring;
use super::open::OpenError;
use super::{Copied, StoreError, postgres, sled};
use crate::clock::UnixMillis;
use crate::config::StoreConfig;

/// A store on its way to its place. Dropped before it is finished, nothing of it is left.
pub enum NewStore {
    /// In a folder.
    Sled(sled::NewStore),
    /// In a database.
    Postgres(Box<postgres::NewStore>),
    /// In an etcd.
    #[cfg(feature = "etcd")]
    Etcd(Box<etcd::NewStore>),
}

impl NewStore {
    /// Begins a store where `config` says, and where none may be. No code of a moment up to
    /// `now` or up to `made`, when the copy was made, will count there.
    ///
    /// # Errors
    /// When there is a store already, or none can be made.
    pub async fn begin(
        config: &StoreConfig,
        keyring: &Keyring,
        now: UnixMillis,
        made: UnixMillis,
    ) -> Result<Self, OpenError> {
        Ok(match config {
            StoreConfig::Sled { path } => {
                Self::Sled(sled::NewStore::begin(path, keyring, now, made)?)
            }
            StoreConfig::Postgres(config) => {
                let store = postgres::NewStore::begin(config, keyring, now, made).await?;
                Self::Postgres(Box::new(store))
            }
            #[cfg(feature = "etcd")]
            StoreConfig::Etcd(config) => {
                let store = etcd::NewStore::begin(config, keyring, now, made).await?;
                Self::Etcd(Box::new(store))
            }
        })
    }

    /// Takes up steps of a copy, in their order.
    ///
    /// # Errors
    /// When they do not fit what came before, or the engine does not take them.
    pub async fn fill(&self, now: UnixMillis, steps: Vec<Copied>) -> Result<(), StoreError> {
        match self {
            Self::Sled(store) => store.fill(now, steps).await,
            Self::Postgres(store) => store.fill(steps).await,
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => store.fill(now, steps).await,
        }
    }

    /// How many records there are.
    ///
    /// # Errors
    /// When the engine does not say.
    pub async fn records(&self) -> Result<u64, StoreError> {
        match self {
            Self::Sled(store) => Ok(store.records().await),
            Self::Postgres(store) => store.records().await,
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => store.records().await,
        }
    }

    /// Makes it the store that gateways open.
    ///
    /// # Errors
    /// When it cannot be put there; then nothing is, or the text says otherwise.
    pub async fn finish(self) -> Result<(), OpenError> {
        match self {
            Self::Sled(store) => store.finish()?,
            Self::Postgres(store) => store.finish().await?,
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => store.finish().await?,
        }
        Ok(())
    }
}
