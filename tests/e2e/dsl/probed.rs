//! A portal that is known from what `portcullis probe` says of it, and from nothing else.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use super::gateway::Fronted;

/// What the probe printed.
pub struct Probed {
    pub text: String,
}

impl Probed {
    /// Probes a portal as the gateway will serve it at `NAME.test`, with an account.
    pub fn new(url: &str, name: &str, (user, password): (&str, &str), more: &[&str]) -> Self {
        let host = format!("{name}.test");
        let account = ["--host", &host, "--user", user, "--password-stdin"];
        let output = probe(&[&[url], &account[..], more].concat(), password);
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{complaints}");
        Self { text: String::from_utf8(output.stdout).unwrap() }
    }
}

/// Runs the command; the password is its input.
pub fn probe(arguments: &[&str], password: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("probe")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    child.wait_with_output().unwrap()
}

impl Fronted for Probed {
    /// The part below the portal's name, unchanged but for its indentation.
    fn entry(&self, host: &str) -> String {
        let (_, portals) = self.text.split_once("\nportals:\n").unwrap();
        let lines = portals.lines().skip(1).map(|line| line.strip_prefix("    ").unwrap_or(line));
        let entry: String = lines.map(|line| format!("{line}\n")).collect();
        assert!(entry.contains(&format!("hosts: [{host}]")), "{entry}");
        entry
    }
}
