//! Portals as people run them, each tried on the real thing: the keys of `config/profiles/`,
//! which count wherever a portal's own entry leaves them out. They are built in, so that what
//! was tried and what runs are the same.

use serde_yaml::Value;

use super::explain;
use super::fault::Findings;
use super::key_path::KeyPath;
use super::tree::Tree;

/// Takes the names of the files and gives each with its text.
macro_rules! profiles {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../config/profiles/", $name, ".yaml")))),*]
    };
}

/// Every profile, in the order of the alphabet.
const PROFILES: &[(&str, &str)] = profiles![
    "adminer",
    "django",
    "dokuwiki",
    "jupyter",
    "node-red",
    "prometheus",
    "radicale",
    "redmine",
    "wordpress",
];

/// Keys of a profile that belong to the portal; all others belong to its identity.
const OF_THE_PORTAL: [&str; 2] = ["public", "spa"];

/// With what a profile was tried: for people alone.
const TESTED: &str = "tested";

/// The names of all profiles.
pub(super) fn names() -> Vec<&'static str> {
    PROFILES.iter().map(|(name, _)| *name).collect()
}

/// Gives every portal that names a profile the keys that it leaves out.
pub(super) fn apply(tree: &mut Tree, findings: &mut Findings) {
    for portal in portals(tree) {
        let named_at = portal.key("identity").key("profile");
        // Anything but a text is told by the reader of values.
        let Some(name) = tree.find(&named_at).and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        match find(&name) {
            Some(profile) => lend(&profile, &name, &portal, tree, findings),
            None => note_unknown(&name, &named_at, findings),
        }
    }
}

fn portals(tree: &Tree) -> Vec<KeyPath> {
    let at = KeyPath::root().key("portals");
    let portals = tree.find(&at).and_then(Value::as_mapping);
    let names = portals.into_iter().flat_map(|portals| portals.keys());
    names.filter_map(Value::as_str).map(|name| at.key(name)).collect()
}

/// The profile of that name. One that is not YAML counts as none; a test reads them all.
fn find(name: &str) -> Option<Tree> {
    let (_, text) = PROFILES.iter().find(|(known, _)| *known == name)?;
    Tree::parse(text).ok()
}

/// Key by key, and each as a whole: what the file has is not mixed with what it has not.
fn lend(profile: &Tree, name: &str, portal: &KeyPath, tree: &mut Tree, findings: &mut Findings) {
    let identity = portal.key("identity");
    for (key, value) in profile.root().as_mapping().into_iter().flatten() {
        let Some(key) = key.as_str().filter(|key| *key != TESTED) else {
            continue;
        };
        let owner = if OF_THE_PORTAL.contains(&key) { portal } else { &identity };
        if tree.lend(owner, key, value.clone()) {
            findings.borrow(owner.key(key), identity.key("profile"), format!("profile {name}"));
        }
    }
}

/// The name is not repeated, as no value is.
fn note_unknown(name: &str, at: &KeyPath, findings: &mut Findings) {
    let known = names().join(", ");
    let mend = match explain::nearest(name, names().into_iter()) {
        Some(near) => format!("did you mean '{near}'? There are {known}"),
        None => format!("use one of {known}"),
    };
    findings.fault(at, "is not a known profile", mend);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_yaml::Value;

    use super::{OF_THE_PORTAL, PROFILES, TESTED, names};
    use crate::config::position;
    use crate::config::tree::Tree;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/profiles");

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let files = fs::read_dir(FOLDER).unwrap();
        let mut files: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let known: Vec<String> = names().iter().map(|name| format!("{name}.yaml")).collect();
        assert_eq!(files, known);
    }

    #[test]
    fn every_profile_is_read_as_it_is_written_and_says_with_what_it_was_tried() {
        for (name, text) in PROFILES {
            assert_eq!(position::walk(text).1, [], "{name}");
            let tree = Tree::parse(text).unwrap();
            let keys = tree.root().as_mapping().unwrap();
            let tested = keys.get(TESTED).and_then(Value::as_str).unwrap_or_default();
            assert!(tested.contains(|sign: char| sign.is_ascii_digit()), "{name}: {tested:?}");
            let identity = keys.keys().filter(|key| {
                let key = key.as_str().unwrap();
                key != TESTED && !OF_THE_PORTAL.contains(&key)
            });
            assert!(identity.count() > 1, "{name} says nothing of how users are known");
            for foreign in ["profile", "hosts", "upstreams"] {
                assert!(!keys.contains_key(foreign), "{name} has {foreign}");
            }
        }
    }
}
