//! What a writer finds when it opens a log, and what it leaves.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::audit::line::Draft;
use crate::audit::verify::{Whole, Wrong};
use crate::audit::{By, Entry, Event};
use crate::clock::UnixMillis;

const LONG: u64 = 1 << 20;

struct Desk {
    folder: tempfile::TempDir,
    /// What the store knows.
    kept: Option<Head>,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), kept: None }
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("log/audit.jsonl")
    }

    fn open(&self, longest: u64) -> Opened {
        Book::open(&self.place(), self.kept, longest).unwrap()
    }

    fn fault(&self) -> String {
        Book::open(&self.place(), self.kept, LONG).map(|_| ()).unwrap_err().to_string()
    }

    /// Writes so many lines, and keeps how far they go.
    fn write(&mut self, book: &mut Book, count: u64) {
        for _ in 0..count {
            write_one(book);
            self.kept = Some(book.head());
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.place()).unwrap()
    }

    /// Whether all files together are one chain up to what the store knows.
    fn judged(&self) -> Result<Whole, Broken> {
        let mut files = files::earlier(&self.place()).unwrap();
        files.push(self.place());
        let sources = files.iter().filter(|file| file.exists());
        let sources = sources.map(|file| Source::open(file, None).unwrap()).collect();
        verify(sources, &self.place(), Known { head: self.kept, after: 0 }).unwrap()
    }

    fn mode(&self) -> u32 {
        fs::metadata(self.place()).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(self.place(), fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn write_one(book: &mut Book) {
    let entry = Entry::new(Event::CodeAccepted, By::User).at("wiki").to("alice");
    let draft = Draft::of(UnixMillis::from_seconds(1_800_000_000), &entry);
    let line = draft.placed(book.head().seq + 1, book.head().hash);
    let head = book.head().after(line.as_bytes());
    book.write(&format!("{line}\n"), head).unwrap();
}

#[test]
fn a_log_is_made_for_its_owner_alone_and_goes_on_where_it_was() {
    let mut desk = Desk::new();
    let Opened { mut book, broken } = desk.open(LONG);
    assert_eq!(broken, None);
    desk.write(&mut book, 3);
    assert_eq!(desk.mode(), 0o600);
    let Opened { mut book, broken } = desk.open(LONG);
    assert_eq!((broken, book.head()), (None, desk.kept.unwrap()));
    desk.write(&mut book, 2);
    assert_eq!(desk.judged(), Ok(Whole { lines: 5, from: 1, to: 5 }));
}

#[test]
fn a_file_that_others_can_get_at_is_refused() {
    let mut desk = Desk::new();
    desk.write(&mut desk.open(LONG).book, 1);
    for mode in [0o640, 0o604, 0o660, 0o666] {
        desk.set_mode(mode);
        assert!(desk.fault().contains("chmod 600"), "{mode:o}: {}", desk.fault());
    }
    desk.set_mode(0o600);
    let elsewhere = desk.folder.path().join("elsewhere");
    fs::rename(desk.place(), &elsewhere).unwrap();
    symlink(&elsewhere, desk.place()).unwrap();
    assert!(desk.fault().contains("is a link or no file"), "{}", desk.fault());
    fs::remove_file(desk.place()).unwrap();
    fs::create_dir(desk.place()).unwrap();
    assert!(desk.fault().contains("is a link or no file"), "{}", desk.fault());
    fs::remove_dir(desk.place()).unwrap();
    let folder = desk.place().parent().unwrap().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(desk.fault().contains("chmod go-w"), "{}", desk.fault());
}

#[test]
fn a_long_file_is_put_away_and_the_chain_goes_on() {
    let mut desk = Desk::new();
    let mut book = desk.open(1000).book;
    desk.write(&mut book, 20);
    let earlier = files::earlier(&desk.place()).unwrap();
    assert!(earlier.len() >= 3, "{earlier:?}");
    assert!(earlier[0].ends_with("audit.jsonl.000000000001"), "{earlier:?}");
    assert!(earlier.iter().all(|file| fs::metadata(file).unwrap().len() <= 1000));
    assert_eq!(desk.judged(), Ok(Whole { lines: 20, from: 1, to: 20 }));
    let Opened { mut book, broken } = desk.open(1000);
    assert_eq!(broken, None);
    desk.write(&mut book, 10);
    assert_eq!(desk.judged(), Ok(Whole { lines: 30, from: 1, to: 30 }));
}

#[test]
fn lines_that_the_store_has_not_heard_of_yet_are_no_fault() {
    let mut desk = Desk::new();
    // At each moment the gateway may be killed: also just after a file was put away.
    for ahead in 0..12 {
        let Opened { mut book, broken } = desk.open(1000);
        assert_eq!(broken, None, "{ahead}");
        desk.write(&mut book, 1);
        (0..ahead).for_each(|_| write_one(&mut book));
        let reached = book.head();
        if ahead % 3 == 0 {
            book.turn().unwrap();
        }
        let again = desk.open(1000);
        assert_eq!((again.broken, again.book.head().hash), (None, reached.hash), "{ahead}");
        desk.kept = Some(reached);
    }
    assert_eq!(desk.judged().map(|whole| whole.lines), Ok(78));
}

#[test]
fn a_line_that_a_crash_broke_off_is_no_line() {
    let mut desk = Desk::new();
    desk.write(&mut desk.open(LONG).book, 3);
    let whole = desk.text();
    fs::write(desk.place(), format!("{whole}{{\"seq\":4,\"at\":")).unwrap();
    let Opened { mut book, broken } = desk.open(LONG);
    assert_eq!((broken, desk.text()), (None, whole));
    desk.write(&mut book, 1);
    assert_eq!(desk.judged().map(|whole| whole.lines), Ok(4));
}

#[test]
fn what_is_not_what_was_written_is_found_and_the_chain_begins_anew() {
    let cut = |text: &str| text.lines().take(4).map(|line| format!("{line}\n")).collect();
    let swap = |text: &str| text.replacen("alice", "carol", 1);
    let torn = |text: &str| text.trim_end().to_owned();
    let emptied = |_: &str| String::new();
    let cases = [
        ("cut_off", cut as fn(&str) -> String, 5),
        ("changed", swap, 1),
        ("cut_off", torn, 6),
        ("cut_off", emptied, 1),
    ];
    for (what, spoil, line) in cases {
        let mut desk = Desk::new();
        desk.write(&mut desk.open(LONG).book, 6);
        let spoilt = spoil(&desk.text());
        fs::write(desk.place(), &spoilt).unwrap();
        let Opened { mut book, broken } = desk.open(LONG);
        let broken = broken.unwrap();
        assert_eq!((broken.what.as_str(), broken.line), (what, line), "{spoilt}");
        desk.write(&mut book, 2);
        // It stays for whoever looks into it, and what is missing is found for good.
        let earlier = files::earlier(&desk.place()).unwrap();
        assert_eq!(fs::read_to_string(&earlier[0]).unwrap(), spoilt);
        // Of a file that was emptied the line tells that a log begins anew with.
        assert_eq!(desk.judged().is_err(), !spoilt.is_empty());
        assert_eq!(desk.open(LONG).broken, None, "told once");
    }
}

#[test]
fn a_log_that_is_gone_or_another_one_is_found() {
    let mut desk = Desk::new();
    desk.write(&mut desk.open(LONG).book, 6);
    fs::remove_file(desk.place()).unwrap();
    let gone = desk.open(LONG).broken.unwrap();
    assert_eq!((gone.line, gone.what), (1, Wrong::CutOff { to: 6 }));
    let mut other = Desk::new();
    other.write(&mut other.open(LONG).book, 8);
    fs::copy(other.place(), desk.place()).unwrap();
    // Another log with the very same lines would be the same log.
    let swapped = desk.text().replace("alice", "carol");
    fs::write(desk.place(), swapped).unwrap();
    desk.set_mode(0o600);
    assert_eq!(desk.open(LONG).broken.unwrap().what, Wrong::Changed);
}

#[test]
fn a_file_that_somebody_cuts_while_it_is_written_takes_no_more_lines() {
    let mut desk = Desk::new();
    let mut book = desk.open(LONG).book;
    desk.write(&mut book, 3);
    // As after a disk that was full: the file is opened once more.
    book.file = None;
    fs::write(desk.place(), "").unwrap();
    let head = book.head();
    assert!(book.write("{}\n", head).unwrap_err().to_string().contains("cut it off"));
    fs::remove_file(desk.place()).unwrap();
    assert!(book.write("{}\n", head).unwrap_err().to_string().contains("is gone"));
    assert_eq!(book.head(), head);
}
