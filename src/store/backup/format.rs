//! How an export lies in a file: a line that says what it is, then record after record, each
//! sealed to its place in this very file, then what there should be, sealed too, and a checksum
//! for whoever has no key. Nothing can be changed, moved, dropped or cut off unseen.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::BackupError;
use crate::clock::UnixMillis;
use crate::store::keyring::{Keyring, first_half, mac};
use crate::store::seal::{Place, SealError, Sealer};
use crate::store::{Copied, Key, Leaf, MAX_ID, Sort, Space};
use crate::{hex, random};

/// The version of the format that this program writes and reads.
pub const VERSION: u8 = 1;
const FORMAT: &str = "portcullis export";
/// The longest first line, in bytes.
const LONGEST_LINE: u64 = 1024;
/// Longer than any sealed record, in bytes.
const LONGEST: usize = 16 * 1024;
const RECORD: u8 = 1;
const END: u8 = 2;
const NEVER: u64 = u64::MAX;

/// Seals exports and opens them.
pub struct ExportKey {
    sealer: Sealer,
    /// Names the master key without telling it.
    name: String,
}

impl ExportKey {
    /// The key of an installation.
    pub fn new(keyring: &Keyring) -> Self {
        let named = first_half(mac(&keyring.derive("export key name")));
        Self { sealer: Sealer::new(&keyring.derive("export")), name: hex::text(&named) }
    }
}

/// How many records there are in each space.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<u8, u64>);

impl Counts {
    /// Takes a step into account.
    pub fn count(&mut self, step: &Copied) {
        let count = self.0.entry(step.key().space as u8).or_default();
        *count = match step {
            Copied::New(..) => count.saturating_add(1),
            Copied::Again(..) => *count,
            Copied::Gone(_) => count.saturating_sub(1),
        };
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// How many there are in a space.
    pub fn of(&self, space: Space) -> u64 {
        self.0.get(&(space as u8)).copied().unwrap_or_default()
    }
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u8,
    /// When, in milliseconds since 1970.
    made: UnixMillis,
    /// Random, so that no record fits into another export.
    id: String,
    /// The master key.
    key: String,
}

/// Writes an export, piece by piece.
pub struct Writer<'a> {
    key: &'a ExportKey,
    header: [u8; 32],
    next: u64,
    counts: Counts,
    sum: Sha256,
}

impl<'a> Writer<'a> {
    /// Begins one; gives its first line.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn begin(key: &'a ExportKey, made: UnixMillis) -> Result<(Self, Vec<u8>), BackupError> {
        let id = hex::text(&random::bytes::<16>().map_err(|_| BackupError::Randomness)?);
        let header =
            Header { format: FORMAT.to_owned(), version: VERSION, made, id, key: key.name.clone() };
        let mut line = serde_json::to_vec(&header).map_err(|_| BackupError::NotAnExport)?;
        line.push(b'\n');
        let (header, counts) = (Sha256::digest(&line).into(), Counts::default());
        let sum = Sha256::new_with_prefix(&line);
        Ok((Self { key, header, next: 0, counts, sum }, line))
    }

    /// The bytes of one step.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn step(&mut self, step: &Copied) -> Result<Vec<u8>, BackupError> {
        self.counts.count(step);
        self.frame(RECORD, &written(step))
    }

    /// The bytes at the end, and what there should be.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn end(mut self) -> Result<(Vec<u8>, Counts), BackupError> {
        let counts = serde_json::to_vec(&self.counts).map_err(|_| BackupError::NotAnExport)?;
        let mut bytes = self.frame(END, &counts)?;
        bytes.extend(self.sum.finalize());
        Ok((bytes, self.counts))
    }

    fn frame(&mut self, kind: u8, text: &[u8]) -> Result<Vec<u8>, BackupError> {
        let sealed = self.key.sealer.seal(place(&self.header, kind, self.next), text);
        let sealed = sealed.map_err(|error| match error {
            SealError::Randomness => BackupError::Randomness,
            SealError::Length | SealError::Broken => BackupError::Damaged { record: self.next },
        })?;
        let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
        let bytes = [length.to_be_bytes().as_slice(), &sealed].concat();
        self.sum.update(&bytes);
        self.next = self.next.saturating_add(1);
        Ok(bytes)
    }
}

/// Reads an export, and believes nothing that does not open.
pub struct Reader<'a, R> {
    key: &'a ExportKey,
    source: R,
    made: UnixMillis,
    header: [u8; 32],
    next: u64,
    read: u64,
    counts: Counts,
    sum: Sha256,
}

impl<'a, R: BufRead> Reader<'a, R> {
    /// Begins to read one.
    ///
    /// # Errors
    /// When it is none, or none that this key opens.
    pub fn open(key: &'a ExportKey, mut source: R) -> Result<Self, BackupError> {
        let mut line = Vec::new();
        (&mut source).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        let header: serde_json::Value =
            serde_json::from_slice(&line).map_err(|_| BackupError::NotAnExport)?;
        let version = header.get("version").and_then(serde_json::Value::as_u64);
        match (header.get("format").and_then(|format| format.as_str()), version) {
            (Some(FORMAT), Some(found)) if found > u64::from(VERSION) => {
                return Err(BackupError::Newer { found });
            }
            (Some(FORMAT), Some(_)) => {}
            _ => return Err(BackupError::NotAnExport),
        }
        let header: Header =
            serde_json::from_value(header).map_err(|_| BackupError::NotAnExport)?;
        if header.key != key.name {
            return Err(BackupError::OtherKey);
        }
        let read = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let sum = Sha256::new_with_prefix(&line);
        let (made, header) = (header.made, Sha256::digest(&line).into());
        Ok(Self { key, source, made, header, next: 0, read, counts: Counts::default(), sum })
    }

    /// When the export was made.
    pub fn made(&self) -> UnixMillis {
        self.made
    }

    /// How many bytes were read.
    pub fn so_far(&self) -> u64 {
        self.read
    }

    /// What was read, by space; after the end that is all there should be.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The next step; nothing after the last, when the export is whole.
    ///
    /// # Errors
    /// When something is not as it was written, or the rest is missing.
    pub fn step(&mut self) -> Result<Option<Copied>, BackupError> {
        let mut length = [0; 4];
        self.exactly(&mut length)?;
        self.sum.update(length);
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(self.damaged());
        }
        let mut sealed = vec![0; length];
        self.exactly(&mut sealed)?;
        self.sum.update(&sealed);
        if let Some(text) = self.opened(RECORD, &sealed) {
            let step = read(&text).ok_or_else(|| self.damaged())?;
            self.counts.count(&step);
            self.next = self.next.saturating_add(1);
            return Ok(Some(step));
        }
        let text = self.opened(END, &sealed).ok_or_else(|| self.damaged())?;
        self.finish(&text)?;
        Ok(None)
    }

    fn finish(&mut self, text: &[u8]) -> Result<(), BackupError> {
        let counts: Counts = serde_json::from_slice(text).map_err(|_| self.damaged())?;
        let mut sum = [0; 32];
        let expected: [u8; 32] = self.sum.clone().finalize().into();
        self.exactly(&mut sum)?;
        let is_over = self.source.fill_buf()?.is_empty();
        if counts != self.counts || sum != expected || !is_over {
            return Err(self.damaged());
        }
        Ok(())
    }

    fn opened(&self, kind: u8, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.key.sealer.open(place(&self.header, kind, self.next), sealed).ok()
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.source.read_exact(bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => BackupError::CutOff { record: self.next },
            _ => BackupError::Io(error),
        })?;
        self.read = self.read.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn damaged(&self) -> BackupError {
        BackupError::Damaged { record: self.next }
    }
}

/// What a piece is bound to: its file, its number, and what it is.
fn place(header: &[u8; 32], kind: u8, number: u64) -> Place<'_> {
    Place { format: VERSION, kind, address: header, version: number, expires_at: 0 }
}

fn written(step: &Copied) -> Zeroizing<Vec<u8>> {
    let (what, key, leaf) = match step {
        Copied::New(key, leaf) => (1, key, Some(leaf)),
        Copied::Again(key, leaf) => (2, key, Some(leaf)),
        Copied::Gone(key) => (3, key, None),
    };
    let mut bytes = Zeroizing::new(vec![what, key.space as u8]);
    bytes.push(u8::try_from(key.id.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(&key.id);
    if let Some(leaf) = leaf {
        bytes.push(match leaf.sort {
            Sort::Value => 1,
            Sort::Counter => 2,
        });
        bytes.extend(leaf.expires_at.map_or(NEVER, |at| at.0).to_be_bytes());
        bytes.extend_from_slice(&leaf.payload);
    }
    bytes
}

/// The step in a text that opened. Only what this program wrote does.
fn read(bytes: &[u8]) -> Option<Copied> {
    let ([what, space, length], rest) = bytes.split_first_chunk::<3>()?;
    let (id, rest) = rest.split_at_checked(usize::from(*length))?;
    if id.is_empty() || id.len() > MAX_ID {
        return None;
    }
    let space = Space::ALL.into_iter().find(|known| *known as u8 == *space)?;
    let key = Key::new(space, Bytes::copy_from_slice(id));
    match what {
        1 => Some(Copied::New(key, leaf(rest)?)),
        2 => Some(Copied::Again(key, leaf(rest)?)),
        3 => rest.is_empty().then_some(Copied::Gone(key)),
        _ => None,
    }
}

fn leaf(bytes: &[u8]) -> Option<Leaf> {
    let (sort, rest) = bytes.split_first()?;
    let (expires_at, payload) = rest.split_first_chunk::<8>()?;
    let sort = match sort {
        1 => Sort::Value,
        2 => Sort::Counter,
        _ => return None,
    };
    let expires_at = u64::from_be_bytes(*expires_at);
    let expires_at = (expires_at != NEVER).then_some(UnixMillis(expires_at));
    Some(Leaf { sort, payload: Zeroizing::new(payload.to_vec()), expires_at })
}
