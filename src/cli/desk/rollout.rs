//! `portcullis rollout`: where a portal stands on the way to the day nobody gets in without a
//! second factor, and who is missing.

use std::io::{self, Write as _};

use clap::Args;
use serde_json::Value;

use super::gate::Gate;
use super::table::{Table, cell, list, moment};
use super::{Desk, DeskError, Told, user};

/// Letters of the longest bar.
const WIDEST: u64 = 40;
/// The days that are drawn, the last ones.
const DAYS: usize = 60;

/// What to say of a rollout.
#[derive(Args)]
pub(in crate::cli) struct RolloutArguments {
    #[command(flatten)]
    desk: Desk,
    /// List who is missing, as CSV, in place of the report.
    #[arg(long)]
    csv: bool,
}

/// Carries it out and gives the exit code.
pub(in crate::cli) fn run(arguments: &RolloutArguments) -> u8 {
    match arguments.csv {
        true => super::run(&arguments.desk, missing),
        false => super::run(&arguments.desk, report),
    }
}

async fn report(gate: Gate) -> Result<Told, DeskError> {
    let json = gate.get("/rollout").await?;
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![
        line("portal", cell(&json, "portal")),
        line("mode", mode(&json)),
        line("seen", cell(&json, "seen")),
        line("enrolled", share(&json)),
        line("waiting", cell(&json, "waiting")),
        line("blocked", blocked(&json)),
        line("told", format!("{} of who is missing", cell(&json, "reminded"))),
        line("would block", cell(&json, "would_block")),
    ];
    rows.extend(list(&json, "groups").iter().map(|group| line("group", dated(group))));
    let foot = format!("{}Who is missing: --csv", bars(list(&json, "days")));
    Ok(Told { table: Table::new(&[], rows, foot), json })
}

fn mode(json: &Value) -> String {
    match moment(json, "from") {
        from if from.is_empty() => cell(json, "mode"),
        from => format!("{} from {from}", cell(json, "mode")),
    }
}

fn share(json: &Value) -> String {
    let number = |key: &str| json.get(key).and_then(Value::as_u64).unwrap_or_default();
    let (enrolled, seen) = (number("enrolled"), number("seen"));
    match (enrolled * 100).checked_div(seen) {
        Some(percent) => format!("{enrolled}  {percent} %"),
        None => enrolled.to_string(),
    }
}

fn blocked(json: &Value) -> String {
    match moment(json, "blocked_since") {
        since if since.is_empty() => cell(json, "blocked"),
        since => format!("{}, since {since}", cell(json, "blocked")),
    }
}

fn dated(group: &Value) -> String {
    let from = moment(group, "from");
    let named = group.get("users").and_then(Value::as_u64).unwrap_or_default();
    let named = user::counted(usize::try_from(named).unwrap_or(usize::MAX), "user");
    match cell(group, "pattern") {
        pattern if pattern.is_empty() => format!("{named} from {from}"),
        pattern => format!("{named} and '{pattern}' from {from}"),
    }
}

/// A bar for each day: how many of those seen until then had enrolled.
fn bars(days: &[Value]) -> String {
    let number = |day: &Value, key: &str| day.get(key).and_then(Value::as_u64).unwrap_or_default();
    let (mut seen, mut enrolled) = (0, 0);
    let mut sums = Vec::new();
    for day in days {
        seen += number(day, "seen");
        enrolled += number(day, "enrolled");
        sums.push((cell(day, "day"), enrolled, seen));
    }
    let most = sums.iter().map(|(_, _, seen)| *seen).max().unwrap_or_default();
    let drawn = sums.iter().skip(sums.len().saturating_sub(DAYS)).map(|(day, enrolled, seen)| {
        let letters = |count: u64| (count * WIDEST).div_ceil(most.max(1));
        let (full, all) = (letters(*enrolled), letters(*seen));
        let repeated = |sign: &str, count: u64| sign.repeat(usize::try_from(count).unwrap_or(0));
        let bar = repeated("█", full) + &repeated("░", all.saturating_sub(full));
        format!("{day}  {bar} {enrolled} of {seen}\n")
    });
    drawn.collect()
}

/// Who is missing, for a spreadsheet.
async fn missing(gate: Gate) -> Result<Told, DeskError> {
    let users = user::every(&gate, "&state=missing").await?;
    let heads =
        ["user", "first_seen", "last_seen", "reminded_at", "required_from", "blocked_since"];
    let mut csv = heads.join(",") + "\r\n";
    for one in &users {
        let cells: Vec<String> = heads.iter().map(|head| quoted(&cell(one, head))).collect();
        csv.push_str(&cells.join(","));
        csv.push_str("\r\n");
    }
    let printed = io::stdout().lock().write_all(csv.as_bytes());
    printed.map_err(DeskError::Output)?;
    Ok(Told::nothing())
}

/// A cell of RFC 4180. What a spreadsheet would take for a formula is a text in it.
pub(super) fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r', '\'']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{bars, quoted};

    #[test]
    fn a_day_has_a_bar_of_who_was_there_by_then() {
        let day = |day: &str, seen: u64, enrolled: u64| json!({ "day": day, "seen": seen, "enrolled": enrolled });
        let days = [day("2026-11-24", 10, 0), day("2026-11-25", 10, 10)];
        let expected = format!(
            "2026-11-24  {} 0 of 10\n2026-11-25  {}{} 10 of 20\n",
            "░".repeat(20),
            "█".repeat(20),
            "░".repeat(20)
        );
        assert_eq!(bars(&days), expected);
        assert_eq!(bars(&[]), "");
    }

    #[test]
    fn a_spreadsheet_is_given_texts() {
        assert_eq!(quoted("alice"), "alice");
        assert_eq!(quoted("a,\"b"), "\"a,\"\"b\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
