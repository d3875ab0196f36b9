//! The file that is written to. A batch of lines is on disk when it was taken; one that was not
//! leaves nothing of it behind. A file that is long enough is put away, and another one begun.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::chain::Head;
use super::files::{self, FileError, Source};
use super::verify::{Broken, Known, verify};

/// How far the log goes: what its readers may look at. It is held while files change their
/// names, so that whoever opens them meanwhile finds all of them.
#[derive(Clone, Debug)]
pub(super) struct End(Arc<Mutex<Reached>>);

#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    pub(super) head: Head,
    /// Bytes of the file that is written to.
    pub(super) length: u64,
}

impl End {
    fn new(head: Head, length: u64) -> Self {
        Self(Arc::new(Mutex::new(Reached { head, length })))
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Reached> {
        self.0.lock()
    }
}

/// The log as a writer has it.
pub(super) struct Book {
    place: PathBuf,
    /// From which length on another file is begun, in bytes.
    longest: u64,
    /// Nothing after a fault, and before the first line of a file.
    file: Option<File>,
    length: u64,
    head: Head,
    end: End,
}

/// A log that was opened.
pub(super) struct Opened {
    pub(super) book: Book,
    /// What of it is not as it was written; then it was put away.
    pub(super) broken: Option<Broken>,
}

impl Book {
    /// Opens the log at `place`, which goes as far as the store says: `kept`. More than that is
    /// fine, where it goes on from there: the gateway was killed between the two.
    pub(super) fn open(
        place: &Path,
        kept: Option<Head>,
        longest: u64,
    ) -> Result<Opened, FileError> {
        files::prepare(place)?;
        let file = files::open(place)?;
        let mut sources = Vec::new();
        for earlier in files::earlier(place)? {
            // With the store's word on how far it goes older files need not be read again.
            let is_due = |(first, _)| kept.is_some_and(|head| first >= head.first);
            if files::number(&earlier).is_some_and(is_due) {
                sources.push(Source::open(&earlier, None)?);
            }
        }
        let length = file.as_ref().map_or(Ok(0), whole_lines).map_err(FileError::at(place))?;
        if file.is_some() {
            sources.push(Source::open(place, Some(length))?);
        }
        let found = verify(sources, place, Known { head: kept, after: 0 })?;
        let head = kept.unwrap_or(Head::START);
        let end = End::new(head, 0);
        let mut book = Self { place: place.to_owned(), longest, file, length, head, end };
        let broken = match found {
            Ok(_) => {
                book.go_on()?;
                None
            }
            Err(broken) => {
                book.begin_anew()?;
                Some(broken)
            }
        };
        Ok(Opened { book, broken })
    }

    pub(super) const fn head(&self) -> Head {
        self.head
    }

    pub(super) fn end(&self) -> End {
        self.end.clone()
    }

    /// From the last line that is there. A line that was broken off was told to nobody.
    fn go_on(&mut self) -> Result<(), FileError> {
        let at = |error| FileError::at(&self.place)(error);
        if let Some(file) = &self.file
            && file.metadata().map_err(at)?.len() > self.length
        {
            file.set_len(self.length).map_err(at)?;
            tracing::warn!("a line of the audit log that a crash had broken off was removed");
        }
        if self.length > 0 {
            let mut lines = Source::open(&self.place, Some(self.length))?.lines()?;
            let mut is_first = true;
            while let Some(item) = lines.next()? {
                let Some(link) = super::line::Link::read(&item.bytes) else { continue };
                let first = if is_first { link.seq } else { self.head.first };
                self.head = Head { seq: link.seq, hash: item.hash(), first };
                is_first = false;
            }
        } else {
            self.head = self.last_of_earlier()?;
        }
        *self.end.held() = Reached { head: self.head, length: self.length };
        Ok(())
    }

    /// Where the gateway was killed after a file was put away, its last line is the last one.
    fn last_of_earlier(&self) -> Result<Head, FileError> {
        let mut head = self.head;
        for earlier in files::earlier(&self.place)? {
            let mut lines = Source::open(&earlier, None)?.lines_after(head.seq)?;
            while let Some(item) = lines.next()? {
                if let Some(link) = super::line::Link::read(&item.bytes)
                    && link.seq > head.seq
                {
                    head = head.after(&item.bytes);
                }
            }
        }
        Ok(Head { first: head.seq.saturating_add(1), ..head })
    }

    /// What is there stays as it is, under another name. The chain goes on from where the
    /// store knows it, so that what is missing is missing for good.
    fn begin_anew(&mut self) -> Result<(), FileError> {
        let mut first = self.head.seq.saturating_add(1);
        if self.file.take().is_some() {
            let mut lines = Source::open(&self.place, None)?.lines()?;
            let mut begin = None;
            while let Some(item) = lines.next()? {
                let Some(link) = super::line::Link::read(&item.bytes) else { continue };
                begin = begin.or(Some(link.seq));
                // A number that leaves no room for others is none of ours.
                if link.seq < u64::MAX / 2 {
                    first = first.max(link.seq.saturating_add(1));
                }
            }
            files::put_away(&self.place, begin.unwrap_or(first))?;
        }
        self.head = Head { seq: first.saturating_sub(1), hash: self.head.hash, first };
        self.length = 0;
        *self.end.held() = Reached { head: self.head, length: 0 };
        Ok(())
    }

    /// Writes lines that follow each other; `head` is what they lead to.
    ///
    /// # Errors
    /// When they are not on disk. Then none of them is part of the log.
    pub(super) fn write(&mut self, lines: &str, head: Head) -> Result<(), FileError> {
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.length > 0 && self.length.saturating_add(more) > self.longest {
            self.turn()?;
        }
        let written = self.append(lines, more);
        if written.is_err() {
            // After a sync that failed nobody knows what the system holds to be written.
            self.file = None;
        }
        written?;
        self.length = self.length.saturating_add(more);
        self.head = Head { first: self.head.first, ..head };
        *self.end.held() = Reached { head: self.head, length: self.length };
        Ok(())
    }

    fn append(&mut self, lines: &str, more: u64) -> Result<(), FileError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.reopened()?,
        };
        let at = |error| FileError::at(&self.place)(error);
        // Lest a disk that fills up half-way leaves half a line.
        has_room(files::folder(&self.place), more).map_err(at)?;
        file.write_all(lines.as_bytes()).map_err(at)?;
        file.sync_data().map_err(at)?;
        self.file = Some(file);
        Ok(())
    }

    /// The file as it was after the last batch that was taken.
    fn reopened(&self) -> Result<File, FileError> {
        let at = |error| FileError::at(&self.place)(error);
        let Some(file) = files::open(&self.place)? else {
            if self.length == 0 {
                return files::make(&self.place);
            }
            return Err(at(io::Error::other("the file is gone")));
        };
        let present = file.metadata().map_err(at)?.len();
        if present < self.length {
            return Err(at(io::Error::other("somebody else has cut it off")));
        }
        file.set_len(self.length).map_err(at)?;
        Ok(file)
    }

    /// Puts the file away. The next line begins another one.
    fn turn(&mut self) -> Result<(), FileError> {
        let mut reached = self.end.held();
        files::put_away(&self.place, self.head.first)?;
        self.file = None;
        self.length = 0;
        self.head.first = self.head.seq.saturating_add(1);
        *reached = Reached { head: self.head, length: 0 };
        Ok(())
    }
}

/// How much of a file are whole lines, in bytes.
fn whole_lines(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::FileExt as _;
    const PIECE: usize = 4096;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let begin = end.saturating_sub(PIECE as u64);
        let mut piece = vec![0; usize::try_from(end - begin).unwrap_or(PIECE)];
        file.read_exact_at(&mut piece, begin)?;
        if let Some(place) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + u64::try_from(place).unwrap_or(0) + 1);
        }
        end = begin;
    }
    Ok(0)
}

fn has_room(folder: &Path, more: u64) -> io::Result<()> {
    match fs2::available_space(folder)? {
        available if available > more => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on the disk")),
    }
}

#[cfg(test)]
mod tests;
