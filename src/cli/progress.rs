//! How far long work is, as a bar on standard error for whoever watches a terminal. Scripts and
//! pipes see nothing of it.

use std::io::{IsTerminal as _, Write as _, stderr};

/// Cells of the bar.
const CELLS: usize = 30;
/// Back to the beginning of the line, and away with what is on it.
const CLEAR: &str = "\r\u{1b}[2K";

/// A bar, gone when it is dropped.
pub(super) struct Progress {
    what: &'static str,
    total: usize,
    shows: bool,
    drawn: String,
}

impl Progress {
    /// Begins one for `total` steps, or for as many as there are where that is 0. It is shown to
    /// a terminal, if `wanted`.
    pub(super) fn begin(what: &'static str, total: usize, wanted: bool) -> Self {
        let shows = wanted && stderr().is_terminal();
        Self { what, total, shows, drawn: String::new() }
    }

    /// So many steps are done.
    pub(super) fn at(&mut self, done: usize) {
        if !self.shows {
            return;
        }
        let line = line(self.what, self.total, done);
        // Written again only when it looks otherwise.
        if line != self.drawn {
            let _nobody_looks = write!(stderr().lock(), "{CLEAR}{line}");
            self.drawn = line;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.drawn.is_empty() {
            let _nobody_looks = write!(stderr().lock(), "{CLEAR}");
        }
    }
}

fn line(what: &str, total: usize, done: usize) -> String {
    if total == 0 {
        // Tenths of what a reader tells apart, so that it is not drawn for each piece.
        let tenths = done / (1024 * 1024 / 10);
        return format!("{what}  {}.{} MiB", tenths / 10, tenths % 10);
    }
    let done = done.min(total);
    let percent = done.saturating_mul(100) / total;
    let full = done.saturating_mul(CELLS) / total;
    let (full, empty) = ("#".repeat(full), ".".repeat(CELLS.saturating_sub(full)));
    format!("{what}  [{full}{empty}] {percent:>3} %")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_bar_fills_from_nothing_to_all() {
        assert_eq!(line("inviting", 5000, 0), format!("inviting  [{}]   0 %", ".".repeat(30)));
        let half = format!("inviting  [{}{}]  50 %", "#".repeat(15), ".".repeat(15));
        assert_eq!(line("inviting", 5000, 2500), half);
        let all = format!("inviting  [{}] 100 %", "#".repeat(30));
        assert_eq!(
            (line("inviting", 5000, 5000), line("inviting", 5000, 6000)),
            (all.clone(), all)
        );
    }

    #[test]
    fn where_nobody_knows_how_much_there_is_it_counts() {
        assert_eq!(line("exporting", 0, 0), "exporting  0.0 MiB");
        assert_eq!(line("exporting", 0, 3 * 1024 * 1024 + 600 * 1024), "exporting  3.5 MiB");
    }
}
