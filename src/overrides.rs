//! What operators put in the place of our templates: files of the same names in a folder of
//! theirs. A file that would never be used is a fault, since it is most likely a slip.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Templates of ours, by name.
pub type Ours = &'static [(&'static str, &'static str)];

/// Why a folder of templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OverrideError {
    /// The folder, or a file in it, cannot be read.
    #[error("branding.templates: cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// The folder or the file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file would never be used, most likely a slip in its name.
    #[error(
        "branding.templates: {path} replaces no {what} of ours; known names are {known}",
        path = path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What it would replace.
        what: &'static str,
        /// The names that would be used.
        known: String,
    },
    /// A template is replaced twice, so nobody knows by which.
    #[error(
        "branding.templates: {first} and {second} replace the same; remove one of them",
        first = first.display(), second = second.display()
    )]
    Twice {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

/// Which templates of ours are replaced.
#[derive(Debug)]
pub struct Overrides {
    ours: Ours,
    found: BTreeMap<&'static str, PathBuf>,
}

impl Overrides {
    /// Nothing is replaced.
    pub const fn none(ours: Ours) -> Self {
        Self { ours, found: BTreeMap::new() }
    }

    /// What the files of `folder` replace. Files of other extensions, such as a README, are the
    /// operator's own affair. `what` names one of them in a fault.
    ///
    /// # Errors
    /// When the folder cannot be read, or one of its files would never be used.
    pub fn read(
        folder: &Path,
        extensions: &[&str],
        what: &'static str,
        ours: Ours,
    ) -> Result<Self, OverrideError> {
        let unreadable = |source| OverrideError::Unreadable { path: folder.to_owned(), source };
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if extension.is_none_or(|extension| !extensions.contains(&extension)) {
                continue;
            }
            let named =
                |(name, _): &&(&str, &str)| path.file_name().is_some_and(|file| file == *name);
            match ours.iter().find(named) {
                Some((name, _)) => found.insert(*name, path),
                None => return Err(unknown(path, what, ours.iter().map(|(name, _)| *name))),
            };
        }
        Ok(Self { ours, found })
    }

    /// What both replace.
    ///
    /// # Errors
    /// When both replace the same template.
    pub fn and(mut self, other: Self) -> Result<Self, OverrideError> {
        for (name, path) in other.found {
            if let Some(first) = self.found.get(name) {
                return Err(OverrideError::Twice { first: first.clone(), second: path });
            }
            self.found.insert(name, path);
        }
        Ok(self)
    }

    /// Every template by its name: the operator's, or else ours.
    pub fn sources(
        &self,
    ) -> impl Iterator<Item = (&'static str, Result<Cow<'static, str>, OverrideError>)> {
        self.ours.iter().map(|(name, ours)| match self.found.get(name) {
            Some(path) => (*name, read(path).map(Cow::Owned)),
            None => (*name, Ok(Cow::Borrowed(*ours))),
        })
    }

    /// The file that replaces this template, if one does.
    pub fn file(&self, name: &str) -> Option<&Path> {
        self.found.get(name).map(PathBuf::as_path)
    }
}

/// The fault that `path` replaces nothing, with the names that would.
pub fn unknown<'a>(
    path: PathBuf,
    what: &'static str,
    known: impl Iterator<Item = &'a str>,
) -> OverrideError {
    OverrideError::Unknown { path, what, known: known.collect::<Vec<_>>().join(", ") }
}

fn read(path: &Path) -> Result<String, OverrideError> {
    fs::read_to_string(path)
        .map_err(|source| OverrideError::Unreadable { path: path.to_owned(), source })
}
