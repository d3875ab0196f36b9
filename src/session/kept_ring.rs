//! How a ring of keys is kept in the store: made by whichever gateway is first, and changed by
//! one at a time.

use bytes::Bytes;

use super::keys::KeyRingError;
use crate::clock::UnixMillis;
use crate::store::{Expect, Key, Space, Store, StoreError, Write};

/// How often a change is tried that meets another one.
const TRIES: usize = 8;

/// The ring that the store keeps under this name, or the one that `first` makes when there is
/// none. Whichever gateway is first, its ring is everybody's.
pub(super) async fn kept_or_made(
    store: &dyn Store,
    now: UnixMillis,
    name: &'static [u8],
    first: impl FnOnce() -> Result<Bytes, KeyRingError>,
) -> Result<Bytes, KeyRingError> {
    let key = Key::new(Space::Config, name);
    if let Some(record) = store.get(now, &key).await? {
        return Ok(record.value);
    }
    let made = first()?;
    let put = Write::put(key.clone(), made.clone(), None).expecting(Expect::Absent);
    match store.commit(now, vec![put]).await {
        Ok(_) => Ok(made),
        Err(StoreError::Conflict { .. }) => {
            let record = store.get(now, &key).await?.ok_or(KeyRingError::Malformed)?;
            Ok(record.value)
        }
        Err(error) => Err(error.into()),
    }
}

/// The ring under this name after `change`, which gives nothing where it is right as it is.
/// Where somebody else changes it meanwhile, `change` is asked again with theirs.
pub(super) async fn exchanged(
    store: &dyn Store,
    now: UnixMillis,
    name: &'static [u8],
    change: impl Fn(&[u8]) -> Result<Option<Bytes>, KeyRingError>,
) -> Result<Bytes, KeyRingError> {
    let key = Key::new(Space::Config, name);
    for _ in 0..TRIES {
        let record = store.get(now, &key).await?.ok_or(KeyRingError::Malformed)?;
        let Some(changed) = change(&record.value)? else { return Ok(record.value) };
        let put = Write::put(key.clone(), changed.clone(), None);
        match store.commit(now, vec![put.expecting(Expect::Is(record.version))]).await {
            Ok(_) => return Ok(changed),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict { index: 0 }.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{exchanged, kept_or_made};
    use crate::site::house::{NOW, house};

    #[tokio::test]
    async fn gateways_that_start_at_once_agree_on_one_ring() {
        let house = house().await;
        let make = |ring: &'static [u8]| {
            kept_or_made(&*house.store, NOW, b"some ring", move || Ok(Bytes::from_static(ring)))
        };
        let (one, other) = tokio::join!(make(b"first"), make(b"second"));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one, other);
        assert_eq!(make(b"third").await.unwrap(), one);
    }

    #[tokio::test]
    async fn changes_at_once_are_all_made() {
        let house = house().await;
        let first = || Ok(Bytes::from_static(b"0"));
        kept_or_made(&*house.store, NOW, b"some ring", first).await.unwrap();
        let change = |letter: u8| {
            let added = move |ring: &[u8]| Ok(Some([ring, &[letter]].concat().into()));
            exchanged(&*house.store, NOW, b"some ring", added)
        };
        let (one, two, three) = tokio::join!(change(b'1'), change(b'2'), change(b'3'));
        let longest = [one, two, three].map(Result::unwrap).into_iter().max_by_key(Bytes::len);
        let mut all = longest.unwrap().to_vec();
        all.sort_unstable();
        assert_eq!(all, b"0123");
        let same = exchanged(&*house.store, NOW, b"some ring", |_| Ok(None)).await.unwrap();
        assert_eq!(same.len(), 4);
    }
}
