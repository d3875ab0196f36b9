//! The audit log as its reader has it: lines on disk, and what they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Gateway, eventually};

/// Names an audit log in a gateway's own folder.
pub const AUDIT: &str = "telemetry: { audit: data/audit.jsonl }";

/// Where that one is.
pub fn place(gateway: &Gateway) -> PathBuf {
    gateway.folder().join("data/audit.jsonl")
}

/// All lines that are on disk, as they stand there.
pub fn text(gateway: &Gateway) -> String {
    fs::read_to_string(place(gateway)).unwrap()
}

/// The same, read.
pub fn lines(gateway: &Gateway) -> Vec<Value> {
    text(gateway).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of this kind, as soon as there are so many of them.
pub async fn wait_for(gateway: &Gateway, event: &str, count: usize) -> Vec<Value> {
    let is_one = |line: &Value| line["event"] == event;
    let found = || lines(gateway).into_iter().filter(is_one).collect::<Vec<_>>();
    eventually(event, async || Some(found()).filter(|found| found.len() >= count)).await
}

/// A line in one short text: what happened, by whom, to whom, and the details that it has.
pub fn short(line: &Value) -> String {
    let mut words = vec![line["event"].as_str().unwrap().to_owned()];
    let by = &line["by"];
    words.push(
        ["kind", "name"].iter().filter_map(|key| by[key].as_str()).collect::<Vec<_>>().join(":"),
    );
    words.extend(line["user"].as_str().map(str::to_owned));
    let own = ["seq", "at", "event", "by", "portal", "user", "client", "request", "before"];
    let details = line.as_object().unwrap().iter().filter(|(key, _)| !own.contains(&key.as_str()));
    words.extend(details.map(|(key, value)| format!("{key}={}", value.as_str().unwrap())));
    words.join(" ")
}

/// A disk of 64 KiB, which is gone when it is dropped. To mount one takes root.
pub struct TinyDisk(TempDir);

impl TinyDisk {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(folder.path()).status().unwrap();
        assert!(mounted.success(), "a disk can be mounted by root alone");
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room on it.
    pub fn fill(&self) {
        // The disk takes as much of it as it can.
        let _full = fs::write(self.0.path().join("ballast"), vec![0; 1 << 20]);
    }

    /// Makes room again.
    pub fn clear(&self) {
        fs::remove_file(self.0.path().join("ballast")).unwrap();
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
