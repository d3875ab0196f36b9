//! What other gateways changed, and proof that nothing else did: a look at the change table every
//! fifth of a second, ended by a COMMIT that only the server that takes writes gets through. A
//! notification only makes the next look come sooner; without any, all is told all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_postgres::{Client, Row, Statement};

use super::connection::Connection;
use super::core::Core;
use super::fault::in_words;
use super::health::replication;
use super::pool::Pool;
use super::refusal::OpenError;
use super::schema::refusal;
use super::server::{ASK, Server};
use super::sql::{CONFIRM, address_of};
use super::told::Told;
use crate::clock;
use crate::store::records::key_of;
use crate::store::{Event, StoreError};

/// From one look to the next. A beat has to come every 250 ms.
const PACE: Duration = Duration::from_millis(200);
/// What a look may take; then another connection is tried.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(250);
/// A change is in the table for ten minutes after it could be seen: whoever looked last longer
/// ago than this, a machine that was asleep, may have missed one.
const LONGEST: Duration = Duration::from_secs(300);
/// How often the standbys are looked at.
const ROUND: Duration = Duration::from_secs(60);

/// The changes that could not be seen in an earlier look, and this look, to ask from the next
/// time. A transaction is told when it can be seen, however late it committed; in a record's
/// order, since its writers number themselves one after the other.
const LOOK: &str = "
    SELECT pg_current_snapshot()::text, change.rev, change.space, change.id, change.deleted
    FROM (SELECT $1::text::pg_snapshot AS last) AS earlier
    LEFT JOIN portcullis.change AS change
        ON change.xid >= pg_snapshot_xmin(earlier.last)
        AND NOT pg_visible_in_snapshot(change.xid, earlier.last)
    ORDER BY change.rev";

/// Follows the changes of one store.
pub(super) struct Feed {
    core: Arc<Core>,
    pool: Arc<Pool>,
    told: Arc<Told>,
    line: Line,
    /// Whether something may have been missed since the last look.
    is_behind: bool,
}

/// A connection of its own, and the last look on it.
struct Line {
    connection: Connection,
    said: Statements,
    hint: Arc<Notify>,
    snapshot: String,
    looked: Instant,
}

struct Statements {
    ask: Statement,
    look: Statement,
    confirm: Statement,
}

impl Statements {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let (ask, look, confirm) =
            tokio::try_join!(client.prepare(ASK), client.prepare(LOOK), client.prepare(CONFIRM),)?;
        Ok(Self { ask, look, confirm })
    }
}

impl Line {
    async fn connect(core: &Core) -> Result<Self, OpenError> {
        let hint = Arc::new(Notify::new());
        let (connection, server) = core.way.connect(Some(Arc::clone(&hint))).await?;
        core.admit(&connection, &server).await?;
        let refused = |error| refusal(&error, &core.way.config.place);
        let client = &connection.client;
        client.batch_execute("LISTEN portcullis").await.map_err(refused)?;
        let said = Statements::prepare(client).await.map_err(refused)?;
        let looked = clock::steady();
        let row = client.query_one("SELECT pg_current_snapshot()::text", &[]).await;
        let snapshot = row.and_then(|row| row.try_get(0)).map_err(refused)?;
        Ok(Self { connection, said, hint, snapshot, looked })
    }
}

impl Feed {
    /// Begins to follow: whatever changes from now on is told.
    pub(super) async fn begin(
        core: Arc<Core>,
        pool: Arc<Pool>,
        told: Arc<Told>,
    ) -> Result<Self, OpenError> {
        let line = Line::connect(&core).await?;
        let mut feed = Self { core, pool, told, line, is_behind: false };
        let server = feed.line.connection.server.to_string();
        match timeout(PATIENCE * 2, feed.look()).await {
            Ok(looked) => looked?,
            Err(_) => return Err(OpenError::Unconfirmed(server)),
        }
        Ok(feed)
    }

    /// Follows until it is dropped.
    pub(super) async fn run(mut self) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = interval(ROUND);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let hint = Arc::clone(&self.line.hint);
            let is_round = tokio::select! {
                _ = pace.tick() => false,
                () = hint.notified() => false,
                _ = round.tick() => true,
            };
            let since = clock::steady().saturating_duration_since(self.line.looked);
            self.is_behind |= since > LONGEST;
            let work = async {
                if is_round {
                    self.core.warned(
                        replication(&self.line.connection.client, &self.core).await?.warnings,
                    );
                }
                self.look().await
            };
            let outcome = match timeout(PATIENCE, work).await {
                Ok(outcome) => outcome,
                Err(_) => Err(StoreError::Unavailable("no answer in time".to_owned())),
            };
            match outcome {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "what the store's other gateways change cannot be followed");
                    self.again().await;
                }
            }
        }
    }

    /// One look: tells of all that came, and that nothing else did.
    async fn look(&mut self) -> Result<(), StoreError> {
        let began = clock::steady();
        let Line { connection, said, snapshot, .. } = &self.line;
        let client = &connection.client;
        let warnings = connection.warnings();
        let (_, server, rows, _, _) = tokio::try_join!(
            async { client.batch_execute("BEGIN").await.map_err(lost) },
            async { Ok(Server::ask(client, &said.ask, &connection.server).await?) },
            async { client.query(&said.look, &[snapshot]).await.map_err(lost) },
            async {
                match self.core.way.config.require_sync_replication {
                    true => client.query_one(&said.confirm, &[]).await.map(|_| ()).map_err(lost),
                    false => Ok(()),
                }
            },
            async { client.batch_execute("COMMIT").await.map_err(lost) },
        )?;
        if connection.warnings() != warnings {
            let why = "the server gave up to wait for its standby";
            return Err(StoreError::Unavailable(why.to_owned()));
        }
        let (snapshot, changes) = read(&rows)?;
        (self.line.snapshot, self.line.looked) = (snapshot, began);
        if std::mem::take(&mut self.is_behind) {
            self.told.resync();
        }
        for (number, events) in changes {
            self.told.met(number, events);
        }
        self.core.beaten(began, &server);
        self.told.tell(vec![Event::Beat { as_of: began }]);
        Ok(())
    }

    /// Connects anew, however long that takes. What happened meanwhile is not known.
    async fn again(&mut self) {
        self.pool.distrust();
        let mut told = String::new();
        loop {
            let refusal = match timeout(PATIENCE * 3, Line::connect(&self.core)).await {
                Ok(Ok(line)) => {
                    std::mem::replace(&mut self.line, line).connection.retire();
                    self.is_behind = true;
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the store does not answer".to_owned(),
            };
            if refusal != told {
                tracing::warn!(refusal, "the store is not back yet");
                told = refusal;
            }
            sleep(RETRY).await;
        }
    }
}

/// The changes of one write, by its number.
type Written = (u64, Vec<Event>);

/// What a look gave: the place to look from the next time, and the changes by their writes.
fn read(rows: &[Row]) -> Result<(String, Vec<Written>), StoreError> {
    let first =
        rows.first().ok_or_else(|| StoreError::Unavailable("a look gave nothing".into()))?;
    let snapshot = first.try_get(0).map_err(lost)?;
    let mut changes: Vec<Written> = Vec::new();
    for row in rows {
        // Without any change there is one row all the same.
        let Some(number) = row.try_get::<_, Option<i64>>(1).map_err(lost)? else { continue };
        let (number, event) = (number.unsigned_abs(), event(row)?);
        match changes.last_mut() {
            Some((last, events)) if *last == number => events.push(event),
            Some(_) | None => changes.push((number, vec![event])),
        }
    }
    Ok((snapshot, changes))
}

fn event(row: &Row) -> Result<Event, StoreError> {
    let of_row = row.try_get(2).and_then(|space| Ok((space, row.try_get(3)?, row.try_get(4)?)));
    let (space, id, deleted): (i16, Vec<u8>, bool) = of_row.map_err(lost)?;
    let foreign = || StoreError::Corrupt("a change lies in no space".to_owned());
    let key = key_of(&Bytes::from(address_of(space, &id).ok_or_else(foreign)?))?;
    Ok(Event::Changed { key, deleted })
}

fn lost(error: tokio_postgres::Error) -> StoreError {
    StoreError::Unavailable(in_words(&error))
}
