//! What was measured, as `scripts/faults` reads it; and quiet for those who measure.

use std::time::Duration;

use tokio::sync::RwLock;

use crate::engine::Kind;

/// Who measures has it alone, and everybody else shares it.
pub static QUIET: RwLock<()> = RwLock::const_new(());

/// Prints a row of figures.
#[allow(clippy::print_stdout, reason = "figures are what this test is run for")]
pub fn say(engine: Kind, what: &str, figures: &[(&str, String)]) {
    let row: Vec<String> = figures.iter().map(|(name, value)| format!("{name}={value}")).collect();
    println!("FIGURE {engine:?}|{what}|{}", row.join("|"));
}

/// So many milliseconds, in words.
pub fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// So many seconds, in words; or that it did not happen.
pub fn seconds(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "never".to_owned(), |it| format!("{:.1} s", it.as_secs_f64()))
}

/// A number that the environment may set, for longer runs.
pub fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}
