//! A folder with one configuration in it, and the lines that loading it gives.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis::config::{Config, Faults, Loaded, load_with};
use tempfile::TempDir;

/// A configuration without fault or warning. The cases are edits of it, so that each shows
/// what it is about and nothing else.
pub const GOOD: &str = r#"listeners:
  - address: 127.0.0.1:8080
admin:
  address: 127.0.0.1:9443
store:
  path: data/store
keys:
  master: file:secrets/master.key
session:
  lifetime: 12h
  idle: 1h
totp:
  issuer: Example Ltd
portals:
  wiki:
    hosts: [wiki.example.com]
    upstreams: ["http://127.0.0.1:8000"]
    public: [/lib/**, /robots.txt]
    prefix: /.mfa
    identity:
      logins:
        - request:
            method: POST
            path: /doku.php
            form:
              do: login
          username:
            form: u
          success:
            status: [302, 303]
            location: { not: "/login*" }
            set_cookie: "DW*"
          failure:
            body: { contains: wrong }
      session_cookies: [DokuWiki, "DW*"]
      rotation: reverify
      username:
        case: fold
        trim: true
        pattern: "[a-z0-9]+"
      login_url: /doku.php?do=login
      logout:
        path: /doku.php
        query:
          do: logout
limits:
  headers: 32KiB
telemetry:
  level: info
  audit: data/audit.jsonl
"#;

/// [`GOOD`] with each first text, which has to be there once, replaced by the second.
pub fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(GOOD.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "'{from}' is not there exactly once");
        text.replace(from, to)
    })
}

/// The faults of [`GOOD`] with these edits.
pub fn check(edits: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(Folder::new().faults(&edited(edits)), expected, "{edits:?}");
}

/// One edit, one fault at the place `at`.
pub fn check_one(from: &str, to: &str, at: &str, sentence: &str) {
    check(&[(from, to)], &[&format!("gateway.yaml:{at}: {sentence}")]);
}

/// A folder of its own for one configuration.
pub struct Folder {
    folder: TempDir,
    environment: Vec<(String, OsString)>,
}

impl Folder {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), environment: Vec::new() }
    }

    /// Puts a file there and gives its place.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Sets an environment variable for this folder alone.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn load(&self, yaml: &str) -> Result<Loaded, Faults> {
        let file = self.put("gateway.yaml", yaml);
        load_with(&file, &|name| {
            let set = self.environment.iter().find(|(known, _)| known == name);
            set.map(|(_, value)| value.clone())
        })
    }

    pub fn config(&self, yaml: &str) -> Config {
        match self.load(yaml) {
            Ok(loaded) => loaded.config,
            Err(faults) => panic!("{faults}"),
        }
    }

    /// The fault lines, with the folder's name left out.
    pub fn faults(&self, yaml: &str) -> Vec<String> {
        match self.load(yaml) {
            Ok(_) => Vec::new(),
            Err(faults) => self.lines(faults.to_string().lines()),
        }
    }

    /// The warning lines of a configuration without fault.
    pub fn warnings(&self, yaml: &str) -> Vec<String> {
        match self.load(yaml) {
            Ok(loaded) => {
                let lines: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
                self.lines(lines.iter().map(String::as_str))
            }
            Err(faults) => panic!("{faults}"),
        }
    }

    fn lines<'a>(&self, lines: impl Iterator<Item = &'a str>) -> Vec<String> {
        let here = format!("{}/", self.folder.path().display());
        lines.map(|line| line.replace(&here, "")).collect()
    }
}
