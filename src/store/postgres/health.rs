//! How a store on PostgreSQL fares, as operators are told: which server, who has each write, and
//! what ought to be mended.

use std::sync::atomic::Ordering;

use tokio_postgres::Client;

use super::core::Core;
use super::fault::{in_words, reading};
use super::pool::Line;
use super::schema::FORMAT;
use super::transaction::{Desk, PATIENCE};
use crate::store::{Health, Shared, StoreError};

/// From here on records are estimated: to count them would keep the server busy for seconds.
const COUNTED: f32 = 5_000_000.0;

/// What a role without `pg_read_all_stats` sees of others is null.
const REPLICATION: &str = "
    SELECT count(*) FILTER (WHERE sync_state IN ('sync', 'quorum') AND state = 'streaming'),
        count(*) FILTER (WHERE sync_state IS NULL)
    FROM pg_stat_replication";

const SIZE: &str = "
    SELECT (SELECT reltuples FROM pg_class WHERE oid = 'portcullis.record'::regclass),
        pg_total_relation_size('portcullis.record') + pg_total_relation_size('portcullis.change')";

const COUNT: &str = "SELECT count(*) FROM portcullis.record WHERE space > 0";

/// Who has each write.
pub(super) struct Replication {
    pub(super) in_sync: u32,
    pub(super) warnings: Vec<String>,
}

/// Looks at the standbys.
pub(super) async fn replication(client: &Client, core: &Core) -> Result<Replication, StoreError> {
    let lost = |error: tokio_postgres::Error| StoreError::Unavailable(in_words(&error));
    let row = client.query_one(REPLICATION, &[]).await.map_err(lost)?;
    let in_sync: i64 = row.try_get(0).map_err(lost)?;
    let hidden: i64 = row.try_get(1).map_err(lost)?;
    let mut warnings = Vec::new();
    if hidden > 0 {
        warnings.push(
            "the role of `store.url` does not see how the standbys fare; run GRANT \
             pg_read_all_stats TO the role"
                .to_owned(),
        );
    }
    if !core.way.config.require_sync_replication {
        warnings.push(
            "`store.require_sync_replication` is false: a server that is lost takes codes and \
             resets with it that were answered"
                .to_owned(),
        );
    } else if in_sync == 0 && hidden == 0 {
        warnings.push("no standby is in step, so no write is answered; start one".to_owned());
    }
    Ok(Replication { in_sync: u32::try_from(in_sync).unwrap_or(u32::MAX), warnings })
}

impl Desk<'_> {
    /// How it fares.
    pub(super) async fn health(&self) -> Health {
        let (server, warnings) = self.core.server();
        let shared = Shared {
            server,
            replicas_in_sync: 0,
            lag: self.core.lag(),
            failovers: self.core.failovers(),
            warnings,
        };
        let health = Health {
            writable: false,
            engine: "postgres",
            records: 0,
            bytes: 0,
            place: self.core.way.config.place.clone(),
            format: u16::try_from(FORMAT).unwrap_or_default(),
            durability: match self.core.way.config.require_sync_replication {
                true => "on the disks of two servers, before it is answered",
                false => "on one server's disk, before it is answered",
            },
            shared: Some(shared),
        };
        if self.core.closed.load(Ordering::SeqCst) {
            return health;
        }
        match self.looked(&health).await {
            Ok(looked) => looked,
            Err(error) => with_warning(health, format!("it does not answer: {error}")),
        }
    }

    async fn looked(&self, health: &Health) -> Result<Health, StoreError> {
        let work = async {
            let lease = self.pool.lease().await?;
            let line = lease.line()?;
            let mut found = health.clone();
            found.writable = self.core.check().is_ok();
            let is_estimate = size(line, &mut found).await?;
            let Replication { in_sync, warnings } =
                replication(&line.connection.client, self.core).await?;
            found.shared = found.shared.map(|shared| Shared {
                server: line.connection.server.to_string(),
                replicas_in_sync: in_sync,
                warnings,
                ..shared
            });
            lease.give_back();
            let note = "the number of records is an estimate".to_owned();
            Ok(if is_estimate { with_warning(found, note) } else { found })
        };
        super::read::within_time(PATIENCE, work).await
    }
}

/// Reads how large it is; gives whether the number of records is an estimate.
async fn size(line: &Line, health: &mut Health) -> Result<bool, StoreError> {
    let client = &line.connection.client;
    let row = client.query_one(SIZE, &[]).await.map_err(|error| reading(&error))?;
    let of_row = row.try_get(0).and_then(|estimate| Ok((estimate, row.try_get(1)?)));
    let (estimate, bytes): (f32, i64) = of_row.map_err(|error| reading(&error))?;
    health.bytes = bytes.unsigned_abs();
    if estimate > COUNTED {
        health.records = estimate as u64;
        return Ok(true);
    }
    let row = client.query_one(COUNT, &[]).await.map_err(|error| reading(&error))?;
    let count: i64 = row.try_get(0).map_err(|error| reading(&error))?;
    health.records = count.unsigned_abs();
    Ok(false)
}

fn with_warning(mut health: Health, warning: String) -> Health {
    if let Some(shared) = &mut health.shared {
        shared.warnings.push(warning);
    }
    health
}
