//! Keys that the design has and this version has not. They are refused like any unknown
//! key, but told apart from a typo: who wrote one expects a protection that is not there.

use super::key_path::{KeyPath, Segment};

/// A star stands for any portal or element.
const KEYS: &[&str] = &["branding.logo"];

/// Words that a key will take one day.
const WORDS: &[(&str, &str)] = &[];

/// Whether a later version knows the key.
pub(super) fn comes(key: &KeyPath) -> bool {
    KEYS.iter().any(|pattern| fits(pattern, key.segments()))
}

/// The keys of later versions that stand beside this one.
pub(super) fn siblings(key: &KeyPath) -> Vec<String> {
    let above = key.parent().unwrap_or_default();
    let beside = KEYS.iter().filter_map(|pattern| match pattern.rsplit_once('.') {
        Some((parent, name)) => fits(parent, above.segments()).then_some(name),
        None => above.segments().is_empty().then_some(*pattern),
    });
    beside.map(str::to_owned).collect()
}

/// Whether a later version takes the word at the key.
pub(super) fn is_word(key: &KeyPath, word: &str) -> bool {
    WORDS.iter().any(|(pattern, later)| *later == word && fits(pattern, key.segments()))
}

fn fits(pattern: &str, segments: &[Segment]) -> bool {
    let mut wanted = pattern.split('.');
    let each = segments.iter().all(|segment| match (wanted.next(), segment) {
        (Some("*"), _) => true,
        (Some(name), Segment::Key(key)) => name == key,
        (Some(_), Segment::Index(_)) | (None, _) => false,
    });
    each && wanted.next().is_none()
}
