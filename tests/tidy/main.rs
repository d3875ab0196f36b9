//! The house rules that no compiler knows: who may import what, how long a file may be, and
//! that documents name things which exist. Each rule is a function from text to faults, which
//! is tried on small samples here and then on the whole repository.

// The helpers of a test crate may panic as its tests may: that is how a test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dependencies;
mod documents;
mod imports;
mod repository;
mod shape;
mod source;

use repository::{Repository, TextFile};

/// Fails with every fault at once, as a mended one at a time is a day lost.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
}

/// Faults of all these files together.
fn all(files: &[TextFile], rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    files.iter().flat_map(|file| rule(&file.path, &file.text)).collect()
}

#[test]
fn rooms_import_downwards_only() {
    let sources = Repository::here().files("src", "rs");
    assert!(sources.len() > 10, "the sources were not found");
    none(all(&sources, imports::faults));
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    let repository = Repository::here();
    let mut files = repository.files("src", "rs");
    files.extend(repository.files("tests", "rs"));
    files.extend(repository.files("benches", "rs"));
    none(all(&files, shape::faults));
}

#[test]
fn nothing_is_left_for_later() {
    let repository = Repository::here();
    let mut files = Vec::new();
    for (folder, extension) in [
        ("src", ""),
        ("tests", ""),
        ("scripts", ""),
        ("docs", "md"),
        ("config", ""),
        ("deploy", ""),
    ] {
        files.extend(repository.files(folder, extension));
    }
    none(all(&files, shape::left_for_later));
}

#[test]
fn documents_name_only_what_exists() {
    let repository = Repository::here();
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = repository.read(name).unwrap_or_else(|| panic!("{name} is not there"));
        none(documents::faults(name, &text, |path| repository.has(path)));
    }
}

#[test]
fn every_dependency_has_its_reason_written_down() {
    let repository = Repository::here();
    let manifest = repository.read("Cargo.toml").expect("no Cargo.toml");
    let reasons = repository.read("docs/dependencies.md").expect("no docs/dependencies.md");
    none(dependencies::faults(&manifest, &reasons));
}

#[test]
fn compose_mounts_only_what_exists() {
    let repository = Repository::here();
    for name in ["docker-compose.yml", "docker-compose.cluster.yml"] {
        let text = repository.read(name).unwrap_or_else(|| panic!("{name} is not there"));
        let compose: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let services = compose["services"].as_mapping().expect("no services");
        let mounted: Vec<&str> = services
            .values()
            .filter_map(|service| service["volumes"].as_sequence())
            .flatten()
            .filter_map(|volume| volume.as_str()?.strip_prefix("./")?.split(':').next())
            .collect();
        assert!(!mounted.is_empty(), "no mounted file was found in {name}");
        for path in mounted {
            assert!(repository.has(path), "{name} mounts {path}, which is not there");
        }
    }
}
