//! A store that is filled from a copy, in one transaction: no gateway ever sees a part of it, and
//! what is broken off was never there.

use super::connection::{Connection, Way};
use super::facts::{self, Facts};
use super::open::Opening;
use super::refusal::OpenError;
use super::schema::{self, refusal};
use super::server::Server;
use super::sql::columns;
use crate::clock::UnixMillis;
use crate::config::PostgresConfig;
use crate::store::judge::filled;
use crate::store::keyring::Keyring;
use crate::store::records::{Codec, Header, address};
use crate::store::stamp::StampKeys;
use crate::store::{Copied, Key, Leaf, StoreError};

/// The transaction may wait for its file for as long as it takes.
const BEGIN: &str = "
    BEGIN;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL statement_timeout = '60s'";

const ADD: &str = "
    INSERT INTO portcullis.record (space, id, stored, expires_at)
    SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bigint[])
    ON CONFLICT DO NOTHING";

const CHANGE: &str = "
    UPDATE portcullis.record SET stored = $3, expires_at = $4 WHERE space = $1 AND id = $2";

const REMOVE: &str = "DELETE FROM portcullis.record WHERE space = $1 AND id = $2";

/// A store on its way into a database. Dropped before it is finished, nothing of it is there.
pub struct NewStore {
    connection: Connection,
    codec: Codec,
    place: String,
}

impl NewStore {
    /// Begins a store in the database of `config`, where none may be. No code of a moment up to
    /// `now` or up to `made`, when the copy was made, will count there.
    ///
    /// # Errors
    /// When there is a store already, or none can be made.
    pub async fn begin(
        config: &PostgresConfig,
        keyring: &Keyring,
        now: UnixMillis,
        made: UnixMillis,
    ) -> Result<Self, OpenError> {
        let (connection, said) = Way::new(config)?.connect(None).await?;
        if let Some(why) = said.fault(config.require_sync_replication) {
            let server = connection.server.to_string();
            return Err(OpenError::Unsafe { server, why: why.to_owned() });
        }
        let place = config.place.clone();
        let keys = StampKeys::new(keyring);
        let store = begin(&connection, &said, &place, &keys, keyring, now.max(made)).await?;
        Ok(Self { connection, codec: Codec::new(keyring, &store), place })
    }

    /// Takes up steps of a copy, in their order.
    ///
    /// # Errors
    /// When they do not fit what came before, or the server does not take them.
    pub async fn fill(&self, steps: Vec<Copied>) -> Result<(), StoreError> {
        let mut new = Vec::new();
        for step in steps {
            match step {
                Copied::New(key, leaf) => new.push((key, leaf)),
                Copied::Again(key, leaf) => {
                    self.add(std::mem::take(&mut new)).await?;
                    self.change(&key, &leaf).await?;
                }
                Copied::Gone(key) => {
                    self.add(std::mem::take(&mut new)).await?;
                    self.remove(&key).await?;
                }
            }
        }
        self.add(new).await
    }

    async fn add(&self, new: Vec<(Key, Leaf)>) -> Result<(), StoreError> {
        if new.is_empty() {
            return Ok(());
        }
        let version = facts::next_version(&self.connection.client).await.map_err(lost)?;
        let mut addresses = Vec::with_capacity(new.len());
        let mut sealed = Vec::with_capacity(new.len());
        for (key, leaf) in &new {
            let address = address(key);
            sealed.push(self.codec.encode(&address, &filled(version, leaf))?);
            addresses.push(address);
        }
        let (spaces, ids): (Vec<_>, Vec<_>) = addresses.iter().map(|it| columns(it)).unzip();
        let expiries: Vec<_> = sealed.iter().map(|stored| expiry(stored)).collect();
        let client = &self.connection.client;
        let added = client.execute(ADD, &[&spaces, &ids, &sealed, &expiries]).await;
        match usize::try_from(added.map_err(lost)?) {
            Ok(added) if added == new.len() => Ok(()),
            Ok(_) | Err(_) => Err(misfit()),
        }
    }

    async fn change(&self, key: &Key, leaf: &Leaf) -> Result<(), StoreError> {
        let client = &self.connection.client;
        let version = facts::next_version(client).await.map_err(lost)?;
        let address = address(key);
        let stored = self.codec.encode(&address, &filled(version, leaf))?;
        let ((space, id), expiry) = (columns(&address), expiry(&stored));
        let changed = client.execute(CHANGE, &[&space, &id, &stored, &expiry]).await;
        one(changed.map_err(lost)?)
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let address = address(key);
        let (space, id) = columns(&address);
        let removed = self.connection.client.execute(REMOVE, &[&space, &id]).await;
        one(removed.map_err(lost)?)
    }

    /// How many records there are.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn records(&self) -> Result<u64, StoreError> {
        let asked = "SELECT count(*) FROM portcullis.record WHERE space > 0";
        let row = self.connection.client.query_one(asked, &[]).await.map_err(lost)?;
        let count: i64 = row.try_get(0).map_err(lost)?;
        Ok(count.unsigned_abs())
    }

    /// Makes it the store of its database.
    ///
    /// # Errors
    /// When it is not certain that it was written.
    pub async fn finish(self) -> Result<(), OpenError> {
        let warnings = self.connection.warnings();
        let refused = |error: tokio_postgres::Error| refusal(&error, &self.place);
        self.connection.client.batch_execute("COMMIT").await.map_err(refused)?;
        if self.connection.warnings() != warnings {
            return Err(OpenError::Unconfirmed(self.connection.server.to_string()));
        }
        // Otherwise the planner takes a table of millions for an empty one, for a while.
        let _only_slower = self.connection.client.batch_execute("ANALYZE portcullis.record").await;
        Ok(())
    }
}

async fn begin(
    connection: &Connection,
    said: &Server,
    place: &str,
    keys: &StampKeys,
    keyring: &Keyring,
    burned: UnixMillis,
) -> Result<[u8; 16], OpenError> {
    let client = &connection.client;
    let refused = |error: tokio_postgres::Error| refusal(&error, place);
    client.batch_execute(BEGIN).await.map_err(refused)?;
    schema::prepare(client, place).await?;
    let opening = Opening { client, place, keys, keyring };
    if opening.recognise().await?.is_some() {
        return Err(OpenError::NotEmpty { place: place.to_owned() });
    }
    let history = said.history.unwrap_or_default();
    opening.found(Facts { floor: 0, history }.burned(burned)).await
}

fn expiry(stored: &[u8]) -> Option<i64> {
    let at = Header::read(stored)?.0.expires_at()?;
    Some(i64::try_from(at.0).unwrap_or(i64::MAX))
}

fn one(rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(misfit()) }
}

fn misfit() -> StoreError {
    StoreError::Invalid("the steps of the copy do not fit each other")
}

fn lost(error: tokio_postgres::Error) -> StoreError {
    StoreError::Unavailable(super::fault::in_words(&error))
}
