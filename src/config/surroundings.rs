//! What a configuration may look at besides its own text: the folder it stands in, and the
//! environment. Handed in, so that tests bring their own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::patterns::Patterns;

/// The folder and the environment.
pub(super) struct Surroundings<'a> {
    folder: PathBuf,
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    named: RefCell<BTreeSet<PathBuf>>,
    patterns: Patterns,
}

impl<'a> Surroundings<'a> {
    /// Of this configuration file.
    pub(super) fn of(file: &Path, environment: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        Self { folder, environment, named: RefCell::default(), patterns: Patterns::default() }
    }

    /// Where a path of the YAML leads: relative ones start at the folder of the file.
    /// It is one of the files that the configuration is made of from now on.
    pub(super) fn locate(&self, path: &Path) -> PathBuf {
        let place = self.folder.join(path);
        self.named.borrow_mut().insert(place.clone());
        place
    }

    /// Notes that a file was named which changes without the configuration changing.
    pub(super) fn leave_out(&self, place: &Path) {
        self.named.borrow_mut().remove(place);
    }

    /// `file` and all that it names.
    pub(super) fn files(&self, file: &Path) -> Vec<PathBuf> {
        let named = self.named.borrow();
        std::iter::once(file.to_owned()).chain(named.iter().cloned()).collect()
    }

    /// The patterns that were compiled in this reading.
    pub(super) fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// The value of an environment variable.
    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        (self.environment)(name)
    }
}
