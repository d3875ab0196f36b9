//! The way to a place in the YAML, as in `portals.wiki.hosts[0]`.

use std::fmt;

/// Keys and indices from the root down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct KeyPath {
    segments: Vec<Segment>,
}

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl KeyPath {
    /// The whole file.
    pub(super) fn root() -> Self {
        Self::default()
    }

    /// The value under `key`.
    pub(super) fn key(&self, key: impl Into<String>) -> Self {
        self.then(Segment::Key(key.into()))
    }

    /// The element at `index`, counted from zero.
    pub(super) fn index(&self, index: usize) -> Self {
        self.then(Segment::Index(index))
    }

    fn then(&self, segment: Segment) -> Self {
        let mut segments = self.segments.clone();
        segments.push(segment);
        Self { segments }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What this is a part of, unless it is the whole file.
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, above) = self.segments.split_last()?;
        Some(Self { segments: above.to_vec() })
    }

    /// The last key, unless this is the whole file or an element.
    pub(super) fn last_key(&self) -> Option<&str> {
        match self.segments.last()? {
            Segment::Key(key) => Some(key),
            Segment::Index(_) => None,
        }
    }

    /// Whether this is `other` or a part of it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.segments.starts_with(&other.segments)
    }
}

impl From<&serde_path_to_error::Path> for KeyPath {
    fn from(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment as Given;
        let segments = path.iter().filter_map(|segment| match segment {
            Given::Seq { index } => Some(Segment::Index(*index)),
            Given::Map { key } => Some(Segment::Key(key.clone())),
            Given::Enum { .. } | Given::Unknown => None,
        });
        Self { segments: segments.collect() }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(out, "[{index}]")?,
                Segment::Key(key) if depth == 0 => out.write_str(&printable(key))?,
                Segment::Key(key) => write!(out, ".{}", printable(key))?,
            }
        }
        Ok(())
    }
}

/// A key comes from the file and may hold what would break the line it is printed on.
fn printable(key: &str) -> String {
    key.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}
