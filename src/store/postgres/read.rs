//! Reads. What a server says counts only when it is the one that takes writes: a look at it was
//! confirmed by its standby a moment ago, or else this read waits until one is.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::fault::reading;
use super::pool::Line;
use super::sql::{Statements, columns};
use super::transaction::{Desk, PATIENCE};
use crate::clock::UnixMillis;
use crate::store::judge::MAX_SCAN;
use crate::store::records::{Entry, address, within};
use crate::store::{Key, Record, Space, StoreError};

/// Records of a page at least: those that have expired are left out afterwards.
const PAGE: usize = 64;

/// Part of a space.
struct Page {
    found: Vec<(Vec<u8>, Entry)>,
    /// Whether nothing comes behind it.
    is_last: bool,
}

impl Desk<'_> {
    /// The record of `key`, expired or not.
    pub(super) async fn entry(
        &self,
        now: UnixMillis,
        key: &Key,
    ) -> Result<Option<Entry>, StoreError> {
        self.core.moment.told(now);
        let address = address(key);
        let (space, id) = columns(&address);
        let rows = self.rows(|said| &said.get, &[&space, &id]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let stored: &[u8] = row.try_get(0).map_err(|error| reading(&error))?;
        self.core.codec.decode(&address, stored).map(Some)
    }

    /// The records of `space` that start with `prefix` and count, from behind `after` on.
    pub(super) async fn scan(
        &self,
        now: UnixMillis,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Key, Record)>, StoreError> {
        self.core.moment.told(now);
        let mut found = Vec::new();
        let mut after = after.map(<[u8]>::to_vec);
        while found.len() < limit {
            let wanted = (limit - found.len()).clamp(PAGE, MAX_SCAN);
            let page = self.page(space, prefix, after.as_deref(), wanted).await?;
            after = page.found.last().map(|(id, _)| id.clone());
            let live = page.found.into_iter().filter(|(_, entry)| entry.is_live(now));
            found.extend(
                live.map(|(id, entry)| (Key { space, id: Bytes::from(id) }, entry.into_record())),
            );
            if page.is_last {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn page(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        wanted: usize,
    ) -> Result<Page, StoreError> {
        let end = end_of(prefix);
        let (number, limit) = (space as i16, i64::try_from(wanted).unwrap_or(i64::MAX));
        let rows = self.rows(|said| &said.scan, &[&number, &prefix, &after, &end, &limit]).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let of_row = row.try_get(0).and_then(|id| Ok((id, row.try_get(1)?)));
            let (id, stored): (Vec<u8>, &[u8]) = of_row.map_err(|error| reading(&error))?;
            let entry = self.core.codec.decode(&within(space, &id), stored)?;
            found.push((id, entry));
        }
        Ok(Page { found, is_last: rows.len() < wanted })
    }

    /// Asks on a connection of the pool, within the limits of time.
    async fn rows(
        &self,
        pick: fn(&Statements) -> &Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.core.check()?;
        let lease = self.pool.lease().await?;
        let asked = timeout(PATIENCE, async {
            let line = lease.line()?;
            match self.core.is_fresh() {
                true => line.connection.client.query(pick(&line.said), values).await,
                false => return confirmed(line, pick, values).await,
            }
            .map_err(|error| reading(&error))
        });
        let Ok(rows) = asked.await else {
            self.pool.distrust();
            return Err(StoreError::Unavailable("no answer in time".to_owned()));
        };
        if rows.is_ok() {
            lease.give_back();
        }
        rows
    }
}

/// Reads in a transaction that ends with a line in the server's log: one that no longer takes
/// writes, and does not know it, does not get through its COMMIT.
async fn confirmed(
    line: &Line,
    pick: fn(&Statements) -> &Statement,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, StoreError> {
    let Line { connection, said } = line;
    let warnings = connection.warnings();
    let client = &connection.client;
    let (_, rows, _, _) = tokio::try_join!(
        client.batch_execute("BEGIN"),
        client.query(pick(said), values),
        client.query_one(&said.confirm, &[]),
        client.batch_execute("COMMIT"),
    )
    .map_err(|error| reading(&error))?;
    if connection.warnings() != warnings {
        let why = "the server gave up to wait for its standby";
        return Err(StoreError::Unavailable(why.to_owned()));
    }
    Ok(rows)
}

/// Ends `work` when it takes longer than `patience`. It must write nothing.
pub(super) async fn within_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let silence = || Err(StoreError::Unavailable("no answer in time".to_owned()));
    timeout(patience, work).await.unwrap_or_else(|_| silence())
}

/// What comes behind every identifier that starts with `prefix`; nothing where all do.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_comes_behind_all_that_start_with_it() {
        assert_eq!(end_of(b""), None);
        assert_eq!(end_of(b"\xff\xff"), None);
        assert_eq!(end_of(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end_of(b"a\xff"), Some(b"b".to_vec()));
    }
}
