//! What changes, as etcd tells it: every write of ours in its order, from the first revision after
//! the last that was told. Where the history has a gap or is another one, everybody who remembers
//! something is told to read again. And the beat, which says how far everything was told.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{EventType, WatchOptions, WatchResponse, WatchStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::layout::{FLOOR, GONE, PULSE};
use super::transact::Floor;
use super::vault::Vault;
use crate::clock::steady;
use crate::store::records::{META, key_of};
use crate::store::{Event, StoreError};

/// How often it is asked how far the store is. A beat is due every 250 ms.
const BEAT: Duration = Duration::from_millis(150);
/// How long what is on its way may take to come by itself.
const ON_ITS_WAY: Duration = Duration::from_millis(40);
/// How long our own pulse may take to come; then the way is broken.
const BROKEN: Duration = Duration::from_millis(800);
/// How long a member may take to begin to tell.
const BEGIN: Duration = Duration::from_secs(2);
/// The wait before another member is asked to tell.
const PAUSE: Duration = Duration::from_millis(100);
/// The largest message that is taken in, in bytes. All that one lease removes comes in one.
const LARGEST: usize = 64 << 20;

/// Why nothing more is told on one way.
enum End {
    /// Somebody else may tell on.
    Broken(String),
    /// What is missing is not to be had any more, or never was in this history.
    Gap,
}

/// Tells what changes for as long as the store is open.
pub(super) async fn follow(vault: Arc<Vault>) {
    let mut next = vault.told.borrow().saturating_add(1);
    let mut member = vault.members.current();
    while vault.check().is_ok() {
        match tell_from(&vault, member, &mut next).await {
            End::Gap => next = begin_anew(&vault).await,
            End::Broken(why) => {
                tracing::debug!(member = vault.members.name(member), why, "etcd tells no more");
                member = vault.members.next(member);
                sleep(PAUSE).await;
            }
        }
    }
}

/// Says how far everything was told, for as long as the store is open.
pub(super) async fn beat(vault: Arc<Vault>) {
    let mut due = interval(BEAT);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while vault.check().is_ok() {
        due.tick().await;
        let moment = steady();
        let Ok(look) = vault.look(&[]).await else { continue };
        if !comes(&vault, look.revision).await {
            vault.disturbed.notify_one();
        } else if !vault.is_news_due() {
            vault.beat(moment);
        }
    }
}

// Nothing is told of what others write into the same etcd, so a pulse of our own has to move it.
async fn comes(vault: &Vault, revision: i64) -> bool {
    if vault.told_up_to(revision, ON_ITS_WAY).await {
        return true;
    }
    if let Err(error) = vault.note(PULSE, Vec::new()).await {
        tracing::debug!(%error, "no pulse could be written");
    }
    vault.told_up_to(revision, BROKEN).await
}

async fn tell_from(vault: &Vault, member: usize, next: &mut i64) -> End {
    let mut told = match begin(vault, member, *next).await {
        Ok(told) => told,
        Err(end) => return end,
    };
    loop {
        let message = tokio::select! {
            message = told.message() => message,
            () = vault.disturbed.notified() => {
                return match vault.is_news_due() {
                    true => End::Gap,
                    false => End::Broken("it fell silent".to_owned()),
                };
            }
        };
        match message {
            Ok(Some(message)) if message.compact_revision() > 0 => return End::Gap,
            Ok(Some(message)) if message.canceled() => {
                return End::Broken(message.cancel_reason().to_owned());
            }
            Ok(Some(message)) => tell(vault, &message, next),
            Ok(None) => return End::Broken("it ended".to_owned()),
            Err(error) => return End::Broken(error.to_string()),
        }
    }
}

async fn begin(vault: &Vault, member: usize, next: i64) -> Result<WatchStream, End> {
    let broken = |error: StoreError| End::Broken(error.to_string());
    // What is told next has to follow on what was told last.
    let (revision, is_raised) = epoch(vault).await.map_err(broken)?;
    if vault.is_news_due() || revision.saturating_add(1) < next {
        return Err(End::Gap);
    }
    if is_raised {
        let _ = vault.events.send(Event::Resync);
    }
    let client = vault.members.client(member).await.map_err(|it| broken(it.of_reading()))?;
    let (from, to) = vault.layout.all();
    let options = WatchOptions::new().with_range(to).with_start_revision(next);
    let mut telling = client.watch_client().max_decoding_message_size(LARGEST);
    match timeout(BEGIN, telling.watch(from, Some(options))).await {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(error)) => Err(End::Broken(error.to_string())),
        Err(_) => Err(End::Broken("it is silent".to_owned())),
    }
}

/// Lets everybody read again what they remember; gives where to go on.
async fn begin_anew(vault: &Vault) -> i64 {
    loop {
        match epoch(vault).await {
            Ok((revision, _)) => {
                vault.news_is_told();
                let _ = vault.events.send(Event::Resync);
                vault.told.send_replace(revision);
                return revision.saturating_add(1);
            }
            Err(error) => {
                tracing::debug!(%error, "etcd does not say how far it is");
                sleep(PAUSE).await;
            }
        }
        if vault.check().is_err() {
            return 0;
        }
    }
}

/// How far the store is, and whether its floor was raised without our being told.
async fn epoch(vault: &Vault) -> Result<(i64, bool), StoreError> {
    let look = vault.look(&[FLOOR.to_vec()]).await?;
    let entry = vault.open(FLOOR, look.found.first().and_then(Option::as_ref))?;
    let is_news = vault.is_new_epoch(Floor::of(entry.as_ref())?.epoch);
    Ok((look.revision, is_news))
}

// All of one revision comes in one message, in the order in which it was written.
fn tell(vault: &Vault, message: &WatchResponse, next: &mut i64) {
    let events = message.events();
    let mut last = next.saturating_sub(1);
    let parts = events.iter().filter_map(|event| {
        let kv = event.kv()?;
        let address = vault.layout.address(kv.key())?;
        Some((kv.mod_revision(), address, kv, event.event_type()))
    });
    let parts: Vec<_> = parts.collect();
    for same in parts.chunk_by(|one, other| one.0 == other.0) {
        // What etcd removes when a lease is over is told to nobody, nor what a sweep removes.
        let tells_ends = same.iter().any(|(_, address, ..)| *address == GONE);
        for (revision, address, kv, kind) in same {
            last = last.max(*revision);
            let deleted = *kind == EventType::Delete;
            if address.first() == Some(&META) {
                of_the_store_itself(vault, address, kv.value());
            } else if !deleted || tells_ends {
                changed(vault, address, kv.version() == 1, deleted);
            }
        }
    }
    *next = last.saturating_add(1);
    vault.told.send_replace(last);
}

fn changed(vault: &Vault, address: &[u8], is_new: bool, deleted: bool) {
    match key_of(address) {
        Ok(key) if key.is_told(is_new, deleted) => {
            let _ = vault.events.send(Event::Changed { key, deleted });
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "something lies in etcd that is no record"),
    }
}

fn of_the_store_itself(vault: &Vault, address: &[u8], value: &[u8]) {
    if address != FLOOR {
        return;
    }
    // Somebody found that the store was set back.
    let floor = vault.codec.decode(FLOOR, value).and_then(|entry| Floor::of(Some(&entry)));
    match floor {
        Ok(floor) if !vault.is_new_epoch(floor.epoch) => {}
        Ok(_) | Err(_) => drop(vault.events.send(Event::Resync)),
    }
}
