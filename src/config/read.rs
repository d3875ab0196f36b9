//! From text to [`File`]: every key that is unknown and every value of the wrong kind is
//! noted, blanked, and reading starts again, until the rest can be read.

use super::explain;
use super::fault::Findings;
use super::file::File;
use super::key_path::KeyPath;
use super::position::{Oddity, Position};
use super::profiles;
use super::tree::Tree;

/// Beyond this many faults the file is of another kind, and reading stops.
const MOST_FAULTS: usize = 500;

/// Reads what can be read; whatever could not has a fault.
pub(super) fn read(text: &str, oddities: Vec<Oddity>, findings: &mut Findings) -> Option<File> {
    for Oddity { position, key, sentence } in oddities {
        findings.note_at(position, &key, sentence);
    }
    let mut tree = match Tree::parse(text) {
        Ok(tree) => tree,
        Err(error) => {
            note_syntax(&error, findings);
            return None;
        }
    };
    profiles::apply(&mut tree, findings);
    let file = (0..MOST_FAULTS).find_map(|_| attempt(&mut tree, findings))?;
    for blank in tree.blanks() {
        if !findings.knows_fault_within(&blank) {
            findings.fault(&blank, "has no value", "give it one, or remove the key");
        }
    }
    file
}

/// One try: nothing when another is worth it, and the outcome when not.
fn attempt(tree: &mut Tree, findings: &mut Findings) -> Option<Option<File>> {
    let error = match serde_path_to_error::deserialize::<_, File>(tree.root()) {
        Ok(file) => return Some(Some(file)),
        Err(error) => error,
    };
    let key = KeyPath::from(error.path());
    let message = error.into_inner().to_string();
    findings.note(&key, explain::sentence(&key, tree.find(&key), &message));
    // A file that is no mapping has nothing else in it to be told.
    let is_whole = key == KeyPath::root();
    let goes_on = !is_whole && step_over(tree, &key, &message);
    if goes_on { None } else { Some(None) }
}

/// Takes out what was found wrong; gives whether that changed anything.
fn step_over(tree: &mut Tree, key: &KeyPath, message: &str) -> bool {
    if explain::is_unknown_key(message) { tree.remove(key) } else { tree.blank(key) }
}

/// The walk over positions tells most syntax faults first and better; this is for those
/// that only the reader of values sees.
fn note_syntax(error: &serde_yaml::Error, findings: &mut Findings) {
    if findings.knows_fault_within(&KeyPath::root()) {
        return;
    }
    let place = error.location();
    let position = place
        .map_or(Position::START, |place| Position { line: place.line(), column: place.column() });
    let sentence = format!("is not YAML that can be read: {error}; mend this line");
    findings.note_at(position, &KeyPath::root(), sentence);
}
