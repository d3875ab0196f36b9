//! Where names wait for their password, in logins of two steps: in this process, or in the store
//! where gateways share one, since the second step may come to another gateway.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::steps::{PATIENCE, Steps};
use crate::clock::UnixMillis;
use crate::store::{Expect, Key, Space, Store, StoreError, Version, Write};
use crate::user::{Opaque, UserName};

/// How often a name is put that meets another one.
const TRIES: usize = 8;

/// The names that wait for a password at one portal.
#[derive(Default)]
pub struct Names {
    here: Steps,
    shared: Option<Arc<dyn Store>>,
}

/// A name in the store; nobody's where it is in doubt whom the portal remembers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    name: Option<UserName>,
}

impl Names {
    /// Names that all gateways on `store` know, where it is shared.
    pub fn of(store: &Arc<dyn Store>) -> Self {
        let shared = store.is_shared().then(|| Arc::clone(store));
        Self { here: Steps::default(), shared }
    }

    /// Those that this process alone knows.
    pub fn here(&self) -> &Steps {
        &self.here
    }

    /// As [`Steps::doubt`].
    ///
    /// # Errors
    /// When the doubt is not on disk: then no password may go out.
    pub async fn doubt(&self, now: UnixMillis, parts: &[Opaque]) -> Result<(), StoreError> {
        let Some(store) = &self.shared else {
            self.here.doubt(now, parts);
            return Ok(());
        };
        for part in parts {
            store.commit(now, vec![put(now, *part, None)?]).await?;
        }
        Ok(())
    }

    /// As [`Steps::settle`].
    ///
    /// # Errors
    /// When it is not on disk.
    pub async fn settle(
        &self,
        now: UnixMillis,
        before: &[Opaque],
        after: &[Opaque],
        name: Option<&UserName>,
    ) -> Result<(), StoreError> {
        let Some(store) = &self.shared else {
            self.here.settle(now, before, after, name);
            return Ok(());
        };
        match name {
            Some(name) => {
                for part in after {
                    remember(&**store, now, *part, name).await?;
                }
                Ok(())
            }
            None => {
                self.forget(now, before).await?;
                self.forget(now, after).await
            }
        }
    }

    /// As [`Steps::forget`].
    ///
    /// # Errors
    /// When a name may be there still.
    pub async fn forget(&self, now: UnixMillis, parts: &[Opaque]) -> Result<(), StoreError> {
        let Some(store) = &self.shared else {
            self.here.forget(parts);
            return Ok(());
        };
        for part in parts {
            forget(&**store, now, *part).await?;
        }
        Ok(())
    }

    /// As [`Steps::recall`].
    ///
    /// # Errors
    /// When the store is in doubt.
    pub async fn recall(
        &self,
        now: UnixMillis,
        parts: &[Opaque],
    ) -> Result<Option<UserName>, StoreError> {
        let Some(store) = &self.shared else { return Ok(self.here.recall(now, parts)) };
        let mut found: Option<UserName> = None;
        for part in parts {
            let Some((Waiting { name: Some(name) }, _)) = waiting(&**store, now, *part).await?
            else {
                return Ok(None);
            };
            if found.as_ref().is_some_and(|found| *found != name) {
                return Ok(None);
            }
            found = Some(name);
        }
        Ok(found)
    }
}

/// Keeps a name, unless a doubt stands there.
async fn remember(
    store: &dyn Store,
    now: UnixMillis,
    part: Opaque,
    name: &UserName,
) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let expect = match waiting(store, now, part).await? {
            Some((Waiting { name: None }, _)) => return Ok(()),
            Some((_, version)) => Expect::Is(version),
            None => Expect::Absent,
        };
        let write = put(now, part, Some(name))?.expecting(expect);
        match store.commit(now, vec![write]).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict { index: 0 })
}

/// Forgets a name, and leaves a doubt standing.
async fn forget(store: &dyn Store, now: UnixMillis, part: Opaque) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let Some((Waiting { name: Some(_) }, version)) = waiting(store, now, part).await? else {
            return Ok(());
        };
        let write = Write::delete(key(part)).expecting(Expect::Is(version));
        match store.commit(now, vec![write]).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict { index: 0 })
}

async fn waiting(
    store: &dyn Store,
    now: UnixMillis,
    part: Opaque,
) -> Result<Option<(Waiting, Version)>, StoreError> {
    let Some(found) = store.get(now, &key(part)).await? else { return Ok(None) };
    let malformed = |_| StoreError::Corrupt("a name that waits is not well-formed".to_owned());
    let waiting = serde_json::from_slice(&found.value).map_err(malformed)?;
    Ok(Some((waiting, found.version)))
}

fn put(now: UnixMillis, part: Opaque, name: Option<&UserName>) -> Result<Write, StoreError> {
    let value = serde_json::to_vec(&Waiting { name: name.cloned() })
        .map_err(|_| StoreError::Invalid("a name cannot be written down"))?;
    Ok(Write::put(key(part), value, Some(now.plus(PATIENCE))))
}

/// The parts of two portals differ, so their names do not meet.
fn key(part: Opaque) -> Key {
    Key::new(Space::Pending, [b"name", &part.0[..]].concat())
}

#[cfg(test)]
mod tests {
    use crate::site::house::{NOW, houses};
    use crate::user::{Opaque, UserName};

    #[tokio::test]
    async fn a_name_given_at_one_house_waits_at_the_other() {
        let [here, there] = houses().await;
        let [one, two] = [&here, &there].map(|house| &house.parts.sites.named("wiki.test").names);
        let (alice, bob) = (name("alice"), name("bob"));
        let (first, second) = (Opaque([1; 16]), Opaque([2; 16]));
        one.settle(NOW, &[], &[first, second], Some(&alice)).await.unwrap();
        assert_eq!(two.recall(NOW, &[first, second]).await, Ok(Some(alice.clone())));
        assert_eq!(two.recall(NOW, &[first, Opaque([3; 16])]).await, Ok(None));
        assert_eq!(two.recall(NOW, &[]).await, Ok(None));
        two.settle(NOW, &[], &[second], Some(&bob)).await.unwrap();
        assert_eq!(one.recall(NOW, &[first, second]).await, Ok(None), "two names are none");
        assert_eq!(one.recall(NOW, &[second]).await, Ok(Some(bob)), "the latest counts");
        let late = NOW.plus(std::time::Duration::from_secs(600));
        assert_eq!(one.recall(late, &[second]).await, Ok(None));
        two.forget(NOW, &[first]).await.unwrap();
        assert_eq!(one.recall(NOW, &[first]).await, Ok(None));
    }

    #[tokio::test]
    async fn a_doubt_at_one_house_stays_at_the_other() {
        let [here, there] = houses().await;
        let [one, two] = [&here, &there].map(|house| &house.parts.sites.named("wiki.test").names);
        let (alice, part) = (name("alice"), [Opaque([1; 16])]);
        one.settle(NOW, &[], &part, Some(&alice)).await.unwrap();
        two.doubt(NOW, &part).await.unwrap();
        one.forget(NOW, &part).await.unwrap();
        one.settle(NOW, &[], &part, Some(&alice)).await.unwrap();
        assert_eq!(two.recall(NOW, &part).await, Ok(None));
        here.link().is_up(false);
        assert!(one.doubt(NOW, &part).await.is_err() && one.recall(NOW, &part).await.is_err());
    }

    fn name(text: &str) -> UserName {
        UserName::canonical(text.to_owned())
    }
}
