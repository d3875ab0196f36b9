//! Every way to falsify a log of fifty lines, and which line is named for it.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::audit::line::Draft;
use crate::audit::{By, Detail, Entry, Event};
use crate::clock::UnixMillis;

const LINES: u64 = 50;

/// Where each byte has its turn, and the whole log is read for each.
const FEW: u64 = 10;

struct Log {
    folder: tempfile::TempDir,
    lines: Vec<String>,
    head: Head,
}

/// A log of fifty lines, as it was written.
fn log() -> Log {
    log_of(LINES)
}

fn log_of(count: u64) -> Log {
    let (mut head, mut lines) = (Head::START, Vec::new());
    for seq in 1..=count {
        let entry = Entry::new(Event::CodeAccepted, By::User).at("wiki").to("alice");
        let entry = entry.with(Detail::Factor, "totp");
        let draft = Draft::of(UnixMillis::from_seconds(1_800_000_000 + seq), &entry);
        let line = draft.placed(seq, head.hash);
        head = head.after(line.as_bytes());
        lines.push(line);
    }
    Log { folder: tempfile::tempdir().unwrap(), lines, head }
}

impl Log {
    fn place(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn bytes(&self) -> Vec<u8> {
        text(&self.lines).into_bytes()
    }

    fn judged(&self, bytes: &[u8]) -> Result<Whole, Broken> {
        fs::write(self.place(), bytes).unwrap();
        judged(&[self.place()], Known { head: Some(self.head), after: 0 })
    }

    /// At which line what is wrong.
    fn fault(&self, lines: &[String]) -> (u64, &'static str) {
        let broken = self.judged(text(lines).as_bytes()).unwrap_err();
        (broken.line, broken.what.as_str())
    }
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn judged(files: &[PathBuf], known: Known) -> Result<Whole, Broken> {
    let sources = files.iter().map(|file| Source::open(file, None).unwrap()).collect();
    verify(sources, Path::new("audit.jsonl"), known).unwrap()
}

#[test]
fn a_log_as_it_was_written_is_whole() {
    let log = log();
    assert_eq!(log.judged(&log.bytes()), Ok(Whole { lines: LINES, from: 1, to: LINES }));
}

#[test]
fn any_changed_byte_is_found_at_its_line() {
    let log = log_of(FEW);
    let bytes = log.bytes();
    for place in 0..bytes.len() {
        for other in [bytes[place] ^ 1, b'\n', b'0'] {
            if other == bytes[place] {
                continue;
            }
            let line = 1 + bytes[..place].iter().filter(|byte| **byte == b'\n').count() as u64;
            let mut changed = bytes.clone();
            changed[place] = other;
            let broken = log.judged(&changed).unwrap_err();
            assert_eq!(broken.line, line, "byte {place} became {other}: {broken:?}");
            let is_last = place == bytes.len() - 1;
            assert_eq!(broken.what.as_str(), if is_last { "cut_off" } else { "changed" });
        }
    }
}

#[test]
fn any_removed_line_is_found_where_it_is_missing() {
    let log = log();
    for gone in 0..log.lines.len() - 1 {
        let mut lines = log.lines.clone();
        lines.remove(gone);
        assert_eq!(log.fault(&lines), (gone as u64 + 1, "removed"));
    }
    assert_eq!(log.fault(&log.lines[..49]), (50, "cut_off"));
}

#[test]
fn any_moved_or_doubled_line_is_found_where_it_stands() {
    let log = log();
    for place in 0..log.lines.len() - 1 {
        let mut lines = log.lines.clone();
        lines.swap(place, place + 1);
        assert_eq!(log.fault(&lines), (place as u64 + 1, "moved"));
        let mut lines = log.lines.clone();
        lines.insert(place, lines[place].clone());
        assert_eq!(log.fault(&lines), (place as u64 + 2, "moved"));
    }
}

#[test]
fn an_end_that_was_cut_off_is_found_wherever_it_was_cut() {
    let log = log_of(FEW);
    let bytes = log.bytes();
    for length in 0..bytes.len() {
        let broken = log.judged(&bytes[..length]).unwrap_err();
        let whole = bytes[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!((broken.line, broken.what), (whole + 1, Wrong::CutOff { to: FEW }));
    }
}

#[test]
fn a_chain_that_was_made_anew_is_not_the_one_that_was_written() {
    let log = log();
    let (mut head, mut lines) = (Head::START, Vec::new());
    for seq in 1..=LINES + 5 {
        let entry = Entry::new(Event::CodeAccepted, By::User).at("wiki").to("mallory");
        let line = Draft::of(UnixMillis::from_seconds(9), &entry).placed(seq, head.hash);
        head = head.after(line.as_bytes());
        lines.push(line);
    }
    assert_eq!(log.fault(&lines), (LINES, "changed"));
}

#[test]
fn what_was_written_after_the_head_is_no_fault() {
    let log = log();
    let last = &log.lines[LINES as usize - 1];
    let head = Head { seq: LINES - 1, hash: Hash::of(log.lines[48].as_bytes()), first: 1 };
    fs::write(log.place(), log.bytes()).unwrap();
    let known = Known { head: Some(head), after: 0 };
    assert_eq!(judged(&[log.place()], known).map(|whole| whole.to), Ok(LINES));
    assert_eq!(Hash::of(last.as_bytes()), log.head.hash);
}

#[test]
fn files_are_one_chain() {
    let log = log();
    let name = |first| crate::audit::files::named(&log.place(), first, 0);
    let files = [name(1), name(21), log.place()];
    let parts = [&log.lines[..20], &log.lines[20..40], &log.lines[40..]];
    let write = |parts: &[&[String]]| {
        for (file, lines) in files.iter().zip(parts) {
            fs::write(file, text(lines)).unwrap();
        }
    };
    let head = Some(Head { first: 41, ..log.head });
    let known = Known { head, after: 0 };
    write(&parts);
    assert_eq!(judged(&files, known), Ok(Whole { lines: LINES, from: 1, to: LINES }));
    // The oldest may be kept elsewhere.
    assert_eq!(judged(&files[1..], known), Ok(Whole { lines: 30, from: 21, to: LINES }));
    let fault = |files: &[PathBuf]| {
        let broken = judged(files, known).unwrap_err();
        (broken.file, broken.line, broken.what)
    };
    let removed = Wrong::Removed { from: 21, to: 40 };
    assert_eq!(fault(&[name(1), log.place()]), (log.place(), 1, removed));
    // The first line of the first file there is: its name says which one it was.
    write(&[parts[0], &log.lines[21..40], parts[2]]);
    let removed = Wrong::Removed { from: 21, to: 21 };
    assert_eq!(fault(&files[1..]), (name(21), 1, removed));
    // And what the name cannot say the store does.
    write(&[parts[0], parts[1], &log.lines[42..]]);
    let removed = Wrong::Removed { from: 41, to: 42 };
    assert_eq!(fault(&files[2..]), (log.place(), 1, removed));
}

#[test]
fn without_the_store_the_end_alone_may_be_missing() {
    let log = log();
    fs::write(log.place(), text(&log.lines[..30])).unwrap();
    let files = [log.place()];
    assert_eq!(judged(&files, Known::default()).map(|whole| whole.to), Ok(30));
    for changed in 0..29 {
        let mut lines = log.lines[..30].to_vec();
        lines[changed] = lines[changed].replace("alice", "malice");
        fs::write(log.place(), text(&lines)).unwrap();
        let broken = judged(&files, Known::default()).unwrap_err();
        assert_eq!((broken.line, broken.what), (changed as u64 + 1, Wrong::Changed));
    }
}

#[test]
fn what_is_known_is_not_told_again() {
    let log = log();
    let mut lines = log.lines.clone();
    lines.remove(9);
    fs::write(log.place(), text(&lines)).unwrap();
    let judge = |after| judged(&[log.place()], Known { head: Some(log.head), after });
    assert_eq!(judge(10).unwrap_err().line, 10);
    assert_eq!(judge(11), Ok(Whole { lines: LINES - 1, from: 1, to: LINES }));
}
