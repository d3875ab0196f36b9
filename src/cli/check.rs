//! `portcullis check`: reads a configuration and everything that it names, and tells all
//! that is wrong with it at once. It changes nothing and opens no port.

use std::io::{self, Write};
use std::path::Path;

use crate::config::{self, Faults, Loaded};

/// Checks the file and gives the exit code: 0 when it can be run, 1 when it cannot.
pub fn run(file: &Path) -> u8 {
    report(file, config::load(file), &mut io::stdout().lock(), &mut io::stderr().lock())
}

/// A reader that has gone away changes nothing about the verdict, which is in the exit
/// code; so failed writes are passed over.
fn report(
    file: &Path,
    outcome: Result<Loaded, Faults>,
    out: &mut dyn Write,
    complaints: &mut dyn Write,
) -> u8 {
    let Loaded { config, warnings } = match outcome {
        Ok(loaded) => loaded,
        Err(faults) => {
            let _ = writeln!(complaints, "{faults}");
            return 1;
        }
    };
    for warning in &warnings {
        let _ = writeln!(complaints, "{warning}");
    }
    let count = config.portals.len();
    let portals = if count == 1 { "portal" } else { "portals" };
    let _ = writeln!(out, "{}: ok, {count} {portals}", file.display());
    0
}
