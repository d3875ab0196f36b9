//! From a file to a [`Config`]: its text, its places, its values, and then its meaning.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fault::{Fault, Faults, Findings};
use super::fixed::Running;
use super::key_path::KeyPath;
use super::position::{self, Positions};
use super::surroundings::Surroundings;
use super::{Config, check, read};

/// No configuration comes near this; a larger file is the wrong one.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What came out of a file without faults.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Where it is weaker than it could be, in the order of the file.
    pub warnings: Vec<Fault>,
    /// The file itself and every file and folder that it names, but for the store and the
    /// master key: whoever changes one of them offers another configuration.
    pub files: Vec<PathBuf>,
}

/// Reads the file and everything that it names.
///
/// # Errors
/// With every fault of the file at once.
pub fn load(file: &Path) -> Result<Loaded, Faults> {
    // One of the places that may look at the environment: secrets can come from there.
    #[allow(clippy::disallowed_methods)]
    load_with(file, &|name| std::env::var_os(name))
}

/// Like [`load`], for a configuration that is to take the place of the one that runs.
///
/// # Errors
/// With every fault of the file at once, also where it wants what only a restart can change.
pub fn load_again(file: &Path, running: &Running<'_>) -> Result<Loaded, Faults> {
    #[allow(clippy::disallowed_methods)]
    read_and_check(file, &|name| std::env::var_os(name), Some(running))
}

/// Like [`load`], with an environment of the caller's.
///
/// # Errors
/// With every fault of the file at once.
pub fn load_with(
    file: &Path,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Loaded, Faults> {
    read_and_check(file, environment, None)
}

fn read_and_check(
    file: &Path,
    environment: &dyn Fn(&str) -> Option<OsString>,
    running: Option<&Running<'_>>,
) -> Result<Loaded, Faults> {
    let text = match read_text(file) {
        Ok(text) => text,
        Err(error) => {
            let mut findings = Findings::new(file, Positions::default());
            findings.fault(
                &KeyPath::root(),
                format!("cannot be read: {error}"),
                "name a YAML file",
            );
            return conclude(findings, None, vec![file.to_owned()]);
        }
    };
    check_text(file, &text, environment, running)
}

/// Like [`load_with`], with the text that would stand in the file.
///
/// # Errors
/// With every fault of the text at once.
pub fn load_text(
    file: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Loaded, Faults> {
    check_text(file, text, environment, None)
}

fn check_text(
    file: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
    running: Option<&Running<'_>>,
) -> Result<Loaded, Faults> {
    let (positions, oddities) = position::walk(text);
    let mut findings = Findings::new(file, positions);
    let around = Surroundings::of(file, environment);
    let written = read::read(text, oddities, &mut findings);
    let config = written.and_then(|written| check::check(written, &around, &mut findings));
    if let (Some(config), Some(running)) = (&config, running) {
        running.compare(config, &mut findings);
    }
    conclude(findings, config, around.files(file))
}

fn conclude(
    findings: Findings,
    config: Option<Config>,
    files: Vec<PathBuf>,
) -> Result<Loaded, Faults> {
    match findings.conclude(config) {
        Ok((config, warnings)) => Ok(Loaded { config, warnings, files }),
        Err(faults) => Err(faults.found_in(files)),
    }
}

fn read_text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(file)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("it is longer than 16 MiB"));
    }
    // Some editors put a byte order mark in front, which is no part of the first key.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
