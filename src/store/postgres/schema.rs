//! The tables, and how they are made: by the first gateway that opens an empty database, or
//! before by an administrator, with what `portcullis store schema` prints.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::fault::{in_words, is_about_rights};
use super::refusal::OpenError;
use crate::store::StoreError;

/// The format of the tables that this program makes.
pub(super) const FORMAT: i32 = 1;

/// Whoever makes or fills the store has this lock until the transaction ends.
const LOCK: &str = "SELECT pg_advisory_xact_lock(5786427, 1)";

/// The tables, as an administrator may make them for a role that cannot. The statements can be
/// run again.
pub const SCHEMA: &str = "\
CREATE SCHEMA IF NOT EXISTS portcullis;

-- Which store this is; without an id, none was made yet. No change that was on disk by then, and
-- is in `horizon`, is kept for whoever follows the changes.
CREATE TABLE IF NOT EXISTS portcullis.store (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    format     integer     NOT NULL,
    id         bytea,
    horizon    pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
    horizon_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO portcullis.store (format) VALUES (1) ON CONFLICT DO NOTHING;

-- All that is remembered, sealed.
CREATE TABLE IF NOT EXISTS portcullis.record (
    space      smallint NOT NULL,
    id         bytea    NOT NULL,
    stored     bytea    NOT NULL,
    expires_at bigint,
    PRIMARY KEY (space, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE portcullis.record ALTER COLUMN stored SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS record_expires_at ON portcullis.record (expires_at)
    WHERE expires_at IS NOT NULL;

-- What the other gateways have to hear of, for some minutes.
CREATE TABLE IF NOT EXISTS portcullis.change (
    xid     xid8     NOT NULL DEFAULT pg_current_xact_id(),
    rev     bigint   NOT NULL,
    space   smallint NOT NULL,
    id      bytea    NOT NULL,
    deleted boolean  NOT NULL
);
CREATE INDEX IF NOT EXISTS change_xid ON portcullis.change (xid);

-- Numbers the writes.
CREATE SEQUENCE IF NOT EXISTS portcullis.rev AS bigint;
";

/// What a role needs that has not made the tables itself, for the role `portcullis`.
pub const GRANTS: &str = "\
GRANT USAGE ON SCHEMA portcullis TO portcullis;
GRANT SELECT, UPDATE ON portcullis.store TO portcullis;
GRANT SELECT, INSERT, UPDATE, DELETE ON portcullis.record, portcullis.change TO portcullis;
GRANT USAGE ON SEQUENCE portcullis.rev TO portcullis;
GRANT pg_read_all_stats TO portcullis;
";

/// Makes the tables where they are not. Runs within the transaction that opens the store.
pub(super) async fn prepare(client: &Client, place: &str) -> Result<(), OpenError> {
    let refused = |error: tokio_postgres::Error| refusal(&error, place);
    client.execute(LOCK, &[]).await.map_err(refused)?;
    let looked = client.query_one("SELECT to_regclass('portcullis.store') IS NULL", &[]).await;
    if looked.map_err(refused)?.try_get::<_, bool>(0).map_err(refused)? {
        client.batch_execute(SCHEMA).await.map_err(refused)?;
    }
    let format = client.query_opt("SELECT format FROM portcullis.store", &[]).await;
    let format = format.map_err(refused)?.map(|row| row.try_get::<_, i32>(0)).transpose();
    match format.map_err(refused)? {
        Some(FORMAT) => Ok(()),
        Some(found) => Err(OpenError::Newer {
            place: place.to_owned(),
            found: found.into(),
            known: FORMAT.into(),
        }),
        None => Err(OpenError::Missing { place: place.to_owned() }),
    }
}

/// Why the store does not open when its server answers with `error`.
pub(super) fn refusal(error: &tokio_postgres::Error, place: &str) -> OpenError {
    let place = place.to_owned();
    if is_about_rights(error) {
        return OpenError::NoRights { place, why: in_words(error) };
    }
    if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return OpenError::Busy { place };
    }
    StoreError::Unavailable(in_words(error)).into()
}
