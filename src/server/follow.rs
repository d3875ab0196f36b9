//! Follows a store that gateways share: what another one changed is taken note of here, and
//! only then what is remembered counts as of that moment. What cannot be read again is owed,
//! and until it was read nothing that is remembered counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::wait_for;
use crate::clock::Clock;
use crate::session::{Assertions, KeyRing, Sessions};
use crate::site::Parts;
use crate::store::{Event, Key, Space, Store, StoreError};
use crate::tokens::Tokens;
use crate::user::Opaque;

/// Records that are read at the same time.
const AT_ONCE: usize = 32;

/// Keeps what this gateway remembers in step with the store.
pub(super) struct Follower {
    events: Receiver<Event>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    sessions: Arc<Sessions>,
    keys: Arc<KeyRing>,
    assertions: Arc<Assertions>,
    tokens: Arc<Tokens>,
    owed: Owed,
}

/// What has to be read again.
#[derive(Default)]
struct Owed {
    binds: BTreeSet<Opaque>,
    keys: bool,
    tokens: bool,
}

impl Follower {
    /// Follows from now on, for as long as `parts` or those that take their place are in use.
    pub(super) fn of(parts: &Parts) -> Self {
        let mut follower = Self {
            events: parts.store.watch(),
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            sessions: Arc::clone(&parts.sessions),
            keys: Arc::clone(&parts.keys),
            assertions: Arc::clone(&parts.assertions),
            tokens: Arc::clone(&parts.tokens),
            owed: Owed::default(),
        };
        // What was read before is of a time that nobody followed.
        follower.begin_anew();
        follower
    }

    /// Follows until `stopped`.
    pub(super) async fn keep(mut self, stopped: watch::Receiver<bool>) {
        let stop = wait_for(stopped);
        tokio::pin!(stop);
        loop {
            let goes_on = tokio::select! {
                event = self.events.recv() => self.take(event).await,
                () = &mut stop => return,
            };
            if !goes_on {
                tracing::error!("the store tells of no changes any more; each request asks it");
                return;
            }
        }
    }

    /// Takes note of one event and of what follows at once, up to a beat. Nothing is told any
    /// more where this gives `false`.
    async fn take(&mut self, first: Result<Event, RecvError>) -> bool {
        let mut next = Some(first);
        let mut beat = None;
        while let Some(event) = next.take() {
            match event {
                Ok(Event::Changed { key, .. }) => self.note(&key),
                Ok(Event::Beat { as_of }) => {
                    beat = Some(as_of);
                    break;
                }
                Ok(Event::Resync) | Err(RecvError::Lagged(_)) => self.begin_anew(),
                Err(RecvError::Closed) => {
                    self.sessions.freshness().lost();
                    return false;
                }
            }
            next = match self.events.try_recv() {
                Ok(event) => Some(Ok(event)),
                Err(TryRecvError::Lagged(missed)) => Some(Err(RecvError::Lagged(missed))),
                Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
                Err(TryRecvError::Empty) => None,
            };
        }
        match self.catch_up().await {
            Ok(()) => self.followed(beat).await,
            Err(error) => {
                tracing::warn!(%error, "what changed in the store cannot be read; it is tried again");
            }
        }
        true
    }

    /// Notes what has to be read because of a change.
    fn note(&mut self, key: &Key) {
        match key.space {
            Space::Session => {
                if let Some(bind) = Sessions::bind_of(key) {
                    self.sessions.was_told(bind);
                    self.owed.binds.insert(bind);
                }
            }
            Space::Config => self.owed.keys |= KeyRing::is_at(key) || Assertions::are_at(key),
            Space::Token => self.owed.tokens = true,
            // Of these nothing is remembered.
            Space::Factor
            | Space::Recovery
            | Space::Step
            | Space::Counter
            | Space::Revoke
            | Space::Pending
            | Space::Sight
            | Space::Outbox
            | Space::Device
            | Space::Invite
            | Space::Request
            | Space::Hook
            | Space::Turn => {}
        }
    }

    /// Something was missed: nothing that is remembered counts.
    fn begin_anew(&mut self) {
        self.sessions.freshness().lost();
        self.sessions.forget_all();
        self.owed = Owed { binds: BTreeSet::new(), keys: true, tokens: true };
    }

    /// Reads what is owed.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        while !self.owed.binds.is_empty() {
            let some: Vec<Opaque> = self.owed.binds.iter().take(AT_ONCE).copied().collect();
            let mut reads = JoinSet::new();
            for bind in &some {
                let (sessions, bind) = (Arc::clone(&self.sessions), *bind);
                reads.spawn(async move { sessions.follow(now, bind).await });
            }
            let broken_off = |_| StoreError::Unavailable("a read was broken off".to_owned());
            while let Some(read) = reads.join_next().await {
                read.map_err(broken_off)??;
            }
            for bind in &some {
                self.owed.binds.remove(bind);
            }
        }
        if self.owed.keys {
            self.keys.refresh(&*self.store, now).await.map_err(StoreError::from)?;
            self.assertions.refresh(&*self.store, now).await.map_err(StoreError::from)?;
            self.owed.keys = false;
        }
        if self.owed.tokens {
            self.tokens.reload(now).await?;
            self.owed.tokens = false;
        }
        Ok(())
    }

    /// Everything that was told has been taken note of.
    async fn followed(&self, beat: Option<Instant>) {
        if let Some(as_of) = beat {
            self.sessions.freshness().followed(as_of);
            self.sessions.pay(self.clock.now()).await;
        }
    }
}

#[cfg(test)]
mod tests;
