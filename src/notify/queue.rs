//! What waits in the store to be taken somewhere: queued by the transaction that did what it
//! tells of, taken by one worker at a time, and gone when the other side has it.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::NotifyError;
use crate::clock::UnixMillis;
use crate::random;
use crate::store::{Expect, Key, Record, Space, Store, StoreError, Version, Write};
use crate::user::Opaque;

/// How long the other side may be down before something is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(3 * 24 * 3600);
/// How much longer a record is kept, should no worker come to give it up.
const LEFT_OVER: Duration = Duration::from_secs(27 * 24 * 3600);
/// How many records are read from the store at once.
const PAGE: usize = 1000;

/// Something that waits.
pub(super) trait Waits: Serialize + DeserializeOwned + Send + Sync {
    /// Where it lies.
    const SPACE: Space;
    /// When it may be taken, and how long it is worth that.
    fn times(&self) -> Times;
    /// Where it stands among those that were queued at the same moment: the lowest is first.
    fn rank(&self) -> u8 {
        0
    }
    /// Changes when it may be taken.
    fn set_times(&mut self, times: Times);
}

/// When something that waits may be taken.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// From when on it is not worth taking.
    pub(super) until: UnixMillis,
    /// When a worker may take it: not before a refusal has cooled down, nor while another
    /// worker has it.
    pub(super) due: UnixMillis,
    /// How often it was put off.
    pub(super) put_off: u32,
}

/// Something that waits, with where and which write it is.
pub(super) struct Found<T> {
    pub(super) key: Key,
    pub(super) version: Version,
    pub(super) waiting: T,
}

impl<T> Found<T> {
    /// What it is called in the log and by the other side: random, and nobody's.
    pub(super) fn name(&self) -> String {
        let by_chance = self.key.id.last_chunk::<16>();
        by_chance.map_or_else(String::new, |bytes| Opaque(*bytes).encode())
    }
}

/// The write that lets something wait from `now` on.
pub(super) fn queued<T: Waits>(now: UnixMillis, waiting: &T) -> Result<Write, NotifyError> {
    // By when it was queued, so that the oldest is read first, by its rank, and by chance.
    let by_chance: [u8; 16] = random::bytes()?;
    let id = [&now.0.to_be_bytes()[..], &[waiting.rank()], &by_chance].concat();
    Ok(write(Key::new(T::SPACE, id), waiting)?.expecting(Expect::Absent))
}

/// Everything that waits, oldest first.
pub(super) async fn all<T: Waits>(
    store: &dyn Store,
    now: UnixMillis,
) -> Result<Vec<Found<T>>, StoreError> {
    let mut found: Vec<Found<T>> = Vec::new();
    loop {
        let after = found.last().map(|found| found.key.id.clone());
        let page = store.scan(now, T::SPACE, &[], after.as_deref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        for (key, record) in page {
            found.push(read(key, &record)?);
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// Takes it until `due`, so that no other worker does; nothing when somebody else has been
/// quicker.
pub(super) async fn take<T: Waits>(
    store: &dyn Store,
    now: UnixMillis,
    found: Found<T>,
    due: UnixMillis,
) -> Result<Option<Found<T>>, NotifyError> {
    let Found { key, version, mut waiting } = found;
    waiting.set_times(Times { due, ..waiting.times() });
    let write = write(key.clone(), &waiting)?.expecting(Expect::Is(version));
    match store.commit(now, vec![write]).await {
        Ok(versions) => {
            let taken = versions.first().copied();
            Ok(taken.map(|version| Found { key, version, waiting }))
        }
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Strikes it off the list, unless somebody else has taken it meanwhile.
pub(super) async fn strike<T: Waits>(
    store: &dyn Store,
    now: UnixMillis,
    found: &Found<T>,
) -> Result<(), StoreError> {
    let write = Write::delete(found.key.clone()).expecting(Expect::Is(found.version));
    match store.commit(now, vec![write]).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts it off until `due`.
pub(super) async fn put_off<T: Waits>(
    store: &dyn Store,
    now: UnixMillis,
    mut found: Found<T>,
    due: UnixMillis,
) -> Result<(), NotifyError> {
    let times = found.waiting.times();
    found.waiting.set_times(Times { put_off: times.put_off.saturating_add(1), ..times });
    take(store, now, found, due).await.map(|_| ())
}

fn write<T: Waits>(key: Key, waiting: &T) -> Result<Write, NotifyError> {
    let value = serde_json::to_vec(waiting).map_err(|_| NotifyError::Unwritable)?;
    Ok(Write::put(key, value, Some(waiting.times().until.plus(LEFT_OVER))))
}

fn read<T: Waits>(key: Key, record: &Record) -> Result<Found<T>, StoreError> {
    let waiting = serde_json::from_slice(&record.value)
        .map_err(|_| StoreError::Corrupt("news that wait are not well-formed".to_owned()))?;
    Ok(Found { key, version: record.version, waiting })
}
