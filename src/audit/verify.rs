//! Whether a log is whole: walks its lines from file to file and names the first one that is
//! not as it was written, and what is wrong with it.

use std::path::{Path, PathBuf};

use super::chain::{Hash, Head};
use super::files::{FileError, Item, Lines, Source};
use super::line::Link;

/// What was found in a log that is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// How many lines there are.
    pub lines: u64,
    /// The number of the first of them; what came before is elsewhere.
    pub from: u64,
    /// The number of the last of them.
    pub to: u64,
}

/// The first line that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// In which file.
    pub file: PathBuf,
    /// At which of its lines, from one on.
    pub line: u64,
    /// What is wrong there.
    pub what: Wrong,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Something of it is not as it was.
    #[error("the line was changed")]
    Changed,
    /// What should stand before it does not.
    #[error("lines {from} to {to} were removed before it")]
    Removed {
        /// The number of the first one that is missing.
        from: u64,
        /// The number of the last one.
        to: u64,
    },
    /// It stands where it does not belong.
    #[error("the line does not belong here: lines were moved, or stand twice")]
    Moved,
    /// The log goes on behind it.
    #[error("the log is cut off here, and should go to line {to}")]
    CutOff {
        /// The number of the last line.
        to: u64,
    },
    /// The gateway found at its start that the log was not what it had written, and said so.
    #[error("the gateway began the log anew here, since its end was not what had been written")]
    BegunAnew,
}

impl Wrong {
    /// The word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Removed { .. } => "removed",
            Self::Moved => "moved",
            Self::CutOff { .. } => "cut_off",
            Self::BegunAnew => "begun_anew",
        }
    }
}

/// What is known of a log besides its files.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// How far it goes, where that is known.
    pub(super) head: Option<Head>,
    /// Up to which line faults were found before, and are not told again.
    pub(super) after: u64,
}

/// Walks through `sources`, which are in their order. `place` is the file that is written to.
pub(super) fn verify(
    sources: Vec<Source>,
    place: &Path,
    known: Known,
) -> Result<Result<Whole, Broken>, FileError> {
    let mut walk = Walk { sources: sources.into_iter(), lines: None, first: None, next: None };
    let mut whole = Whole::default();
    let mut before: Option<Step> = None;
    while let Some(step) = walk.step()? {
        // What is known of already may be anything: the chain goes on from what stands there.
        let is_new =
            known.after == 0 || step.link.as_ref().is_none_or(|link| link.seq > known.after);
        if is_new && let Err(broken) = walk.judge(before.as_ref(), &step, known)? {
            return Ok(Err(broken));
        }
        let Some(link) = &step.link else { continue };
        whole.from = if whole.lines == 0 { link.seq } else { whole.from };
        whole.to = link.seq;
        whole.lines = whole.lines.saturating_add(1);
        before = Some(step);
    }
    Ok(end(before.as_ref(), place, known).map_or(Ok(whole), Err))
}

/// What is missing at the end.
fn end(last: Option<&Step>, place: &Path, known: Known) -> Option<Broken> {
    let head = known.head?;
    let (seq, file, line) = match last {
        Some(step) => (step.seq(), step.item.path.clone(), step.item.line.saturating_add(1)),
        None => (0, place.to_owned(), 1),
    };
    let is_short = seq < head.seq && known.after < head.seq;
    is_short.then_some(Broken { file, line, what: Wrong::CutOff { to: head.seq } })
}

/// A line with what could be read of it.
struct Step {
    item: Item,
    hash: Hash,
    link: Option<Link>,
    /// The number that the name of its file asks for, where it is the first line there.
    first: Option<u64>,
}

impl Step {
    fn seq(&self) -> u64 {
        self.link.as_ref().map_or(0, |link| link.seq)
    }

    fn is(&self, what: Wrong) -> Broken {
        Broken { file: self.item.path.clone(), line: self.item.line, what }
    }
}

/// All lines of all files, one after the other.
struct Walk {
    sources: std::vec::IntoIter<Source>,
    lines: Option<Lines>,
    first: Option<u64>,
    next: Option<Step>,
}

impl Walk {
    fn step(&mut self) -> Result<Option<Step>, FileError> {
        match self.next.take() {
            Some(step) => Ok(Some(step)),
            None => self.read(),
        }
    }

    /// The line that comes next, which stays the next one.
    fn peek(&mut self) -> Result<Option<&Step>, FileError> {
        if self.next.is_none() {
            self.next = self.read()?;
        }
        Ok(self.next.as_ref())
    }

    fn read(&mut self) -> Result<Option<Step>, FileError> {
        loop {
            if let Some(lines) = &mut self.lines
                && let Some(item) = lines.next()?
            {
                let first = self.first.take();
                let link = if item.ended { Link::read(&item.bytes) } else { None };
                return Ok(Some(Step { hash: item.hash(), link, item, first }));
            }
            let Some(source) = self.sources.next() else { return Ok(None) };
            self.first = source.first;
            self.lines = Some(source.lines()?);
        }
    }

    /// Whether `step` is as it was written, and follows what came `before`.
    fn judge(
        &mut self,
        before: Option<&Step>,
        step: &Step,
        known: Known,
    ) -> Result<Result<(), Broken>, FileError> {
        let Some(link) = &step.link else { return Ok(Err(step.is(self.unreadable(step, known)))) };
        if link.event == super::Event::ChainBroken.as_str() {
            return Ok(Err(step.is(Wrong::BegunAnew)));
        }
        let follows = match before {
            Some(before) => self.follows(before, step, link, known)?,
            None => self.begins(step, link, known)?,
        };
        let is_head = known.head.filter(|head| head.seq == link.seq);
        Ok(follows.and_then(|()| match is_head {
            Some(head) if head.hash != step.hash => Err(step.is(Wrong::Changed)),
            Some(_) | None => Ok(()),
        }))
    }

    /// A last line without its end was cut in its middle.
    fn unreadable(&self, step: &Step, known: Known) -> Wrong {
        match known.head {
            _ if step.item.ended => Wrong::Changed,
            Some(head) => Wrong::CutOff { to: head.seq },
            None => Wrong::Changed,
        }
    }

    /// The first line of all that there are.
    fn begins(
        &mut self,
        step: &Step,
        link: &Link,
        known: Known,
    ) -> Result<Result<(), Broken>, FileError> {
        let (seq, asked) = (link.seq, step.first.or(known.head.map(|head| head.first)));
        let is_whole = self.is_whole(step, known)?;
        let is_first = seq == 1 && !Hash::NONE.is(&link.before);
        let what = match (asked, step.first) {
            _ if seq == 0 || is_first => Wrong::Changed,
            (Some(asked), _) if seq > asked => match self.missing(asked, seq)? {
                Wrong::Removed { .. } if !is_whole => Wrong::Changed,
                what => what,
            },
            (Some(asked), Some(_)) if seq < asked && is_whole => Wrong::Moved,
            (Some(asked), _) if seq < asked && !is_whole => Wrong::Changed,
            _ => return Ok(Ok(())),
        };
        Ok(Err(step.is(what)))
    }

    fn follows(
        &mut self,
        before: &Step,
        step: &Step,
        link: &Link,
        known: Known,
    ) -> Result<Result<(), Broken>, FileError> {
        let due = before.seq().saturating_add(1);
        Ok(match (link.seq == due, before.hash.is(&link.before)) {
            (true, true) => Ok(()),
            // It knows the line before it, so its number is what is wrong.
            (false, true) => Err(step.is(Wrong::Changed)),
            // One of the two is not what it was; whoever the next line knows is.
            (true, false) if self.is_whole(step, known)? => Err(before.is(Wrong::Changed)),
            (true, false) => Err(step.is(Wrong::Changed)),
            (false, false) if link.seq > due => Err(step.is(self.missing(due, link.seq)?)),
            (false, false) => Err(step.is(Wrong::Moved)),
        })
    }

    /// Whether the line after `step`, or else the store, knows it as it is. With neither it is
    /// taken at its word.
    fn is_whole(&mut self, step: &Step, known: Known) -> Result<bool, FileError> {
        if let Some(next) = self.peek()? {
            return Ok(next.link.as_ref().is_some_and(|next| step.hash.is(&next.before)));
        }
        let head = known.head.filter(|head| head.seq == step.seq());
        Ok(head.is_none_or(|head| head.hash == step.hash))
    }

    /// Why the line `due` is not here, but the line `seq` is: it may come later.
    fn missing(&mut self, due: u64, seq: u64) -> Result<Wrong, FileError> {
        while let Some(later) = self.step()? {
            if later.link.is_some_and(|link| link.seq == due) {
                return Ok(Wrong::Moved);
            }
        }
        Ok(Wrong::Removed { from: due, to: seq.saturating_sub(1) })
    }
}

#[cfg(test)]
mod tests;
