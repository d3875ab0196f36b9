//! Finds the rules whose path may fit a request, by the segments of the path: what cannot
//! fit is not looked at. It finds also what fits only for a portal that is less exact about
//! spelling than we are; whoever asks looks again at what was found.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::net::path::{PathPattern, Segment, first_segment};

/// A tree with a segment on each branch.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    root: Node,
}

#[derive(Clone, Debug, Default)]
struct Node {
    exactly: HashMap<Box<str>, Self>,
    one: Option<Box<Self>>,
    many: Option<Box<Self>>,
    /// What ends here.
    ends: Vec<usize>,
    /// What takes everything below, and perhaps this place itself.
    below: Vec<usize>,
}

impl Index {
    /// Puts `number` where paths lead that fit `pattern`; without one, every path does.
    pub(super) fn insert(&mut self, pattern: Option<&PathPattern>, number: usize) {
        let segments = pattern.map_or([Segment::Many].as_slice(), PathPattern::segments);
        self.root.insert(segments, number);
    }

    /// Tells every number whose pattern may fit a canonical path, some of them twice.
    pub(super) fn find(&self, path: &str, found: &mut dyn FnMut(usize)) {
        let path = path.strip_prefix('/').unwrap_or(path);
        // To most portals a slash at the end makes no difference.
        let path = path.strip_suffix('/').unwrap_or(path);
        self.root.find((!path.is_empty()).then_some(path), found);
    }
}

/// Both go as deep as a pattern has segments, which [`PathPattern`] limits.
impl Node {
    fn insert(&mut self, segments: &[Segment], number: usize) {
        match segments {
            [] => self.ends.push(number),
            [Segment::Many] => self.below.push(number),
            [Segment::Exactly(text)] if text.is_empty() => self.ends.push(number),
            [Segment::Exactly(text), rest @ ..] => {
                let text = likeness(text).into();
                self.exactly.entry(text).or_default().insert(rest, number);
            }
            [Segment::One, rest @ ..] => self.one.get_or_insert_default().insert(rest, number),
            [Segment::Many, rest @ ..] => self.many.get_or_insert_default().insert(rest, number),
        }
    }

    fn find(&self, rest: Option<&str>, found: &mut dyn FnMut(usize)) {
        self.below.iter().copied().for_each(&mut *found);
        let Some(rest) = rest else {
            self.ends.iter().copied().for_each(found);
            return;
        };
        let (first, after) = first_segment(rest);
        if !self.exactly.is_empty()
            && let Some(node) = self.exactly.get(likeness(first).as_ref())
        {
            node.find(after, found);
        }
        if let Some(node) = &self.one {
            node.find(after, found);
        }
        if let Some(node) = &self.many {
            let mut rest = Some(rest);
            while let Some(some) = rest {
                node.find(rest, found);
                rest = first_segment(some).1;
            }
        }
    }
}

/// What a segment has in common with all that some portal takes for the same: whatever the
/// case, the signs that are escaped, and the dots and spaces at its end.
pub(super) fn likeness(segment: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii() && byte != b'%' && !byte.is_ascii_uppercase();
    if segment.bytes().all(is_plain) {
        return Cow::Borrowed(segment.trim_end_matches(['.', ' ']));
    }
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
    Cow::Owned(decoded.trim_end_matches(['.', ' ']).to_lowercase())
}
