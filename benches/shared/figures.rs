//! What benches that start real processes say, and what they read off: sizes from environment
//! variables, lines of figures, percentiles, memory.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A size from the environment.
pub fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

/// Prints one figure.
pub fn say(what: &str, how: impl Display) {
    println!("{what:<48} {how}");
}

pub fn percentiles(times: impl Iterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    format!("{:.1?} and {:.1?}", at(50), at(99))
}

/// What a process has in memory now, and the most it ever had, in KiB.
#[derive(Clone, Copy)]
pub struct Memory {
    pub now: u64,
    pub most: u64,
}

impl Memory {
    pub fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        Self { now: kib("VmRSS:"), most: kib("VmHWM:") }
    }
}

impl Display for Memory {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} MiB, at most {} MiB", self.now / 1024, self.most / 1024)
    }
}

/// How long a file is, or all the files of a folder.
pub fn size(path: &Path) -> String {
    let files: Vec<_> = match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => vec![path.to_owned()],
    };
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    format!("{} MiB", bytes / 1024 / 1024)
}

/// The machine's own time, in seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
