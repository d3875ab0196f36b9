//! How a file looks: what it is for at its top, short enough to be read at one sitting, and
//! nothing in it that waits for a better day.

use crate::source::words;

/// The most lines of a file. A longer one has two duties.
const MAX_LINES: usize = 500;
/// The most lines in which a file says what it is for. The tour in lib.rs may be longer.
const MAX_OPENING: usize = 5;

/// What is wrong with the shape of a Rust file.
pub(crate) fn faults(path: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = source.lines().count();
    if lines > MAX_LINES {
        faults.push(format!("{path}: has {lines} lines, more than {MAX_LINES}"));
    }
    // A case for the compiler to refuse is data of a test.
    if path.starts_with("tests/") && path.contains("/compile_fail/") {
        return faults;
    }
    match source.lines().take_while(|line| line.starts_with("//!")).count() {
        0 => faults.push(format!("{path}: does not open with a line //! that says what it is for")),
        opening if opening > MAX_OPENING && path != "src/lib.rs" => {
            faults.push(format!("{path}: takes {opening} lines to say what it is for"));
        }
        _ => {}
    }
    faults
}

/// Marks by which work is put off, as whole words.
pub(crate) fn left_for_later(path: &str, text: &str) -> Vec<String> {
    // In two parts, as this file is read too.
    let marks = [["TO", "DO"], ["FIX", "ME"]].map(|parts| parts.concat());
    let is_word = |line: &str, mark: &str| words(line, mark).next().is_some();
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for mark in marks.iter().filter(|mark| is_word(line, mark)) {
            faults.push(format!("{path}:{}: says {mark}", index + 1));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_its_purpose() {
        assert!(faults("src/a.rs", "//! For this.\n\nfn a() {}\n").is_empty());
        assert_eq!(faults("src/a.rs", "fn a() {}\n").len(), 1);
        assert_eq!(faults("src/a.rs", "\n//! For this.\n").len(), 1);
        assert_eq!(faults("src/a.rs", "").len(), 1);
        assert!(faults("tests/policy/compile_fail/permit.rs", "fn a() {}\n").is_empty());
    }

    #[test]
    fn its_purpose_is_told_in_five_lines() {
        assert!(faults("src/a.rs", &"//! More.\n".repeat(5)).is_empty());
        assert_eq!(faults("src/a.rs", &"//! More.\n".repeat(6)).len(), 1);
        assert!(faults("src/lib.rs", &"//! More.\n".repeat(40)).is_empty());
    }

    #[test]
    fn a_file_has_500_lines_at_most() {
        let of = |lines: usize| format!("//! For this.\n{}", "\n".repeat(lines - 1));
        assert!(faults("src/a.rs", &of(500)).is_empty());
        assert_eq!(faults("src/a.rs", &of(501)).len(), 1);
    }

    #[test]
    fn what_is_put_off_is_found() {
        let put_off = ["// TO", "DO: later"].concat();
        assert_eq!(left_for_later("src/a.rs", &put_off).len(), 1);
        let in_a_word = ["MASTO", "DON"].concat();
        assert!(left_for_later("src/a.rs", &in_a_word).is_empty());
    }
}
