//! One connection to the server that takes writes: found among those of the url, set up so that
//! nothing waits for ever, and listened to. A warning of the server is never passed over.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::fault::in_words;
use super::refusal::OpenError;
use super::server::{ASK, Server};
use super::tls::Tls;
use crate::config::{PostgresConfig, PostgresServer, PostgresTls};

/// How long one server may take from the first packet to the last answer of the set-up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What holds for every session of ours. Whoever waits for a lock or a standby ends by itself,
/// and so does a transaction whose gateway is gone. The search path keeps what others put into
/// the database from standing in for what is meant.
const SET_UP: &str = "
    SET search_path = pg_catalog;
    SET client_min_messages = warning;
    SET statement_timeout = '5s';
    SET lock_timeout = '4s';
    SET idle_in_transaction_session_timeout = '10s';
    SET default_transaction_isolation = 'read committed';
    SET synchronous_commit = ";

/// The servers of a store.
pub(super) struct Way {
    /// Which, and how.
    pub(super) config: PostgresConfig,
    tls: Tls,
    /// The one that took the last connection, which is asked first.
    last: AtomicUsize,
}

impl Way {
    pub(super) fn new(config: &PostgresConfig) -> Result<Self, OpenError> {
        let tls = Tls::new(&config.tls)?;
        Ok(Self { config: config.clone(), tls, last: AtomicUsize::new(0) })
    }

    /// Connects to the server that takes writes. `hint` hears of each notification.
    pub(super) async fn connect(
        &self,
        hint: Option<Arc<Notify>>,
    ) -> Result<(Connection, Server), OpenError> {
        let count = self.config.servers.len();
        let first = self.last.load(Ordering::Relaxed);
        let mut refusals = Vec::new();
        for index in (0..count).map(|step| (first + step) % count) {
            let Some(server) = self.config.servers.get(index) else { continue };
            match timeout(PATIENCE, self.connect_to(server, hint.clone())).await {
                Ok(Ok(connected)) => {
                    self.last.store(index, Ordering::Relaxed);
                    return Ok(connected);
                }
                Ok(Err(why)) => refusals.push(format!("{}: {why}", server.name)),
                Err(_) => refusals.push(format!("{}: no answer in time", server.name)),
            }
        }
        Err(OpenError::Unreachable { place: self.config.place.clone(), why: refusals.join("; ") })
    }

    async fn connect_to(
        &self,
        server: &PostgresServer,
        hint: Option<Arc<Notify>>,
    ) -> Result<(Connection, Server), String> {
        let warnings = Arc::new(AtomicU64::new(0));
        let ears = Ears { warnings: Arc::clone(&warnings), hint };
        let refused = |error| in_words(&error);
        let client = match self.config.tls {
            PostgresTls::Off => {
                let (client, line) = server.settings.connect(NoTls).await.map_err(refused)?;
                tokio::spawn(ears.listen(line));
                client
            }
            PostgresTls::Verified { .. } => {
                let tls = self.tls.clone();
                let (client, line) = server.settings.connect(tls).await.map_err(refused)?;
                tokio::spawn(ears.listen(line));
                client
            }
        };
        // A server that waits until its standby shows a write, too, is left as it is.
        let asked = client.query_one("SHOW synchronous_commit", &[]).await.map_err(refused)?;
        let how = match asked.try_get::<_, &str>(0) {
            Ok("remote_apply") => "remote_apply",
            _ => "on",
        };
        client.batch_execute(&format!("{SET_UP}{how}")).await.map_err(refused)?;
        let said =
            Server::ask(&client, ASK, &server.name).await.map_err(|error| error.to_string())?;
        let tls = match self.config.tls {
            PostgresTls::Off => None,
            PostgresTls::Verified { .. } => Some(self.tls.clone()),
        };
        Ok((Connection { client, server: server.name.as_str().into(), warnings, tls }, said))
    }
}

/// A connection that is set up.
pub(super) struct Connection {
    pub(super) client: Client,
    /// The server's name.
    pub(super) server: Arc<str>,
    warnings: Arc<AtomicU64>,
    tls: Option<Tls>,
}

impl Connection {
    /// How many warnings came so far. One that comes with a COMMIT says that the server gave up
    /// to wait for its standby.
    pub(super) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::SeqCst)
    }

    /// Lets go of a connection on which something may be under way. Its server would not notice
    /// while it waits for a standby, and run out of places for those that come after; so it is
    /// asked to stop. What it has committed by then stays, unconfirmed: no read believes it
    /// before a later COMMIT was confirmed, and with that one it is.
    pub(super) fn retire(self) {
        let (token, tls) = (self.client.cancel_token(), self.tls);
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let asked = async {
                match tls {
                    None => token.cancel_query(NoTls).await,
                    Some(tls) => token.cancel_query(tls).await,
                }
            };
            if !matches!(timeout(PATIENCE, asked).await, Ok(Ok(()))) {
                tracing::debug!("a server was not asked to stop");
            }
        });
    }
}

/// What hears the server when it speaks unasked.
struct Ears {
    warnings: Arc<AtomicU64>,
    hint: Option<Arc<Notify>>,
}

impl Ears {
    // Ends with the connection, or when nobody holds its client any more.
    async fn listen<S, T>(self, mut line: tokio_postgres::Connection<S, T>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
        T: AsyncRead + AsyncWrite + Unpin,
    {
        while let Some(Ok(heard)) = poll_fn(|context| line.poll_message(context)).await {
            match heard {
                AsyncMessage::Notice(notice) if is_warning(&notice) => {
                    self.warnings.fetch_add(1, Ordering::SeqCst);
                    tracing::warn!(notice = notice.message(), "the store's server warns");
                }
                AsyncMessage::Notification(_) => {
                    if let Some(hint) = &self.hint {
                        hint.notify_one();
                    }
                }
                // Notices of less weight, and what later versions of the crate tell.
                _ => {}
            }
        }
    }
}

fn is_warning(notice: &DbError) -> bool {
    !matches!(
        notice.parsed_severity(),
        Some(Severity::Notice | Severity::Info | Severity::Debug | Severity::Log)
    )
}
