//! A copy of the store while it is written to. The records are read in order, page by page; what
//! changes behind the reader is noted on a trail and read again, until nothing is left that
//! changed. So the copy is the store at one moment, and no write waits for more than a page.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use ::sled::IVec;

use super::view::View;
use crate::store::judge;
use crate::store::records::{key_of, within};
use crate::store::{Copied, Leaf, Space, StoreError};

/// Changes that are read again under one lock.
const AT_ONCE: usize = 256;

/// What changed while a copy is made.
pub(super) struct Trail {
    spaces: Vec<Space>,
    /// Every address up to this one was read.
    read_to: Vec<u8>,
    /// Every address that changed, with whether the copy holds it.
    changed: BTreeMap<Vec<u8>, bool>,
    /// Those that have to be read again.
    due: BTreeSet<Vec<u8>>,
}

impl Trail {
    fn new(spaces: &[Space]) -> Self {
        let (changed, due) = (BTreeMap::new(), BTreeSet::new());
        Self { spaces: spaces.to_vec(), read_to: Vec::new(), changed, due }
    }

    /// Notes that `address` has changed; `before` is what stood there.
    pub(super) fn note(&mut self, address: &[u8], before: Option<&IVec>) {
        let number = address.first().copied();
        if !self.spaces.iter().any(|space| Some(*space as u8) == number) {
            return;
        }
        let is_held = before.is_some() && address <= self.read_to.as_slice();
        self.changed.entry(address.to_vec()).or_insert(is_held);
        self.due.insert(address.to_vec());
    }
}

/// What stands at an address, and whether the copy held something from there.
struct Due {
    address: Vec<u8>,
    stored: Option<IVec>,
    was_held: bool,
}

/// Gives all records of `spaces` to `give`, in steps that make up one moment.
pub(super) fn copy(
    view: &View,
    spaces: &[Space],
    give: &mut dyn FnMut(Copied) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut spaces = spaces.to_vec();
    // In the order of addresses, so that one place tells what was read.
    spaces.sort_unstable();
    let _trail = Ending::begin(view, &spaces)?;
    for space in spaces {
        copy_space(view, space, give)?;
    }
    loop {
        // The last look takes in all that is left under one lock: that is the moment.
        let (due, is_last) = take_due(view)?;
        for due in due {
            if let Some(copied) = read_again(view, &due)? {
                give(copied)?;
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

fn copy_space(
    view: &View,
    space: Space,
    give: &mut dyn FnMut(Copied) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let prefix = within(space, &[]);
    // After every address of this space, and before any of the next.
    let end = vec![(space as u8).saturating_add(1)];
    let mut rest: Option<Vec<u8>> = None;
    loop {
        let from = rest.as_deref().map_or(Bound::Included(prefix.as_slice()), Bound::Excluded);
        let page = view.page_then(from, &prefix, |trail, page| {
            trail.read_to = page.rest.clone().unwrap_or_else(|| end.clone());
            page.found.retain(|address, _| !trail.changed.contains_key(address));
        })?;
        for (address, stored) in &page.found {
            give(Copied::New(key_of(address)?, leaf(view, address, stored)?))?;
        }
        rest = page.rest;
        if rest.is_none() {
            return Ok(());
        }
    }
}

fn take_due(view: &View) -> Result<(Vec<Due>, bool), StoreError> {
    view.with_trail(|trail, stands| {
        let mut found = Vec::new();
        while let Some(address) = trail.due.pop_first() {
            let stored = stands(&address)?;
            let was_held = trail.changed.insert(address.clone(), stored.is_some());
            found.push(Due { address, stored, was_held: was_held.unwrap_or_default() });
            if found.len() == AT_ONCE {
                break;
            }
        }
        Ok((found, trail.due.is_empty()))
    })
}

fn read_again(view: &View, due: &Due) -> Result<Option<Copied>, StoreError> {
    let key = key_of(&due.address)?;
    Ok(match (&due.stored, due.was_held) {
        (Some(stored), false) => Some(Copied::New(key, leaf(view, &due.address, stored)?)),
        (Some(stored), true) => Some(Copied::Again(key, leaf(view, &due.address, stored)?)),
        (None, true) => Some(Copied::Gone(key)),
        (None, false) => None,
    })
}

fn leaf(view: &View, address: &[u8], stored: &[u8]) -> Result<Leaf, StoreError> {
    judge::leaf(view.codec().decode(address, stored)?)
}

/// Ends the trail, whatever became of the copy.
struct Ending<'a>(&'a View);

impl<'a> Ending<'a> {
    fn begin(view: &'a View, spaces: &[Space]) -> Result<Self, StoreError> {
        view.begin_trail(Trail::new(spaces))?;
        Ok(Self(view))
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end_trail();
    }
}
