//! The files of a log: the one that is written to, and those before it beside it, each named by
//! the number of its first line. Files are for their owner alone (ST-5).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::chain::Hash;
use super::line::Link;

/// Digits of the number in a name, so that names sort as numbers do.
const DIGITS: usize = 12;
/// No line of ours is as long, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("the audit log {} cannot be used: {error}", .path.display())]
    System { path: PathBuf, error: io::Error },
    /// It is a link, or no file.
    #[error("the audit log {} is a link or no file; name the file itself", .path.display())]
    NoFile { path: PathBuf },
    /// Another process writes to it.
    #[error("another gateway on this machine writes to the audit log {}; give each its own file, as telemetry.audit", .path.display())]
    InUse { path: PathBuf },
    /// Others can get at the file.
    #[error("the audit log {} has mode {mode:04o}, so others than its owner can get at it; run `chmod 600 {}`", .path.display(), .path.display())]
    Exposed { path: PathBuf, mode: u32 },
    /// Others can put another file in its place.
    #[error("the folder {} has mode {mode:04o}, so others can put another audit log there; run `chmod go-w {}`", .folder.display(), .folder.display())]
    OpenFolder { folder: PathBuf, mode: u32 },
}

impl FileError {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { path: path.to_owned(), error }
    }
}

/// One file of a log, opened to be read.
#[derive(Debug)]
pub(super) struct Source {
    /// Where it is, or was.
    pub(super) path: PathBuf,
    /// The number of its first line, where its name says so.
    pub(super) first: Option<u64>,
    file: File,
    /// How many bytes of it count; what comes behind is being written.
    length: u64,
}

impl Source {
    /// Opens the file at `path`, of which `length` bytes count; all where that is not said.
    pub(super) fn open(path: &Path, length: Option<u64>) -> Result<Self, FileError> {
        let file = File::open(path).map_err(FileError::at(path))?;
        let present = file.metadata().map_err(FileError::at(path))?.len();
        let length = length.map_or(present, |length| length.min(present));
        Ok(Self {
            path: path.to_owned(),
            first: number(path).map(|(first, _)| first),
            file,
            length,
        })
    }

    /// Its lines, from the beginning.
    pub(super) fn lines(self) -> Result<Lines, FileError> {
        self.lines_from(0)
    }

    /// Its lines from somewhere before the first one that comes after the line `after`.
    pub(super) fn lines_after(mut self, after: u64) -> Result<Lines, FileError> {
        let begin = self.place_of(after).map_err(FileError::at(&self.path))?;
        self.lines_from(begin)
    }

    fn lines_from(mut self, begin: u64) -> Result<Lines, FileError> {
        self.file.seek(SeekFrom::Start(begin)).map_err(FileError::at(&self.path))?;
        let left = self.length.saturating_sub(begin);
        Ok(Lines { path: self.path, reader: BufReader::new(self.file.take(left)), line: 0 })
    }

    /// Halves the file until what is left is short enough to be read through. In a file that
    /// somebody changed this may lead anywhere; to find that out is not for here.
    fn place_of(&mut self, after: u64) -> io::Result<u64> {
        let (mut begin, mut end) = (0, self.length);
        while end.saturating_sub(begin) > 2 * LONGEST_LINE {
            let middle = begin.midpoint(end);
            self.file.seek(SeekFrom::Start(middle))?;
            let mut reader = BufReader::new((&mut self.file).take(2 * LONGEST_LINE));
            let (mut rest, mut line) = (Vec::new(), Vec::new());
            reader.read_until(b'\n', &mut rest)?;
            reader.read_until(b'\n', &mut line)?;
            let starts = middle.saturating_add(u64::try_from(rest.len()).unwrap_or(u64::MAX));
            match Link::read(&line) {
                Some(link) if link.seq <= after => begin = starts,
                Some(_) | None => end = middle,
            }
        }
        Ok(begin)
    }
}

/// A line as it was read.
#[derive(Debug)]
pub(super) struct Item {
    /// In which file.
    pub(super) path: PathBuf,
    /// Which of its lines, from one on.
    pub(super) line: u64,
    /// Its bytes, without line break.
    pub(super) bytes: Vec<u8>,
    /// Whether it has its line break.
    pub(super) ended: bool,
}

impl Item {
    pub(super) fn hash(&self) -> Hash {
        Hash::of(&self.bytes)
    }
}

/// The lines of one file.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<io::Take<File>>,
    line: u64,
}

impl Lines {
    /// The next line. One that is longer than ours are is cut, and so no line of ours.
    pub(super) fn next(&mut self) -> Result<Option<Item>, FileError> {
        let mut bytes = Vec::new();
        let mut reader = (&mut self.reader).take(LONGEST_LINE);
        let read = reader.read_until(b'\n', &mut bytes).map_err(FileError::at(&self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.line = self.line.saturating_add(1);
        let ended = bytes.last() == Some(&b'\n');
        if ended {
            bytes.pop();
        }
        Ok(Some(Item { path: self.path.clone(), line: self.line, bytes, ended }))
    }
}

/// The name of a file whose first line is `first`; the `again`th of that number.
pub(super) fn named(place: &Path, first: u64, again: u32) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(format!(".{first:0DIGITS$}"));
    if again > 0 {
        name.push(format!("-{again}"));
    }
    name.into()
}

/// The number in the name of a file, and which one of that number it is.
pub(super) fn number(path: &Path) -> Option<(u64, u32)> {
    let name = path.extension()?.to_str()?;
    let (digits, again) = match name.split_once('-') {
        Some((digits, again)) => (digits, again.parse().ok()?),
        None => (name, 0),
    };
    let is_number = digits.len() >= DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().map(|first| (first, again))
}

/// The files before the one at `place`, in their order.
pub(super) fn earlier(place: &Path) -> Result<Vec<PathBuf>, FileError> {
    let folder = folder(place);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(FileError::at(folder))? {
        let path = entry.map_err(FileError::at(folder))?.path();
        if path.file_stem() == place.file_name()
            && let Some(number) = number(&path)
        {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The folder of the file at `place`.
pub(super) fn folder(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the folder of `place`, and sees to it that nobody else can put a file there.
pub(super) fn prepare(place: &Path) -> Result<(), FileError> {
    let folder = folder(place);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(FileError::at(folder))?;
    let mode = fs::metadata(folder).map_err(FileError::at(folder))?.mode() & 0o7777;
    match mode & 0o022 {
        0 => Ok(()),
        _ => Err(FileError::OpenFolder { folder: folder.to_owned(), mode }),
    }
}

/// Opens the file at `place` to write at its end; nothing where there is none.
pub(super) fn open(place: &Path) -> Result<Option<File>, FileError> {
    let named = match fs::symlink_metadata(place) {
        Ok(named) => named,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::at(place)(error)),
    };
    // Before it is opened: to open a pipe would wait for somebody at its other end.
    if !named.is_file() {
        return Err(FileError::NoFile { path: place.to_owned() });
    }
    let opened = OpenOptions::new().read(true).append(true).open(place);
    let file = opened.map_err(FileError::at(place))?;
    let opened = file.metadata().map_err(FileError::at(place))?;
    // The name may have become a link meanwhile.
    if !opened.is_file() || (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(FileError::NoFile { path: place.to_owned() });
    }
    let mode = opened.mode() & 0o7777;
    match mode & 0o077 {
        0 => Ok(Some(file)),
        _ => Err(FileError::Exposed { path: place.to_owned(), mode }),
    }
}

/// Makes the file at `place`, where there must be none. Its name is on disk when this returns.
pub(super) fn make(place: &Path) -> Result<File, FileError> {
    let made = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(place);
    let file = made.map_err(FileError::at(place))?;
    sync_folder(place)?;
    Ok(file)
}

/// Gives the file at `place` the name of a file before; on disk when this returns.
pub(super) fn put_away(place: &Path, first: u64) -> Result<(), FileError> {
    // A name that is taken stays with whoever has it: `rename` would put ours in its place.
    let mut names = (0..u32::MAX).map(|again| named(place, first, again));
    let free = names.find(|name| fs::symlink_metadata(name).is_err());
    let free = free.unwrap_or_else(|| place.to_owned());
    fs::rename(place, &free).map_err(FileError::at(place))?;
    sync_folder(place)
}

fn sync_folder(place: &Path) -> Result<(), FileError> {
    let folder = folder(place);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(FileError::at(folder))
}
