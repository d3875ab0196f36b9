//! Tables for people: aligned, in colour where a terminal shows them. Whatever a gateway says
//! is shown without what a terminal would obey.

use std::io::{self, IsTerminal as _};

use serde_json::Value;

use crate::telemetry::escape;

/// Letters of one cell.
const WIDEST: usize = 200;
/// Between two columns.
const GAP: &str = "  ";
const BOLD: &str = "\u{1b}[1m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const RED: &str = "\u{1b}[31m";
const PLAIN: &str = "\u{1b}[0m";

/// Rows below their heads, or lines of a name and what it stands for.
pub(super) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// What is said below.
    foot: String,
}

impl Table {
    /// A table with these heads and a line below.
    pub(super) fn new(
        heads: &[&'static str],
        rows: Vec<Vec<String>>,
        foot: impl Into<String>,
    ) -> Self {
        Self { heads: heads.to_vec(), rows, foot: foot.into() }
    }

    /// One sentence.
    pub(super) fn sentence(text: impl Into<String>) -> Self {
        Self::new(&[], Vec::new(), text)
    }

    /// The table as it is printed.
    pub(super) fn drawn(&self, in_colour: bool) -> String {
        let mut drawn = String::new();
        if !self.heads.is_empty() && !self.rows.is_empty() {
            let heads: Vec<String> = self.heads.iter().map(|head| head.to_uppercase()).collect();
            self.draw(&heads, &mut drawn, |_| in_colour.then_some(BOLD));
        }
        for row in &self.rows {
            self.draw(row, &mut drawn, |cell| colour(cell).filter(|_| in_colour));
        }
        if !self.foot.is_empty() {
            drawn.push_str(&self.foot);
            drawn.push('\n');
        }
        drawn
    }

    fn draw(
        &self,
        row: &[String],
        drawn: &mut String,
        colour_of: impl Fn(&str) -> Option<&'static str>,
    ) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let room = self.width(column).saturating_sub(cell.chars().count());
            match colour_of(cell) {
                Some(colour) => line.extend([colour, cell, PLAIN]),
                None => line.push_str(cell),
            }
            if column + 1 < row.len() {
                line.push_str(&" ".repeat(room));
                line.push_str(GAP);
            }
        }
        drawn.push_str(line.trim_end());
        drawn.push('\n');
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or_default();
        widest.max(self.heads.get(column).map_or(0, |head| head.len()))
    }
}

/// Whether what is printed goes to somebody who sees colours, and wants them.
pub(super) fn takes_colours() -> bool {
    // https://no-color.org
    #[allow(clippy::disallowed_methods)]
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !unwanted
}

/// States and levels stand out.
fn colour(cell: &str) -> Option<&'static str> {
    match cell {
        "enrolled" | "proven" => Some(GREEN),
        "missing" | "password" => Some(YELLOW),
        "locked" | "disabled" => Some(RED),
        _ => None,
    }
}

/// A text of the gateway's for a terminal.
pub(super) fn shown(text: &str) -> String {
    escape::shown(text, WIDEST).into_owned()
}

/// What an answer says at `key`; nothing where it says nothing.
pub(super) fn cell(answer: &Value, key: &str) -> String {
    match answer.get(key) {
        Some(Value::String(text)) => shown(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => shown(&other.to_string()),
    }
}

/// The moment at `key`: `2026-11-24 14:05 UTC`.
pub(super) fn moment(answer: &Value, key: &str) -> String {
    let text = cell(answer, key);
    match (text.get(..16), text.ends_with('Z')) {
        (Some(minute), true) => format!("{} UTC", minute.replace('T', " ")),
        _ => text,
    }
}

/// What a list of the answer holds.
pub(super) fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = vec![row(["alice", "enrolled", "2026"]), row(["bo", "missing", ""])];
        Table::new(&["user", "state", "enrolled at"], rows, "2 users")
    }

    #[test]
    fn columns_are_aligned() {
        let drawn =
            "USER   STATE     ENROLLED AT\nalice  enrolled  2026\nbo     missing\n2 users\n";
        assert_eq!(table().drawn(false), drawn);
        assert_eq!(Table::sentence("nobody").drawn(true), "nobody\n");
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let coloured = table().drawn(true);
        assert!(coloured.contains("\u{1b}[32menrolled\u{1b}[0m  2026"), "{coloured}");
        let bare = [BOLD, GREEN, YELLOW, RED, PLAIN]
            .iter()
            .fold(coloured, |text, colour| text.replace(colour, ""));
        let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect();
        let lines: Vec<String> = trimmed(&bare);
        assert_eq!(lines, trimmed(&table().drawn(false)));
    }

    #[test]
    fn a_terminal_is_told_nothing_to_obey() {
        let answer = json!({ "user": "a\u{1b}[2Jb\u{202e}", "at": "2026-11-24T14:05:33Z", "n": 3 });
        assert!(!cell(&answer, "user").chars().any(char::is_control));
        assert!(!cell(&answer, "user").contains('\u{202e}'));
        assert_eq!(moment(&answer, "at"), "2026-11-24 14:05 UTC");
        assert_eq!((cell(&answer, "n"), cell(&answer, "none")), ("3".to_owned(), String::new()));
    }
}
