//! What is wrong with a configuration, each with its place and its mend. Everything that
//! is found is kept, so that one run tells all.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::key_path::KeyPath;
use super::position::{Position, Positions};

/// One thing that is wrong, or that could be better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    file: PathBuf,
    position: Position,
    key: KeyPath,
    sentence: String,
    is_warning: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(out, "{}:{line}:{column}: ", self.file.display())?;
        if self.is_warning {
            out.write_str("warning: ")?;
        }
        if self.key != KeyPath::root() {
            write!(out, "{}: ", self.key)?;
        }
        out.write_str(&self.sentence)
    }
}

/// All that is wrong with a file, in the order of the file; one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    faults: Vec<Fault>,
    files: Vec<PathBuf>,
}

impl Faults {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }

    /// The files that were looked at: to mend one of them may mend the fault.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The same faults, found in these files.
    pub(super) fn found_in(self, files: Vec<PathBuf>) -> Self {
        Self { files, ..self }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// What has been found so far.
pub(super) struct Findings {
    file: PathBuf,
    positions: Positions,
    borrowed: Vec<Borrowed>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

/// A key that is not in the file, and where the file says from where it comes.
struct Borrowed {
    key: KeyPath,
    by: KeyPath,
    from: String,
}

impl Findings {
    /// Nothing yet.
    pub(super) fn new(file: &Path, positions: Positions) -> Self {
        let (borrowed, faults, warnings) = (Vec::new(), Vec::new(), Vec::new());
        Self { file: file.to_owned(), positions, borrowed, faults, warnings }
    }

    /// Remembers that a key came `from` elsewhere because the file says so at the key `by`.
    /// What is found in it is told there.
    pub(super) fn borrow(&mut self, key: KeyPath, by: KeyPath, from: String) {
        self.borrowed.push(Borrowed { key, by, from });
    }

    /// Notes what is wrong at a key and how to mend it.
    pub(super) fn fault(
        &mut self,
        key: &KeyPath,
        what: impl fmt::Display,
        mend: impl fmt::Display,
    ) {
        self.note(key, format!("{what}; {mend}"));
    }

    /// Notes a fault whose sentence is whole already.
    pub(super) fn note(&mut self, key: &KeyPath, sentence: String) {
        let (position, sentence) = self.placed(key, sentence);
        self.note_at(position, key, sentence);
    }

    /// Notes a fault at a place that is known better than by its key.
    pub(super) fn note_at(&mut self, position: Position, key: &KeyPath, sentence: String) {
        let fault = self.finding(position, key, sentence, false);
        self.faults.push(fault);
    }

    /// Notes what may run but is weaker than it could be.
    pub(super) fn warn(&mut self, key: &KeyPath, what: impl fmt::Display, mend: impl fmt::Display) {
        let (position, sentence) = self.placed(key, format!("{what}; {mend}"));
        let warning = self.finding(position, key, sentence, true);
        self.warnings.push(warning);
    }

    /// The line that a key stands on.
    pub(super) fn line_of(&self, key: &KeyPath) -> usize {
        self.positions.of(key).line
    }

    /// Where a key is told of, and the sentence with where the key came from.
    fn placed(&self, key: &KeyPath, sentence: String) -> (Position, String) {
        match self.borrowed.iter().find(|borrowed| key.is_within(&borrowed.key)) {
            Some(Borrowed { by, from, .. }) => {
                (self.positions.of(by), format!("{sentence} (from {from})"))
            }
            None => (self.positions.of(key), sentence),
        }
    }

    fn finding(
        &self,
        position: Position,
        key: &KeyPath,
        sentence: String,
        is_warning: bool,
    ) -> Fault {
        Fault { file: self.file.clone(), position, key: key.clone(), sentence, is_warning }
    }

    /// The value of a key that has to be there. A key that was read and found wrong is
    /// not called missing as well, nor one that a profile beside it would have given, were
    /// there such a profile.
    pub(super) fn required<T>(&mut self, key: &KeyPath, value: Option<T>, mend: &str) -> Option<T> {
        let profile = key.parent().map(|beside| beside.key("profile"));
        let is_told = self.knows_fault_within(key)
            || profile.is_some_and(|profile| self.knows_fault_within(&profile));
        if value.is_none() && !is_told {
            self.fault(key, "is missing", mend);
        }
        value
    }

    /// The value, when it is in the range; `show` writes the bounds as the YAML has them.
    pub(super) fn in_range<T: PartialOrd + Copy>(
        &mut self,
        key: &KeyPath,
        value: T,
        range: RangeInclusive<T>,
        show: impl Fn(T) -> String,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let (least, most) = (show(*range.start()), show(*range.end()));
        self.fault(key, "is out of range", format!("choose {least} to {most}"));
        None
    }

    /// Whether something at the key or below it was already found wrong.
    pub(super) fn knows_fault_within(&self, key: &KeyPath) -> bool {
        self.faults.iter().any(|fault| fault.key.is_within(key))
    }

    /// The value and the warnings, when nothing is wrong. A value that could not be made
    /// always has a fault; should that ever fail, it is refused here.
    pub(super) fn conclude<T>(mut self, value: Option<T>) -> Result<(T, Vec<Fault>), Faults> {
        match value {
            Some(value) if self.faults.is_empty() => {
                self.warnings.sort_by_key(|warning| warning.position);
                Ok((value, self.warnings))
            }
            Some(_) | None => {
                if self.faults.is_empty() {
                    self.fault(&KeyPath::root(), "cannot be used", "compare it with the example");
                }
                self.faults.sort_by_key(|fault| fault.position);
                Err(Faults { faults: self.faults, files: Vec::new() })
            }
        }
    }
}
