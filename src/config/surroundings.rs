//! What a configuration may look at besides its own text: the folder it stands in, and the
//! environment. Handed in, so that tests bring their own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder and the environment.
pub(super) struct Surroundings<'a> {
    folder: PathBuf,
    environment: &'a dyn Fn(&str) -> Option<OsString>,
}

impl<'a> Surroundings<'a> {
    /// Of this configuration file.
    pub(super) fn of(file: &Path, environment: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { folder: file.parent().unwrap_or(Path::new("")).to_owned(), environment }
    }

    /// Where a path of the YAML leads: relative ones start at the folder of the file.
    pub(super) fn locate(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The value of an environment variable.
    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        (self.environment)(name)
    }
}
