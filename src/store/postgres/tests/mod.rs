//! Tests of the engine on PostgreSQL: the suite of all engines, and what can go wrong with its
//! servers. One primary and its synchronous standby serve all of them.

use super::*;
use crate::store::conformance::{Engine, NOW, conformance};
use crate::store::sled::tests::keyring;

mod gateways;
mod moving;
mod outages;
mod pair;
mod refusals;
mod sealed;

use pair::Database;

impl Engine for Database {
    type Store = PostgresStore;

    async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.config(), &keyring(1), NOW).await.unwrap()
    }
}

conformance!(Database::new());
