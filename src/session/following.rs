//! How sessions follow a store that other gateways write to: what changed is read again, and
//! an end that could not be written down is tried again.

use std::sync::Arc;

use super::index;
use super::{Level, SessionRecord, Sessions};
use crate::clock::UnixMillis;
use crate::store::{Expect, Key, StoreError};
use crate::user::Opaque;

/// The most ends that are owed; further ones are lost, as they are where nobody shares a store.
const MOST_OWED: usize = 10_000;

impl Sessions {
    /// The portal session whose record this key names; nothing where it names another way to
    /// one.
    pub fn bind_of(key: &Key) -> Option<Opaque> {
        index::bind_of(key)
    }

    /// Takes note that this portal session's record changed, before anything else is done about
    /// it: whoever reads it just now reads it again.
    pub fn was_told(&self, bind: Opaque) {
        self.memory().was_told(bind);
    }

    /// Reads a record that changed. Of a session that nobody came with here, only that it ended
    /// is taken note of: its streams may run here, which it began at another place.
    ///
    /// # Errors
    /// When the store is in doubt. Then it has to be repeated.
    pub async fn follow(&self, now: UnixMillis, bind: Opaque) -> Result<(), StoreError> {
        match index::at(self.store(), now, bind).await {
            Ok(Some((record, version))) if self.memory().at(bind).is_some() => {
                self.memory().note(&Arc::new(record), Some(version));
            }
            Ok(Some((record, _))) => self.memory().note_root_if_known(&record),
            Ok(None) => self.memory().forget(bind),
            // Whoever comes with it is refused; nobody else has to ask the store for that.
            Err(StoreError::Corrupt(_)) => {
                if let Some(record) = self.memory().at(bind) {
                    self.memory().let_stream_go(record.root);
                }
                self.memory().forget(bind);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Forgets everything: nobody knows what was missed. Streams end.
    pub fn forget_all(&self) {
        self.memory().clear();
    }

    pub(super) fn owe(&self, ended: SessionRecord) {
        let mut owed = self.owed();
        if owed.len() < MOST_OWED {
            owed.push(ended);
        }
    }

    /// Writes down the ends that are owed. From then on memory is asked again of them.
    pub async fn pay(&self, now: UnixMillis) {
        let owed = std::mem::take(&mut *self.owed());
        for ended in owed {
            match self.paid(now, &ended).await {
                Ok(()) => self.memory().forget(ended.bind),
                Err(error) => {
                    tracing::warn!(%error, "the end of a session is not written down yet");
                    self.owe(ended);
                }
            }
        }
    }

    async fn paid(&self, now: UnixMillis, ended: &SessionRecord) -> Result<(), StoreError> {
        let Some((there, version)) = index::at(self.store(), now, ended.bind).await? else {
            return Ok(());
        };
        // Whoever signed in there since has nothing to do with it.
        if there.root != ended.root || there.level == Level::Ended {
            return Ok(());
        }
        let writes = index::writes_if(Expect::Is(version), ended)?;
        self.store().commit(now, writes).await.map(drop)
    }
}
