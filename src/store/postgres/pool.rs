//! Connections that are ready for use, each looked at before its first. One on which anything
//! was left half done, or nothing came back in time, is never used again.

use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool as Managed, PoolError, RecycleError, RecycleResult,
};

use tokio::runtime::Handle;

use super::connection::Connection;
use super::core::Core;
use super::refusal::OpenError;
use super::schema::refusal;
use super::sql::Statements;
use crate::store::StoreError;

/// How many requests of one gateway a server answers at once.
const CONNECTIONS: usize = 16;
/// How long a request waits for a connection, and a connection for its server.
const PATIENCE: Duration = Duration::from_secs(5);

/// The connections of one store.
pub(super) struct Pool(Managed<Maker>);

/// A connection with its statements.
pub(super) struct Line {
    pub(super) connection: Connection,
    pub(super) said: Statements,
}

/// Makes connections.
pub(super) struct Maker(Arc<Core>);

impl Manager for Maker {
    type Type = Line;
    type Error = OpenError;

    async fn create(&self) -> Result<Line, OpenError> {
        let (connection, server) = self.0.way.connect(None).await?;
        self.0.admit(&connection, &server).await?;
        let prepared = Statements::prepare(&connection.client).await;
        let said = prepared.map_err(|error| refusal(&error, &self.0.way.config.place))?;
        Ok(Line { connection, said })
    }

    async fn recycle(&self, line: &mut Line, _: &Metrics) -> RecycleResult<OpenError> {
        match line.connection.client.is_closed() {
            true => Err(RecycleError::message("the connection is gone")),
            false => Ok(()),
        }
    }
}

impl Pool {
    pub(super) fn new(core: &Arc<Core>) -> Result<Self, OpenError> {
        let pool = Managed::builder(Maker(Arc::clone(core)))
            .max_size(CONNECTIONS)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build();
        let unmade = |error| StoreError::Fatal(format!("no connections can be kept: {error}"));
        Ok(Self(pool.map_err(unmade)?))
    }

    /// A connection for one piece of work.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        let unavailable = |why: &str| StoreError::Unavailable(why.to_owned());
        // Making a connection is a long story, and each of ours would carry the room for it.
        match Box::pin(self.0.get()).await {
            Ok(line) => Ok(Lease(Some(line))),
            Err(PoolError::Backend(error)) => Err(error.into()),
            Err(PoolError::Timeout(_)) => Err(unavailable("no connection to it is free in time")),
            Err(PoolError::Closed) => Err(unavailable("it is closed")),
            Err(PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
                Err(unavailable("no connection can be kept"))
            }
        }
    }

    /// Lets go of every connection that nobody uses: one was lost, and the others lead to the
    /// same server.
    pub(super) fn distrust(&self) {
        let _gone = self.0.retain(|_, _| false);
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// A connection in use. Unless it is given back, it is thrown away with whatever is under way.
pub(super) struct Lease(Option<Object<Maker>>);

impl Lease {
    pub(super) fn line(&self) -> Result<&Line, StoreError> {
        let gone = || StoreError::Unavailable("the connection was given back".to_owned());
        self.0.as_deref().ok_or_else(gone)
    }

    /// Nothing is under way on it any more.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }

    /// Undoes what is under way, while nobody waits for that.
    pub(super) fn undo(self) {
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let undone = match self.line() {
                Ok(line) => line.connection.client.batch_execute("ROLLBACK").await.is_ok(),
                Err(_) => false,
            };
            if undone {
                self.give_back();
            }
        });
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            Object::take(line).connection.retire();
        }
    }
}
