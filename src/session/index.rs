//! How sessions lie in the store: by portal session, by user, and by each portal cookie.

use bytes::Bytes;

use crate::clock::UnixMillis;
use crate::store::{Expect, Key, Op, Record, Space, Store, StoreError, Version, Write};
use crate::user::Opaque;

use super::record::SessionRecord;

const BY_BIND: &[u8] = b"b";
const BY_USER: &[u8] = b"u";
const BY_PART: &[u8] = b"p";
const PAGE: usize = 1000;
/// More portal cookies in one session than any portal has; it keeps a commit within bounds.
const MOST_PARTS: usize = 8;

/// The writes that put `record` at all its places.
pub(super) fn writes(record: &SessionRecord) -> Result<Vec<Write>, StoreError> {
    if record.parts.len() > MOST_PARTS {
        return Err(StoreError::Invalid("a portal session has too many cookies"));
    }
    let value = serde_json::to_vec(record)
        .map_err(|_| StoreError::Invalid("a session cannot be written down"))?;
    let ends = Some(record.ends);
    let mut writes = vec![
        Write::put(key(BY_BIND, record.bind, None), value.clone(), ends),
        Write::put(key(BY_USER, record.sub, Some(record.bind)), value, ends),
    ];
    for part in &record.parts {
        let place = key(BY_PART, *part, Some(record.bind));
        writes.push(Write::put(place, record.bind.0.to_vec(), ends));
    }
    Ok(writes)
}

/// The same, if the place of `record` is as `expect` says when they are committed.
pub(super) fn writes_if(expect: Expect, record: &SessionRecord) -> Result<Vec<Write>, StoreError> {
    let mut writes = writes(record)?;
    if let Some(first) = writes.first_mut() {
        first.expect = expect;
    }
    Ok(writes)
}

/// What a write has to expect at a place where `found` was read.
pub(super) fn as_found(found: Option<Version>) -> Expect {
    found.map_or(Expect::Absent, Expect::Is)
}

/// Some of all sessions, expired ones left out: those after `after`, where it is given. Gives
/// where the next ones begin too, unless these were the last.
pub(super) async fn some(
    store: &dyn Store,
    now: UnixMillis,
    after: Option<Bytes>,
) -> Result<(Vec<(SessionRecord, Version)>, Option<Bytes>), StoreError> {
    let found = store.scan(now, Space::Session, BY_BIND, after.as_deref(), PAGE).await?;
    let last = found.last().filter(|_| found.len() == PAGE).map(|(key, _)| key.id.clone());
    let sessions = found.iter().map(|(_, record)| Ok((read(&record.value)?, record.version)));
    Ok((sessions.collect::<Result<_, StoreError>>()?, last))
}

/// The session at a portal session.
pub(super) async fn at(
    store: &dyn Store,
    now: UnixMillis,
    bind: Opaque,
) -> Result<Option<(SessionRecord, Version)>, StoreError> {
    let found = store.get(now, &key(BY_BIND, bind, None)).await?;
    found.map(|record| Ok((read(&record.value)?, record.version))).transpose()
}

/// What a write has to expect at the place of `record`, so that it replaces just that.
pub(super) async fn unchanged(
    store: &dyn Store,
    now: UnixMillis,
    record: &SessionRecord,
) -> Result<Expect, StoreError> {
    let found = store.get(now, &key(BY_BIND, record.bind, None)).await?;
    let found = found.ok_or(StoreError::Conflict { index: 0 })?;
    let same = read(&found.value)? == *record;
    if same { Ok(Expect::Is(found.version)) } else { Err(StoreError::Conflict { index: 0 }) }
}

/// What lets a transaction happen only if `record` is still at its place.
pub(super) async fn check(
    store: &dyn Store,
    now: UnixMillis,
    record: &SessionRecord,
) -> Result<Write, StoreError> {
    let expect = unchanged(store, now, record).await?;
    Ok(Write { key: key(BY_BIND, record.bind, None), expect, op: Op::Check })
}

/// All sessions of one user.
pub(super) async fn of_user(
    store: &dyn Store,
    now: UnixMillis,
    sub: Opaque,
) -> Result<Vec<SessionRecord>, StoreError> {
    let found = scan(store, now, &[BY_USER, &sub.0].concat()).await?;
    found.iter().map(|(_, record)| read(&record.value)).collect()
}

/// The portal sessions that hold this cookie.
pub(super) async fn with_part(
    store: &dyn Store,
    now: UnixMillis,
    part: Opaque,
) -> Result<Vec<Opaque>, StoreError> {
    let found = scan(store, now, &[BY_PART, &part.0].concat()).await?;
    let bind = |(_, record): &(Key, Record)| <[u8; 16]>::try_from(record.value.as_ref());
    let binds = found.iter().map(bind).collect::<Result<Vec<_>, _>>();
    Ok(binds.map_err(|_| malformed())?.into_iter().map(Opaque).collect())
}

async fn scan(
    store: &dyn Store,
    now: UnixMillis,
    prefix: &[u8],
) -> Result<Vec<(Key, Record)>, StoreError> {
    let mut found: Vec<(Key, Record)> = Vec::new();
    loop {
        let after = found.last().map(|(key, _)| key.id.clone());
        let page = store.scan(now, Space::Session, prefix, after.as_deref(), PAGE).await?;
        let last_page = page.len() < PAGE;
        found.extend(page);
        if last_page {
            return Ok(found);
        }
    }
}

/// The portal session whose record stands under this key, where it is one.
pub(super) fn bind_of(key: &Key) -> Option<Opaque> {
    let id = key.id.strip_prefix(BY_BIND).filter(|_| key.space == Space::Session)?;
    <[u8; 16]>::try_from(id).ok().map(Opaque)
}

fn key(table: &[u8], first: Opaque, second: Option<Opaque>) -> Key {
    let second = second.map(|second| second.0);
    let second: &[u8] = second.as_ref().map_or(&[], |second| second);
    Key::new(Space::Session, [table, &first.0, second].concat())
}

fn read(bytes: &[u8]) -> Result<SessionRecord, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| malformed())
}

fn malformed() -> StoreError {
    StoreError::Corrupt("a session record is not well-formed".to_owned())
}
