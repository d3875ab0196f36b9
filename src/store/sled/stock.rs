//! What is in the database when it is opened: every record is counted, so that one that was lost,
//! added or set back is missed at once. Of a million users that is most of a start, so each table
//! is looked through by itself, as many at a time as there are processors.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ::sled::Db;

use super::committer::Expiries;
use super::state::State;
use super::view::{in_doubt, unwinding};
use crate::store::StoreError;
use crate::store::records::{Codec, Header, META};

/// More threads than this wait for the disk and for each other.
const MOST_THREADS: usize = 4;

/// What was found.
#[derive(Default)]
pub(super) struct Stock {
    /// How many records, and their fingerprint.
    pub(super) found: State,
    /// When they expire.
    pub(super) expiries: Expiries,
}

impl Stock {
    /// Counts everything but what the database keeps of itself. Fails where it is damaged.
    pub(super) fn take(db: &Db, codec: &Codec) -> Result<Self, StoreError> {
        let first = unwinding(|| db.first().map_err(in_doubt))?;
        if first.is_some_and(|(address, _)| address.is_empty()) {
            return Err(StoreError::Corrupt("a record lies in no table".into()));
        }
        // The tables are told apart by the first byte of an address. Some of these bytes are no
        // table's: what lies there is no record of ours, and is counted too.
        let next = AtomicUsize::new(usize::from(META) + 1);
        let count = || {
            unwinding(|| {
                let mut stock = Self::default();
                while let Ok(table) = u8::try_from(next.fetch_add(1, Ordering::Relaxed)) {
                    stock.count(db, codec, table)?;
                }
                Ok(stock)
            })
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        let parts: Vec<_> = thread::scope(|scope| {
            let working: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
            working
                .into_iter()
                .map(|one| one.join().unwrap_or_else(|_| Err(broken_off())))
                .collect()
        });
        let mut whole = Self::default();
        for part in parts {
            whole.add(part?);
        }
        Ok(whole)
    }

    fn count(&mut self, db: &Db, codec: &Codec, table: u8) -> Result<(), StoreError> {
        for item in db.scan_prefix([table]) {
            let (address, stored) = item.map_err(in_doubt)?;
            let (header, _) = Header::read(&stored)
                .ok_or_else(|| StoreError::Corrupt("a record is too short".into()))?;
            self.found.add(codec.mark(&address, header.version));
            self.expiries.add(&address, &stored);
        }
        Ok(())
    }

    fn add(&mut self, part: Self) {
        self.found.add_all(&part.found);
        self.expiries.add_all(part.expiries);
    }
}

fn broken_off() -> StoreError {
    StoreError::Fatal("the count of its records was broken off".to_owned())
}
