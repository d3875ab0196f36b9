//! Reads the log for whoever may: its lines as they stand there, and whether it is whole.

use std::path::{Path, PathBuf};

use super::AuditError;
use super::book::End;
use super::files::{self, FileError, Source};
use super::line::Link;
use super::verify::{Broken, Known, Whole, verify};

/// Lines that one request looks at, where it looks for some of them.
const LOOKED_AT: usize = 20_000;

/// Some lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Each as it stands in the log.
    pub lines: Vec<String>,
    /// The number of the last line that was looked at, where there are more.
    pub next: Option<u64>,
}

/// What happened to one user lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// Each line as it stands in the log, the newest first.
    pub lines: Vec<String>,
    /// Whether the log was looked through to its beginning.
    pub is_whole: bool,
}

/// Which lines are wanted.
pub struct Wanted<'a> {
    /// Those after this one.
    pub after: u64,
    /// No more than so many.
    pub limit: usize,
    /// At which portals; a line that is of no portal is wanted by those who want all.
    pub portals: Option<&'a [String]>,
    /// Only those of the user of this name, at whichever of these portals.
    pub user: Option<&'a str>,
}

/// The files of a log, to read in them.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) place: PathBuf,
    pub(super) end: End,
}

impl Reader {
    /// The number of the last line.
    pub(super) fn last(&self) -> u64 {
        self.end.held().head.seq
    }

    /// Lines of the log. It waits for the disk.
    pub(super) fn page(&self, wanted: &Wanted<'_>) -> Result<Page, AuditError> {
        self.found(wanted).map_err(|error| AuditError::Unreadable(error.to_string()))
    }

    /// What happened to a user of a portal, looked for in the last lines. It waits for the disk.
    pub(super) fn lately(&self, portal: &str, user: &str) -> Result<Lately, AuditError> {
        let looked_at = u64::try_from(LOOKED_AT).unwrap_or(u64::MAX);
        let after = self.last().saturating_sub(looked_at);
        let portals = [portal.to_owned()];
        let wanted = Wanted { after, limit: LOOKED_AT, portals: Some(&portals), user: Some(user) };
        let mut lines = self.page(&wanted)?.lines;
        lines.reverse();
        Ok(Lately { lines, is_whole: after == 0 })
    }

    fn found(&self, wanted: &Wanted<'_>) -> Result<Page, FileError> {
        let mut page = Page::default();
        let (mut looked_at, mut last) = (0, wanted.after);
        for source in self.sources(wanted.after)?.0 {
            let mut lines = source.lines_after(wanted.after)?;
            while let Some(item) = lines.next()? {
                let Some(link) = Link::read(&item.bytes) else { continue };
                if link.seq <= last {
                    continue;
                }
                if page.lines.len() == wanted.limit || looked_at == LOOKED_AT {
                    page.next = Some(last);
                    return Ok(page);
                }
                (last, looked_at) = (link.seq, looked_at + 1);
                if is_wanted(&link, wanted)
                    && let Ok(line) = String::from_utf8(item.bytes)
                {
                    page.lines.push(line);
                }
            }
        }
        Ok(page)
    }

    /// Whether the log is as it was written, from the line after `after` on. It reads all of it.
    pub(super) fn verify(&self, after: u64) -> Result<Result<Whole, Broken>, AuditError> {
        let found = self.sources(0).and_then(|(sources, head)| {
            verify(sources, &self.place, Known { head: Some(head), after })
        });
        found.map_err(|error| AuditError::Unreadable(error.to_string()))
    }

    /// The files with lines after `after`, opened while none of them changes its name; and how
    /// far the log goes in them.
    fn sources(&self, after: u64) -> Result<(Vec<Source>, super::chain::Head), FileError> {
        let reached = self.end.held();
        let earlier = files::earlier(&self.place)?;
        let first = |path: &PathBuf| files::number(path).map_or(0, |(first, _)| first);
        let begin = earlier.iter().rposition(|path| first(path) <= after.saturating_add(1));
        let mut sources = Vec::new();
        for path in earlier.iter().skip(begin.unwrap_or(0)) {
            sources.push(Source::open(path, None)?);
        }
        if let Ok(true) = self.place.try_exists() {
            sources.push(Source::open(&self.place, Some(reached.length))?);
        }
        Ok((sources, reached.head))
    }
}

fn is_wanted(link: &Link, wanted: &Wanted<'_>) -> bool {
    let is_of = |user| link.user.as_deref() == Some(user);
    let is_at = match (wanted.portals, &link.portal) {
        (None, _) => true,
        (Some(portals), Some(portal)) => portals.contains(portal),
        (Some(_), None) => false,
    };
    is_at && wanted.user.is_none_or(is_of)
}

/// Whether these files are one chain, without the gateway that wrote them: what was cut off
/// their end nobody can say then. They may come in any order.
///
/// # Errors
/// When one of them cannot be read.
pub fn verify_files(files: &[PathBuf], after: u64) -> Result<Result<Whole, Broken>, FileError> {
    let mut sources = Vec::new();
    for path in files {
        let source = Source::open(path, None)?;
        let first = Source::open(path, None)?.lines()?.next()?;
        let first = first.and_then(|item| Link::read(&item.bytes)).map(|link| link.seq);
        let named = files::number(path);
        sources.push(((named.map(|(first, _)| first).or(first), named), source));
    }
    sources.sort_by_key(|(place, _)| (place.0.unwrap_or(u64::MAX), place.1));
    let last = files.last().map_or(Path::new(""), PathBuf::as_path);
    let sources = sources.into_iter().map(|(_, source)| source).collect();
    verify(sources, last, Known { head: None, after })
}
