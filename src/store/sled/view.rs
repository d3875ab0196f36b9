//! What readers see: the last batch that is on disk, and nothing of the one under way. Nobody
//! is told of a write that a power cut could still undo.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use ::sled::{IVec, Tree};
use parking_lot::{Mutex, RwLock};

use super::copy::Trail;
use crate::store::StoreError;
use crate::store::records::{Codec, Entry};

/// Entries that a scan takes under one lock, so that no write waits for a long one.
const PAGE: usize = 256;

/// The readers' side of the store.
pub(super) struct View {
    seen: RwLock<Seen>,
    refusal: OnceLock<StoreError>,
    codec: Codec,
}

struct Seen {
    tree: Option<Tree>,
    /// What stood before the batch under way, by address.
    before: BTreeMap<Vec<u8>, Option<IVec>>,
    records: u64,
    /// What changes while a copy is made.
    trail: Mutex<Option<Trail>>,
}

/// Part of a scan.
pub(super) struct Page {
    /// What was found, in order.
    pub(super) found: BTreeMap<Vec<u8>, IVec>,
    /// Where to go on, unless this was the last part.
    pub(super) rest: Option<Vec<u8>>,
}

impl View {
    pub(super) fn new(tree: Tree, codec: Codec, records: u64) -> Self {
        let (before, trail) = (BTreeMap::new(), Mutex::default());
        let seen = Seen { tree: Some(tree), before, records, trail };
        Self { seen: RwLock::new(seen), refusal: OnceLock::new(), codec }
    }

    pub(super) fn codec(&self) -> &Codec {
        &self.codec
    }

    pub(super) fn records(&self) -> u64 {
        self.seen.read().records
    }

    /// Fails once the store was closed or has shut itself.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.refusal.get().map_or(Ok(()), |refusal| Err(refusal.clone()))
    }

    /// Shuts the store for good. The first reason stays.
    pub(super) fn refuse(&self, refusal: StoreError) {
        self.doubt(&refusal);
        self.seen.write().tree = None;
    }

    /// Like [`View::refuse`], for those who hold the lock: the tree is let go later.
    pub(super) fn doubt(&self, refusal: &StoreError) {
        let _ = self.refusal.set(refusal.clone());
    }

    /// The entry at `address`, expired or not.
    pub(super) fn entry(&self, address: &[u8]) -> Result<Option<Entry>, StoreError> {
        let stored = self.stands(&self.seen.read(), address)?;
        stored.map(|stored| self.codec.decode(address, &stored)).transpose()
    }

    /// The next entries from `from` on whose address starts with `prefix`.
    pub(super) fn page(&self, from: Bound<&[u8]>, prefix: &[u8]) -> Result<Page, StoreError> {
        self.page_of(&self.seen.read(), from, prefix)
    }

    /// The same for a copy: `then` takes note of the page before anything can change.
    pub(super) fn page_then(
        &self,
        from: Bound<&[u8]>,
        prefix: &[u8],
        then: impl FnOnce(&mut Trail, &mut Page),
    ) -> Result<Page, StoreError> {
        let seen = self.seen.read();
        let mut page = self.page_of(&seen, from, prefix)?;
        then(seen.trail.lock().as_mut().ok_or_else(no_trail)?, &mut page);
        Ok(page)
    }

    /// Looks at the trail of a copy together with what stands, while nothing can change.
    pub(super) fn with_trail<T>(
        &self,
        look: impl FnOnce(
            &mut Trail,
            &dyn Fn(&[u8]) -> Result<Option<IVec>, StoreError>,
        ) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let seen = self.seen.read();
        let mut trail = seen.trail.lock();
        look(trail.as_mut().ok_or_else(no_trail)?, &|address| self.stands(&seen, address))
    }

    /// Notes what changes from now on. One copy is made at a time.
    pub(super) fn begin_trail(&self, trail: Trail) -> Result<(), StoreError> {
        let seen = self.seen.read();
        let mut place = seen.trail.lock();
        if place.is_some() {
            let busy = "a copy of it is being made already";
            return Err(StoreError::Unavailable(busy.to_owned()));
        }
        *place = Some(trail);
        Ok(())
    }

    /// Notes changes no longer.
    pub(super) fn end_trail(&self) {
        *self.seen.read().trail.lock() = None;
    }

    fn stands(&self, seen: &Seen, address: &[u8]) -> Result<Option<IVec>, StoreError> {
        match seen.before.get(address) {
            Some(before) => Ok(before.clone()),
            None => self.guard(|| self.tree(seen)?.get(address).map_err(in_doubt)),
        }
    }

    fn page_of(&self, seen: &Seen, from: Bound<&[u8]>, prefix: &[u8]) -> Result<Page, StoreError> {
        let mut page = self.guard(|| first_page(self.tree(seen)?, from, prefix))?;
        let end = page.rest.clone();
        let hidden = seen
            .before
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(|(address, _)| address.starts_with(prefix))
            .take_while(|(address, _)| end.as_ref().is_none_or(|end| *address <= end));
        for (address, before) in hidden {
            match before {
                Some(stored) => page.found.insert(address.clone(), stored.clone()),
                None => page.found.remove(address),
            };
        }
        Ok(page)
    }

    /// Shows what stood before instead of what the tree is about to get.
    pub(super) fn hide(&self, before: BTreeMap<Vec<u8>, Option<IVec>>) {
        self.seen.write().before = before;
    }

    /// Shows what the tree holds, now that it is on disk.
    pub(super) fn show(&self, records: u64) {
        let mut seen = self.seen.write();
        let before = std::mem::take(&mut seen.before);
        if let Some(trail) = seen.trail.get_mut() {
            for (address, before) in &before {
                trail.note(address, before.as_ref());
            }
        }
        seen.records = records;
    }

    fn tree<'a>(&self, seen: &'a Seen) -> Result<&'a Tree, StoreError> {
        self.check()?;
        seen.tree.as_ref().ok_or_else(|| StoreError::Fatal("the database is gone".into()))
    }

    // sled panics where it meets damage. Whatever it stumbled over, what it says next cannot
    // be believed either: the store shuts, for readers and writers alike.
    fn guard<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let outcome = unwinding(read);
        if let Err(refusal @ StoreError::Fatal(_)) = &outcome {
            self.doubt(refusal);
        }
        outcome
    }
}

fn no_trail() -> StoreError {
    StoreError::Unavailable("the copy was broken off".to_owned())
}

fn first_page(tree: &Tree, from: Bound<&[u8]>, prefix: &[u8]) -> Result<Page, StoreError> {
    let mut page = Page { found: BTreeMap::new(), rest: None };
    for item in tree.range::<&[u8], _>((from, Bound::Unbounded)).take(PAGE) {
        let (address, stored) = item.map_err(in_doubt)?;
        if !address.starts_with(prefix) {
            return Ok(Page { rest: None, ..page });
        }
        page.rest = Some(address.to_vec());
        page.found.insert(address.to_vec(), stored);
    }
    if page.found.len() < PAGE {
        page.rest = None;
    }
    Ok(page)
}

/// Runs what may panic in sled.
pub(super) fn unwinding<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a word");
        Err(StoreError::Fatal(format!("the database panicked: {text}")))
    })
}

pub(super) fn in_doubt(error: ::sled::Error) -> StoreError {
    StoreError::Fatal(format!("the database failed: {error}"))
}
