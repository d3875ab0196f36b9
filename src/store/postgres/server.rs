//! What a server says of itself: which it is, and whether what it answers outlasts a power cut
//! and the loss of its machine. Asked of each new connection, and with each look of the feed.

use tokio_postgres::{Client, Row, ToStatement};

use super::fault::in_words;
use super::refusal::OpenError;
use crate::store::StoreError;

/// The timeline is in the name of the file that is written now: what the control file says comes
/// later, with the first checkpoint after a promotion.
pub(super) const ASK: &str = "
    SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()),
        CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE
            pg_catalog.substr(pg_catalog.pg_walfile_name(
                pg_catalog.pg_current_wal_flush_lsn()), 1, 8) END,
        CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE
            (pg_catalog.pg_current_wal_flush_lsn() - '0/0'::pg_catalog.pg_lsn)::bigint END,
        pg_catalog.current_setting('fsync'),
        pg_catalog.current_setting('full_page_writes'),
        pg_catalog.current_setting('synchronous_standby_names')";

/// Which history a server writes: another one after a promotion or on another cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// Of the cluster, from its making.
    pub(super) system: u64,
    /// One more with each promotion.
    pub(super) timeline: u32,
}

impl History {
    /// Whether `other` is what became of this after a promotion.
    pub(super) fn is_before(self, other: Self) -> bool {
        self.system == other.system && self.timeline < other.timeline
    }
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Nothing where it only follows another.
    pub(super) history: Option<History>,
    /// How far its history is on its disk.
    pub(super) written: u64,
    fsync: String,
    full_page_writes: String,
    standbys: String,
}

impl Server {
    /// Asks the server behind `client`, which is called `name`, by [`ASK`] as it is or prepared.
    pub(super) async fn ask<T>(client: &Client, ask: &T, name: &str) -> Result<Self, OpenError>
    where
        T: ToStatement + ?Sized,
    {
        let row = client.query_one(ask, &[]).await;
        let row = row.map_err(|error| StoreError::Unavailable(in_words(&error)))?;
        Self::read(&row).ok_or_else(|| OpenError::Unsafe {
            server: name.to_owned(),
            why: "it does not say which server it is".to_owned(),
        })
    }

    fn read(row: &Row) -> Option<Self> {
        let system: i64 = row.try_get(0).ok()?;
        let timeline: Option<String> = row.try_get(1).ok()?;
        let timeline = timeline.map(|it| u32::from_str_radix(&it, 16)).transpose().ok()?;
        let written: Option<i64> = row.try_get(2).ok()?;
        // The identifier fills 64 bits, which the server gives with a sign.
        let system = u64::from_ne_bytes(system.to_ne_bytes());
        Some(Self {
            history: timeline.map(|timeline| History { system, timeline }),
            written: u64::try_from(written.unwrap_or_default()).unwrap_or_default(),
            fsync: row.try_get(3).ok()?,
            full_page_writes: row.try_get(4).ok()?,
            standbys: row.try_get(5).ok()?,
        })
    }

    /// What makes it unsafe to use, with the mend; nothing where all is well.
    pub(super) fn fault(&self, require_sync_replication: bool) -> Option<&'static str> {
        if self.history.is_none() {
            return Some("it follows another server and takes no writes; name the one that does");
        }
        if self.fsync != "on" {
            return Some("`fsync` is off, so a power cut loses what was answered; set fsync = on");
        }
        if self.full_page_writes != "on" {
            return Some(
                "`full_page_writes` is off, so a power cut damages it; set full_page_writes = on",
            );
        }
        if require_sync_replication && self.standbys.trim().is_empty() {
            return Some(
                "`synchronous_standby_names` is empty, so a server that is lost takes codes and \
                 resets with it that others have seen; name its standbys there, or, should the \
                 loss be accepted, set `store.require_sync_replication: false`",
            );
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Server {
        Server {
            history: Some(History { system: 7, timeline: 1 }),
            written: 9,
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
            standbys: "ANY 1 (one, two)".to_owned(),
        }
    }

    #[test]
    fn a_server_that_may_lose_answers_is_refused_with_the_mend() {
        assert_eq!(sound().fault(true), None);
        let off = || "off".to_owned();
        for (server, mend) in [
            (Server { history: None, ..sound() }, "takes no writes"),
            (Server { fsync: off(), ..sound() }, "set fsync = on"),
            (Server { full_page_writes: off(), ..sound() }, "set full_page_writes = on"),
            (Server { standbys: " ".to_owned(), ..sound() }, "require_sync_replication: false"),
        ] {
            assert!(server.fault(true).unwrap().contains(mend), "{server:?}");
        }
    }

    #[test]
    fn one_server_alone_is_taken_where_that_is_meant() {
        let alone = Server { standbys: String::new(), ..sound() };
        assert_eq!(alone.fault(false), None);
    }
}
