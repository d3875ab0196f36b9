//! A copy of the store as it was at one moment, which the database itself holds still: one
//! transaction that sees nothing of what is written meanwhile.

use tokio::sync::{Mutex, mpsc};
use tokio::time::{Duration, timeout};

use super::core::Core;
use super::fault::{in_words, reading};
use super::read::within_time;
use super::sql::CONFIRM;
use crate::store::judge::leaf;
use crate::store::records::{key_of, within};
use crate::store::{Copied, Space, StoreError};

/// Records that are read at once.
const PAGE: i64 = 500;
/// What reading them may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The session waits for whoever takes the copy, and is not ended meanwhile.
const BEGIN: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ;
    SET LOCAL idle_in_transaction_session_timeout = '120s';
    SET LOCAL statement_timeout = '30s'";

const READ: &str = "
    SELECT id, stored FROM portcullis.record
    WHERE space = $1 AND ($2::bytea IS NULL OR id > $2) ORDER BY id LIMIT $3";

/// One copy is made at a time.
pub(super) type Turn = Mutex<()>;

/// Gives all records of `spaces` to `out`.
pub(super) async fn copy(
    core: &Core,
    turn: &Turn,
    spaces: &[Space],
    out: &mpsc::Sender<Copied>,
) -> Result<(), StoreError> {
    core.check()?;
    let busy = |_| StoreError::Unavailable("a copy of it is being made already".to_owned());
    let _turn = turn.try_lock().map_err(busy)?;
    // A connection of its own: a long copy takes none from those who sign in.
    let (connection, said) = core.way.connect(None).await?;
    core.admit(&connection, &said).await?;
    let lost = |error: tokio_postgres::Error| StoreError::Unavailable(in_words(&error));
    let client = &connection.client;
    client.batch_execute(BEGIN).await.map_err(lost)?;
    for space in spaces {
        copy_space(core, client, *space, out).await?;
    }
    // Only the server that takes writes gets through this.
    let end = async {
        client.query_one(CONFIRM, &[]).await.map_err(lost)?;
        client.batch_execute("COMMIT").await.map_err(lost)
    };
    let warnings = connection.warnings();
    within_time(PATIENCE, end).await?;
    if connection.warnings() != warnings {
        let why = "the server gave up to wait for its standby";
        return Err(StoreError::Unavailable(why.to_owned()));
    }
    Ok(())
}

async fn copy_space(
    core: &Core,
    client: &tokio_postgres::Client,
    space: Space,
    out: &mpsc::Sender<Copied>,
) -> Result<(), StoreError> {
    let number = space as i16;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let silent = |_| StoreError::Unavailable("no answer in time".to_owned());
        let rows = timeout(PATIENCE, client.query(READ, &[&number, &after, &PAGE]))
            .await
            .map_err(silent)?
            .map_err(|error| reading(&error))?;
        let is_last = i64::try_from(rows.len()).is_ok_and(|length| length < PAGE);
        for row in rows {
            let of_row = row.try_get(0).and_then(|id| Ok((id, row.try_get(1)?)));
            let (id, stored): (Vec<u8>, Vec<u8>) = of_row.map_err(|error| reading(&error))?;
            let address = within(space, &id);
            let leaf = leaf(core.codec.decode(&address, &stored)?)?;
            let nobody = |_| StoreError::Unavailable("nobody takes the copy any more".to_owned());
            out.send(Copied::New(key_of(&address)?, leaf)).await.map_err(nobody)?;
            after = Some(id);
        }
        if is_last {
            return Ok(());
        }
    }
}
