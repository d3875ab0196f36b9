//! The repository's files, as the rules read them.

use std::fs;
use std::path::{Path, PathBuf};

/// A file with its path from the repository's root.
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The checkout that these tests were built from.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The one that we are in.
    pub(crate) fn here() -> Self {
        Self { root: PathBuf::from(env!("CARGO_MANIFEST_DIR")) }
    }

    /// Whether something is at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The text of one file.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// All text files below `folder` whose name ends so; a folder that is not there has none.
    pub(crate) fn files(&self, folder: &str, extension: &str) -> Vec<TextFile> {
        let mut found = Vec::new();
        self.collect(&self.root.join(folder), extension, &mut found);
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn collect(&self, folder: &Path, extension: &str, found: &mut Vec<TextFile>) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries {
            let path = entry.expect("a folder could not be listed").path();
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            if path.is_dir() {
                self.collect(&path, extension, found);
            } else if (extension.is_empty() || kind == extension)
                // Pictures and the like are not text, and no rule here is about them.
                && let Ok(text) = fs::read_to_string(&path)
            {
                let path = path.strip_prefix(&self.root).unwrap();
                found.push(TextFile { path: path.to_str().unwrap().to_owned(), text });
            }
        }
    }
}
