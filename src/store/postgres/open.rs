//! Opening a store on PostgreSQL, and refusing to. A database whose tables were emptied, that
//! holds another store, or was made under another master key is told from a new one here.

use tokio_postgres::Client;

use super::connection::Way;
use super::core::Core;
use super::facts::{self, Facts};
use super::refusal::OpenError;
use super::schema::{self, refusal};
use super::server::Server;
use crate::clock::UnixMillis;
use crate::config::PostgresConfig;
use crate::store::StoreError;
use crate::store::keyring::Keyring;
use crate::store::records::{Codec, FORMAT, IDENTITY, STATE};
use crate::store::stamp::{BadStamp, Stamp, StampKeys};

/// Opens the store of `config`, or makes it where the database holds none.
pub(super) async fn open(
    config: &PostgresConfig,
    keyring: &Keyring,
    now: UnixMillis,
) -> Result<Core, OpenError> {
    let way = Way::new(config)?;
    let (connection, said) = way.connect(None).await?;
    if let Some(why) = said.fault(config.require_sync_replication) {
        let server = connection.server.to_string();
        return Err(OpenError::Unsafe { server, why: why.to_owned() });
    }
    let refused = |error: tokio_postgres::Error| refusal(&error, &config.place);
    let client = &connection.client;
    client.batch_execute("BEGIN").await.map_err(refused)?;
    schema::prepare(client, &config.place).await?;
    let keys = StampKeys::new(keyring);
    let opening = Opening { client, place: &config.place, keys: &keys, keyring };
    let store = match opening.recognise().await? {
        Some(store) => store,
        None => opening.make(&said).await?,
    };
    let warnings = connection.warnings();
    client.batch_execute("COMMIT").await.map_err(refused)?;
    if connection.warnings() != warnings {
        return Err(OpenError::Unconfirmed(connection.server.to_string()));
    }
    let codec = Codec::new(keyring, &store);
    let core = Core::new(way, codec, store, keys, now, (&connection, &said));
    core.admit(&connection, &said).await?;
    Ok(core)
}

/// What it takes to tell a store from another, within a transaction.
pub(super) struct Opening<'a> {
    pub(super) client: &'a Client,
    pub(super) place: &'a str,
    pub(super) keys: &'a StampKeys,
    pub(super) keyring: &'a Keyring,
}

impl Opening<'_> {
    /// Which store is there; nothing where none was ever made.
    pub(super) async fn recognise(&self) -> Result<Option<[u8; 16]>, OpenError> {
        let refused = |error: tokio_postgres::Error| refusal(&error, self.place);
        let place = || self.place.to_owned();
        let asked = "SELECT id, EXISTS (SELECT FROM portcullis.record) FROM portcullis.store";
        let row = self.client.query_one(asked, &[]).await.map_err(refused)?;
        let of_row = row.try_get(0).and_then(|id| Ok((id, row.try_get(1)?)));
        let (id, is_filled): (Option<Vec<u8>>, bool) = of_row.map_err(refused)?;
        let identity = facts::stored(self.client, IDENTITY).await.map_err(refused)?;
        let (id, identity) = match (id, identity) {
            (None, None) if !is_filled => return Ok(None),
            (Some(id), Some(identity)) => (id, identity),
            (None, _) | (_, None) => return Err(OpenError::Missing { place: place() }),
        };
        match Stamp::read(&identity, self.keys) {
            Ok(stamp) if stamp.store.as_slice() == id => Ok(Some(stamp.store)),
            Ok(_) | Err(BadStamp::Damaged) => {
                let why = "its identity does not open".to_owned();
                Err(OpenError::Damaged { place: place(), why })
            }
            Err(BadStamp::OtherKey) => Err(OpenError::OtherKey { place: place() }),
            Err(BadStamp::Newer(found)) => {
                let (found, known) = (found.into(), FORMAT.into());
                Err(OpenError::Newer { place: place(), found, known })
            }
        }
    }

    /// Makes a store in which nobody has enrolled.
    async fn make(&self, said: &Server) -> Result<[u8; 16], OpenError> {
        let history = said.history.unwrap_or_default();
        let store = self.found(Facts { floor: 0, history }).await?;
        tracing::warn!(place = self.place, "the database held no store, so a new one was made");
        Ok(store)
    }

    /// Writes which store it is, and what it knows of itself.
    pub(super) async fn found(&self, facts: Facts) -> Result<[u8; 16], OpenError> {
        let refused = |error: tokio_postgres::Error| refusal(&error, self.place);
        let mut store = [0; 16];
        getrandom::fill(&mut store).map_err(|_| OpenError::Randomness)?;
        self.found_as(store, facts).await.map_err(|error| match error {
            Written::Store(error) => error.into(),
            Written::Server(error) => refused(error),
        })?;
        Ok(store)
    }

    async fn found_as(&self, store: [u8; 16], facts: Facts) -> Result<(), Written> {
        let codec = Codec::new(self.keyring, &store);
        let identity = Stamp { store, sequence: 0 }.to_bytes(self.keys);
        facts::keep(self.client, IDENTITY, &identity).await?;
        let version = facts::next_version(self.client).await?;
        facts::keep(self.client, STATE, &facts.encode(&codec, version)?).await?;
        let named = "UPDATE portcullis.store SET id = $1";
        self.client.execute(named, &[&store.as_slice()]).await?;
        Ok(())
    }
}

/// Why a new store was not written.
enum Written {
    Store(StoreError),
    Server(tokio_postgres::Error),
}

impl From<StoreError> for Written {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<tokio_postgres::Error> for Written {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}
