//! `portcullis check`: reads a configuration and everything that it names, and tells all
//! that is wrong with it at once. It changes nothing and opens no port; unless told not to, it
//! looks at the portals' login pages and at the server of mails.

use std::io::{self, Write};
use std::path::Path;

use super::{mail, probe};
use crate::config::{self, Config, Faults, Loaded};

/// Checks the file and gives the exit code: 0 when it can be run, 1 when it cannot.
pub fn run(file: &Path, offline: bool) -> u8 {
    let loaded = config::load(file);
    let look = |config: &Config| match offline {
        true => Vec::new(),
        false => [probe::warnings(config), mail::warnings(config)].concat(),
    };
    report(file, loaded, &look, &mut io::stdout().lock(), &mut io::stderr().lock())
}

/// A reader that has gone away changes nothing about the verdict, which is in the exit
/// code; so failed writes are passed over.
fn report(
    file: &Path,
    outcome: Result<Loaded, Faults>,
    look: &dyn Fn(&Config) -> Vec<String>,
    out: &mut dyn Write,
    complaints: &mut dyn Write,
) -> u8 {
    let Loaded { config, warnings, .. } = match outcome {
        Ok(loaded) => loaded,
        Err(faults) => {
            let _ = writeln!(complaints, "{faults}");
            return 1;
        }
    };
    for warning in &warnings {
        let _ = writeln!(complaints, "{warning}");
    }
    for warning in look(&config) {
        let _ = writeln!(complaints, "{}: {warning}", file.display());
    }
    let count = config.portals.len();
    let portals = if count == 1 { "portal" } else { "portals" };
    let _ = writeln!(out, "{}: ok, {count} {portals}", file.display());
    0
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::config;

    /// The exit code and what was printed, for a file of the repository with one edit.
    fn check(from: &str, to: &str) -> (u8, String, String) {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.yaml");
        let text = fs::read_to_string(example).unwrap();
        assert!(text.contains(from), "{from}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.yaml");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let (mut out, mut complaints) = (Vec::new(), Vec::new());
        let shown = Path::new("gateway.yaml");
        let look = |_: &config::Config| Vec::new();
        let code = super::report(shown, config::load(&file), &look, &mut out, &mut complaints);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(complaints).unwrap())
    }

    #[test]
    fn a_good_file_is_ok() {
        let nothing = String::new();
        assert_eq!(check("", ""), (0, "gateway.yaml: ok, 1 portal\n".to_owned(), nothing));
    }

    #[test]
    fn a_warning_is_told_and_does_not_fail() {
        let (code, out, complaints) = check("address: 127.0.0.1:8080", "address: 0.0.0.0:8080");
        assert_eq!((code, out.as_str()), (0, "gateway.yaml: ok, 1 portal\n"));
        assert_eq!(complaints.lines().count(), 1);
        assert!(complaints.contains(": warning: listeners[0].address: "), "{complaints}");
    }

    #[test]
    fn every_fault_has_a_line_and_the_file_fails() {
        let (code, out, complaints) = check("session:", "sesion:\n  x: 1\nhosts: 1\nsession:");
        assert_eq!((code, out.as_str()), (1, ""));
        assert_eq!(complaints.lines().count(), 2, "{complaints}");
    }
}
