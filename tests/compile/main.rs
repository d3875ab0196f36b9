//! What must not compile: a right to reach a portal that nobody decided on, and a secret
//! that can be printed. The compiler is asked about each case against the library that was
//! built for these tests; what it has to say stands beside the case.

// A test may panic, and this one is told by its environment which compiler is used.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const CASES: &str = "tests/compile/compile_fail";

#[test]
fn the_compiler_refuses_what_no_code_may_do() {
    let cases = cases();
    assert!(cases.len() > 10, "only {} cases were found in {CASES}", cases.len());
    let library = library();
    let mut faults = Vec::new();
    for case in cases {
        let kept = case.with_extension("stderr");
        let said = compiled(&case, &library);
        if std::env::var_os("KEEP_WHAT_IS_SAID").is_some() {
            fs::write(&kept, &said).unwrap();
        }
        let expected = fs::read_to_string(&kept).unwrap_or_default();
        if said != expected {
            let case = case.display();
            faults.push(format!("{case}: expected\n{expected}\nand the compiler said\n{said}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        entries.filter(|it| it.extension().is_some_and(|it| it == "rs")).collect();
    cases.sort();
    cases
}

/// The library that this test was linked with lies beside it, and is the one built last.
fn library() -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libportcullis-") && name.ends_with(".rlib")
    };
    let built = |path: &PathBuf| {
        fs::metadata(path).and_then(|it| it.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    };
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(is_library).max_by_key(built).expect("the library was not built")
}

/// What the compiler says of a case that it refuses, but for the last lines, which only count.
fn compiled(case: &Path, library: &Path) -> String {
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2024", "--crate-type=bin", "--emit=metadata", "--color=never"])
        .arg("--diagnostic-width=140")
        .arg("--extern")
        .arg(format!("portcullis={}", library.display()))
        .arg(format!("-Ldependency={}", library.parent().unwrap().display()))
        .arg("--out-dir")
        .arg(out.path())
        .arg(case)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{} was compiled", case.display());
    let said = String::from_utf8(output.stderr).unwrap();
    let counts = |line: &&str| {
        !line.starts_with("error: aborting") && !line.starts_with("For more information")
    };
    let lines: Vec<&str> = said.lines().filter(counts).collect();
    format!("{}\n", lines.join("\n").trim_end())
}
