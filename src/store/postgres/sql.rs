//! The statements that each connection of the pool has ready, and how values go into them.

use tokio_postgres::{Client, Error, Statement};

/// One record.
const GET: &str = "SELECT stored FROM portcullis.record WHERE space = $1 AND id = $2";

/// A page of a space, in order.
const SCAN: &str = "
    SELECT id, stored FROM portcullis.record
    WHERE space = $1 AND id >= $2 AND ($3::bytea IS NULL OR id > $3)
        AND ($4::bytea IS NULL OR id < $4)
    ORDER BY id LIMIT $5";

/// Locks, in the order of the list: whoever locks in one order meets nobody face to face. The
/// lock is of an address, so it keeps writers of an absent record apart, too.
const LOCK: &str = "SELECT pg_advisory_xact_lock(lock) FROM unnest($1::bigint[]) AS lock";

/// What stands at some addresses, each found by the primary key whatever the planner believes.
const FIND: &str = "
    SELECT wanted.number, (SELECT record.stored FROM portcullis.record AS record
        WHERE record.space = wanted.space AND record.id = wanted.id)
    FROM unnest($1::smallint[], $2::bytea[]) WITH ORDINALITY AS wanted (space, id, number)";

/// The number of the write under way.
const NUMBER: &str = "SELECT nextval('portcullis.rev')";

/// All that a transaction does.
const WRITE: &str = "
    WITH gone AS (
        DELETE FROM portcullis.record AS record
        USING unnest($1::smallint[], $2::bytea[]) AS old (space, id)
        WHERE record.space = old.space AND record.id = old.id
    ), kept AS (
        INSERT INTO portcullis.record (space, id, stored, expires_at)
        SELECT * FROM unnest($3::smallint[], $4::bytea[], $5::bytea[], $6::bigint[])
        ON CONFLICT (space, id) DO UPDATE
            SET stored = excluded.stored, expires_at = excluded.expires_at
    ), told AS (
        INSERT INTO portcullis.change (rev, space, id, deleted)
        SELECT $7::bigint, * FROM unnest($8::smallint[], $9::bytea[], $10::boolean[])
    )
    SELECT CASE WHEN $11::boolean THEN pg_notify('portcullis', '') END";

/// Writes nothing but a line of the server's log, so that a COMMIT has something to wait for:
/// it comes back only from the server that takes writes, once its standby has it.
pub(super) const CONFIRM: &str = "SELECT pg_logical_emit_message(true, 'portcullis', '')";

/// The statements of one connection.
pub(super) struct Statements {
    pub(super) get: Statement,
    pub(super) scan: Statement,
    pub(super) lock: Statement,
    pub(super) find: Statement,
    pub(super) number: Statement,
    pub(super) write: Statement,
    pub(super) confirm: Statement,
}

impl Statements {
    /// Prepares them, all in one round trip or two.
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        let (get, scan, lock, find, number, write, confirm) = tokio::try_join!(
            client.prepare(GET),
            client.prepare(SCAN),
            client.prepare(LOCK),
            client.prepare(FIND),
            client.prepare(NUMBER),
            client.prepare(WRITE),
            client.prepare(CONFIRM),
        )?;
        Ok(Self { get, scan, lock, find, number, write, confirm })
    }
}

/// An address as two columns.
pub(super) fn columns(address: &[u8]) -> (i16, &[u8]) {
    address.split_first().map_or((0, &[]), |(space, id)| (i16::from(*space), id))
}

/// The address that two columns hold.
pub(super) fn address_of(space: i16, id: &[u8]) -> Option<Vec<u8>> {
    Some([&[u8::try_from(space).ok()?], id].concat())
}
